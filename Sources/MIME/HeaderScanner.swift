import Glibc

/// Finds the header fields of a message (RFC 5322, section 2.2) without copying or decoding anything.
///
/// It takes what is there: a `From ` line and a byte order mark before the first field are passed over, a line that is
/// no field ends the header as an empty one does, line ends may be CRLF or LF, and blanks may stand before the colon.
public struct HeaderScanner {
    /// Where a field is in the bytes that were scanned.
    public struct Field: Sendable, Equatable {
        /// The name, without blanks and colon.
        public let name: Range<Int>
        /// The value as it is written: after the colon and to the last byte before the field's last line end, folds in.
        public let value: Range<Int>
    }

    /// How much of a header is looked at.
    public struct Limits: Sendable {
        /// Bytes of the header.
        public var byteCount: Int
        /// Fields.
        public var fieldCount: Int

        public init(byteCount: Int = 2 << 20, fieldCount: Int = 20_000) {
            (self.byteCount, self.fieldCount) = (byteCount, fieldCount)
        }
    }

    /// Where the next line begins.
    private var position: Int
    private let end: Int
    private var fieldsLeft: Int
    /// Where the body begins; nil until the end of the header has been met.
    public private(set) var bodyOffset: Int?
    /// Whether the limits ended the scan.
    public private(set) var isTruncated = false
    private let isCut: Bool

    /// - Parameters:
    ///   - bytes: a message, or its beginning.
    ///   - start: where the header begins in it.
    public init(_ bytes: RawSpan, from start: Int = 0, limits: Limits = Limits()) {
        let start = min(max(0, start), bytes.byteCount)
        position = start
        isCut = limits.byteCount < bytes.byteCount - start
        end = isCut ? start + max(0, limits.byteCount) : bytes.byteCount
        fieldsLeft = limits.fieldCount
        if bytes.byteCount - start >= 3, byte(bytes, start) == 0xEF, byte(bytes, start + 1) == 0xBB,
            byte(bytes, start + 2) == 0xBF
        {
            position = min(start + 3, end)
        }
        // mbox writers leave "From " lines, and some servers quote them.
        let first = position
        if end - first >= 6 {
            let quote = byte(bytes, first) == UInt8(ascii: ">") ? 1 : 0
            let word: StaticString = "From "
            let isFromLine = word.withUTF8Buffer { letters in
                letters.indices.allSatisfy { byte(bytes, first + quote + $0) == letters[$0] }
            }
            if isFromLine { position = lineEnd(bytes, first).next }
        }
    }

    /// The next field; nil at the end of the header. `bytes` must be those the scanner was made for.
    public mutating func next(in bytes: RawSpan) -> Field? {
        guard bodyOffset == nil, !isTruncated else { return nil }
        guard position < end else {
            if isCut { isTruncated = true } else { bodyOffset = end }
            return nil
        }
        let start = position
        var index = start
        // The name: printable ASCII without colon.
        while index < end {
            let character = byte(bytes, index)
            if character == 0x3A || character <= 0x20 || character >= 0x7F { break }
            index += 1
        }
        let name = start..<index
        while index < end, byte(bytes, index) == 0x20 || byte(bytes, index) == 9 { index += 1 }
        guard !name.isEmpty, index < end, byte(bytes, index) == 0x3A else {
            endHeader(bytes, start)
            return nil
        }
        guard fieldsLeft > 0 else {
            isTruncated = true
            return nil
        }
        fieldsLeft -= 1
        let valueStart = index + 1
        var line = lineEnd(bytes, index)
        // Lines that begin with a blank continue the field.
        while line.next < end, line.next > line.content, byte(bytes, line.next) == 0x20 || byte(bytes, line.next) == 9 {
            line = lineEnd(bytes, line.next)
        }
        position = line.next
        return Field(name: name, value: valueStart..<max(valueStart, line.content))
    }

    private mutating func endHeader(_ bytes: RawSpan, _ start: Int) {
        if byte(bytes, start) == 10 {
            bodyOffset = start + 1
        } else if byte(bytes, start) == 13, start + 1 < end, byte(bytes, start + 1) == 10 {
            bodyOffset = start + 2
        } else {
            bodyOffset = start
        }
    }

    /// Where the content of the line ends, and where the next line begins.
    private func lineEnd(_ bytes: RawSpan, _ start: Int) -> (content: Int, next: Int) {
        guard let newline = firstIndex(of: 10, in: bytes, start..<end) else { return (end, end) }
        let hasReturn = newline > start && byte(bytes, newline - 1) == 13
        return (hasReturn ? newline - 1 : newline, newline + 1)
    }
}

@inline(__always)
func byte(_ bytes: RawSpan, _ index: Int) -> UInt8 {
    bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt8.self)
}

/// Where a byte is first, within a range that must be in `bytes`.
@inline(__always)
func firstIndex(of value: UInt8, in bytes: RawSpan, _ range: Range<Int>) -> Int? {
    let part = bytes.extracting(range)
    return part.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress, let found = memchr(base, Int32(value), buffer.count) else { return nil }
        return range.lowerBound + (UnsafeRawPointer(found) - base)
    }
}
