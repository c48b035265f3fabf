public import Events
public import Journal

/// The state of one account as of a transaction, folded from the journal alone: the replay that every projection is held
/// against. Sixteen bytes an item; states are read from the journal when they are wanted.
public struct AccountFold: Sendable {
    public let account: AccountNumber
    /// How far it has come.
    public private(set) var position: TransactionID = .beginning
    private var rows: [[Row]]
    private let purged: PurgedItems

    private struct Row {
        var transaction: UInt64 = 0
        var index: UInt32 = 0
        var isDeleted = false
    }

    /// `purged`: what later purges have taken. Until the journal has been written anew, it still has it.
    public init(account: AccountNumber, without purged: PurgedItems = PurgedItems()) {
        self.account = account
        self.purged = purged
        rows = Array(repeating: [], count: Int((ItemKind.allCases.map(\.rawValue).max() ?? 0)) + 1)
    }

    /// Folds on through `last`.
    public mutating func fold(_ journal: OpenJournal, through last: TransactionID) throws {
        guard last > position else { return }
        // Taken out for the loop: a property would be looked up, and its exclusive access checked, for each record.
        var rows = rows
        self.rows = []
        let account = account
        let purged = purged.touches(account) ? purged : nil
        defer { self.rows = rows }
        try journal.scan(from: position.next, through: last) { record in
            guard record.account == account else {
                if record.account == .directory, let step = try RedactedRecord.step(record), step.account == account {
                    AccountFold.purge(&rows, step)
                }
                return true
            }
            var changes = try ChangeReader(record.body)
            var index: UInt32 = 0
            while try changes.next() {
                if let purged, purged.contains(account, changes.item, at: record.id) {
                    index += 1
                    continue
                }
                let kind = Int(changes.item.kind.rawValue)
                let number = Int(changes.item.number)
                if number >= rows[kind].count { AccountFold.grow(&rows[kind], number) }
                rows[kind][number] = Row(
                    transaction: record.id.rawValue, index: index, isDeleted: changes.isDeleted)
                index += 1
            }
            return true
        }
        position = last
    }

    /// Takes out what a step of a purge names: where the journal has not been written anew yet it was folded before.
    private static func purge(_ rows: inout [[Row]], _ step: PurgeStep) {
        for (kind, numbers) in step.items {
            let kind = Int(kind.rawValue)
            for range in numbers.ranges {
                let end = min(Int(range.upperBound) + 1, rows[kind].count)
                guard Int(range.lowerBound) < end else { continue }
                for number in Int(range.lowerBound)..<end { rows[kind][number] = Row() }
            }
        }
    }

    private static func grow(_ rows: inout [Row], _ number: Int) {
        rows.append(contentsOf: repeatElement(Row(), count: number + 1 - rows.count))
    }

    public func pointer(_ item: ItemID) -> StatePointer? {
        let rows = rows[Int(item.kind.rawValue)]
        guard Int(item.number) < rows.count, rows[Int(item.number)].transaction != 0 else { return nil }
        let row = rows[Int(item.number)]
        return StatePointer(
            transaction: TransactionID(rawValue: row.transaction), index: row.index, isDeleted: row.isDeleted)
    }

    /// The items that are not deleted, by kind and number.
    public func live() -> [ItemPointer] { pointers { !$0 } }

    /// The items that are deleted, by kind and number.
    public func deleted() -> [ItemPointer] { pointers { $0 } }

    private func pointers(where wanted: (Bool) -> Bool) -> [ItemPointer] {
        var found: [ItemPointer] = []
        for kind in ItemKind.allCases {
            for (number, row) in rows[Int(kind.rawValue)].enumerated()
            where row.transaction != 0 && wanted(row.isDeleted) {
                found.append(
                    ItemPointer(
                        ItemID(kind, UInt32(number)),
                        StatePointer(
                            transaction: TransactionID(rawValue: row.transaction), index: row.index,
                            isDeleted: row.isDeleted)))
            }
        }
        return found.sorted { $0.item < $1.item }
    }
}
