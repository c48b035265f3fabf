internal import Events

/// One operation of a recipe: `Specs/Format/Blobs.md`, 3.
enum RecipeOperation: Sendable {
    case literal(count: Int)
    /// `digests`: where the digests begin in the recipe; there are `count` / partBytes, rounded up.
    case raw(count: Int, digests: Int)
    case base64(count: Int, lineLength: Int, isCRLF: Bool, endsWithLineEnding: Bool, digests: Int)

    static func partCount(_ count: Int) -> Int { (count + PackFormat.partBytes - 1) / PackFormat.partBytes }

    /// Bytes of the message this operation gives, or nil beyond all measure.
    var size: Int? {
        switch self {
        case .literal(let count), .raw(let count, _): return count
        case .base64(let count, let lineLength, let isCRLF, let ends, _):
            let characters = (count + 2) / 3 * 4
            var lines = ends ? 1 : 0
            if lineLength > 0 { lines += (characters - 1) / lineLength }
            return characters + lines * (isCRLF ? 2 : 1)
        }
    }
}

/// Reads the operations of a recipe one by one. Its bytes are from a disk: every length is compared before it is used.
struct RecipeParser: ~Escapable {
    let bytes: RawSpan
    private(set) var position = 0
    /// Set when the recipe cannot be read on.
    private(set) var fault: String?

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    private mutating func byte() -> UInt8? {
        guard position < bytes.byteCount else { return nil }
        defer { position += 1 }
        return bytes.integer(position)
    }

    /// A varint in its shortest form, no more than 2^48.
    private mutating func number() -> Int? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let next = byte() {
            value |= UInt64(next & 0x7F) << shift
            if next & 0x80 == 0 { return (next == 0 && shift > 0) || value > 1 << 48 ? nil : Int(value) }
            shift += 7
            if shift > 42 { return nil }
        }
        return nil
    }

    /// Skips the digests of `count` bytes of parts; returns where they begin.
    private mutating func digests(_ count: Int) -> Int? {
        guard count >= 1 else { return nil }
        let length = RecipeOperation.partCount(count) * Digest.byteCount
        guard length <= bytes.byteCount - position else { return nil }
        defer { position += length }
        return position
    }

    /// The next operation; nil at the end, or at a fault.
    mutating func next() -> RecipeOperation? {
        guard fault == nil, position < bytes.byteCount else { return nil }
        switch byte() {
        case 1: if let count = number() { return .literal(count: count) }
        case 2:
            if let count = number(), let digests = digests(count) { return .raw(count: count, digests: digests) }
        case 3:
            if let flags = byte(), flags < 4, let lineLength = number(), lineLength % 4 == 0, let count = number(),
                let digests = digests(count)
            {
                return .base64(
                    count: count, lineLength: lineLength, isCRLF: flags & 1 != 0, endsWithLineEnding: flags & 2 != 0,
                    digests: digests)
            }
        default: break
        }
        fault = "its recipe cannot be read"
        return nil
    }

    /// The digest at `offset`, which an operation gave.
    func digest(at offset: Int) -> Digest { Digest(bytes.part(offset, Digest.byteCount)) }

    /// What is wrong with a whole recipe for a message of `size` bytes with `literals` bytes behind the recipe, or nil.
    static func fault(in bytes: RawSpan, size: UInt64, literals: Int) -> String? {
        var parser = RecipeParser(bytes)
        var total = 0
        var taken = 0
        while let operation = parser.next() {
            guard let size = operation.size, total <= Int.max / 2 - size else { return "its recipe is too large" }
            total += size
            if case .literal(let count) = operation { taken += count }
            if taken > literals { return "its recipe needs more text than there is" }
        }
        if let fault = parser.fault { return fault }
        guard UInt64(total) == size, taken == literals else { return "its recipe gives another size" }
        return nil
    }
}

extension ByteBuffer {
    func append(literal count: Int) {
        append(UInt8(1))
        append(varint: UInt64(count))
    }

    func append(raw count: Int, _ digests: ArraySlice<Digest>) {
        append(UInt8(2))
        append(varint: UInt64(count))
        for digest in digests { append(digest) }
    }

    func append(
        base64 count: Int, lineLength: Int, isCRLF: Bool, endsWithLineEnding: Bool, _ digests: ArraySlice<Digest>
    ) {
        append(UInt8(3))
        append(UInt8((isCRLF ? 1 : 0) | (endsWithLineEnding ? 2 : 0)))
        append(varint: UInt64(lineLength))
        append(varint: UInt64(count))
        for digest in digests { append(digest) }
    }
}
