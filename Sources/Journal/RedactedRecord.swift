public import Events

/// What stands for a transaction of which something was purged: a record of the same place, time and account, with what is left
/// of its changes and its note, that carries the leaf hash of the record as it was (`Specs/Format/Journal.md`, "Redacted record").
public enum RedactedRecord {
    /// The codec of such a record.
    static let codec: UInt8 = 0xFE

    /// What a purge makes of a record.
    public struct Result: Sendable {
        public let bytes: [UInt8]
        /// Neither a change nor a note is left.
        public let isStub: Bool
        /// The leaf hash of these bytes by themselves: what the purge's step says of them.
        public var ownLeaf: Digest { Digest(leaf: bytes.span.bytes) }
    }

    /// The record without what `purged` names; nil where it has nothing of that.
    public static func make(_ record: RecordView, without purged: PurgedItems) throws(DecodingFailure) -> Result? {
        guard !record.isLost, purged.touches(record.account) else { return nil }
        let isWhole = purged.containsAll(record.account, at: record.id)
        let counting = try ChangeReader(record.body)
        let hadNote = counting.hasNote
        let before = counting.count
        if before == 0, !(isWhole && hadNote) { return nil }
        if !isWhole, try !touches(record, purged) { return nil }
        var writer = ByteWriter(capacity: record.byteCount + Digest.byteCount)
        writer.raw(record.bytes.extracting(first: RecordFormat.headerSize))
        var reader = counting
        let (id, account) = (record.id, record.account)
        let kept = try reader.rewrite(into: &writer, keepsNote: !isWhole) { item in
            !purged.contains(account, item, at: id)
        }
        guard kept < before || (isWhole && hadNote) else { return nil }
        writer.digest(record.leafHash)
        writer.replace(at: 2, with: UInt16(RecordFormat.version) << 8 | UInt16(codec))
        writer.replace(at: 4, with: UInt32(writer.count + RecordFormat.trailerSize))
        writer.replace(at: 64, with: writer.checksum(0..<64))
        writer.integer(writer.checksum(RecordFormat.headerSize..<writer.count))
        return Result(bytes: writer.bytes, isStub: kept == 0 && (isWhole || !hadNote))
    }

    /// Whether any change of the record has been purged.
    static func touches(_ record: RecordView, _ purged: PurgedItems) throws(DecodingFailure) -> Bool {
        var reader = try ChangeReader(record.body)
        while try reader.next() {
            if purged.contains(record.account, reader.item, at: record.id) { return true }
        }
        return false
    }

    /// The step of a purge that a record holds, or nil.
    public static func step(_ record: RecordView) throws(DecodingFailure) -> PurgeStep? {
        guard record.account == .directory, record.origin == .admin else { return nil }
        let reader = try ChangeReader(record.body)
        guard reader.hasNote, let note = try reader.note(), note.kind == .purgeStep else { return nil }
        guard let step = PurgeStep(note) else {
            throw DecodingFailure(offset: RecordFormat.headerSize, reason: .outOfRange)
        }
        return step
    }
}
