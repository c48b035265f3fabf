/// The whole of a message's metadata at a moment.
public struct MessageState: Hashable, Sendable {
    /// The number of the folder it is in.
    public var folder: UInt32
    public var content: Content
    public var internalDate: Timestamp
    public var flags: MessageFlags
    /// IMAP keywords: bytes, sorted, each once.
    public var keywords: [[UInt8]]
    /// What the source calls it within its folder: a Maildir base name, a UID.
    public var sourceName: [UInt8]
    /// What else the source knows it by.
    public var marks: ServerMarks

    /// The message's bytes, or why they could not be had.
    public enum Content: Hashable, Sendable {
        case blob(Digest, size: UInt64)
        /// The source has the message but did not give its bytes; the number is an `errno`.
        case unreadable(UInt32)
    }

    public init(
        folder: UInt32, content: Content, internalDate: Timestamp, flags: MessageFlags = [], keywords: [[UInt8]] = [],
        sourceName: [UInt8], marks: ServerMarks = ServerMarks()
    ) {
        (self.folder, self.content, self.internalDate) = (folder, content, internalDate)
        (self.flags, self.keywords, self.sourceName, self.marks) = (flags, keywords, sourceName, marks)
    }

    public var digest: Digest? {
        if case .blob(let digest, _) = content { digest } else { nil }
    }

    public var size: UInt64 {
        if case .blob(_, let size) = content { size } else { 0 }
    }
}

/// The system flags of RFC 9051, 2.3.2, and Maildir's *passed*. `\Recent` is a matter of a session, not of the message.
public struct MessageFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let seen = MessageFlags(rawValue: 1)
    public static let answered = MessageFlags(rawValue: 2)
    public static let flagged = MessageFlags(rawValue: 4)
    public static let deleted = MessageFlags(rawValue: 8)
    public static let draft = MessageFlags(rawValue: 16)
    /// Maildir's `P`: resent, forwarded or bounced. Shown as the keyword `$Forwarded`.
    public static let passed = MessageFlags(rawValue: 32)

    /// The IMAP names in a fixed order, without ``passed``; and the same as JSON wants a backslash.
    public static let names: [(flag: MessageFlags, name: StaticString, escaped: StaticString)] = [
        (.answered, "\\Answered", "\\\\Answered"), (.deleted, "\\Deleted", "\\\\Deleted"),
        (.draft, "\\Draft", "\\\\Draft"), (.flagged, "\\Flagged", "\\\\Flagged"),
        (.seen, "\\Seen", "\\\\Seen"),
    ]
}

extension MessageState {
    func encode(into writer: inout ByteWriter) {
        writer.varint(folder)
        writer.integer(flags.rawValue)
        writer.integer(internalDate.rawValue)
        let marked: UInt8 = marks.isEmpty ? 0 : 2
        switch content {
        case .blob(let digest, let size):
            writer.integer(1 | marked)
            writer.varint(size)
            writer.digest(digest)
        case .unreadable(let reason):
            writer.integer(marked)
            writer.varint(reason)
        }
        writer.varint(keywords.count)
        for keyword in keywords { writer.bytes(keyword) }
        writer.bytes(sourceName)
        if !marks.isEmpty { marks.encode(into: &writer) }
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        folder = try reader.varint32()
        flags = MessageFlags(rawValue: try reader.integer())
        internalDate = Timestamp(rawValue: try reader.integer())
        let kind: UInt8 = try reader.integer()
        switch kind & ~2 {
        case 1:
            let size = try reader.varint()
            content = .blob(try reader.digest(), size: size)
        case 0: content = .unreadable(try reader.varint32())
        default: throw DecodingFailure(offset: reader.offset, reason: .unknownKind(kind))
        }
        keywords = []
        for _ in 0..<(try reader.count()) { keywords.append(try reader.bytes()) }
        sourceName = try reader.bytes()
        marks = kind & 2 == 0 ? ServerMarks() : try ServerMarks(from: &reader)
    }
}
