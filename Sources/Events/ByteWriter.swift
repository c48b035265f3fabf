/// Writes numbers and byte strings, as ``ByteReader`` reads them, to the end of an array.
///
/// What is generic here is inlinable: unspecialised, an integer costs twenty times as much.
public struct ByteWriter: Sendable {
    @usableFromInline var storage: [UInt8]

    /// What has been written.
    public var bytes: [UInt8] { storage }

    public init(capacity: Int = 256) {
        storage = []
        storage.reserveCapacity(capacity)
    }

    public var count: Int { storage.count }

    public mutating func removeAll() { storage.removeAll(keepingCapacity: true) }

    /// A big-endian integer.
    @inlinable
    @inline(__always)
    public mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { storage.append(contentsOf: $0) }
    }

    @inlinable
    @inline(__always)
    public mutating func varint(_ value: some UnsignedInteger & FixedWidthInteger) {
        var rest = UInt64(value)
        while rest >= 0x80 {
            storage.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        storage.append(UInt8(truncatingIfNeeded: rest))
    }

    public mutating func varint(_ count: Int) { varint(UInt64(count)) }

    /// A byte string with its length before it.
    public mutating func bytes(_ string: [UInt8]) {
        varint(string.count)
        storage.append(contentsOf: string)
    }

    @inlinable
    public mutating func raw(_ string: some Sequence<UInt8>) { storage.append(contentsOf: string) }

    public mutating func raw(_ span: RawSpan) { span.withUnsafeBytes { storage.append(contentsOf: $0) } }

    public mutating func digest(_ digest: Digest) { digest.withBytes { storage.append(contentsOf: $0) } }

    /// Overwrites what stands at `offset`.
    @inlinable
    public mutating func replace<Value: FixedWidthInteger>(at offset: Int, with value: Value) {
        precondition(offset + MemoryLayout<Value>.size <= storage.count)
        storage.withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self) }
    }

    /// Opens a hole at `offset`.
    mutating func insertZeros(_ count: Int, at offset: Int) {
        storage.insert(contentsOf: repeatElement(0, count: count), at: offset)
    }

    /// CRC32C of the bytes in `range`.
    public func checksum(_ range: Range<Int>) -> UInt32 { crc32c(storage.span.bytes.extracting(range)) }
}
