/// Writes numbers and byte strings, as ``ByteReader`` reads them, one behind the other.
///
/// What is generic here is inlinable: unspecialised, an integer costs twenty times as much. The array is longer than what has
/// been written and is written into by address: appending to an array costs three times as much.
public struct ByteWriter: Sendable {
    @usableFromInline var storage: [UInt8]
    @usableFromInline var used = 0

    /// What has been written, copied.
    public var bytes: [UInt8] { Array(storage[..<used]) }

    /// What has been written, lent.
    public var span: RawSpan {
        @_lifetime(borrow self) get { storage.span.bytes.extracting(first: used) }
    }

    public init(capacity: Int = 256) { storage = [UInt8](repeating: 0, count: max(16, capacity)) }

    public var count: Int { used }

    public mutating func removeAll() { used = 0 }

    /// Makes room for `count` more bytes and gives it to `body`.
    @inlinable
    @inline(__always)
    mutating func extend(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        if storage.count - used < count { grow(by: count) }
        let start = used
        storage.withUnsafeMutableBytes { body(UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + count])) }
        used = start + count
    }

    @usableFromInline
    mutating func grow(by count: Int) {
        storage.append(contentsOf: repeatElement(0, count: max(count, storage.count)))
    }

    /// A big-endian integer.
    @inlinable
    @inline(__always)
    public mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        extend(MemoryLayout<Value>.size) { $0.storeBytes(of: value.bigEndian, as: Value.self) }
    }

    @inlinable
    @inline(__always)
    public mutating func varint(_ value: some UnsignedInteger & FixedWidthInteger) {
        var rest = UInt64(value)
        while rest >= 0x80 {
            integer(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        integer(UInt8(truncatingIfNeeded: rest))
    }

    public mutating func varint(_ count: Int) { varint(UInt64(count)) }

    /// A byte string with its length before it.
    public mutating func bytes(_ string: [UInt8]) {
        varint(string.count)
        raw(string.span.bytes)
    }

    @inlinable
    public mutating func raw(_ string: some Sequence<UInt8>) { for byte in string { integer(byte) } }

    public mutating func raw(_ span: RawSpan) {
        extend(span.byteCount) { room in span.withUnsafeBytes { room.copyMemory(from: $0) } }
    }

    public mutating func digest(_ digest: Digest) {
        extend(Digest.byteCount) { room in digest.withBytes { room.copyMemory(from: $0) } }
    }

    /// Overwrites what stands at `offset`.
    @inlinable
    public mutating func replace<Value: FixedWidthInteger>(at offset: Int, with value: Value) {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= used)
        storage.withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self) }
    }

    /// Opens a hole at `offset`.
    mutating func insertZeros(_ count: Int, at offset: Int) {
        storage.insert(contentsOf: repeatElement(0, count: count), at: offset)
        used += count
    }

    /// CRC32C of the bytes in `range`.
    public func checksum(_ range: Range<Int>) -> UInt32 { crc32c(span.extracting(range)) }
}
