public import Events
internal import Files
internal import LMDB

extension OpenJournal {
    /// Rows read under one snapshot: short, so that no reader holds back the pages of a writer.
    private static let snapshotRows = 16_384

    /// Goes through the records `first ... last` in order; `body` returns false to stop. Every record's checksums and ID
    /// are verified; the chain is ``verify(_:)``'s matter. `body` must not open another read of the journal on the way
    /// for long: a snapshot is open while it runs.
    public func scan(
        from first: TransactionID, through last: TransactionID, _ body: (RecordView) throws -> Bool
    ) throws {
        var expected = max(first.rawValue, 1)
        let end = last.rawValue
        while expected <= end {
            let goesOn = try environment.read { (transaction: borrowing ReadTransaction) -> Bool in
                try transaction.cursor(records) { (cursor: inout Cursor) -> Bool in
                    guard try cursor.seek(Key(expected)) else { throw missing(expected) }
                    let limit = min(end, expected + UInt64(OpenJournal.snapshotRows) - 1)
                    while true {
                        guard try visit(cursor, expected, body) else { return false }
                        expected += 1
                        if expected > limit { return true }
                        guard try cursor.nextPrefetching() else { throw missing(expected) }
                    }
                }
            }
            if !goesOn { return }
        }
    }

    /// Runs `body` with one record; nil when the journal does not go that far.
    public func withRecord<Result>(_ id: TransactionID, _ body: (RecordView) throws -> Result) throws -> Result? {
        guard id > .beginning else { return nil }
        return try environment.read { (transaction: borrowing ReadTransaction) -> Result? in
            guard let bytes = try transaction.value(records, Key(id.rawValue)) else {
                // A row whose key was changed is not found by its key.
                if try id <= head(in: transaction).transaction { throw missing(id.rawValue) }
                return nil
            }
            let record = try view(bytes, id.rawValue)
            guard record.id == id else {
                throw damaged(id.rawValue, .wrongTransaction(found: record.id))
            }
            return try body(record)
        }
    }

    /// Runs `body` with each of the records named, in the order given, under few snapshots.
    public func withRecords(_ ids: some Sequence<TransactionID>, _ body: (RecordView) throws -> Void) throws {
        var iterator = ids.makeIterator()
        var next = iterator.next()
        while next != nil {
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(records) { (cursor: inout Cursor) in
                    var rows = 0
                    var current: UInt64 = 0
                    while let id = next, rows < OpenJournal.snapshotRows {
                        // The record behind the last one is a step away, not a search.
                        let found =
                            id.rawValue == current + 1 && current != 0
                            ? try cursor.nextPrefetching() : try cursor.seek(Key(id.rawValue))
                        guard found else { throw missing(id.rawValue) }
                        _ = try visit(cursor, id.rawValue) { record in
                            try body(record)
                            return true
                        }
                        current = id.rawValue
                        rows += 1
                        next = iterator.next()
                    }
                }
            }
        }
    }

    /// The transaction with that ID, decoded; nil when the journal does not go that far.
    public func transaction(_ id: TransactionID) throws -> Transaction? {
        try withRecord(id) { record in
            do throws(DecodingFailure) { return try record.transaction() } catch {
                throw damaged(id.rawValue, .record(error))
            }
        }
    }

    /// The newest transaction whose time is at or before `instant`; ``TransactionID/beginning`` when all are later.
    /// Times never fall, so a binary search finds it.
    public func newest(atOrBefore instant: Timestamp) throws -> TransactionID {
        var low: UInt64 = 0
        var high = try head().transaction.rawValue
        while low < high {
            let middle = high - (high - low) / 2
            guard let time = try withRecord(TransactionID(rawValue: middle), { $0.time }) else { throw missing(middle) }
            if time <= instant { low = middle } else { high = middle - 1 }
        }
        return TransactionID(rawValue: low)
    }

    /// Runs `body` with the record under the cursor, which must be `expected`.
    @inline(__always)
    private func visit(
        _ cursor: borrowing Cursor, _ expected: UInt64, _ body: (RecordView) throws -> Bool
    ) throws -> Bool {
        let record = try view(cursor.value, expected)
        guard record.id.rawValue == expected else { throw missing(expected) }
        return try body(record)
    }

    @_lifetime(copy bytes)
    @inline(__always)
    private func view(_ bytes: RawSpan, _ id: UInt64) throws -> RecordView {
        do throws(DecodingFailure) { return try RecordView(bytes) } catch { throw damaged(id, .record(error)) }
    }

    private func missing(_ id: UInt64) -> JournalError { damaged(id, .missing) }

    private func damaged(_ id: UInt64, _ reason: JournalFinding.Reason) -> JournalError {
        .damaged(
            JournalFinding(
                file: "journal/lmdb/data.mdb", transaction: TransactionID(rawValue: id), reason: reason))
    }

    /// Bytes on the disk, of both copies.
    public func storedBytes() throws -> (lmdb: Int, segments: Int) {
        var total = 0
        for entry in try segments.entries() { total += try File(entry.path, .read).size() }
        return (environment.usedBytes(), total)
    }
}
