public import Events
public import Journal

extension OpenJournal {
    /// The state at `pointer`, with what surrounds it in the journal.
    public func state(_ item: ItemID, at pointer: StatePointer) throws -> RecordedState {
        let found = try withRecord(pointer.transaction) { try RecordedState(item, pointer, in: $0) }
        guard let found else {
            throw JournalError.damaged(
                JournalFinding(file: "journal/lmdb/data.mdb", transaction: pointer.transaction, reason: .missing))
        }
        return found
    }

    /// The states at `pointers`, in their order; few snapshots, no look-up for neighbours.
    public func states(_ pointers: [ItemPointer], _ body: (RecordedState) throws -> Void) throws {
        var index = 0
        try withRecords(pointers.lazy.map(\.pointer.transaction)) { record in
            try body(try RecordedState(pointers[index].item, pointers[index].pointer, in: record))
            index += 1
        }
    }

    /// The canonical digest of an account's state (`Specs/Format/Events.md`, "State digest"): SHA-256 over each live item
    /// in order, its kind, number, the length of its state and the state's bytes.
    public func stateDigest(of live: [ItemPointer]) throws -> Digest {
        var hash = DigestBuilder()
        var index = 0
        var prefix = ByteWriter(capacity: 16)
        try withRecords(live.lazy.map(\.pointer.transaction)) { record in
            let wanted = live[index]
            index += 1
            var changes = try ChangeReader(record.body)
            for _ in 0...wanted.pointer.index {
                guard try changes.next() else { throw damaged(wanted) }
            }
            guard changes.item == wanted.item else { throw damaged(wanted) }
            prefix.removeAll()
            prefix.integer(wanted.item.kind.rawValue)
            prefix.integer(wanted.item.number)
            prefix.integer(UInt32(changes.state.byteCount))
            hash.update(prefix.span)
            hash.update(changes.state)
        }
        return hash.finish()
    }

    private func damaged(_ pointer: ItemPointer) -> JournalError {
        .damaged(
            JournalFinding(
                file: "journal/lmdb/data.mdb", transaction: pointer.pointer.transaction,
                reason: .record(DecodingFailure(offset: 0, reason: .outOfRange))))
    }
}

/// A state as the journal has it.
public struct RecordedState: Hashable, Sendable {
    public var item: ItemID
    public var transaction: TransactionID
    public var time: Timestamp
    public var origin: Origin
    public var kinds: ChangeKinds
    public var state: ItemState

    public init(
        item: ItemID, transaction: TransactionID, time: Timestamp, origin: Origin, kinds: ChangeKinds, state: ItemState
    ) {
        (self.item, self.transaction, self.time) = (item, transaction, time)
        (self.origin, self.kinds, self.state) = (origin, kinds, state)
    }

    init(_ item: ItemID, _ pointer: StatePointer, in record: RecordView) throws {
        var changes = try ChangeReader(record.body)
        for _ in 0...pointer.index {
            guard try changes.next() else { throw DecodingFailure(offset: 0, reason: .outOfRange) }
        }
        guard changes.item == item else { throw DecodingFailure(offset: 0, reason: .outOfRange) }
        self.item = item
        (transaction, time, origin, kinds) = (record.id, record.time, record.origin, changes.kinds)
        state = try ItemState(item.kind, decoding: changes.state)
    }
}
