internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

// What was purged is said wherever it is missing: when, by which operation, under which rule.

extension PurgeRule {
    /// For a person.
    var wording: String {
        let of =
            switch scope {
            case "standard": "as nobody has said otherwise"
            case "run": "as that purge was told"
            case "vault": "by the rule of the vault"
            case "account": "by the rule of the account"
            default: "by the rule of the \(TerminalText.safe(scope))"
            }
        return switch ground {
        case .items: "\(days) after its deletion, \(of)"
        case .accounts: "\(days) after the account was removed or disabled, \(of)"
        case .history: "its history is thinned to \(TerminalText.safe(setting)), \(of)"
        case .erasure: "everything of the account was erased"
        }
    }

    private var days: String { Int(setting).map { Quantity.count($0, "day") } ?? setting }
}

extension CommandContext {
    /// `purged at … by … (30 days after its deletion, by the rule of the vault)`.
    func wording(of mark: PurgeMark) -> String {
        "purged at \(text(mark.time)) (\(mark.transaction)) by \(mark.operation)"
            + (mark.rule.map { ": \($0.wording)" } ?? "")
    }

    /// An item that was purged is said to be that, never to be unknown.
    func failure(of purged: PurgedItem, _ account: Account, _ vault: OpenVault) throws -> Failure {
        Failure(
            .purged, "\(purged.item) of \(account.state.address) was \(try wording(of: purged, vault))",
            hint: "What was purged is nowhere in this vault any more")
    }

    /// How the item was purged, and when it was there.
    func wording(of purged: PurgedItem, _ vault: OpenVault) throws -> String {
        guard let life = purged.life else { return wording(of: purged.mark) }
        func time(_ id: TransactionID) throws -> String {
            try vault.journal.withRecord(id) { $0.time }.map { "\(text($0)) (\(id))" } ?? "\(id)"
        }
        return
            "\(wording(of: purged.mark)); it was there from \(try time(life.lowerBound)) until \(try time(life.upperBound))"
    }

    /// States that were thinned out, and what is shown in their place.
    func wording(of thinned: ThinnedStates) -> String {
        "the state at that time was \(wording(of: thinned.mark)); this is the newest one before it that was kept"
    }

    /// States that were thinned out.
    func wording(gone thinned: ThinnedStates) -> String {
        "its states \(thinned.range.lowerBound) to \(thinned.range.upperBound) were \(wording(of: thinned.mark))"
    }

    func remark(_ thinned: ThinnedStates) {
        guard isJSON else { return remark("warning: \(wording(of: thinned))") }
        var json = JSONWriter(capacity: 256)
        json.beginObject()
        json.key("thinned")
        json.thinned(thinned)
        json.endObject()
        remark(String(decoding: json.bytes, as: UTF8.self))
    }

    /// Says beside an answer of which items it has another state than the one that was asked for.
    func remark(thinned shares: [PurgedShare]) {
        guard !shares.isEmpty else { return }
        guard isJSON else {
            for share in shares { remark("warning: \(wording(thinned: share))") }
            return
        }
        var json = JSONWriter(capacity: 256)
        json.beginObject()
        json.purged(shares, key: "thinned")
        json.endObject()
        remark(String(decoding: json.bytes, as: UTF8.self))
    }

    func wording(thinned share: PurgedShare) -> String {
        "of \(Quantity.count(share.count, "item")) (\(list(share.names))) the state at that time was \(wording(of: share.mark)); each is in its newest state before it that was kept"
    }

    private func list(_ names: [String]) -> String {
        names.prefix(10).joined(separator: ", ") + (names.count > 10 ? ", …" : "")
    }

    /// Says beside an answer what is missing in it.
    func remark(_ shares: [PurgedShare]) {
        guard !shares.isEmpty else { return }
        if isJSON {
            var json = JSONWriter(capacity: 256)
            json.beginObject()
            json.purged(shares)
            json.endObject()
            return remark(String(decoding: json.bytes, as: UTF8.self))
        }
        for share in shares { remark("warning: \(wording(of: share))") }
    }

    func wording(of share: PurgedShare) -> String {
        if share.isWhole { return "everything of the account was \(wording(of: share.mark))" }
        return "not in it: \(Quantity.count(share.count, "item")) (\(list(share.names))), \(wording(of: share.mark))"
    }
}

extension PurgedShare {
    /// `m7`, `m9-m12`.
    var names: [String] {
        items.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap { kind, numbers in
            numbers.ranges.map { range in
                let letter = "\(kind.letter)"
                return range.count == 1
                    ? "\(letter)\(range.lowerBound)" : "\(letter)\(range.lowerBound)-\(letter)\(range.upperBound)"
            }
        }
    }
}

extension JSONWriter {
    /// The members of a purge: `operation`, `txid`, `time`, `rule`.
    mutating func purgeMembers(_ mark: PurgeMark) {
        key("operation")
        value(mark.operation.description)
        key("txid")
        value(mark.transaction.rawValue)
        key("time")
        value(mark.time)
        key("rule")
        guard let rule = mark.rule else { return null() }
        beginObject()
        key("of")
        value(rule.ground.rawValue)
        key("setting")
        if rule.setting.isEmpty { null() } else { value(rule.setting) }
        key("scope")
        if rule.scope.isEmpty { null() } else { value(rule.scope) }
        endObject()
    }

    /// `"purged":[…]`: what is missing in an answer.
    mutating func purged(_ shares: [PurgedShare], key name: StaticString = "purged") {
        key(name)
        beginArray()
        for share in shares {
            beginObject()
            purgeMembers(share.mark)
            key("all")
            value(share.isWhole)
            key("count")
            if share.isWhole { null() } else { value(share.count) }
            key("items")
            value(share.names.joined(separator: " "))
            endObject()
        }
        endArray()
    }

    /// `"purged":[…]` of a transaction.
    mutating func purged(_ marks: [PurgeMark], all: Bool) {
        key("purged")
        beginArray()
        for mark in marks {
            beginObject()
            purgeMembers(mark)
            key("all")
            value(all)
            endObject()
        }
        endArray()
    }

    /// States of one item that were thinned out.
    mutating func thinned(_ thinned: ThinnedStates) {
        beginObject()
        key("from_txid")
        value(thinned.range.lowerBound.rawValue)
        key("to_txid")
        value(thinned.range.upperBound.rawValue)
        purgeMembers(thinned.mark)
        endObject()
    }

    /// `{"item":…,"type":…,"purged":{…}}`: all there is of an item that was purged.
    mutating func purged(_ purged: PurgedItem) {
        beginObject()
        key("item")
        value(purged.item)
        key("type")
        value(purged.item.kind.name)
        key("purged")
        beginObject()
        purgeMembers(purged.mark)
        key("from_txid")
        optional(purged.life?.lowerBound)
        key("to_txid")
        optional(purged.life?.upperBound)
        endObject()
        endObject()
    }
}
