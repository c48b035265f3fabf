internal import Events
internal import Files

/// Reads what stands behind the known end of the open segment after a crash: records that go on the chain, then nothing
/// or something torn.
struct SegmentTail {
    private let file: File
    private var offset: Int

    init(_ file: File, from offset: Int) {
        self.file = file
        self.offset = offset
    }

    struct Record {
        let bytes: [UInt8]
        let time: Timestamp
        let leaf: Digest
    }

    /// The next whole record, if it is the one that follows `head`; nil otherwise.
    mutating func next(after head: JournalHead) throws -> Record? {
        let header = try file.read(at: offset, count: RecordFormat.headerSize)
        guard header.count == RecordFormat.headerSize else { return nil }
        let claimed = UInt32(bigEndian: header.span.bytes.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard claimed <= RecordFormat.largest else { return nil }
        let bytes = try file.read(at: offset, count: Int(claimed))
        // What is no whole record is the torn end of an append: nil says all there is to say.
        guard let record = try? RecordView(bytes.span.bytes), record.id == head.transaction.next,
            record.previousLeaf == head.leaf
        else { return nil }
        offset += bytes.count
        return Record(bytes: bytes, time: record.time, leaf: record.leafHash)
    }

    /// Whether anything but zeros stands behind `end`.
    func hasMore(behind end: Int) throws -> Bool {
        var position = end
        while true {
            let bytes = try file.read(at: position, count: 1 << 16)
            if bytes.contains(where: { $0 != 0 }) { return true }
            if bytes.count < 1 << 16 { return false }
            position += bytes.count
        }
    }
}
