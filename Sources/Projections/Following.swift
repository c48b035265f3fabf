public import Events
public import Journal
internal import LMDB

extension OpenProjections {
    /// Follows the journal to its head, in batches of which each is durable with its position. Returns the position.
    ///
    /// Any process may do it: LMDB lets one write at a time, and each begins where the other ended. What `progress` throws
    /// ends it; what was done until then stays.
    @discardableResult
    public func follow(
        _ journal: OpenJournal, batch: Int = 20_000, progress: (TransactionID) throws -> Void = { _ in }
    ) throws -> TransactionID {
        let head = try journal.head().transaction
        var position = try position()
        guard position <= head else {
            throw ProjectionsUnusable(reason: "they are ahead of the journal (\(position), which ends at \(head))")
        }
        while position < head {
            position = try environment.write { (transaction: inout WriteTransaction) -> TransactionID in
                try self.apply(journal, through: head, atMost: batch, in: &transaction)
            }
            try progress(position)
        }
        return position
    }

    private func apply(
        _ journal: OpenJournal, through head: TransactionID, atMost batch: Int, in transaction: inout WriteTransaction
    ) throws -> TransactionID {
        var position = FollowedPosition(version: OpenProjections.version, transaction: .beginning, leaf: .zero)
        if let bytes = try transaction.value(meta, Key(0 as UInt64)) {
            position = try FollowedPosition(RowKind.meta.payload(Key(0 as UInt64), bytes))
        }
        guard position.transaction < head else { return position.transaction }
        // The journal the projections were made from must be this one.
        if position.transaction > .beginning {
            let leaf = try journal.withRecord(position.transaction) { $0.leafHash }
            guard leaf == position.leaf else {
                throw ProjectionsUnusable(reason: "they were made from another journal")
            }
        }
        let last = TransactionID(rawValue: min(head.rawValue, position.transaction.rawValue + UInt64(batch)))
        var step = ProjectionStep(self, journal)
        try journal.scan(from: position.transaction.next, through: last) { record in
            try step.apply(record, in: &transaction)
            position.transaction = record.id
            if record.id == last { position.leaf = record.leafHash }
            return true
        }
        try step.finish(in: &transaction)
        var row = RowWriter()
        try row.put(.meta, meta, Key(0 as UInt64), position.encoded().span.bytes, in: &transaction)
        return position.transaction
    }
}

/// The effect of some transactions on the tables. Pure: no clock, no disk but the transaction, no randomness, and no
/// order of a dictionary reaches a row.
struct ProjectionStep {
    let tables: OpenProjections
    let journal: OpenJournal
    var statistics: [AccountNumber: AccountStatistics] = [:]
    private var paths: [UInt64: [UInt8]] = [:]
    private var json = JSONWriter(capacity: 1024)
    var row = RowWriter()

    init(_ tables: OpenProjections, _ journal: OpenJournal) {
        self.tables = tables
        self.journal = journal
    }

    mutating func apply(_ record: RecordView, in transaction: inout WriteTransaction) throws {
        let account = record.account
        var totals = try statistics(of: account, in: transaction)
        totals.count(record.id, record.time)
        var changes = try ChangeReader(record.body)
        if let note = try changes.note() {
            try row.put(
                .notes, tables.notes, Key(account, record.id), [note.kind.rawValue].span.bytes, in: &transaction)
            if note.kind == .purgeStep, account == .directory, let step = PurgeStep(note) {
                statistics[account] = totals
                try apply(step, at: record.id, in: &transaction)
                totals = try statistics(of: account, in: transaction)
            }
        }
        var index: UInt32 = 0
        while try changes.next() {
            let change = Change(
                changes.item, changes.kinds, try ItemState(changes.item.kind, decoding: changes.state))
            try apply(change, index, record.id, record.time, record.origin, account, &totals, in: &transaction)
            index += 1
        }
        statistics[account] = totals
    }

    private mutating func apply(
        _ change: Change, _ index: UInt32, _ id: TransactionID, _ time: Timestamp, _ origin: Origin,
        _ account: AccountNumber, _ totals: inout AccountStatistics, in transaction: inout WriteTransaction
    ) throws {
        let item = change.item
        let folder = change.state.message?.folder ?? 0
        let isLive = !change.state.isDeleted
        totals.states += 1
        // What is created has no state before; for everything else the last one says where it is listed.
        if !change.kinds.contains(.created), let before = try last(account, item, in: &transaction) {
            if before.row.isDeleted {
                totals.deletedItems &-= 1
                try transaction.delete(tables.deleted, Key(deleted: account, before.transaction, item))
            } else {
                if before.row.folder != folder || !isLive {
                    try transaction.delete(
                        tables.live, Key(live: account, item.kind, folder: before.row.folder, number: item.number))
                }
                // Its size counts as it was: only a change of content makes another of it.
                let counted =
                    change.kinds.contains(.content)
                    ? try journal.state(
                        item,
                        at: StatePointer(
                            transaction: before.transaction, index: before.row.index, isDeleted: false)
                    ).state : change.state
                totals.live(item, counted, begins: false)
            }
        }
        let state = StateRow(index: index, isDeleted: !isLive, folder: folder).encoded()
        try row.put(.states, tables.states, Key(account, item, id), state.span.bytes, in: &transaction)
        if isLive {
            totals.live(item, change.state, begins: true)
            var pointer = ByteWriter(capacity: 12)
            pointer.integer(id.rawValue)
            pointer.integer(index)
            try row.put(
                .live, tables.live, Key(live: account, item.kind, folder: folder, number: item.number),
                pointer.span, in: &transaction)
        } else {
            totals.deletedItems += 1
            try row.put(.deleted, tables.deleted, Key(deleted: account, id, item), RawSpan(), in: &transaction)
        }
        if let state = change.state.folder {
            let path = state.joinedPath
            paths[UInt64(account.rawValue) << 32 | UInt64(item.number)] = path
            try row.put(
                .folders, tables.folders, Key(folder: account, item.number), path.span.bytes, in: &transaction)
        }
        json.removeAll()
        json.beginObject()
        json.stateMembers(
            change.state,
            StateContext(
                transaction: id, start: time, item: item, kinds: change.kinds, origin: origin,
                folderPath: folder == 0 ? nil : try path(account, folder, in: transaction)))
        json.endObject()
        let text = json.bytes
        try row.put(.histories, tables.histories, Key(account, item, id), text.span.bytes, in: &transaction)
    }

    private func last(
        _ account: AccountNumber, _ item: ItemID, in transaction: inout WriteTransaction
    ) throws -> (transaction: TransactionID, row: StateRow)? {
        try transaction.cursor(tables.states) { (cursor: inout Cursor) in
            guard try cursor.seekBefore(Key(account, item, TransactionID(rawValue: .max))),
                let id = stateKey(cursor.key, account, item)
            else { return nil }
            return (id, try StateRow(RowKind.states.payload(cursor.key, cursor.value)))
        }
    }

    private mutating func path(
        _ account: AccountNumber, _ folder: UInt32, in transaction: borrowing WriteTransaction
    ) throws -> [UInt8]? {
        let key = UInt64(account.rawValue) << 32 | UInt64(folder)
        if let known = paths[key] { return known }
        guard let bytes = try transaction.value(tables.folders, Key(folder: account, folder)) else { return nil }
        let path = try RowKind.folders.payload(Key(folder: account, folder), bytes).withUnsafeBytes { Array($0) }
        paths[key] = path
        return path
    }

    func statistics(
        of account: AccountNumber, in transaction: borrowing WriteTransaction
    ) throws -> AccountStatistics {
        if let known = statistics[account] { return known }
        guard let bytes = try transaction.value(tables.accounts, Key(account)) else { return AccountStatistics() }
        return try AccountStatistics(RowKind.accounts.payload(Key(account), bytes))
    }

    mutating func forgetPath(_ account: AccountNumber, _ folder: UInt32) {
        paths[UInt64(account.rawValue) << 32 | UInt64(folder)] = nil
    }

    mutating func finish(in transaction: inout WriteTransaction) throws {
        for (account, totals) in statistics.sorted(by: { $0.key < $1.key }) {
            try row.put(.accounts, tables.accounts, Key(account), totals.encoded().span.bytes, in: &transaction)
        }
    }
}

/// The item and the transaction in a key of `states` or `histories`; nil when it is another account's.
func itemAndTransaction(_ key: RawSpan, _ account: AccountNumber) -> (item: ItemID, id: TransactionID)? {
    var reader = ByteReader(key)
    guard key.byteCount == 17, let found: UInt32 = try? reader.integer(), found == account.rawValue,
        let code: UInt8 = try? reader.integer(), let kind = ItemKind(rawValue: code),
        let number: UInt32 = try? reader.integer(), let id: UInt64 = try? reader.integer()
    else { return nil }
    return (ItemID(kind, number), TransactionID(rawValue: id))
}

/// The transaction in a key of `states` or `histories`; nil when it is another item's.
func stateKey(_ key: RawSpan, _ account: AccountNumber, _ item: ItemID) -> TransactionID? {
    guard let (found, id) = itemAndTransaction(key, account), found == item else { return nil }
    return id
}
