/// The name of a mailbox as it stands on the wire: modified UTF-7, or UTF-8 after `ENABLE UTF8=ACCEPT`, or whatever the server
/// says. Bytes; what they mean to people is decided elsewhere.
public struct MailboxName: Hashable, Sendable {
    public let bytes: [UInt8]

    /// `INBOX` is the same in any case (RFC 9051, 5.1).
    public init(_ bytes: [UInt8]) {
        self.bytes =
            bytes.count == 5 && bytes.map({ $0 & 0xDF }) == MailboxName.inbox.bytes ? MailboxName.inbox.bytes : bytes
    }

    private init(inbox bytes: [UInt8]) { self.bytes = bytes }

    public static let inbox = MailboxName(inbox: Array("INBOX".utf8))
}
