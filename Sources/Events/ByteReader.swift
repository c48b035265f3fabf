/// Why bytes could not be understood, and where.
public struct DecodingFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Counted from the beginning of what was being decoded.
    public let offset: Int
    public let reason: Reason

    public init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }

    public enum Reason: Hashable, Sendable {
        case truncated(needed: Int, found: Int)
        case badMagic
        case unknownVersion(UInt8)
        case headerChecksum
        case bodyChecksum
        case number
        case unknownKind(UInt8)
        case trailingBytes(Int)
        case outOfRange
    }

    public var description: String {
        let what: String =
            switch reason {
            case .truncated(let needed, let found): "\(needed) bytes were expected, \(found) are there"
            case .badMagic: "these are not the bytes of a record"
            case .unknownVersion(let version): "version \(version) is newer than this program"
            case .headerChecksum: "the checksum of the header differs"
            case .bodyChecksum: "the checksum of the body differs"
            case .number: "a number is malformed"
            case .unknownKind(let kind): "kind \(kind) is unknown"
            case .trailingBytes(let count): "\(count) bytes are left over"
            case .outOfRange: "a value is out of range"
            }
        return "\(what) (at byte \(offset))"
    }
}

/// Reads numbers and byte strings one after another; never past the end, and never aligned.
public struct ByteReader: ~Escapable {
    @usableFromInline var rest: RawSpan
    @usableFromInline let total: Int

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        rest = bytes
        total = bytes.byteCount
    }

    @inlinable public var offset: Int { total - rest.byteCount }
    public var remaining: Int { rest.byteCount }

    /// A big-endian integer.
    @_lifetime(self: copy self)
    @inlinable
    @inline(__always)
    public mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _: Value.Type = Value.self
    ) throws(DecodingFailure) -> Value {
        let size = MemoryLayout<Value>.size
        guard rest.byteCount >= size else {
            throw DecodingFailure(offset: offset, reason: .truncated(needed: size, found: rest.byteCount))
        }
        let value = rest.unsafeLoadUnaligned(as: Value.self)
        rest = rest.extracting(droppingFirst: size)
        return Value(bigEndian: value)
    }

    /// A number in LEB128: seven bits a byte, low ones first, at most ten bytes.
    @_lifetime(self: copy self)
    @inlinable
    @inline(__always)
    public mutating func varint() throws(DecodingFailure) -> UInt64 {
        let first: UInt8 = try integer()
        if first < 0x80 { return UInt64(first) }
        return try longVarint(first)
    }

    @_lifetime(self: copy self)
    @usableFromInline
    mutating func longVarint(_ first: UInt8) throws(DecodingFailure) -> UInt64 {
        var value = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while true {
            let byte: UInt8 = try integer()
            guard shift < 63 || byte <= 1 else { throw DecodingFailure(offset: offset, reason: .number) }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// A varint that must fit 32 bits.
    @_lifetime(self: copy self)
    @inlinable
    @inline(__always)
    public mutating func varint32() throws(DecodingFailure) -> UInt32 {
        guard let value = UInt32(exactly: try varint()) else {
            throw DecodingFailure(offset: offset, reason: .outOfRange)
        }
        return value
    }

    /// A varint that counts bytes still to come.
    @_lifetime(self: copy self)
    @inlinable
    @inline(__always)
    public mutating func count() throws(DecodingFailure) -> Int {
        let value = try varint()
        guard let count = Int(exactly: value), count <= rest.byteCount else {
            throw DecodingFailure(
                offset: offset, reason: .truncated(needed: Int(truncatingIfNeeded: value), found: rest.byteCount))
        }
        return count
    }

    /// The next `count` bytes, lent.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    @inlinable
    @inline(__always)
    public mutating func span(_ count: Int) throws(DecodingFailure) -> RawSpan {
        guard count >= 0, rest.byteCount >= count else {
            throw DecodingFailure(offset: offset, reason: .truncated(needed: count, found: rest.byteCount))
        }
        let taken = rest.extracting(first: count)
        rest = rest.extracting(droppingFirst: count)
        return taken
    }

    /// A byte string with its length before it, copied.
    @_lifetime(self: copy self)
    public mutating func bytes() throws(DecodingFailure) -> [UInt8] {
        let length = try count()
        let taken = try span(length)
        return taken.withUnsafeBytes { Array($0) }
    }

    @_lifetime(self: copy self)
    public mutating func digest() throws(DecodingFailure) -> Digest { Digest(try span(Digest.byteCount)) }

    /// All that is left, lent.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    public mutating func takeRest() -> RawSpan {
        let taken = rest
        rest = rest.extracting(first: 0)
        return taken
    }

    /// Throws unless everything has been read.
    public func finish() throws(DecodingFailure) {
        guard rest.byteCount == 0 else { throw DecodingFailure(offset: offset, reason: .trailingBytes(rest.byteCount)) }
    }
}
