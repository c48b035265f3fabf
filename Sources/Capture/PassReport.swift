public import Events

/// What one pass over an account has seen and recorded.
public struct PassReport: Hashable, Sendable {
    public var folders = 0
    public var messages = 0
    public var created = 0
    public var moved = 0
    public var changed = 0
    public var deleted = 0
    public var returned = 0
    public var foldersCreated = 0
    public var foldersChanged = 0
    public var foldersDeleted = 0
    /// Raw bytes read.
    public var bytes: UInt64 = 0
    /// Seen, but gone before it could be read.
    public var vanished = 0
    /// Known to have been there, and not captured: recorded as such.
    public var missed = 0
    /// There, but its bytes could not be had: recorded as such.
    public var unreadable: [String] = []
    /// Folders that could not be listed: nothing was concluded from them.
    public var unlistable: [String] = []
    /// Entries that are no messages.
    public var passedOver: [String] = []
    /// Folders, as the source calls them, with messages that wait for the next pass (``AccountCapture/pass``).
    public var held: Set<[UInt8]> = []
    public var firstTransaction: TransactionID?
    public var lastTransaction: TransactionID?

    public init() {}

    /// Whether all that is there was seen and kept.
    public var isComplete: Bool { unreadable.isEmpty && unlistable.isEmpty }

    /// Whether anything was recorded.
    public var isEmpty: Bool { lastTransaction == nil }

    mutating func recorded(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        firstTransaction = firstTransaction ?? TransactionID(rawValue: range.lowerBound)
        lastTransaction = TransactionID(rawValue: range.upperBound - 1)
    }

    public mutating func add(_ other: PassReport) {
        folders = max(folders, other.folders)
        messages = max(messages, other.messages)
        created += other.created
        moved += other.moved
        changed += other.changed
        deleted += other.deleted
        returned += other.returned
        foldersCreated += other.foldersCreated
        foldersChanged += other.foldersChanged
        foldersDeleted += other.foldersDeleted
        bytes += other.bytes
        vanished += other.vanished
        missed += other.missed
        unreadable = other.unreadable
        unlistable = other.unlistable
        passedOver = other.passedOver
        held = other.held
        firstTransaction = firstTransaction ?? other.firstTransaction
        lastTransaction = other.lastTransaction ?? lastTransaction
    }
}

/// How far a pass has come, for a person who waits.
public struct PassProgress: Sendable {
    public var messages: Int
    public var totalMessages: Int
    public var bytes: UInt64
}

/// Where a pass looks.
public enum PassScope: Hashable, Sendable {
    case all
    /// Only the folders with these source names (and whatever has become of folders as a whole).
    case folders(Set<[UInt8]>)

    /// Everywhere that either of them looks.
    func union(_ other: PassScope) -> PassScope {
        guard case .folders(let own) = self, case .folders(let more) = other else { return .all }
        return .folders(own.union(more))
    }
}
