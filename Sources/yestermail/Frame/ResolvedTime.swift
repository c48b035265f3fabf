internal import Events
internal import Journal
internal import Projections
internal import TimeLanguage
internal import Vault

/// A point of the history: what a time expression came to.
struct ResolvedTime {
    /// The newest transaction that belongs to it.
    var transaction: TransactionID
    /// The instant that was asked for; of a transaction, its time.
    var time: Timestamp
    /// Nothing has been recorded after it.
    var isNewest: Bool
    /// Nobody was watching then: the answer is what was known, not what was.
    var gap: Gap?
    /// The instant that was asked for, where it was not simply the newest state.
    var asked: Timestamp?
}

/// What a range of times came to.
struct ResolvedRange {
    var first: TransactionID
    var last: TransactionID
    /// Nobody was watching at its ends: what happened then was recorded when it was seen, perhaps not in the range.
    var gaps: [Gap]

    /// Refuses a range in which nothing is.
    func refuseEmpty(_ context: CommandContext) throws {
        guard first > last else { return }
        throw Failure(
            .notFound, "nothing was recorded between these two times",
            hint: gaps.first.map { context.wording(ofEndIn: $0) })
    }
}

/// Where `before:ITEM` and `op:UUID` are looked up: in the projections, or, for a replay, in the journal alone.
protocol TimeLandmarks {
    func newestDeletion(of item: ItemID) throws -> TransactionID?
    /// The first and the last transaction of an operation.
    func operation(_ id: [UInt8]) throws -> ClosedRange<TransactionID>?
    /// The first transaction that has to do with the account, and the first one of its own; of the vault without one.
    func beginning() throws -> (reachable: TransactionID, own: TransactionID)
    /// When nobody watched the account, oldest first; nothing without one.
    func gaps() throws -> [Gap]
}

extension CommandContext {
    /// The restore point that `text` names; the newest without one. Refuses what is before the first transaction. What it
    /// came to is said on standard error, unless the answer says it.
    func point(
        _ text: String?, role: TimeExpression.Role = .at, _ landmarks: some TimeLandmarks, _ vault: OpenVault,
        echo: Echo = .document
    ) throws -> ResolvedTime {
        let head = try vault.journal.head()
        let newest = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        guard let text else { return newest }
        let expression = try TimeExpression.parse(text, role: role, now: now, zone: zone)
        var found: ResolvedTime
        // The instant itself, where one was asked for: what is newest may be long ago then.
        var asked: Timestamp?
        switch expression {
        case .last: found = newest
        case .first: found = try point(of: landmarks.beginning().own, vault, newest)
        case .instant(let instant):
            asked = instant
            let id = try vault.journal.newest(atOrBefore: instant)
            found =
                id == head.transaction
                ? newest : ResolvedTime(transaction: id, time: instant, isNewest: false)
        case .transaction(let id): found = id >= head.transaction ? newest : try point(of: id, vault, newest)
        case .before(let item):
            guard let id = try landmarks.newestDeletion(of: item) else {
                throw Failure(
                    .notFound, "\(item) has never been deleted",
                    hint: "See what happened to it: yestermail history ACCOUNT \(item)")
            }
            found = try point(of: id.previous, vault, newest)
        case .operation(let id, let side):
            guard let range = try landmarks.operation(Array(id.utf8)) else {
                throw Failure(.notFound, "there is no operation \(id) in this vault")
            }
            found = try point(of: side == .after ? range.upperBound : range.lowerBound.previous, vault, newest)
        }
        let reachable = try landmarks.beginning().reachable
        guard found.transaction >= reachable, found.transaction > .beginning else {
            throw try unreachable(text, from: reachable, head, vault)
        }
        if expression != .last {
            let time = asked ?? found.time
            found.asked = time
            found.gap = try landmarks.gaps().first { $0.contains(time) }
        }
        say(role, found, echo)
        return found
    }

    /// How a person or a program hears what a time came to.
    enum Echo {
        /// On standard error; in JSON the answer itself says it (`resolved`).
        case document
        /// On standard error; in JSON as an object there, because the answer is a list of objects.
        case lines
        case nowhere
    }

    private func say(_ role: TimeExpression.Role, _ point: ResolvedTime, _ echo: Echo) {
        switch echo {
        case .nowhere: return
        case .document where isJSON: return  // The answer has it all, the gap too.
        case .lines where isJSON:
            var json = JSONWriter(capacity: 128)
            json.beginObject()
            json.resolved(point)
            json.endObject()
            remark(String(decoding: json.bytes, as: UTF8.self))
        case .document, .lines:
            let word =
                switch role {
                case .at: "as of"
                case .from: "from"
                case .to: "to"
                }
            remark("\(word) \(text(point.time, .microsecondsUnlessWhole(point.time))) (\(point.transaction))")
            if let gap = point.gap { remark("warning: \(wording(of: gap))") }
        }
    }

    /// A gap, for a person.
    func wording(of gap: Gap) -> String {
        guard let from = gap.from else {
            return gap.to.map {
                "the account was first looked at as a whole at \(text($0)): what was there before is not known"
            }
                ?? "nobody had looked at the account yet at that time"
        }
        let end = gap.to.map { "until \(text($0))" } ?? "on"
        return "nobody was watching from \(text(from)) \(end): what came and went then is not known"
    }

    /// A gap in which a range begins or ends, for a person.
    func wording(ofEndIn gap: Gap) -> String {
        guard let from = gap.from else { return wording(of: gap) }
        let end =
            gap.to.map { "until \(text($0)): what happened then was recorded at its end" }
            ?? "on: what happened then is not recorded yet"
        return "nobody was watching from \(text(from)) \(end), or never seen"
    }

    private func point(of id: TransactionID, _ vault: OpenVault, _ newest: ResolvedTime) throws -> ResolvedTime {
        let time = try vault.journal.withRecord(id) { $0.time }
        return ResolvedTime(
            transaction: id, time: time ?? newest.time, isNewest: id == newest.transaction)
    }

    private func unreachable(
        _ text: String, from first: TransactionID, _ head: JournalHead, _ vault: OpenVault
    ) throws -> Failure {
        let time = try vault.journal.withRecord(first) { $0.time } ?? head.time
        return Failure(
            .outOfRange, "'\(text)' is before the first transaction: nothing is known of that time",
            hint:
                "Reachable: \(self.text(time, .microseconds)) (\(first)) to \(self.text(head.time, .microseconds)) (\(head.transaction))"
        )
    }

    /// The transactions of a range: from the first at or after `from` to the newest at or before `to`.
    func range(
        from: String?, to: String?, _ landmarks: some TimeLandmarks, _ vault: OpenVault
    ) throws -> ResolvedRange {
        let head = try vault.journal.head()
        let known = try landmarks.gaps()
        var (first, last) = (TransactionID(rawValue: 1), head.transaction)
        var gaps: [Gap] = []
        func note(_ time: Timestamp) {
            guard time <= head.time, let gap = known.first(where: { $0.contains(time) }),
                !gaps.contains(where: { $0.from == gap.from })
            else { return }
            gaps.append(gap)
        }
        func end(_ text: String, _ role: TimeExpression.Role) throws -> TransactionID {
            switch try TimeExpression.parse(text, role: role, now: now, zone: zone) {
            case .instant(let instant):
                note(instant)
                if role == .to { return try vault.journal.newest(atOrBefore: instant) }
                guard instant.rawValue > .min else { return TransactionID(rawValue: 1) }
                return try vault.journal.newest(atOrBefore: Timestamp(rawValue: instant.rawValue - 1)).next
            case .transaction(let id): return min(id, head.transaction.next)
            default: return try point(text, role: role, landmarks, vault, echo: .nowhere).transaction
            }
        }
        if let from { first = max(first, try end(from, .from)) }
        if let to { last = min(last, try end(to, .to)) }
        // Between two transactions there may be none; but no range ends before it begins.
        guard from == nil || to == nil || first <= last.next else {
            throw Failure(.usage, "--from is later than --to")
        }
        if from != nil || to != nil {
            remark(
                isJSON
                    ? "{\"resolved\":{\"from_txid\":\(first.rawValue),\"to_txid\":\(last.rawValue)}}"
                    : first <= last ? "\(first) to \(last)" : "no transaction")
        }
        return ResolvedRange(first: first, last: last, gaps: gaps)
    }
}

extension TransactionID {
    var previous: TransactionID { TransactionID(rawValue: rawValue == 0 ? 0 : rawValue - 1) }
}

extension Timestamp.Detail {
    static func microsecondsUnlessWhole(_ time: Timestamp) -> Timestamp.Detail {
        time.microsecondsOfSecond == 0 ? [] : .microseconds
    }
}

extension JSONWriter {
    /// `"resolved": {"txid": …, "time": …}`.
    mutating func resolved(_ point: ResolvedTime, key name: StaticString = "resolved") {
        key(name)
        beginObject()
        key("txid")
        value(point.transaction.rawValue)
        key("time")
        value(point.time)
        if let gap = point.gap {
            key("gap")
            beginObject()
            key("from")
            optional(gap.from)
            key("to")
            optional(gap.to)
            endObject()
        }
        endObject()
    }
}
