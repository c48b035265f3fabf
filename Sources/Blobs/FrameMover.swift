internal import Events

/// Takes frames out of a pack that is being swept: whole ones as they are, of others the entries that stay, which are gathered into
/// new frames. Frames that came alone find neighbours here.
final class FrameMover {
    private let store: BlobStore
    private let zstd = Zstd()
    private let decoded = ByteBuffer()
    private let compared = ByteBuffer()
    private var gathered: [FrameKind: Gathered] = [:]
    private var frames: [Moved] = []
    private var output = ByteBuffer()

    /// Frames below this are gathered too.
    private static let smallFrame = 256 << 10

    private struct Gathered {
        let payload = ByteBuffer()
        var entries: [FrameEntry] = []
        var sources: [Source] = []
    }

    /// Where an entry comes from.
    struct Source {
        let offset: Int
        let entry: Int
    }

    /// A frame to be appended, its bytes in ``output``, and where each entry was.
    struct Moved {
        let frame: EncodedFrame
        let sources: [Source]
    }

    init(store: BlobStore) { self.store = store }

    var storedBytes: Int { output.count }
    var isEmpty: Bool { frames.isEmpty }

    /// Takes the entries `live` of a frame.
    func add(
        _ file: OpenFile, at offset: Int, _ header: FrameHeader, _ entries: [FrameEntry], _ live: [Int],
        _ loader: FrameLoader
    ) throws {
        let (decoded, output) = (decoded, output)
        // Verified before the only copy of it goes.
        if let fault = try loader.payload(file, at: offset, header, into: decoded) {
            throw BlobError.damaged(nil, pack: 0, offset: UInt64(offset), reason: fault)
        }
        for number in live where entries[number].recipeLength == 0 {
            let entry = entries[number]
            guard Digest(hashing: decoded.bytes(entry.offset, entry.length)) == entry.digest else {
                throw BlobError.damaged(
                    entry.digest, pack: 0, offset: UInt64(offset), reason: "the bytes do not have their digest")
            }
        }
        if live.count == entries.count, header.rawLength >= FrameMover.smallFrame {
            let start = output.count
            try file.read(header.frameLength, at: offset, into: output)
            guard output.count - start == header.frameLength else {
                throw BlobError.damaged(nil, pack: 0, offset: UInt64(offset), reason: "the frame is cut short")
            }
            frames.append(
                Moved(
                    frame: EncodedFrame(
                        kind: header.kind, offset: start, length: header.frameLength,
                        headerChecksum: output.bytes.integer(start + 44),
                        entries: entries.map { EncodedEntry(digest: $0.digest, size: $0.size) }),
                    sources: entries.indices.map { Source(offset: offset, entry: $0) }))
            return
        }
        for number in live {
            let entry = entries[number]
            if let open = gathered[header.kind],
                open.payload.count + entry.length > store.options.frameBytes || open.entries.count == 4_096
            {
                try end(header.kind)
            }
            var group = gathered[header.kind] ?? Gathered()
            group.entries.append(
                FrameEntry(
                    digest: entry.digest, offset: group.payload.count, length: entry.length,
                    recipeLength: entry.recipeLength, size: entry.size))
            group.payload.append(decoded.bytes(entry.offset, entry.length))
            group.sources.append(Source(offset: offset, entry: number))
            gathered[header.kind] = group
        }
    }

    /// Ends the frames that are open.
    func finish() throws { for kind in [FrameKind.parts, .messages] { try end(kind) } }

    private func end(_ kind: FrameKind) throws {
        guard let group = gathered.removeValue(forKey: kind), !group.entries.isEmpty else { return }
        let (output, payload) = (output, group.payload)
        let start = output.count
        let header = try FrameWriter.write(
            kind, group.entries, payload.bytes,
            level: kind == .messages ? store.options.textLevel : store.options.partLevel, zstd, compared, into: output)
        frames.append(
            Moved(
                frame: EncodedFrame(
                    kind: kind, offset: start, length: output.count - start, headerChecksum: header,
                    entries: group.entries.map { EncodedEntry(digest: $0.digest, size: $0.size) }),
                sources: group.sources))
    }

    /// Appends what was gathered; returns its length.
    func append(to appender: inout Appender, from pack: UInt32) throws -> Int {
        let output = output
        var length = 0
        for moved in frames {
            try appender.append(
                moved, output.bytes(moved.frame.offset, moved.frame.length), from: pack, to: store)
            length += moved.frame.length
        }
        frames.removeAll()
        output.removeAll()
        return length
    }
}
