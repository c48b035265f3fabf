/// One folder as the listing of a Maildir tells it.
public struct MaildirFolder: Hashable, Sendable {
    /// The directory, relative to the root: empty for the root, `.A.B` in Maildir++, `A/B` in the layout `fs`.
    public let rawName: [UInt8]
    public let path: MaildirFolderPath
    /// Of the directory: the same after a rename. nil where it could not be asked.
    public let identity: FileIdentity?
    /// Why the folder cannot be read as a Maildir: a link, no permission, `cur` or `new` missing. Such a folder is
    /// neither empty nor absent.
    public let problem: MaildirError?
    /// What others may do with it; nil where it cannot be read. Empty where there is no file that says so.
    public let rights: DovecotAccessList?

    /// Whether this is INBOX: the root, or in the layout `fs` the directory `INBOX` where the root is no folder.
    public var isInbox: Bool { path.isInbox && !path.isVerbatim }
}
