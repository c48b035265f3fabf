/// What came is not IMAP, or more than can be held: the connection cannot be used any further, and nothing may be concluded
/// from what it said last. Never holds what was sent: that may be a secret or somebody's mail.
public struct ProtocolViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was expected or exceeded.
    public var what: String
    /// Byte of the response, where there is one.
    public var offset: Int

    public init(_ what: String, at offset: Int = 0) { (self.what, self.offset) = (what, offset) }

    public var description: String { "the server's answer is not IMAP: \(what) (byte \(offset) of the response)" }
}

/// A command that cannot be said in IMAP: a zero byte in a name, a keyword that is no atom.
public struct EncodingRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    public var what: String

    init(_ what: String) { self.what = what }

    public var description: String { what }
}
