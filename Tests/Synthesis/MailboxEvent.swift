public import Events

/// One message of an account as long as it lives, through moves and changes of flags. Never reused; not a UID.
public typealias MessageNumber = Int

/// The number of a content: bytes on demand by ``AccountHistory/bytes(ofContent:)``. Copies share it.
public typealias ContentNumber = Int

/// One thing that happens to an account.
public struct MailboxEvent: Hashable, Sendable {
    /// When, in the order of the script: never less than the event before. Whole milliseconds.
    public let time: Timestamp
    public let change: Change

    /// What happens. Every change is one that a server can make in the state the events before it leave.
    public enum Change: Hashable, Sendable {
        /// A message was delivered or appended; without flags it is a new one. `internalDate` in seconds since 1970.
        case arrived(
            MessageNumber, content: ContentNumber, folder: FolderPath, internalDate: Int64, flags: MessageFlags,
            keywords: [[UInt8]])
        /// The message has these flags and keywords (sorted) now.
        case flagsChanged(MessageNumber, flags: MessageFlags, keywords: [[UInt8]])
        /// Out of its folder into this one, with flags, keywords and internal date.
        case moved(MessageNumber, to: FolderPath)
        /// Gone for good.
        case expunged(MessageNumber)
        /// A client opened the folder: what was new in it is not so any more. Changes no content.
        case opened(FolderPath)
        case folderCreated(FolderPath)
        /// With all that is below it.
        case folderRenamed(FolderPath, to: FolderPath)
        /// With its messages, without what is below it.
        case folderDeleted(FolderPath)
        /// Every message of the folder has another UID and file name, and the same content.
        case uidValidityChanged(FolderPath)
        case subscribed(FolderPath)
        case unsubscribed(FolderPath)
        /// Everything is gone, INBOX too.
        case accountRemoved
        /// Under the same name again, with an empty INBOX.
        case accountCreated
    }
}
