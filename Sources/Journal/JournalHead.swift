public import Events

/// How far a journal goes, and where its open segment ends.
public struct JournalHead: Hashable, Sendable {
    /// The newest transaction; ``TransactionID/beginning`` when there is none.
    public var transaction: TransactionID
    /// Its time.
    public var time: Timestamp
    /// Its leaf hash; ``Digest/zero`` when there is none.
    public var leaf: Digest
    var segmentFirst: TransactionID
    /// The size of the open segment up to its newest record; 0 before there is a segment.
    var segmentEnd: Int

    static let empty = JournalHead(
        transaction: .beginning, time: Timestamp(rawValue: .min), leaf: .zero,
        segmentFirst: TransactionID(rawValue: 1), segmentEnd: 0)

    /// Goes on to the last of the records that `encoder` has made behind this head.
    mutating func advance(by encoder: RecordEncoder) {
        (transaction, time, leaf) = (encoder.id, encoder.time, encoder.leaf)
        segmentEnd += encoder.bytes.byteCount
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 80)
        writer.integer(transaction.rawValue)
        writer.integer(time.rawValue)
        writer.digest(leaf)
        writer.integer(segmentFirst.rawValue)
        writer.integer(UInt64(segmentEnd))
        writer.integer(writer.checksum(0..<writer.count))
        return writer.bytes
    }

    init(
        transaction: TransactionID, time: Timestamp, leaf: Digest, segmentFirst: TransactionID, segmentEnd: Int
    ) {
        (self.transaction, self.time, self.leaf) = (transaction, time, leaf)
        (self.segmentFirst, self.segmentEnd) = (segmentFirst, segmentEnd)
    }

    init?(_ bytes: RawSpan) {
        guard bytes.byteCount == 68,
            UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 64, as: UInt32.self))
                == crc32c(bytes.extracting(first: 64))
        else { return nil }
        var reader = ByteReader(bytes)
        guard let id: UInt64 = try? reader.integer(), let time: Int64 = try? reader.integer(),
            let leaf = try? reader.digest(), let first: UInt64 = try? reader.integer(),
            let end: UInt64 = try? reader.integer()
        else { return nil }
        self.init(
            transaction: TransactionID(rawValue: id), time: Timestamp(rawValue: time), leaf: leaf,
            segmentFirst: TransactionID(rawValue: first), segmentEnd: Int(clamping: end))
    }
}
