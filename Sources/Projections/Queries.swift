public import Events
internal import LMDB

extension OpenProjections {
    /// Rows read under one snapshot.
    private static let snapshotRows = 10_000

    /// Where the state of `item` stands as of `position`; nil when it was not there yet.
    public func pointer(
        _ account: AccountNumber, _ item: ItemID, asOf position: TransactionID
    ) throws -> StatePointer? {
        try environment.read { (transaction: borrowing ReadTransaction) -> StatePointer? in
            try transaction.cursor(states) { (cursor: inout Cursor) -> StatePointer? in
                guard try cursor.seekBefore(Key(account, item, position.next), verifying: .states),
                    let id = stateKey(cursor.key, account, item)
                else { return nil }
                let row = try StateRow(RowKind.states.payload(cursor.key, cursor.value))
                return StatePointer(transaction: id, index: row.index, isDeleted: row.isDeleted)
            }
        }
    }

    /// Every item of an account and where its state stands as of `position`, by kind and number; deleted ones too.
    public func pointers(
        _ account: AccountNumber, asOf position: TransactionID, _ body: (ItemPointer) throws -> Void
    ) throws {
        var from: Key? = Key(account)
        var current: ItemPointer?
        while let start = from {
            from = nil
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(states) { (cursor: inout Cursor) in
                    var rows = 0
                    var found = try cursor.seek(start, verifying: .states)
                    while found {
                        let row = try StateRow(RowKind.states.payload(cursor.key, cursor.value))
                        guard let (item, id) = itemAndTransaction(cursor.key, account) else { break }
                        if rows >= OpenProjections.snapshotRows {
                            from = Key(account, item, id)
                            return
                        }
                        if let done = current, done.item != item {
                            try body(done)
                            current = nil
                        }
                        if id <= position {
                            current = ItemPointer(
                                item, StatePointer(transaction: id, index: row.index, isDeleted: row.isDeleted))
                        }
                        rows += 1
                        found = try cursor.nextPrefetching()
                    }
                }
            }
        }
        if let current { try body(current) }
    }

    /// The states of every item of a kind that has so many, oldest first; by number.
    public func histories(
        _ account: AccountNumber, _ kind: ItemKind, ofAtLeast count: Int,
        _ body: (ItemID, [StatePointer]) throws -> Void
    ) throws {
        var from: Key? = Key(account, ItemID(kind, 0))
        var current: (item: ItemID, pointers: [StatePointer])?
        func end() throws {
            if let done = current, done.pointers.count >= count { try body(done.item, done.pointers) }
            current = nil
        }
        while let start = from {
            from = nil
            var done: [(ItemID, [StatePointer])] = []
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(states) { (cursor: inout Cursor) in
                    var rows = 0
                    var found = try cursor.seek(start, verifying: .states)
                    while found {
                        let row = try StateRow(RowKind.states.payload(cursor.key, cursor.value))
                        guard let (item, id) = itemAndTransaction(cursor.key, account), item.kind == kind else {
                            return
                        }
                        if rows >= OpenProjections.snapshotRows {
                            from = Key(account, item, id)
                            return
                        }
                        if let finished = current, finished.item != item {
                            if finished.pointers.count >= count { done.append(finished) }
                            current = nil
                        }
                        let pointer = StatePointer(transaction: id, index: row.index, isDeleted: row.isDeleted)
                        if current == nil { current = (item, [pointer]) } else { current?.pointers.append(pointer) }
                        rows += 1
                        found = try cursor.nextPrefetching()
                    }
                }
            }
            // What is done with them may take its time: not under the snapshot.
            for (item, pointers) in done { try body(item, pointers) }
        }
        try end()
    }

    /// The live items of one folder (or, with folder 0, the live items of another kind), by number, as of the
    /// projections' position.
    public func live(
        _ account: AccountNumber, _ kind: ItemKind, folder: UInt32, _ body: (ItemPointer) throws -> Void
    ) throws {
        var next: UInt32? = 0
        while let start = next {
            next = nil
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(live) { (cursor: inout Cursor) in
                    var rows = 0
                    var found = try cursor.seek(
                        Key(live: account, kind, folder: folder, number: start), verifying: .live)
                    while found {
                        try cursor.verify(.live)
                        var key = ByteReader(cursor.key)
                        guard try key.integer(UInt32.self) == account.rawValue,
                            try key.integer(UInt8.self) == kind.rawValue, try key.integer(UInt32.self) == folder
                        else { return }
                        let number: UInt32 = try key.integer()
                        if rows >= OpenProjections.snapshotRows {
                            next = number
                            return
                        }
                        var value = ByteReader(try RowKind.live.payload(cursor.key, cursor.value))
                        let pointer = StatePointer(
                            transaction: TransactionID(rawValue: try value.integer()), index: try value.integer(),
                            isDeleted: false)
                        try body(ItemPointer(ItemID(kind, number), pointer))
                        rows += 1
                        found = try cursor.next()
                    }
                }
            }
        }
    }

    /// The items that are deleted now and were deleted in the transactions of `range`, in the order of their deletion.
    public func deleted(
        _ account: AccountNumber, in range: ClosedRange<TransactionID>, _ body: (ItemID, TransactionID) throws -> Void
    ) throws {
        try environment.read { (transaction: borrowing ReadTransaction) in
            try transaction.cursor(deleted) { (cursor: inout Cursor) in
                var found = try cursor.seek(Key(account, range.lowerBound), verifying: .deleted)
                while found {
                    try cursor.verify(.deleted)
                    var key = ByteReader(cursor.key)
                    guard try key.integer(UInt32.self) == account.rawValue else { return }
                    let id = TransactionID(rawValue: try key.integer())
                    guard id <= range.upperBound else { return }
                    let kind: UInt8 = try key.integer()
                    if let kind = ItemKind(rawValue: kind) { try body(ItemID(kind, try key.integer()), id) }
                    found = try cursor.next()
                }
            }
        }
    }

    /// The positions of the states of one item, oldest first.
    public func states(_ account: AccountNumber, _ item: ItemID) throws -> [StatePointer] {
        try environment.read { (transaction: borrowing ReadTransaction) -> [StatePointer] in
            try transaction.cursor(states) { (cursor: inout Cursor) -> [StatePointer] in
                var pointers: [StatePointer] = []
                var found = try cursor.seek(Key(account, item), verifying: .states)
                while found {
                    let row = try StateRow(RowKind.states.payload(cursor.key, cursor.value))
                    guard let id = stateKey(cursor.key, account, item) else { break }
                    pointers.append(StatePointer(transaction: id, index: row.index, isDeleted: row.isDeleted))
                    found = try cursor.next()
                }
                return pointers
            }
        }
    }

    /// The history of one item: a JSON array of all its states, oldest first, as in `Specs/Interfaces/JSON.md`. Each
    /// state's `end_date` is the next one's `start_date`. Empty (`[]`) when the item is unknown.
    public func history(_ account: AccountNumber, _ item: ItemID) throws -> [UInt8] {
        try environment.read { (transaction: borrowing ReadTransaction) -> [UInt8] in
            try transaction.cursor(histories) { (cursor: inout Cursor) -> [UInt8] in
                var rows: [[UInt8]] = []
                var found = try cursor.seek(Key(account, item), verifying: .histories)
                while found {
                    let row = try RowKind.histories.payload(cursor.key, cursor.value).withUnsafeBytes { Array($0) }
                    guard stateKey(cursor.key, account, item) != nil else { break }
                    rows.append(row)
                    found = try cursor.next()
                }
                return HistoryJSON.array(rows)
            }
        }
    }

    /// One state of a history: the row written at `transaction`, without its `end_date` (``HistoryJSON/object(_:endingWith:)``
    /// gives it one).
    public func historyRow(_ account: AccountNumber, _ item: ItemID, _ id: TransactionID) throws -> [UInt8]? {
        try environment.read { (transaction: borrowing ReadTransaction) -> [UInt8]? in
            guard let row = try transaction.value(histories, Key(account, item, id)) else { return nil }
            return try RowKind.histories.payload(Key(account, item, id), row).withUnsafeBytes { Array($0) }
        }
    }

    /// The highest number ever given to an item of that kind, be it purged; 0 when there is none.
    public func highestNumber(_ account: AccountNumber, _ kind: ItemKind) throws -> UInt32 {
        try environment.read { (transaction: borrowing ReadTransaction) -> UInt32 in
            var purgedNumber: UInt32 = 0
            if let row = try transaction.value(purged, Key(purged: account, kind, 0)) {
                var reader = ByteReader(try RowKind.purged.payload(Key(purged: account, kind, 0), row))
                purgedNumber = try reader.integer()
            }
            return try transaction.cursor(states) { (cursor: inout Cursor) -> UInt32 in
                let end = Key(account, ItemID(kind, .max), TransactionID(rawValue: .max))
                guard try cursor.seekBefore(end), let (item, _) = itemAndTransaction(cursor.key, account),
                    item.kind == kind
                else { return purgedNumber }
                _ = try RowKind.states.payload(cursor.key, cursor.value)
                return max(item.number, purgedNumber)
            }
        }
    }

    /// The purge that has erased the item's states before it; nil when none has.
    public func purge(of item: ItemID, _ account: AccountNumber) throws -> TransactionID? {
        try environment.read { (transaction: borrowing ReadTransaction) -> TransactionID? in
            try transaction.cursor(purged) { (cursor: inout Cursor) -> TransactionID? in
                guard item.number < .max, try cursor.seekBefore(Key(purged: account, item.kind, item.number + 1)),
                    let range = try PurgedRange(cursor.key, cursor.value, account, item.kind), item.number <= range.last
                else { return nil }
                return range.transaction
            }
        }
    }

    public func statistics(_ account: AccountNumber) throws -> AccountStatistics {
        try environment.read { (transaction: borrowing ReadTransaction) -> AccountStatistics in
            guard let bytes = try transaction.value(accounts, Key(account)) else {
                _ = try transaction.cursor(accounts) { (cursor: inout Cursor) in
                    try cursor.seek(Key(account), verifying: .accounts)
                }
                return AccountStatistics()
            }
            return try AccountStatistics(RowKind.accounts.payload(Key(account), bytes))
        }
    }

    /// The transactions of an account that carry a note, from `first` on, oldest first.
    public func notes(
        _ account: AccountNumber, from first: TransactionID = .beginning
    ) throws -> [(transaction: TransactionID, kind: Note.Kind)] {
        try environment.read {
            (transaction: borrowing ReadTransaction) -> [(transaction: TransactionID, kind: Note.Kind)] in
            try transaction.cursor(notes) { (cursor: inout Cursor) in
                var found: [(transaction: TransactionID, kind: Note.Kind)] = []
                var more = try cursor.seek(Key(account, first), verifying: .notes)
                while more {
                    try cursor.verify(.notes)
                    var key = ByteReader(cursor.key)
                    guard try key.integer(UInt32.self) == account.rawValue else { break }
                    let id = TransactionID(rawValue: try key.integer())
                    var value = ByteReader(try RowKind.notes.payload(cursor.key, cursor.value))
                    if let kind = Note.Kind(rawValue: try value.integer()) { found.append((id, kind)) }
                    more = try cursor.next()
                }
                return found
            }
        }
    }

    /// SHA-256 over all rows of all tables, in order: equal digests, equal projections.
    public func contentDigest() throws -> Digest {
        var hash = DigestBuilder()
        var lengths = ByteWriter(capacity: 16)
        for table in [histories, states, live, deleted, folders, accounts, notes, meta, purged] {
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(table) { (cursor: inout Cursor) in
                    while try cursor.nextPrefetching() {
                        lengths.removeAll()
                        lengths.integer(UInt32(cursor.key.byteCount))
                        lengths.integer(UInt32(cursor.value.byteCount))
                        hash.update(lengths.span)
                        hash.update(cursor.key)
                        hash.update(cursor.value)
                    }
                }
            }
        }
        return hash.finish()
    }
}
