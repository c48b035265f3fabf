/// The oracle: applies the events of a script and knows at any of them what the account holds.
///
/// A value: a copy is a snapshot. Knows nothing of the product.
public struct MailboxModel: Sendable {
    /// A message as it is now.
    public struct Message: Hashable, Sendable {
        public let number: MessageNumber
        public let content: ContentNumber
        public var folder: FolderPath
        public var flags: MessageFlags
        /// Sorted.
        public var keywords: [[UInt8]]
        /// Seconds since 1970.
        public let internalDate: Int64
    }

    /// Whether the account is there.
    public private(set) var exists = true
    /// The folders and the UIDVALIDITY a server would say for each; INBOX among them.
    public private(set) var uidValidity: [FolderPath: UInt32] = [.inbox: 1]
    public private(set) var messages: [MessageNumber: Message] = [:]
    public private(set) var subscriptions: Set<FolderPath> = []
    private var lastUIDValidity: UInt32 = 1

    /// An account with an empty INBOX.
    public init() {}

    /// The folders, sorted.
    public var folders: [FolderPath] { uidValidity.keys.sorted() }

    public func contains(_ folder: FolderPath) -> Bool { uidValidity[folder] != nil }

    /// The messages of a folder, by number.
    public func messages(in folder: FolderPath) -> [Message] {
        messages.values.filter { $0.folder == folder }.sorted { $0.number < $1.number }
    }

    /// Applies one event, which must be the next one of the script that made the state.
    public mutating func apply(_ event: MailboxEvent) {
        switch event.change {
        case .arrived(let number, let content, let folder, let internalDate, let flags, let keywords):
            messages[number] = Message(
                number: number, content: content, folder: folder, flags: flags, keywords: keywords,
                internalDate: internalDate)
        case .flagsChanged(let number, let flags, let keywords):
            messages[number]?.flags = flags
            messages[number]?.keywords = keywords
        case .moved(let number, let folder): messages[number]?.folder = folder
        case .expunged(let number): messages[number] = nil
        case .opened: break
        case .folderCreated(let folder): create(folder)
        case .folderRenamed(let old, let new): rename(old, to: new)
        case .folderDeleted(let folder):
            uidValidity[folder] = nil
            for message in messages(in: folder) { messages[message.number] = nil }
        case .uidValidityChanged(let folder): create(folder)
        case .subscribed(let folder): subscriptions.insert(folder)
        case .unsubscribed(let folder): subscriptions.remove(folder)
        case .accountRemoved: (exists, uidValidity, messages, subscriptions) = (false, [:], [:], [])
        case .accountCreated:
            exists = true
            create(.inbox)
        }
    }

    private mutating func create(_ folder: FolderPath) {
        lastUIDValidity += 1
        uidValidity[folder] = lastUIDValidity
    }

    private mutating func rename(_ old: FolderPath, to new: FolderPath) {
        for folder in folders where folder.isWithin(old) {
            uidValidity[folder.replacing(old, by: new)] = uidValidity.removeValue(forKey: folder)
        }
        for number in messages.keys.sorted() {
            guard let folder = messages[number]?.folder, folder.isWithin(old) else { continue }
            messages[number]?.folder = folder.replacing(old, by: new)
        }
    }
}
