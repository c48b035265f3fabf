internal import Events
internal import Files
internal import SystemPackage

/// A mirror segment: the second copy of the journal, in a shape that survives what LMDB does not.
/// `Specs/Format/Journal.md`, "Segment".
struct SegmentHeader {
    static let size = 72
    static let rawMagic = Array("YESTSEG1".utf8)
    static let sealedMagic = Array("YESTSLD1".utf8)

    var vault: UniqueID
    var first: TransactionID
    var previousLeaf: Digest

    func encoded(magic: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: SegmentHeader.size)
        writer.raw(magic)
        writer.integer(vault.high)
        writer.integer(vault.low)
        writer.integer(first.rawValue)
        writer.digest(previousLeaf)
        writer.integer(writer.checksum(0..<64))
        writer.integer(UInt32(0))
        return writer.bytes
    }

    init(vault: UniqueID, first: TransactionID, previousLeaf: Digest) {
        (self.vault, self.first, self.previousLeaf) = (vault, first, previousLeaf)
    }

    /// Nil when the bytes are not a header with that magic.
    init?(_ bytes: [UInt8], magic: [UInt8]) {
        guard bytes.count >= SegmentHeader.size, bytes.starts(with: magic) else { return nil }
        let span = bytes.span.bytes
        guard
            UInt32(bigEndian: span.unsafeLoadUnaligned(fromByteOffset: 64, as: UInt32.self))
                == crc32c(span.extracting(first: 64))
        else { return nil }
        vault = UniqueID(
            high: UInt64(bigEndian: span.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            low: UInt64(bigEndian: span.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt64.self)))
        first = TransactionID(
            rawValue: UInt64(bigEndian: span.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt64.self)))
        previousLeaf = Digest(span.extracting(32..<64))
    }
}

/// The segment files of a journal, by their first transaction.
struct SegmentDirectory {
    let path: FilePath

    enum Shape { case raw, sealed }

    struct Entry {
        let first: TransactionID
        let shape: Shape
        let path: FilePath
        /// As findings name it.
        var name: String { "journal/segments/" + (path.lastComponent?.string ?? "") }
    }

    static func fileName(_ first: TransactionID, _ shape: Shape) -> String {
        let digits = String(first.rawValue)
        return String(repeating: "0", count: 20 - digits.count) + digits + (shape == .raw ? ".seg" : ".sealed")
    }

    func file(_ first: TransactionID, _ shape: Shape) -> FilePath {
        path.appending(SegmentDirectory.fileName(first, shape))
    }

    /// All segments in order; where both shapes of one are there (a crash while sealing), the sealed one.
    func entries() throws(FileError) -> [Entry] {
        var found: [UInt64: Entry] = [:]
        for component in try Directory.names(path) {
            let name = component.string
            guard let dot = name.firstIndex(of: "."), let first = UInt64(name[..<dot]) else { continue }
            let shape: Shape
            switch name[dot...] {
            case ".seg": shape = .raw
            case ".sealed": shape = .sealed
            default: continue
            }
            if shape == .raw && found[first] != nil { continue }
            found[first] = Entry(
                first: TransactionID(rawValue: first), shape: shape, path: path.appending(component))
        }
        return found.values.sorted { $0.first < $1.first }
    }
}
