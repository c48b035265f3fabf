/// `APPEND` of one or (RFC 3502) several messages, said piece by piece: the messages themselves never are in memory at once.
///
/// ``begin(mailbox:)``, then for each message ``message(flags:internalDate:size:isBinary:)`` and exactly so many bytes, then
/// ``end()``. What each gives is a ``Piece``; after one that ``Piece/waits`` the server has to ask before more is sent.
public struct AppendWriter {
    /// Bytes to be sent.
    public struct Piece: Hashable, Sendable {
        /// Before each but the first the server has to ask for it.
        public var parts: [[UInt8]]
        /// Whether the server has to ask for what comes behind it.
        public var waits: Bool
    }

    private let tag: [UInt8]
    private let literals: LiteralKind

    init(tag: [UInt8], literals: LiteralKind) { (self.tag, self.literals) = (tag, literals) }

    public func begin(mailbox: MailboxName) throws(EncodingRefusal) -> Piece {
        var writer = CommandWriter(literals)
        writer.raw(tag: tag)
        writer.words(" APPEND ")
        try writer.string(mailbox.bytes)
        return Piece(parts: writer.parts, waits: false)
    }

    /// What stands before a message of `size` bytes. `isBinary`: for one with zero bytes (RFC 3516).
    public func message(
        flags: [FlagName], internalDate seconds: Int64?, size: UInt64, isBinary: Bool = false
    ) -> Piece {
        var writer = CommandWriter(literals)
        writer.words(" ")
        writer.flags(flags)
        if let seconds {
            writer.words(" \"")
            writer.raw(tag: ServerDate.text(seconds: seconds))
            writer.words("\"")
        }
        writer.words(" ")
        writer.literalHead(size, isBinary: isBinary)
        let waits = literals.waits(size)
        return Piece(parts: waits ? writer.parts.dropLast() : writer.parts, waits: waits)
    }

    public func end() -> Piece { Piece(parts: [[0x0D, 0x0A]], waits: false) }
}
