internal import Events
internal import Files
internal import SystemPackage
internal import Transparency

/// The file `checkpoints/subtrees`: the hashes of the complete subtrees of 256 records, so that a proof need not read all
/// records (`Specs/Format/Checkpoints.md`, "Stored subtrees"). An opinion: whoever uses it holds the outcome against
/// a signed root.
struct StoredSubtrees {
    static let level = 8
    static let records: UInt64 = 1 << 8
    private static let magic = Array("YESTSUB1".utf8)
    private static let headerSize = 32
    private static let window = 2048

    private let file: File
    /// How many hashes may be used.
    private(set) var count: UInt64

    /// Opens the file; nil when there is none that belongs to the vault. What stands in it beyond `limit` hashes is not
    /// used.
    init?(reading path: FilePath, vault: UniqueID, limit: UInt64) throws(FileError) {
        do {
            file = try File(path, .read)
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
        guard try file.read(at: 0, count: StoredSubtrees.headerSize) == StoredSubtrees.header(vault) else { return nil }
        count = min(limit, UInt64(max(0, try file.size() - StoredSubtrees.headerSize) / Digest.byteCount))
    }

    /// Opens the file for appending behind `limit` hashes, or fewer; makes it anew where there is none to go on with.
    init(extending path: FilePath, vault: UniqueID, limit: UInt64) throws(FileError) {
        if limit > 0, let found = try StoredSubtrees(reading: path, vault: vault, limit: limit) {
            file = try File(path, .readWrite)
            count = found.count
            return
        }
        if Directory.exists(path) { try Directory.removeFile(path) }
        file = try File(path, .create)
        count = 0
        try file.write(StoredSubtrees.header(vault).span.bytes, at: 0)
    }

    private static func header(_ vault: UniqueID) -> [UInt8] {
        var writer = ByteWriter(capacity: headerSize)
        writer.raw(magic)
        writer.integer(vault.high)
        writer.integer(vault.low)
        writer.integer(writer.checksum(0..<24))
        writer.integer(UInt32(0))
        return writer.bytes
    }

    private static func offset(_ index: UInt64) -> Int { headerSize + Int(index) * Digest.byteCount }

    /// The hash of a subtree of 256 records or more; nil when it is not all there.
    func hash(_ subtree: Subtree) throws(FileError) -> Digest? {
        let height = UInt64(subtree.level - StoredSubtrees.level)
        let first = subtree.index << height
        guard first + 1 << height <= count else { return nil }
        var tree = CompactRange()
        while tree.count < 1 << height {
            let wanted = min(StoredSubtrees.window, Int((1 << height) - tree.count))
            let bytes = try file.read(
                at: StoredSubtrees.offset(first + tree.count), count: wanted * Digest.byteCount)
            // Shorter than it was a moment ago.
            guard bytes.count == wanted * Digest.byteCount else { return nil }
            for index in 0..<wanted {
                tree.append(Digest(bytes.span.bytes.extracting(droppingFirst: index * Digest.byteCount)))
            }
        }
        return tree.root
    }

    mutating func append(_ hashes: [Digest]) throws(FileError) {
        var writer = ByteWriter(capacity: hashes.count * Digest.byteCount)
        for hash in hashes { writer.digest(hash) }
        try file.write(writer.bytes.span.bytes, at: StoredSubtrees.offset(count))
        count += UInt64(hashes.count)
    }

    /// Takes away what stands behind the hashes that count, and puts them on the disk.
    func finish() throws(FileError) {
        try file.truncate(to: StoredSubtrees.offset(count))
        try file.sync()
    }
}
