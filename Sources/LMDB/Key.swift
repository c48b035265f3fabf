/// The bytes of a table's key, at most ``capacity``, kept in place: no allocation on the way to LMDB.
///
/// Integers are appended big-endian, so that LMDB's byte order is the order of the numbers.
public struct Key: Sendable {
    public static let capacity = 48

    private var storage: InlineArray<48, UInt8>
    public private(set) var count: Int

    public init() {
        storage = .init(repeating: 0)
        count = 0
    }

    /// A key that is one number.
    public init(_ value: UInt64) {
        self.init()
        append(value)
    }

    /// A big-endian integer; inlinable, so that what is called is not generic.
    @inlinable
    public mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        append(bits: UInt64(truncatingIfNeeded: value), size: MemoryLayout<Value>.size)
    }

    @usableFromInline
    mutating func append(bits value: UInt64, size: Int) {
        precondition(count + size <= Key.capacity, "a key of more than \(Key.capacity) bytes")
        let bytes = (value << UInt64(64 - 8 * size)).bigEndian
        unsafe withUnsafeMutableBytes(of: &storage) { room in
            unsafe withUnsafeBytes(of: bytes) {
                unsafe UnsafeMutableRawBufferPointer(rebasing: room[count..<count + size])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<size]))
            }
        }
        count += size
    }

    public mutating func append(_ bytes: RawSpan) {
        precondition(count + bytes.byteCount <= Key.capacity, "a key of more than \(Key.capacity) bytes")
        for index in 0..<bytes.byteCount {
            storage[count + index] = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt8.self)
        }
        count += bytes.byteCount
    }

    /// The key as bytes, lent.
    public func withSpan<Result>(_ body: (RawSpan) -> Result) -> Result {
        unsafe withBytes { unsafe body(RawSpan(_unsafeBytes: $0)) }
    }

    /// The key as bytes, for as long as `body` runs.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var storage = storage
        return unsafe withUnsafeBytes(of: &storage) { unsafe body(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }
}
