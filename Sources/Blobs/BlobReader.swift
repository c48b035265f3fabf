internal import CKernels
public import Events

#if canImport(Glibc)
    internal import Glibc
#endif

/// Reads messages; one for each thread. Keeps the frames decoded last, so that neighbours cost one decoding.
///
/// Reads by pread, never through a mapping: a sector that cannot be read is an error here, not the end of the process.
public final class BlobReader {
    private let store: BlobStore
    private let cacheBytes: Int
    private let loader = FrameLoader()
    /// Least recently used first.
    private var frames: [CachedFrame] = []
    private var cachedBytes = 0
    /// Of frames that are cached no more. Memory from the kernel costs more than what is decoded into it.
    private var spare: [ByteBuffer] = []
    private var files: [(pack: UInt32, file: OpenFile)] = []
    private let output = ByteBuffer()
    private let encoded = ByteBuffer()
    /// Messages that are verified side by side.
    let gathered = ByteBuffer()

    /// A decoded frame.
    private final class CachedFrame {
        let pack: UInt32
        let offset: UInt32
        let header: FrameHeader
        let entries: [FrameEntry]
        /// The payload, or as much of it as was needed.
        let decoded: ByteBuffer

        init(pack: UInt32, offset: UInt32, header: FrameHeader, entries: [FrameEntry], into decoded: ByteBuffer) {
            self.pack = pack
            self.offset = offset
            self.header = header
            self.entries = entries
            self.decoded = decoded
        }
    }

    /// Messages up to this size are verified before ``stream(_:verifying:_:)`` gives out their first byte.
    public static let bufferedMessageBytes = 4 << 20

    func location(of digest: Digest) throws -> BlobLocation? { try store.location(of: digest) }

    private static let openFiles = 16

    init(store: BlobStore, cacheBytes: Int) {
        self.store = store
        self.cacheBytes = cacheBytes
    }

    /// Lends the message's bytes, whole, verified, for as long as `body` runs. For messages that may be held in memory;
    /// see ``stream(_:verifying:_:)`` for the others.
    ///
    /// - Parameter verifying: false only for a caller that hashes the bytes itself.
    /// - Throws: ``BlobError/missing(_:)``, ``BlobError/damaged(_:pack:offset:reason:)``, other ``BlobError``,
    ///   `LMDBError`, and what `body` throws.
    public func read<Result>(
        _ digest: Digest, verifying: Bool = true, _ body: (RawSpan) throws -> Result
    ) throws -> Result {
        let location = try locate(digest)
        let (frame, entry) = try entry(digest, .messages, at: location)
        let (decoded, output) = (frame.decoded, output)
        if entry.recipeLength == 0 {
            let bytes = decoded.bytes(entry.offset, entry.length)
            if verifying && Digest(hashing: bytes) != digest { throw damage(digest, location, Self.wrongDigest) }
            return try body(bytes)
        }
        try assemble(digest, location, frame.decoded, entry)
        if verifying && Digest(hashing: output.bytes) != digest { throw damage(digest, location, Self.wrongDigest) }
        return try body(output.bytes)
    }

    /// Gives the message's bytes to `sink`, piece by piece, in order, with memory bounded for any size.
    ///
    /// Up to ``bufferedMessageBytes`` nothing is given out before the whole is verified. Of a larger message each part is
    /// verified before it is given out and the whole at the end: when this throws, discard what `sink` got.
    public func stream(_ digest: Digest, verifying: Bool = true, _ sink: (RawSpan) throws -> Void) throws {
        let location = try locate(digest)
        if location.size <= UInt64(Self.bufferedMessageBytes) {
            return try read(digest, verifying: verifying, sink)
        }
        let (frame, entry) = try entry(digest, .messages, at: location)
        var hash = DigestStream()
        try run(digest, location, frame.decoded, entry) { bytes in
            if verifying { hash.update(bytes) }
            try sink(bytes)
        }
        if verifying && hash.finish() != digest { throw damage(digest, location, Self.wrongDigest) }
    }

    private func forgetOldest() {
        cachedBytes -= frames[0].decoded.count
        var decoded = frames.removeFirst().decoded
        // A message whose parts are in other frames may still be read from it.
        if isKnownUniquelyReferenced(&decoded), spare.count < 2 {
            decoded.removeAll()
            spare.append(decoded)
        }
    }

    /// Forgets decoded frames and open files.
    public func purge() {
        frames.removeAll()
        spare.removeAll()
        files.removeAll()
        cachedBytes = 0
    }

    // MARK: Finding

    private static let wrongDigest = "what it gives does not have its name's SHA-256"

    private func damage(_ digest: Digest, _ location: BlobLocation, _ reason: String) -> BlobError {
        .damaged(digest, pack: location.pack, offset: UInt64(location.offset), reason: reason)
    }

    private func locate(_ digest: Digest) throws -> BlobLocation {
        guard let location = try store.location(of: digest, .messages) else { throw BlobError.missing(digest) }
        return location
    }

    /// The pack, opened; nil when it is not there.
    private func file(_ pack: UInt32) throws(BlobError) -> OpenFile? {
        if let position = files.firstIndex(where: { $0.pack == pack }) { return files[position].file }
        let name = store.path + "/" + PackFormat.fileName(pack)
        guard OpenFile.exists(name) else { return nil }
        let file = try OpenFile(name, O_RDONLY)
        if files.count >= Self.openFiles { files.removeFirst() }
        files.append((pack, file))
        return file
    }

    /// The frame and the entry of a blob, decoded far enough. When it was moved since its place was looked up, where it is now.
    private func entry(
        _ digest: Digest, _ kind: FrameKind, at location: BlobLocation
    ) throws -> (CachedFrame, FrameEntry) {
        do { return try entry(digest, kind, there: location) } catch let error as BlobError {
            guard case .damaged = error, let now = try store.location(of: digest, kind), now != location else {
                throw error
            }
            files.removeAll { $0.pack == now.pack }
            return try entry(digest, kind, there: now)
        }
    }

    private func entry(
        _ digest: Digest, _ kind: FrameKind, there location: BlobLocation
    ) throws -> (CachedFrame, FrameEntry) {
        let frame: CachedFrame
        var isNew = false
        if let position = frames.lastIndex(where: { $0.pack == location.pack && $0.offset == location.offset }) {
            frame = frames[position]
            if position != frames.count - 1 { frames.append(frames.remove(at: position)) }
        } else {
            isNew = true
            guard let file = try file(location.pack) else {
                throw damage(digest, location, "the pack is not there")
            }
            guard let header = try loader.header(file, at: Int(location.offset)) else {
                throw damage(digest, location, "there is no frame")
            }
            guard let entries = try loader.table(file, at: Int(location.offset), header) else {
                throw damage(digest, location, "the frame's table is damaged")
            }
            frame = CachedFrame(
                pack: location.pack, offset: location.offset, header: header, entries: entries,
                into: spare.popLast() ?? ByteBuffer())
        }
        guard frame.header.kind == kind, Int(location.entry) < frame.entries.count,
            frame.entries[Int(location.entry)].digest == digest,
            frame.entries[Int(location.entry)].size == location.size
        else { throw damage(digest, location, "the frame holds another blob there") }
        let entry = frame.entries[Int(location.entry)]
        if isNew || frame.decoded.count < entry.offset + entry.length {
            // The first reading decodes as far as it must; who comes again reads in order, and gets the whole frame.
            let isPrefix = isNew && frame.header.rawLength > entry.offset + entry.length + (16 << 10)
            let before = frame.decoded.count
            guard let source = try file(location.pack) else {
                throw damage(digest, location, "the pack is not there")
            }
            let fault = try loader.payload(
                source, at: Int(location.offset), frame.header,
                prefix: isPrefix ? entry.offset + entry.length : nil, into: frame.decoded)
            if let fault {
                frames.removeAll { $0 === frame }
                cachedBytes -= isNew ? 0 : before
                throw damage(digest, location, fault)
            }
            cachedBytes += frame.decoded.count - (isNew ? 0 : before)
            if isNew { frames.append(frame) }
            while cachedBytes > cacheBytes, frames.count > 1 { forgetOldest() }
        }
        return (frame, entry)
    }

    // MARK: Recipes

    /// Puts the message of an entry together and compares it with its digest; `decoded`: its frame's payload.
    func verify(_ entry: FrameEntry, of decoded: ByteBuffer, pack: UInt32, frame: Int) throws {
        let location = BlobLocation(pack: pack, offset: UInt32(clamping: frame), entry: 0, size: entry.size)
        var hash = DigestStream()
        try run(entry.digest, location, decoded, entry) { hash.update($0) }
        if hash.finish() != entry.digest { throw damage(entry.digest, location, Self.wrongDigest) }
    }

    /// Puts a message together in `output`.
    private func assemble(
        _ digest: Digest, _ location: BlobLocation, _ decoded: ByteBuffer, _ entry: FrameEntry
    ) throws {
        let assembled = output
        assembled.removeAll()
        try run(digest, location, decoded, entry) { assembled.append($0) }
        guard UInt64(assembled.count) == entry.size else {
            throw damage(digest, location, "its recipe gives another size")
        }
    }

    /// Follows the recipe of a message.
    private func run(
        _ digest: Digest, _ location: BlobLocation, _ decoded: ByteBuffer, _ entry: FrameEntry,
        _ sink: (RawSpan) throws -> Void
    ) throws {
        if entry.recipeLength == 0 { return try sink(decoded.bytes(entry.offset, entry.length)) }
        let recipe = decoded.bytes(entry.offset, entry.recipeLength)
        var literal = entry.offset + entry.recipeLength
        if let fault = RecipeParser.fault(
            in: recipe, size: entry.size, literals: entry.length - entry.recipeLength)
        {
            throw damage(digest, location, fault)
        }
        var parser = RecipeParser(recipe)
        while let operation = parser.next() {
            switch operation {
            case .literal(let count):
                try sink(decoded.bytes(literal, count))
                literal += count
            case .raw(let count, let digests):
                try eachPart(digest, location, count, recipe, digests, sink)
            case .base64(let count, let lineLength, let isCRLF, let ends, let digests):
                var column = 0
                try eachPart(digest, location, count, recipe, digests) { part in
                    try encode(part, lineLength, isCRLF, &column, sink)
                }
                if ends { try sink(isCRLF ? Self.crlf.raw : Self.lf.raw) }
            }
        }
    }

    private static let crlf: [UInt8] = [13, 10]
    private static let lf: [UInt8] = [10]

    private func eachPart(
        _ digest: Digest, _ location: BlobLocation, _ count: Int, _ recipe: RawSpan, _ digests: Int,
        _ body: (RawSpan) throws -> Void
    ) throws {
        var left = count
        for number in 0..<RecipeOperation.partCount(count) {
            let name = Digest(recipe.part(digests + number * Digest.byteCount, Digest.byteCount))
            guard let place = try store.location(of: name, .parts) else {
                throw damage(digest, location, "its part \(name) is missing")
            }
            let (frame, entry) = try entry(name, .parts, at: place)
            guard entry.length == min(left, PackFormat.partBytes) else {
                throw damage(digest, location, "its part \(name) has another length")
            }
            let decoded = frame.decoded
            try body(decoded.bytes(entry.offset, entry.length))
            left -= entry.length
        }
    }

    /// Gives a part out in base64, some lines at a time.
    private func encode(
        _ part: RawSpan, _ lineLength: Int, _ isCRLF: Bool, _ column: inout Int, _ sink: (RawSpan) throws -> Void
    ) throws {
        let encoded = encoded
        let chunk = 48 << 10
        var done = 0
        while done < part.byteCount {
            let piece = part.part(done, min(chunk, part.byteCount - done))
            let lines = lineLength > 0 ? piece.byteCount / (lineLength / 4 * 3) + 2 : 0
            encoded.removeAll()
            unsafe encoded.appendTail((piece.byteCount + 2) / 3 * 4 + lines * 2 + Int(CK_BASE64_SLACK)) { room in
                unsafe piece.withUnsafeBytes {
                    unsafe ck_base64_encode(
                        $0.baseAddress, $0.count, lineLength, isCRLF ? 1 : 0, &column, room.baseAddress)
                }
            }
            try sink(encoded.bytes)
            done += piece.byteCount
        }
    }
}
