internal import Events
internal import Journal
internal import LMDB

extension ProjectionStep {
    /// Takes out what a step of a purge names. Where the journal has been written anew already there is nothing of it to be taken
    /// out, and the rows are the same.
    mutating func apply(_ step: PurgeStep, at id: TransactionID, in transaction: inout WriteTransaction) throws {
        var totals = try statistics(of: step.account, in: transaction)
        for (kind, numbers) in step.items.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for range in numbers.ranges {
                guard let first = UInt32(exactly: range.lowerBound), let last = UInt32(exactly: range.upperBound),
                    first > 0
                else { throw DecodingFailure(offset: 0, reason: .outOfRange) }
                try remove(
                    step.account, kind, first...last, before: id, whole: step.isWholeAccount, &totals, in: &transaction)
                try note(step.account, kind, PurgedRange(first: first, last: last, transaction: id), in: &transaction)
            }
        }
        for (kind, items) in step.states.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for (number, ranges) in items.sorted(by: { $0.key < $1.key }) {
                try removeStates(step.account, ItemID(kind, number), ranges, &totals, in: &transaction)
            }
        }
        if step.isWholeAccount {
            totals.forgetItems()
            try removeNotes(step.account, before: id, in: &transaction)
        }
        statistics[step.account] = totals
    }

    private mutating func remove(
        _ account: AccountNumber, _ kind: ItemKind, _ numbers: ClosedRange<UInt32>, before id: TransactionID,
        whole: Bool, _ totals: inout AccountStatistics, in transaction: inout WriteTransaction
    ) throws {
        // Some at a time: what is removed moves what a cursor stands on.
        var from = Key(account, ItemID(kind, numbers.lowerBound))
        while true {
            var rows: [(item: ItemID, id: TransactionID, row: StateRow)] = []
            try transaction.cursor(tables.states) { (cursor: inout Cursor) in
                var found = try cursor.seek(from)
                while found, rows.count < 4_096, let (item, at) = itemAndTransaction(cursor.key, account),
                    item.kind == kind, item.number <= numbers.upperBound
                {
                    rows.append((item, at, try StateRow(RowKind.states.payload(cursor.key, cursor.value))))
                    found = try cursor.next()
                }
            }
            for (index, (item, at, row)) in rows.enumerated() where at < id {
                let isLast =
                    index + 1 < rows.count
                    ? rows[index + 1].item != item : try isNewest(account, item, at, in: &transaction)
                if isLast { try unlist(account, item, at, row, whole, &totals, in: &transaction) }
            }
            for (item, at, _) in rows where at < id {
                totals.states &-= 1
                try transaction.delete(tables.states, Key(account, item, at))
                try transaction.delete(tables.histories, Key(account, item, at))
            }
            guard rows.count == 4_096, let last = rows.last else { return }
            from = Key(account, last.item, last.id.next)
        }
    }

    /// Old states of an item that stays: nothing but their own rows knows of them.
    private func removeStates(
        _ account: AccountNumber, _ item: ItemID, _ ranges: NumberRanges, _ totals: inout AccountStatistics,
        in transaction: inout WriteTransaction
    ) throws {
        var found: [TransactionID] = []
        try transaction.cursor(tables.states) { (cursor: inout Cursor) in
            for range in ranges.ranges {
                var isThere = try cursor.seek(Key(account, item, TransactionID(rawValue: range.lowerBound)))
                while isThere, let id = stateKey(cursor.key, account, item), id.rawValue <= range.upperBound {
                    found.append(id)
                    isThere = try cursor.next()
                }
            }
        }
        for id in found {
            totals.states &-= 1
            try transaction.delete(tables.states, Key(account, item, id))
            try transaction.delete(tables.histories, Key(account, item, id))
        }
    }

    private func isNewest(
        _ account: AccountNumber, _ item: ItemID, _ id: TransactionID, in transaction: inout WriteTransaction
    ) throws -> Bool {
        try transaction.cursor(tables.states) { (cursor: inout Cursor) in
            guard try cursor.seek(Key(account, item, id.next)) else { return true }
            return stateKey(cursor.key, account, item) == nil
        }
    }

    /// Takes an item whose newest state is `row` out of the listings.
    private mutating func unlist(
        _ account: AccountNumber, _ item: ItemID, _ id: TransactionID, _ row: StateRow, _ whole: Bool,
        _ totals: inout AccountStatistics, in transaction: inout WriteTransaction
    ) throws {
        if row.isDeleted {
            totals.deletedItems &-= 1
            try transaction.delete(tables.deleted, Key(deleted: account, id, item))
        } else {
            // Of a whole account the totals begin anew.
            if !whole {
                let pointer = StatePointer(transaction: id, index: row.index, isDeleted: false)
                totals.live(item, try journal.state(item, at: pointer).state, begins: false)
            }
            try transaction.delete(
                tables.live, Key(live: account, item.kind, folder: row.folder, number: item.number))
        }
        if item.kind == .folder {
            forgetPath(account, item.number)
            try transaction.delete(tables.folders, Key(folder: account, item.number))
        }
    }

    private func removeNotes(
        _ account: AccountNumber, before id: TransactionID, in transaction: inout WriteTransaction
    ) throws {
        var keys: [TransactionID] = []
        try transaction.cursor(tables.notes) { (cursor: inout Cursor) in
            var found = try cursor.seek(Key(account))
            while found {
                var key = ByteReader(cursor.key)
                guard try key.integer(UInt32.self) == account.rawValue else { return }
                let at = TransactionID(rawValue: try key.integer())
                guard at < id else { return }
                keys.append(at)
                found = try cursor.next()
            }
        }
        for at in keys { try transaction.delete(tables.notes, Key(account, at)) }
    }

    // MARK: What has been purged

    /// Notes a range; those there never overlap: of two the newer one counts where both are.
    private mutating func note(
        _ account: AccountNumber, _ kind: ItemKind, _ new: PurgedRange, in transaction: inout WriteTransaction
    ) throws {
        var old: [PurgedRange] = []
        try transaction.cursor(tables.purged) { (cursor: inout Cursor) in
            if try cursor.seekBefore(Key(purged: account, kind, new.first)),
                let range = try PurgedRange(cursor.key, cursor.value, account, kind), range.last >= new.first
            {
                old.append(range)
            }
            var found = try cursor.seek(Key(purged: account, kind, new.first))
            while found, let range = try PurgedRange(cursor.key, cursor.value, account, kind), range.first <= new.last {
                old.append(range)
                found = try cursor.next()
            }
        }
        for range in old {
            try transaction.delete(tables.purged, Key(purged: account, kind, range.first))
            if range.first < new.first {
                try put(
                    account, kind,
                    PurgedRange(first: range.first, last: new.first - 1, transaction: range.transaction),
                    in: &transaction)
            }
            if range.last > new.last {
                try put(
                    account, kind, PurgedRange(first: new.last + 1, last: range.last, transaction: range.transaction),
                    in: &transaction)
            }
        }
        try put(account, kind, new, in: &transaction)
        var highest: UInt32 = 0
        let key = Key(purged: account, kind, 0)
        if let bytes = try transaction.value(tables.purged, key) {
            var reader = ByteReader(try RowKind.purged.payload(key, bytes))
            highest = try reader.integer()
        }
        if new.last > highest {
            var bytes = ByteWriter(capacity: 16)
            bytes.integer(new.last)
            bytes.integer(new.transaction.rawValue)
            try row.put(.purged, tables.purged, key, bytes.span, in: &transaction)
        }
    }

    private mutating func put(
        _ account: AccountNumber, _ kind: ItemKind, _ range: PurgedRange, in transaction: inout WriteTransaction
    ) throws {
        var bytes = ByteWriter(capacity: 16)
        bytes.integer(range.last)
        bytes.integer(range.transaction.rawValue)
        try row.put(.purged, tables.purged, Key(purged: account, kind, range.first), bytes.span, in: &transaction)
    }
}

/// A row of `purged`: items with these numbers have no states before that transaction any more.
struct PurgedRange {
    var first: UInt32
    var last: UInt32
    var transaction: TransactionID

    init(first: UInt32, last: UInt32, transaction: TransactionID) {
        (self.first, self.last, self.transaction) = (first, last, transaction)
    }

    /// Nil when the row is of another account or kind, or is that of the highest number.
    init?(_ key: RawSpan, _ value: RawSpan, _ account: AccountNumber, _ kind: ItemKind) throws {
        var reader = ByteReader(key)
        guard try reader.integer(UInt32.self) == account.rawValue, try reader.integer(UInt8.self) == kind.rawValue
        else { return nil }
        first = try reader.integer()
        guard first > 0 else { return nil }
        var payload = ByteReader(try RowKind.purged.payload(key, value))
        last = try payload.integer()
        transaction = TransactionID(rawValue: try payload.integer())
    }
}
