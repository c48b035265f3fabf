internal import Events

/// Builds frames: gathers text and small parts, compresses, and holds what was compressed against what went in.
final class FrameWriter {
    private let options: BlobOptions
    private let zstd = Zstd()
    private var output: ByteBuffer
    private var frames: [EncodedFrame] = []
    private var text = Group()
    private var parts = Group()
    private let decoded = ByteBuffer()
    private let recipe = ByteBuffer()
    /// Where the present frame of text shall end, so that frames are of one size instead of full ones and a rest.
    private var textTarget: Int

    /// Entries that will share a frame.
    private struct Group {
        let payload = ByteBuffer()
        var entries: [FrameEntry] = []

        mutating func removeAll() {
            payload.removeAll()
            entries.removeAll(keepingCapacity: true)
        }
    }

    init(options: BlobOptions) {
        self.options = options
        textTarget = options.frameBytes
        output = ByteBuffer(capacity: options.batchBytes / 2)
    }

    /// Bytes of finished frames.
    var storedBytes: Int { output.count }

    func discard() {
        output.removeAll()
        frames.removeAll()
        text.removeAll()
        parts.removeAll()
    }

    /// The finished frames; begins anew.
    func take() -> Finished {
        let taken = output
        output = ByteBuffer(capacity: taken.capacity)
        let list = frames
        frames.removeAll()
        return Finished(list: list, bytes: taken)
    }

    /// Frames, and their bytes one after the other.
    struct Finished {
        let list: [EncodedFrame]
        let bytes: ByteBuffer
    }

    // MARK: Text

    /// About what these operations take in a frame.
    func textLength(_ operations: ArraySlice<DraftOperation>) -> Int {
        var length = 0
        for operation in operations {
            switch operation {
            case .literal(_, let count): length += count
            case .raw(_, let slots), .base64(_, _, _, _, let slots): length += 12 + slots.count * Digest.byteCount
            }
        }
        return length
    }

    /// Announces bytes of text, to be spread evenly.
    func willAddText(_ length: Int) {
        let total = text.payload.count + length
        let count = max(1, (total + options.frameBytes / 2) / options.frameBytes)
        textTarget = (total + count - 1) / count
    }

    /// Adds a message as recipe and literals, and compares what the recipe will read with nothing: parts were compared when they were
    /// cut, literals are copied.
    func addText(
        _ digest: Digest, size: UInt64, _ operations: ArraySlice<DraftOperation>, _ digests: [Digest],
        literals: RawSpan
    ) throws(BlobError) {
        let recipe = recipe
        let length = textLength(operations)
        if text.payload.count > 0 && text.payload.count + length / 2 > textTarget || text.entries.count == 4_096 {
            try endText()
        }
        let start = text.payload.count
        var recipeLength = 0
        let isPlain = operations.allSatisfy { if case .literal = $0 { true } else { false } }
        if !isPlain {
            recipe.removeAll()
            for operation in operations {
                switch operation {
                case .literal(_, let count): recipe.append(literal: count)
                case .raw(let count, let slots): recipe.append(raw: count, digests[slots])
                case .base64(let count, let lineLength, let isCRLF, let ends, let slots):
                    recipe.append(
                        base64: count, lineLength: lineLength, isCRLF: isCRLF, endsWithLineEnding: ends, digests[slots])
                }
            }
            recipeLength = recipe.count
            text.payload.append(recipe.bytes)
        }
        for operation in operations {
            if case .literal(let start, let count) = operation { text.payload.append(literals.part(start, count)) }
        }
        let written = text.payload.count - start
        if isPlain {
            guard written == Int(size) else { throw .notReproducible(reason: "text of another length") }
        } else if let fault = RecipeParser.fault(
            in: recipe.bytes, size: size, literals: written - recipeLength)
        {
            throw .notReproducible(reason: fault)
        }
        text.entries.append(
            FrameEntry(digest: digest, offset: start, length: written, recipeLength: recipeLength, size: size))
        if text.payload.count >= textTarget + textTarget / 2 { try endText() }
    }

    /// Ends the frame of text that is open.
    func endText() throws(BlobError) {
        guard !text.entries.isEmpty else { return }
        let payload = text.payload
        try write(.messages, text.entries, payload.bytes, level: options.textLevel)
        text.removeAll()
    }

    // MARK: Parts

    func addPart(_ digest: Digest, _ bytes: RawSpan) throws(BlobError) {
        guard bytes.byteCount < options.smallPartBytes else {
            let entry = FrameEntry(
                digest: digest, offset: 0, length: bytes.byteCount, recipeLength: 0, size: UInt64(bytes.byteCount))
            return try write(.parts, [entry], bytes, level: options.partLevel)
        }
        if parts.payload.count + bytes.byteCount > options.frameBytes { try endParts() }
        parts.entries.append(
            FrameEntry(
                digest: digest, offset: parts.payload.count, length: bytes.byteCount, recipeLength: 0,
                size: UInt64(bytes.byteCount)))
        parts.payload.append(bytes)
    }

    /// Ends the frame of small parts that is open.
    func endParts() throws(BlobError) {
        guard !parts.entries.isEmpty else { return }
        let payload = parts.payload
        try write(.parts, parts.entries, payload.bytes, level: options.partLevel)
        parts.removeAll()
    }

    // MARK: Frames

    private func write(
        _ kind: FrameKind, _ entries: [FrameEntry], _ payload: RawSpan, level: Int32
    ) throws(BlobError) {
        let start = output.count
        let checksum = try FrameWriter.write(kind, entries, payload, level: level, zstd, decoded, into: output)
        frames.append(
            EncodedFrame(
                kind: kind, offset: start, length: output.count - start, headerChecksum: checksum,
                entries: entries.map { EncodedEntry(digest: $0.digest, size: $0.size) }))
    }

    /// Appends a frame to `output`, decodes it and compares (in `decoded`); returns the checksum of its header.
    static func write(
        _ kind: FrameKind, _ entries: [FrameEntry], _ payload: RawSpan, level: Int32, _ zstd: Zstd,
        _ decoded: ByteBuffer, into output: ByteBuffer
    ) throws(BlobError) -> UInt32 {
        let table = ByteBuffer(capacity: entries.count * FrameEntry.length)
        let start = output.count
        for entry in entries { entry.append(to: table) }
        output.append(zeros: FrameHeader.length)
        output.append(table.bytes)
        let body = output.count
        var isCompressed = payload.byteCount > 0
        if isCompressed {
            guard let length = zstd.compress(payload, level: level, into: output) else {
                output.truncate(to: start)
                throw .notReproducible(reason: "zstd refused to compress")
            }
            if length > payload.byteCount - payload.byteCount / 64 {
                isCompressed = false
                output.truncate(to: body)
            }
        }
        if isCompressed {
            guard
                zstd.decompress(
                    output.bytes(body, output.count - body), length: payload.byteCount, into: decoded),
                decoded.bytes.isEqual(to: payload)
            else {
                output.truncate(to: start)
                throw .notReproducible(reason: "a frame decodes to something else")
            }
        } else {
            output.append(payload)
        }
        let header = FrameHeader(
            kind: kind, isCompressed: isCompressed, entryCount: entries.count, rawLength: payload.byteCount,
            storedLength: output.count - body, tableChecksum: PackFormat.checksum(table.bytes),
            payloadChecksum: PackFormat.checksum(output.bytes(body, output.count - body)))
        return header.write(into: output, at: start)
    }
}
