/// The line that begins a message: `From SENDER Www Mmm dd hh:mm:ss yyyy`, with variations.
public struct Postmark: Hashable, Sendable {
    /// The envelope's sender, as it stands there; often `-` or `MAILER-DAEMON`.
    public let sender: [UInt8]
    /// When the message was delivered, in seconds since 1970; without a zone in the line, its time is taken as UTC
    /// (RFC 4155). nil when there is no such day or hour.
    public let date: Int64?
    /// Whether a zone stood in the line.
    public let hasZone: Bool
    /// What follows the date, without the spaces around it.
    public let more: [UInt8]

    /// In ``more``: the newline at the message's end is not the message's.
    static let noFinalNewline = Array("x-no-final-newline".utf8)
    /// In ``more``: the first line, `Content-Length`, is not the message's.
    static let addedLength = Array("x-added-length".utf8)
    /// In ``more``: the blank line after the header is not the message's.
    static let headerOnly = Array("x-header-only".utf8)
    /// In ``more``: `Content-Length` and an empty line stand before the message, which is all body to a reader.
    static let wrapped = Array("x-wrapped".utf8)

    func has(_ word: [UInt8]) -> Bool { Self.tokens(more[...]).contains { $0.elementsEqual(word) } }

    /// Takes a line apart, without its line end. nil when it does not begin with `From `, or has no month, day, time
    /// of day and year of four digits after a day of the week: then it is text.
    public init?(parsing line: [UInt8]) {
        guard let rest = Self.rest(of: line) else { return nil }
        let tokens = Self.tokens(rest)
        for index in tokens.indices.prefix(64) where Self.isWeekday(tokens[index]) {
            guard let found = EnvelopeDate(tokens[(index + 1)...]) else { continue }
            let end = found.end < tokens.endIndex ? tokens[found.end].startIndex : rest.endIndex
            sender = Self.trimmed(rest[..<tokens[index].startIndex])
            more = Self.trimmed(rest[end...])
            date = found.seconds
            hasZone = found.zone != nil
            return
        }
        return nil
    }

    /// The first line of a file needs no date.
    init?(parsingFirst line: [UInt8]) {
        if let postmark = Postmark(parsing: line) {
            self = postmark
        } else {
            guard let rest = Self.rest(of: line) else { return nil }
            sender = Self.tokens(rest).first.map { Array($0) } ?? []
            (date, hasZone, more) = (nil, false, [])
        }
    }

    /// Composes the line, with its newline. The sender's spaces and control characters become `_`; an empty one is
    /// written `MAILER-DAEMON`. The date is written in UTC; outside the years 1970 to 9999 it is 1970.
    static func bytes(sender: [UInt8], date: Int64, more: [[UInt8]]) -> [UInt8] {
        let sender = sender.map { $0 <= 0x20 || $0 == 0x7F ? UInt8(ascii: "_") : $0 }
        var line = Array("From ".utf8) + (sender.isEmpty ? Array("MAILER-DAEMON".utf8) : sender)
        line.append(UInt8(ascii: " "))
        line += EnvelopeDate.bytes((0..<253_402_300_800).contains(date) ? date : 0)
        for word in more { line += [UInt8(ascii: " ")] + word }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func rest(of line: [UInt8]) -> ArraySlice<UInt8>? {
        guard line.starts(with: "From ".utf8) else { return nil }
        return line.last == UInt8(ascii: "\r") ? line[5..<max(5, line.count - 1)] : line[5...]
    }

    private static func tokens(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        bytes.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }),
            let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return [] }
        return Array(bytes[first...last])
    }

    private static func isWeekday(_ token: ArraySlice<UInt8>) -> Bool {
        let name = token.last == UInt8(ascii: ",") ? token.dropLast() : token
        return EnvelopeDate.weekdays.contains { name.elementsEqual($0) }
    }
}
