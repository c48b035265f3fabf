/// What a ``MaildirWatcher`` saw: a hint where to look, never the truth by itself.
public struct MaildirChange: Hashable, Sendable {
    /// Which Maildir, by the number ``MaildirWatcher/add(_:)`` gave it.
    public let root: Int
    public let kind: Kind

    public enum Kind: Hashable, Sendable {
        /// Something in that part of the folder may have changed: list it.
        case folderTouched(rawName: [UInt8], Part)
        /// One name in `cur` or `new` of the folder.
        case entry(rawName: [UInt8], MaildirPlace, name: [UInt8], EntryChange)
        /// Folders were created, renamed or deleted: list them.
        case foldersChanged
        /// A file of subscriptions was replaced or removed.
        case subscriptionsChanged
        /// The folder cannot be watched, and must be listed from time to time.
        case unwatched(rawName: [UInt8], MaildirError)
        /// Changes were lost: list everything. The watches are complete again.
        case overflow
        /// The root was removed, moved or unmounted. It is watched no more. (A removal is only told when no
        /// ``MaildirDirectory`` of INBOX is open any more.)
        case rootGone
    }

    public enum Part: Hashable, Sendable {
        /// The folder's directory: its keywords.
        case directory
        case new, cur
    }

    public enum EntryChange: Hashable, Sendable {
        /// Created, or written and closed.
        case appeared
        case disappeared
        /// The old name of a rename; the new one has the same cookie, if it is in a directory that is watched.
        case movedFrom(cookie: UInt32)
        case movedTo(cookie: UInt32)
    }
}
