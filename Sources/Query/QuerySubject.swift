public import Events
public import MIME

/// What a query is asked about: one state of one item.
///
/// What the projections know is given; what only the blob knows is read when a query gets to it, which it does only if
/// everything else has not decided yet.
public protocol QuerySubject {
    /// The path of its folder as people see it, `INBOX/Contracts`; nil for what is in no folder.
    var folderPath: String? { get }
    /// System flags and keywords as they are stored: `\Seen`, `$Forwarded`.
    var flags: [[UInt8]] { get }
    var kind: ItemKind { get }
    /// Of the raw content, in bytes.
    var byteCount: UInt64 { get }
    /// Of the raw content; nil for items that have none (folders).
    var digest: Digest? { get }
    var isDeleted: Bool { get }
    /// When the server received it, or the nearest to that there is; nil if nothing is known.
    var internalDate: Timestamp? { get }
    /// The header of its content; nil if it has none, or it cannot be read.
    func headers() -> MIMEHeaders?
    /// The readable text and the attachments of its content; nil if it has none, or it cannot be read.
    func preview() -> MIMEPreview?
}
