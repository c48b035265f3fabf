/// The variants of mbox: how a line of a message that begins with `From ` is told from the beginning of the next.
public enum MboxVariant: String, Hashable, Sendable, CaseIterable {
    /// Such a line is written with `>` before it. A reader cannot know whether a `>` was there before, so none is
    /// taken away.
    case mboxo
    /// Such a line, and one that has `>` before that already, gets one `>` more; a reader takes one away. Exact.
    case mboxrd
    /// As mboxrd, and a `Content-Length` field counts the octets of the body as they stand in the file.
    case mboxcl
    /// Nothing is quoted: `Content-Length` alone says where a message ends. Exact.
    case mboxcl2

    var quotes: Bool { self != .mboxcl2 }
    var unquotes: Bool { self == .mboxrd || self == .mboxcl }
    var hasLength: Bool { self == .mboxcl || self == .mboxcl2 }
}
