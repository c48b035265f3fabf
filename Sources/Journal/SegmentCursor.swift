internal import Events
internal import Files

/// Goes through the records of one segment, raw or sealed, in bounded memory.
struct SegmentCursor {
    let entry: SegmentDirectory.Entry
    let header: SegmentHeader
    private let file: File
    /// Where the raw records end: the file's size, or less for the segment that is being written.
    private let limit: Int
    private var buffer: [UInt8] = []
    /// Where ``buffer`` begins, in the raw records.
    private var bufferOffset: Int
    /// The file offset of the next bytes to read.
    private var readOffset: Int
    private var start = 0
    private var length = 0
    private var isAtEnd = false

    static let window = 1 << 20

    /// Opens a segment; `limit` is where the known records of a raw one end.
    init(_ entry: SegmentDirectory.Entry, limit: Int? = nil) throws {
        self.entry = entry
        file = try File(entry.path, .read)
        let bytes = try file.read(at: 0, count: SegmentHeader.size)
        let magic = entry.shape == .raw ? SegmentHeader.rawMagic : SegmentHeader.sealedMagic
        guard let header = SegmentHeader(bytes, magic: magic), header.first == entry.first else {
            throw JournalError.damaged(JournalFinding(file: entry.name, offset: 0, reason: .header))
        }
        self.header = header
        self.limit = min(try file.size(), limit ?? .max)
        bufferOffset = SegmentHeader.size
        readOffset = SegmentHeader.size
    }

    /// Behind what has been read of the file: behind its end block, when the end of a sealed segment has been found.
    var endOffset: Int { readOffset }

    /// The offset of the current record, in a raw segment.
    var offset: Int { bufferOffset + start }

    /// To the next record; false at the end. Throws ``JournalError/damaged(_:)`` at what is not a record.
    mutating func next() throws -> Bool {
        start += length
        length = 0
        while true {
            let rest = buffer.count - start
            if rest >= RecordFormat.headerSize {
                // Zeros are the written-ahead part of a raw segment: nothing has been recorded there.
                if hasNothing { return false }
                let failure: DecodingFailure
                do throws(DecodingFailure) {
                    length = try wholeLength()
                    return true
                } catch {
                    failure = error
                }
                if case .truncated(let needed, _) = failure.reason, try refill(needed) { continue }
                throw JournalError.damaged(JournalFinding(file: entry.name, offset: offset, reason: .record(failure)))
            } else if try !refill(RecordFormat.headerSize) {
                if buffer[start...].allSatisfy({ $0 == 0 }) { return false }
                let failure = DecodingFailure(
                    offset: 0, reason: .truncated(needed: RecordFormat.headerSize, found: buffer.count - start))
                throw JournalError.damaged(JournalFinding(file: entry.name, offset: offset, reason: .record(failure)))
            }
        }
    }

    private var hasNothing: Bool { buffer[start..<start + 8].allSatisfy { $0 == 0 } }

    private func wholeLength() throws(DecodingFailure) -> Int {
        try RecordView(buffer.span.bytes.extracting(droppingFirst: start)).byteCount
    }

    /// The record found by ``next()``.
    var record: RecordView {
        @_lifetime(borrow self) get throws { try RecordView(buffer.span.bytes.extracting(start..<start + length)) }
    }

    /// Drops what has been read and reads on until at least `needed` bytes stand at ``start``; false at the end.
    private mutating func refill(_ needed: Int) throws -> Bool {
        switch entry.shape {
        case .raw:
            let rest = buffer.count - start
            let count = min(max(SegmentCursor.window, needed - rest), limit - readOffset)
            guard count > 0, rest + count >= needed else {
                guard count > 0 else { return false }
                try appendRaw(count)
                return false
            }
            try appendRaw(count)
            return true
        case .sealed:
            guard !isAtEnd else { return false }
            bufferOffset += start
            buffer.removeFirst(start)
            start = 0
            let headerBytes = try file.read(at: readOffset, count: SealedBlock.headerSize)
            guard let block = SealedBlock(header: headerBytes.span.bytes) else { throw damagedBlock() }
            if block.isEnd {
                guard block.storedLength == 0, block.checksum == 0 else { throw damagedBlock() }
                isAtEnd = true
                readOffset += SealedBlock.headerSize
                return false
            }
            let payload = try file.read(at: readOffset + SealedBlock.headerSize, count: block.storedLength)
            guard let records = block.decode(payload.span.bytes) else { throw damagedBlock() }
            buffer.append(contentsOf: records)
            readOffset += SealedBlock.headerSize + block.storedLength
            return buffer.count >= needed
        }
    }

    private mutating func appendRaw(_ count: Int) throws {
        bufferOffset += start
        buffer.removeFirst(start)
        start = 0
        buffer.append(contentsOf: try file.read(at: readOffset, count: count))
        readOffset += count
    }

    private func damagedBlock() -> JournalError {
        .damaged(JournalFinding(file: entry.name, offset: readOffset, reason: .block))
    }
}
