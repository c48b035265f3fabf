/// Goes through a text line by line, each ended by LF; for parsers that accept exactly one way of writing.
struct NoteLines {
    private var rest: ArraySlice<UInt8>

    init(_ text: ArraySlice<UInt8>) { rest = text }

    var isAtEnd: Bool { rest.isEmpty }

    /// The next line without its end; nil when there is none, or it does not end.
    mutating func next() -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: 10) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return rest[..<end]
    }

    /// What has not been read.
    var remainder: ArraySlice<UInt8> { rest }
}

/// A number in decimal digits without leading zeros; nil where it is written otherwise or too large.
func strictDecimal(_ text: ArraySlice<UInt8>) -> UInt64? {
    guard let first = text.first, first != UInt8(ascii: "0") || text.count == 1 else { return nil }
    var value: UInt64 = 0
    for digit in text {
        guard (48...57).contains(digit) else { return nil }
        let (product, high) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit - 48))
        guard !high, !carry else { return nil }
        value = sum
    }
    return value
}
