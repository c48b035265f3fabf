internal import Events
internal import Files
internal import SystemPackage

/// Writes the segment that is open: whole records behind each other, into space that has been written before, so that
/// one flush makes them durable.
struct SegmentWriter: Sendable {
    private static let zeroStep = 1 << 20
    private static let leastAhead = 1 << 14

    let directory: SegmentDirectory
    let vault: UniqueID
    private var file: File
    private(set) var first: TransactionID
    private var allocated: Int

    /// Opens the raw segment that begins with `first`.
    init(opening first: TransactionID, in directory: SegmentDirectory, vault: UniqueID) throws {
        let path = directory.file(first, .raw)
        file = try File(path, .readWrite)
        let bytes = try file.read(at: 0, count: SegmentHeader.size)
        let name = "journal/segments/" + SegmentDirectory.fileName(first, .raw)
        guard let header = SegmentHeader(bytes, magic: SegmentHeader.rawMagic), header.first == first else {
            throw JournalError.damaged(JournalFinding(file: name, offset: 0, reason: .header))
        }
        guard header.vault == vault else { throw JournalError.foreignSegment(file: name) }
        allocated = try file.size()
        (self.directory, self.vault, self.first) = (directory, vault, first)
    }

    /// Creates the raw segment that begins with `first`.
    init(creating first: TransactionID, previousLeaf: Digest, in directory: SegmentDirectory, vault: UniqueID) throws {
        let path = directory.file(first, .raw)
        // Left by a crash between its creation and the first record in it: nothing was acknowledged from it.
        if Directory.exists(path) { try Directory.removeFile(path) }
        file = try File(path, .create)
        let header = SegmentHeader(vault: vault, first: first, previousLeaf: previousLeaf)
        try file.write(header.encoded(magic: SegmentHeader.rawMagic).span.bytes, at: 0)
        try file.sync()
        try Directory.sync(directory.path)
        allocated = SegmentHeader.size
        (self.directory, self.vault, self.first) = (directory, vault, first)
    }

    /// Writes `records` at `offset` and makes them durable.
    mutating func write(_ records: RawSpan, at offset: Int) throws {
        try put(records, at: offset)
        try finish(at: offset + records.byteCount)
    }

    /// Writes `records` at `offset`; they are durable after ``finish(at:)``.
    func put(_ records: RawSpan, at offset: Int) throws { try file.write(records, at: offset) }

    /// Makes durable all that was written before `end`.
    mutating func finish(at end: Int) throws {
        if end > allocated {
            // By a part of what there is, so that a small vault stays small; behind a large append, whose flush has
            // more to do than to note the new size, by little.
            let isLarge = end - allocated >= SegmentWriter.zeroStep / 8
            let ahead =
                isLarge
                ? SegmentWriter.leastAhead : min(max(end / 32, SegmentWriter.leastAhead), SegmentWriter.zeroStep)
            try file.write([UInt8](repeating: 0, count: ahead).span.bytes, at: end)
            allocated = end + ahead
        }
        try file.sync()
    }

    /// Begins a new segment behind this one, which is full, and says so in `head`.
    mutating func roll(_ head: inout JournalHead) throws {
        try close(at: head.segmentEnd)
        self = try SegmentWriter(
            creating: head.transaction.next, previousLeaf: head.leaf, in: directory, vault: vault)
        head.segmentFirst = head.transaction.next
        head.segmentEnd = SegmentHeader.size
    }

    /// The bytes at `offset`, to see whether something stands behind the known end.
    func bytes(at offset: Int, count: Int) throws -> [UInt8] { try file.read(at: offset, count: count) }

    /// Cuts what stands behind `end`: never more than what was never acknowledged.
    mutating func cut(at end: Int) throws {
        try file.truncate(to: end)
        try file.sync()
        allocated = end
    }

    /// Cuts the written-ahead part: the segment is full.
    mutating func close(at end: Int) throws { try cut(at: end) }
}
