public import Events
public import Journal
internal import Projections

/// A purge as a person hears of it: when it was, what it was called, and under which rule it took what it took.
public struct PurgeMark: Hashable, Sendable {
    public let operation: UniqueID
    /// The transaction that decided it.
    public let transaction: TransactionID
    public let time: Timestamp
    /// Nil where no rule was recorded.
    public let rule: PurgeRule?
}

/// An item that was purged.
public struct PurgedItem: Hashable, Sendable {
    public let item: ItemID
    public let mark: PurgeMark
    /// From the transaction with which it came to the one with which it was deleted, where that is known.
    public let life: ClosedRange<TransactionID>?
}

/// Old states of an item that is still there, one behind the other, that were thinned out.
public struct ThinnedStates: Hashable, Sendable {
    public let mark: PurgeMark
    /// From the first of them to the last.
    public let range: ClosedRange<TransactionID>
}

/// What of an answer is missing because one purge has taken it.
public struct PurgedShare: Hashable, Sendable {
    public let mark: PurgeMark
    /// Everything of the account from before the purge.
    public let isWhole: Bool
    public let items: [ItemKind: NumberRanges]

    public var count: Int { items.values.reduce(0) { $0 + $1.count } }
}

/// What purges have taken, as their steps in the journal tell it (`Specs/Decisions/0013-purge.md`).
public struct Purges: Sendable {
    private typealias Step = (mark: PurgeMark, step: PurgeStep)
    private var steps: [AccountNumber: [Step]] = [:]
    /// The same, as whoever reads the journal itself asks for it: until a purge has rewritten the journal, it still has what was purged.
    public private(set) var items = PurgedItems()

    public init() {}

    /// As a reading of the whole journal tells it.
    public init(_ journal: OpenJournal) throws {
        try journal.scan(from: TransactionID(rawValue: 1), through: try journal.head().transaction) { record in
            if let step = try RedactedRecord.step(record) { add(step, at: record.id, record.time) }
            return true
        }
    }

    private mutating func add(_ step: PurgeStep, at id: TransactionID, _ time: Timestamp) {
        let mark = PurgeMark(operation: step.operation, transaction: id, time: time, rule: step.rule)
        steps[step.account, default: []].append((mark, step))
        items.add(step, at: id)
    }

    fileprivate mutating func add(_ transaction: Transaction) {
        guard let note = transaction.entry.note, let step = PurgeStep(note) else { return }
        add(step, at: transaction.id, transaction.time)
    }

    private func steps(_ account: AccountNumber) -> [Step] { steps[account] ?? [] }

    /// Whether anything of the account was purged.
    public func touches(_ account: AccountNumber) -> Bool { steps[account] != nil }

    /// The purge that took the item; nil when none has.
    public func item(_ item: ItemID, _ account: AccountNumber) -> PurgedItem? {
        for (mark, step) in steps(account).reversed() {
            guard let numbers = step.items[item.kind], numbers.contains(UInt64(item.number)) else { continue }
            return PurgedItem(item: item, mark: mark, life: step.life(of: item))
        }
        return nil
    }

    /// The purges that took something of a transaction, and whether nothing is left of it.
    public func transaction(_ id: TransactionID, _ account: AccountNumber) -> (marks: [PurgeMark], isAll: Bool) {
        var found: (marks: [PurgeMark], isAll: Bool) = ([], false)
        var operations: Set<UniqueID> = []
        // What a purge made of a record stands in its first step for the account.
        for (mark, step) in steps(account) where id < mark.transaction {
            let isStub = step.stubs.contains(id.rawValue)
            guard isStub || step.redacted[id.rawValue] != nil, operations.insert(mark.operation).inserted else {
                continue
            }
            found.marks.append(mark)
            found.isAll = found.isAll || isStub
        }
        return found
    }

    /// What was in the mailbox as of a transaction (or, with `deleted`, had been deleted from it by then) and has been purged.
    public func missing(
        _ account: AccountNumber, asOf point: TransactionID, deleted: Bool = false
    ) -> [PurgedShare] {
        steps(account).compactMap { mark, step in
            if step.isWholeAccount {
                guard point < mark.transaction || deleted else { return nil }
                return PurgedShare(mark: mark, isWhole: true, items: [:])
            }
            var items: [ItemKind: NumberRanges] = [:]
            for (kind, numbers) in step.items {
                guard let lives = step.lives[kind] else {
                    // Not told how long they were there: any of them may be missing.
                    if point < mark.transaction || deleted { items[kind] = numbers }
                    continue
                }
                var found = NumberRanges()
                for (number, life) in zip(numbers.ranges.joined(), lives) {
                    let wasGone = life.upperBound <= point.rawValue
                    if deleted ? wasGone : life.lowerBound <= point.rawValue && !wasGone { found.append(number) }
                }
                if !found.isEmpty { items[kind] = found }
            }
            return items.isEmpty ? nil : PurgedShare(mark: mark, isWhole: false, items: items)
        }
    }

    /// The old states of the item that were thinned out, oldest first.
    public func thinned(_ item: ItemID, _ account: AccountNumber) -> [ThinnedStates] {
        steps(account).flatMap { mark, step in
            (step.states[item.kind]?[item.number]?.ranges ?? []).map { ThinnedStates(mark: mark, $0) }
        }.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// Whether the state an item had as of `point` was thinned out. The one that covers it is `kept`, the newest state before it that was
    /// kept.
    public func thinned(
        _ item: ItemID, _ account: AccountNumber, asOf point: TransactionID, kept: TransactionID
    ) -> ThinnedStates? {
        thinned(item, account).last { kept < $0.range.lowerBound && $0.range.lowerBound <= point }
    }

    /// The items whose state as of `point` was thinned out, by the purges that did it. `kept`: the transaction of the state that is
    /// there as of the point; nil when the item is not asked for.
    public func thinned(
        _ account: AccountNumber, asOf point: TransactionID, kept: (ItemID) throws -> TransactionID?
    ) rethrows -> [PurgedShare] {
        var seen: Set<ItemID> = []
        return try steps(account).reversed().compactMap { mark, step -> PurgedShare? in
            var items: [ItemKind: NumberRanges] = [:]
            for (kind, states) in step.states {
                var found: [UInt64] = []
                for (number, ranges) in states where (ranges.ranges.first?.lowerBound ?? .max) <= point.rawValue {
                    let item = ItemID(kind, number)
                    guard let kept = try kept(item),
                        ranges.ranges.contains(where: {
                            kept.rawValue < $0.lowerBound && $0.lowerBound <= point.rawValue
                        }),
                        seen.insert(item).inserted
                    else { continue }
                    found.append(UInt64(number))
                }
                if !found.isEmpty { items[kind] = NumberRanges(found) }
            }
            return items.isEmpty ? nil : PurgedShare(mark: mark, isWhole: false, items: items)
        }.reversed()
    }
}

extension ThinnedStates {
    fileprivate init(mark: PurgeMark, _ range: ClosedRange<UInt64>) {
        self.init(
            mark: mark,
            range: TransactionID(rawValue: range.lowerBound)...TransactionID(rawValue: range.upperBound))
    }
}

extension OpenVault {
    /// What purges have taken; of one account where one is given.
    public func purges(of account: AccountNumber? = nil) throws -> Purges {
        var purges = Purges()
        try eachNote(.purgeStep) { transaction in
            let number = transaction.entry.note?.number("account")
            guard account.map({ Int64($0.rawValue) == number }) ?? true else { return }
            purges.add(transaction)
        }
        return purges
    }
}
