public import Events
internal import Files
internal import LMDB
internal import SystemPackage

/// What a redaction has written anew.
public struct JournalRedaction: Hashable, Sendable {
    /// Records of which something was taken out, in LMDB.
    public internal(set) var records = 0
    public internal(set) var segments = 0
    /// Bytes of the segments before and after; of those only that were written anew.
    public internal(set) var segmentBytesBefore = 0
    public internal(set) var segmentBytesAfter = 0

    public init() {}
}

extension OpenJournal {
    /// All that purges have erased so far: a walk over the journal.
    public func purgedItems() throws -> PurgedItems {
        var purged = PurgedItems()
        try scan(from: TransactionID(rawValue: 1), through: head().transaction) { record in
            if let step = try RedactedRecord.step(record) { purged.add(step, at: record.id) }
            return true
        }
        return purged
    }

    /// Takes out of both copies what `purged` names: records are written anew, shorter, with the leaf hash they had. May be killed at
    /// any moment and run again; done twice is done once. Others may read and append meanwhile.
    ///
    /// Segments first: LMDB can be made of them.
    public func redact(
        _ purged: PurgedItems, progress: (_ done: UInt64, _ of: UInt64) throws -> Void = { _, _ in }
    ) throws -> JournalRedaction {
        guard commitLock != nil else { throw JournalError.readOnly }
        var result = JournalRedaction()
        guard !purged.isEmpty else { return result }
        if try openSegmentHasAny(of: purged) { try rollSegment() }
        let head = try head()
        for entry in try segments.entries() where entry.first < head.segmentFirst {
            try redact(entry, purged, &result)
            try progress(entry.first.rawValue / 2, head.transaction.rawValue)
        }
        try redactRecords(purged, through: head.transaction, &result) {
            try progress(head.transaction.rawValue / 2 + $0 / 2, head.transaction.rawValue)
        }
        return result
    }

    /// Bytes of the segments that ``redact(_:progress:)`` would give back: what it would write is made, and measured.
    public func redactionEstimate(_ purged: PurgedItems) throws -> Int {
        guard !purged.isEmpty else { return 0 }
        var saved = 0
        let head = try head()
        for entry in try segments.entries() {
            // Of the newest, the written-ahead part is not counted as what is in it.
            let isOpen = entry.first == head.segmentFirst
            var cursor = try SegmentCursor(entry, limit: isOpen ? head.segmentEnd : nil)
            var (block, count, after) = (ByteWriter(capacity: SealedBlock.targetSize * 2), 0, SegmentHeader.size)
            var isConcerned = false
            func flush() {
                after += SealedBlock.encode(block.span, count: count, first: entry.first)?.count ?? block.count
                block.removeAll()
                count = 0
            }
            while try cursor.next() {
                let record = try cursor.record
                if let other = try RedactedRecord.make(record, without: purged) {
                    isConcerned = true
                    block.raw(other.bytes.span.bytes)
                } else {
                    block.raw(record.bytes)
                }
                count += 1
                if block.count >= SealedBlock.targetSize { flush() }
            }
            if count > 0 { flush() }
            if isConcerned { saved += try File(entry.path, .read).size() - after - SealedBlock.headerSize }
        }
        return saved
    }

    private func openSegmentHasAny(of purged: PurgedItems) throws -> Bool {
        let head = try head()
        guard head.segmentEnd > SegmentHeader.size else { return false }
        var found = false
        try scan(from: head.segmentFirst, through: head.transaction) { record in
            found = try RedactedRecord.make(record, without: purged) != nil
            return !found
        }
        return found
    }

    // MARK: Segments

    private func redact(
        _ entry: SegmentDirectory.Entry, _ purged: PurgedItems, _ result: inout JournalRedaction
    ) throws {
        var cursor = try SegmentCursor(entry)
        var isConcerned = false
        while try cursor.next() {
            if try RedactedRecord.make(try cursor.record, without: purged) != nil {
                isConcerned = true
                break
            }
        }
        guard isConcerned else { return }
        let beside = segments.path.appending("redacting")
        if Directory.exists(beside) { try Directory.removeFile(beside) }
        try SegmentSealer.write(entry, to: beside) { try RedactedRecord.make($0, without: purged)?.bytes }
        let sealed = SegmentDirectory.Entry(first: entry.first, shape: .sealed, path: beside)
        try SegmentSealer.compare(entry, sealed) { try RedactedRecord.make($0, without: purged)?.bytes }
        let raw = segments.file(entry.first, .raw)
        let before = try File(entry.path, .read).size()
        let after = try File(beside, .read).size()
        // A sealer that is at work on the same segment would bring back what it has read.
        try excludingSealer {
            try Directory.rename(beside, to: segments.file(entry.first, .sealed))
            try Directory.sync(segments.path)
            if Directory.exists(raw) {
                try Directory.removeFile(raw)
                try Directory.sync(segments.path)
            }
        }
        result.segments += 1
        result.segmentBytesBefore += before
        result.segmentBytesAfter += after
    }

    // MARK: LMDB

    private func redactRecords(
        _ purged: PurgedItems, through last: TransactionID, _ result: inout JournalRedaction,
        progress: (UInt64) throws -> Void
    ) throws {
        var next: UInt64 = 1
        while next <= last.rawValue {
            var found: [(id: UInt64, bytes: [UInt8])] = []
            var bytes = 0
            let end = min(last.rawValue, next + 16_383)
            try scan(from: TransactionID(rawValue: next), through: TransactionID(rawValue: end)) { record in
                if let redacted = try RedactedRecord.make(record, without: purged) {
                    found.append((record.id.rawValue, redacted.bytes))
                    bytes += redacted.bytes.count
                }
                next = record.id.rawValue + 1
                // In short write transactions: an append waits for them.
                return found.count < 2_000 && bytes < 4 << 20
            }
            if !found.isEmpty {
                try environment.write { (transaction: inout WriteTransaction) in
                    for (id, bytes) in found { try transaction.put(records, Key(id), bytes.span.bytes) }
                }
                result.records += found.count
            }
            try progress(next)
        }
    }
}
