public import Events

/// The header of a message: its fields in order, as bytes and as text for people.
///
/// Nothing is decoded before it is asked for.
public struct MIMEHeaders: Sendable {
    /// The header as it is in the message, and nothing of the body.
    public let bytes: [UInt8]
    private let fields: [HeaderScanner.Field]
    /// Where the body begins in the message; nil where it was not reached.
    public let bodyOffset: Int?
    /// Whether the header is larger than the limits, and fields are missing here.
    public let isTruncated: Bool

    /// Finds the fields. Never fails: what has no header has no fields.
    ///
    /// - Parameter message: a message, or as much of its beginning as holds the header.
    public static func parse(_ message: RawSpan, limits: HeaderScanner.Limits = .init()) -> MIMEHeaders {
        var scanner = HeaderScanner(message, limits: limits)
        var fields: [HeaderScanner.Field] = []
        fields.reserveCapacity(32)
        while let field = scanner.next(in: message) { fields.append(field) }
        let end = fields.last?.value.upperBound ?? 0
        let bytes = message.extracting(0..<end).withUnsafeBytes { [UInt8]($0) }
        return MIMEHeaders(
            bytes: bytes, fields: fields, bodyOffset: scanner.bodyOffset, isTruncated: scanner.isTruncated)
    }

    /// Finds the fields (``parse(_:limits:)-(RawSpan,_)``).
    public static func parse(_ message: [UInt8], limits: HeaderScanner.Limits = .init()) -> MIMEHeaders {
        parse(message.span.bytes, limits: limits)
    }

    /// One field.
    public struct Field: Sendable {
        /// The name as it is written.
        public let name: [UInt8]
        /// The value as it is written, folds and blanks in.
        public let rawValue: [UInt8]
        /// The value for people: unfolded, RFC 2047 decoded, raw 8-bit bytes as UTF-8 if they are, else as ISO 8859-1.
        public var text: String { HeaderText.decode(rawValue) }
    }

    /// How many fields there are.
    public var count: Int { fields.count }

    /// The field at an index, in the order of the message.
    public subscript(index: Int) -> Field {
        Field(name: Array(bytes[fields[index].name]), rawValue: Array(bytes[fields[index].value]))
    }

    /// The raw values of all fields of a name (in any case of ASCII), in order.
    public func rawValues(_ name: StaticString) -> [[UInt8]] {
        fields.filter { isNamed($0, name) }.map { Array(bytes[$0.value]) }
    }

    /// The raw value of the first field of a name (in any case of ASCII).
    public func rawValue(_ name: StaticString) -> [UInt8]? {
        fields.first { isNamed($0, name) }.map { Array(bytes[$0.value]) }
    }

    private func isNamed(_ field: HeaderScanner.Field, _ name: StaticString) -> Bool {
        guard field.name.count == name.utf8CodeUnitCount else { return false }
        return name.withUTF8Buffer { letters in
            for (offset, index) in field.name.enumerated() where lowercased(bytes[index]) != lowercased(letters[offset])
            {
                return false
            }
            return true
        }
    }

    /// The first field of a name as text; nil if there is none.
    public func text(_ name: StaticString) -> String? { rawValue(name).map { HeaderText.decode($0) } }

    /// All fields of a name as text, joined by commas: for names that hold addresses. Nil if there is none.
    private func joined(_ name: StaticString) -> String? {
        let values = rawValues(name)
        return values.isEmpty ? nil : values.map { HeaderText.decode($0) }.joined(separator: ", ")
    }

    /// `Subject`, decoded.
    public var subject: String? { text("Subject") }
    /// `From`, decoded: names and addresses as they are written.
    public var from: String? { joined("From") }
    /// `To`, decoded.
    public var to: String? { joined("To") }
    /// `Cc`, decoded.
    public var cc: String? { joined("Cc") }

    /// The value of the first `Message-ID`, exactly, without the blanks around it; nil if there is none.
    public var messageID: [UInt8]? { rawValue("Message-ID").map { MIMEHeaders.trimmed($0) } }

    /// Every ID of every `Message-ID` field, with `<` and `>`; one that has none is given as it is. Empty ones are not
    /// given.
    public var messageIDs: [[UInt8]] {
        rawValues("Message-ID").flatMap { MIMEHeaders.ids(in: $0) }
    }

    /// The IDs in the value of one field.
    static func ids(in value: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var rest = value[...]
        var found = false
        while let open = rest.firstIndex(of: 0x3C), let close = rest[open...].firstIndex(of: 0x3E) {
            if close > open + 1 { result.append(Array(rest[open...close])) }
            found = true
            rest = rest[(close + 1)...]
        }
        let whole = trimmed(value)
        if !found, !whole.isEmpty { result.append(whole) }
        return result
    }

    /// The instant of the first `Date` field; nil if there is none or it is not one.
    public var date: Timestamp? { rawValue("Date").flatMap { HeaderText.date($0) } }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return [] }
        return Array(bytes[first...last])
    }
}

@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
