/// Writes numbers and byte strings, as ``ByteReader`` reads them, to the end of an array.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8]

    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    public var count: Int { bytes.count }

    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// A big-endian integer.
    @inline(__always)
    public mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    @inline(__always)
    public mutating func varint(_ value: some UnsignedInteger & FixedWidthInteger) {
        var rest = UInt64(value)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    public mutating func varint(_ count: Int) { varint(UInt64(count)) }

    /// A byte string with its length before it.
    public mutating func bytes(_ string: [UInt8]) {
        varint(string.count)
        bytes.append(contentsOf: string)
    }

    public mutating func raw(_ string: some Sequence<UInt8>) { bytes.append(contentsOf: string) }

    public mutating func raw(_ span: RawSpan) { span.withUnsafeBytes { bytes.append(contentsOf: $0) } }

    public mutating func digest(_ digest: Digest) { digest.withBytes { bytes.append(contentsOf: $0) } }

    /// Overwrites what stands at `offset`.
    public mutating func replace<Value: FixedWidthInteger>(at offset: Int, with value: Value) {
        precondition(offset + MemoryLayout<Value>.size <= bytes.count)
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self) }
    }

    /// Opens a hole at `offset`.
    mutating func insertZeros(_ count: Int, at offset: Int) {
        bytes.insert(contentsOf: repeatElement(0, count: count), at: offset)
    }

    /// CRC32C of the bytes in `range`.
    public func checksum(_ range: Range<Int>) -> UInt32 { crc32c(bytes.span.bytes.extracting(range)) }
}
