internal import Events

#if canImport(Glibc)
    internal import Glibc
#endif

/// Bytes that grow in place and are kept from one use to the next: no zeroing, no copy-on-write, no allocation in the
/// steady state. Everything lent is a bounds-checked span, to be used before the buffer is changed.
///
/// A class, because several are used at once, one as source and one as target. In methods of other classes bind it to a local
/// name before borrowing from it: the compiler can only see that a local lives long enough.
@safe final class ByteBuffer {
    private var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 0) {
        unsafe base = ByteBuffer.allocate(max(capacity, 64))
        self.capacity = max(capacity, 64)
    }

    deinit { unsafe free(base) }

    private static func allocate(_ size: Int) -> UnsafeMutableRawPointer {
        guard let memory = unsafe malloc(size) else { fatalError("no memory for \(size) bytes") }
        return unsafe memory
    }

    /// Room for `more` bytes behind those there are.
    func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let larger = max(count + more, capacity + capacity / 2)
        guard let memory = unsafe realloc(base, larger) else { fatalError("no memory for \(larger) bytes") }
        unsafe base = memory
        capacity = larger
    }

    func removeAll() { count = 0 }

    /// Cuts behind the first `length` bytes.
    func truncate(to length: Int) {
        precondition(length <= count)
        count = length
    }

    /// Removes the first `length` bytes; the others move to the front.
    func removeFirst(_ length: Int) {
        precondition(length <= count)
        if length > 0 { unsafe memmove(base, base + length, count - length) }
        count -= length
    }

    func append(_ bytes: RawSpan) {
        reserve(bytes.byteCount)
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe memcpy(base + count, start, source.count) }
        }
        count += bytes.byteCount
    }

    /// Appends an integer, little-endian.
    func append<Value: FixedWidthInteger>(_ value: Value) {
        reserve(MemoryLayout<Value>.size)
        unsafe (base + count).storeBytes(of: value.littleEndian, as: Value.self)
        count += MemoryLayout<Value>.size
    }

    func append(_ digest: borrowing Digest) {
        reserve(Digest.byteCount)
        unsafe digest.withBytes { _ = unsafe memcpy(base + count, $0.baseAddress!, $0.count) }
        count += Digest.byteCount
    }

    func append(zeros length: Int) {
        reserve(length)
        unsafe memset(base + count, 0, length)
        count += length
    }

    /// An unsigned LEB128.
    func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Lends room for `room` bytes behind the end; `body` returns how many of them it has written.
    func appendTail<Failure: Error>(
        _ room: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        reserve(room)
        let written = unsafe try body(UnsafeMutableRawBufferPointer(start: base + count, count: room))
        precondition(written >= 0 && written <= room)
        count += written
    }

    /// Overwrites bytes there are.
    func replace(at offset: Int, with bytes: RawSpan) {
        precondition(offset >= 0 && offset + bytes.byteCount <= count)
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe memcpy(base + offset, start, source.count) }
        }
    }

    func replace<Value: FixedWidthInteger>(at offset: Int, with value: Value) {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= count)
        unsafe (base + offset).storeBytes(of: value.littleEndian, as: Value.self)
    }

    /// All bytes.
    var bytes: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe RawSpan(_unsafeStart: base, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// `length` bytes from `offset` on, which must be there.
    @_lifetime(borrow self)
    func bytes(_ offset: Int, _ length: Int) -> RawSpan {
        precondition(offset >= 0 && length >= 0 && offset + length <= count)
        let span = unsafe RawSpan(_unsafeStart: base + offset, byteCount: length)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}

extension RawSpan {
    /// An integer, little-endian; traps outside, as every span does.
    func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as: Value.Type = Value.self) -> Value {
        Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// `length` bytes from `offset` on.
    @_lifetime(copy self)
    func part(_ offset: Int, _ length: Int) -> RawSpan { extracting(offset..<offset + length) }

    /// Whether the bytes are the same.
    func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        if byteCount == 0 { return true }
        return unsafe withUnsafeBytes { mine in
            unsafe other.withUnsafeBytes { unsafe memcmp(mine.baseAddress!, $0.baseAddress!, mine.count) == 0 }
        }
    }
}

extension [UInt8] {
    /// The bytes.
    var raw: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe span.bytes
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}
