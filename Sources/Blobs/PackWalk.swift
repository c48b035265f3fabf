internal import Events

/// Goes through a pack frame by frame, without an index.
final class PackWalk {
    let file: OpenFile
    let pack: UInt32
    let vault: [UInt8]
    let size: Int
    private(set) var lastChecksum: UInt32 = 0
    private let loader = FrameLoader()
    private let decoded = ByteBuffer()

    init(file: OpenFile, pack: UInt32, vault: [UInt8], size: Int) {
        self.file = file
        self.pack = pack
        self.vault = vault
        self.size = size
    }

    /// What is wrong with the pack's header, or nil.
    func headerFault() throws(BlobError) -> String? {
        let decoded = decoded
        decoded.removeAll()
        try file.read(PackFormat.headerLength, at: 0, into: decoded)
        return PackFormat.fault(inHeader: decoded.bytes, pack: pack, vault: vault)
    }

    /// The header at `offset`; nil when there is none or its frame goes beyond the file.
    func header(at offset: Int) throws(BlobError) -> FrameHeader? {
        guard let header = try loader.header(file, at: offset), offset + header.frameLength <= size else { return nil }
        lastChecksum = loader.lastHeaderChecksum
        return header
    }

    /// Offset of the first whole frame header from `offset` on.
    func nextFrame(from offset: Int) throws(BlobError) -> Int? {
        try loader.nextHeader(file, from: offset, size: size)
    }

    func table(at offset: Int, _ header: FrameHeader) throws(BlobError) -> [FrameEntry]? {
        try loader.table(file, at: offset, header)
    }

    /// Whether the stored bytes of the frame have their checksum.
    func isWhole(at offset: Int, _ header: FrameHeader) throws(BlobError) -> Bool {
        decoded.removeAll()
        try file.read(
            header.storedLength, at: offset + FrameHeader.length + header.tableLength, into: decoded)
        let decoded = decoded
        return decoded.count == header.storedLength && PackFormat.checksum(decoded.bytes) == header.payloadChecksum
    }

    /// The entries of a frame that can be decoded and whose contents have their names; nil for any other. Messages whose parts the
    /// store does not know are damage too: their parts come before them.
    func verifiedEntries(
        at offset: Int, _ header: FrameHeader, in store: BlobStore
    ) throws -> [EncodedEntry]? {
        let decoded = decoded
        guard let entries = try loader.table(file, at: offset, header),
            try loader.payload(file, at: offset, header, into: decoded) == nil
        else { return nil }
        for entry in entries {
            if entry.recipeLength == 0 {
                guard entry.size == UInt64(entry.length),
                    Digest(hashing: decoded.bytes(entry.offset, entry.length)) == entry.digest
                else { return nil }
                continue
            }
            let recipe = decoded.bytes(entry.offset, entry.recipeLength)
            guard RecipeParser.fault(in: recipe, size: entry.size, literals: entry.length - entry.recipeLength) == nil
            else { return nil }
            var parts: [Digest] = []
            try BlobStore.eachPart(recipe) { parts.append($0) }
            if try store.known(parts, .parts).contains(false) { return nil }
        }
        return entries.map { EncodedEntry(digest: $0.digest, size: $0.size) }
    }
}
