public import Events

/// What a restore is going to do: a value that can be printed before anything is written.
public struct RestorePlan: Sendable {
    public var request: RestoreRequest
    /// The folders concerned, as they will be; in the order of their paths.
    public var folders: [PlannedFolder] = []
    public var steps: [RestoreStep] = []
    /// Messages that are there already.
    public var skipped = 0
    /// Why some of them were passed over although they differ; item by item.
    public var conflicts: [(item: ItemID, why: String)] = []
    /// Items that cannot be restored, known beforehand.
    public var unrestored: [Unrestored] = []
    /// Rights and annotations of folders that are to be made what they were.
    public var attributes: [PlannedAttribute] = []
    /// What about shares is not as it should be; only where that was asked for.
    public var shares: [ShareFinding] = []
    /// Folders to be subscribed, all of them; nil leaves subscriptions alone.
    public var subscriptions: [[[UInt8]]]?
    /// Raw bytes to be written.
    public var bytes: UInt64 = 0
    /// How much the target has room for; nil when that is not known.
    public var room: UInt64?
    /// Whether messages keep their names; else the target gives new ones.
    public var takesNames = true
    /// What a person should know before it runs.
    public var warnings: [String] = []
    /// When nobody was watching: the restore is as of a time inside, or of a range that begins or ends inside.
    public var unwatched: [Unwatched] = []

    init(_ request: RestoreRequest) { self.request = request }

    /// A plan of nothing at all.
    public init(nothing request: RestoreRequest) { self.init(request) }

    /// The same with rights and annotations that another plan for the same target has found.
    public func with(_ attributes: [PlannedAttribute], of folders: [PlannedFolder]) -> RestorePlan {
        var plan = self
        for var attribute in attributes {
            let folder = folders[attribute.folder]
            let known = plan.folders.firstIndex { $0.name == folder.name }
            attribute.folder = known ?? plan.folders.count
            if known == nil { plan.folders.append(folder) }
            plan.attributes.append(attribute)
        }
        return plan
    }

    public func count(_ action: RestoreStep.Action) -> Int { steps.count { $0.action == action } }

    public var newFolders: Int { folders.count { !$0.exists } }

    /// Whether nothing would be done.
    public var isEmpty: Bool { steps.isEmpty && newFolders == 0 && subscriptions == nil && attributes.isEmpty }
}

/// A folder a restore writes into.
public struct PlannedFolder: Sendable {
    public var state: FolderState
    /// What the target calls it.
    public var name: [UInt8]
    public var exists: Bool
}

/// One thing to do, with what is needed to do it and to take it back.
public struct RestoreStep: Sendable {
    public enum Action: UInt8, Hashable, Sendable {
        case deliver = 1
        case setFlags = 2
        case remove = 3
        /// Of a folder that was not there, when nothing is left in it.
        case removeFolder = 4
    }

    public var action: Action
    /// Nil for the removal of what the vault knows by its digest only.
    public var item: ItemID?
    /// Index into ``RestorePlan/folders``.
    public var folder: Int
    /// What the message is, or will be, called in its folder.
    public var name: [UInt8]
    public var digest: Digest
    public var size: UInt64
    public var internalDate: Timestamp
    public var flags: MessageFlags
    public var keywords: [[UInt8]]
    /// As they are before ``Action/setFlags`` or ``Action/remove``.
    public var flagsBefore: MessageFlags = []
    public var keywordsBefore: [[UInt8]] = []
}

/// An item that was not restored, and why.
public struct Unrestored: Hashable, Sendable {
    public var item: ItemID?
    public var cause: Cause
    public var detail: String

    public enum Cause: String, Hashable, Sendable, CaseIterable {
        /// Its bytes cannot be read from the vault.
        case readError = "read-error"
        /// They can be read, but are not what was captured; or were never captured.
        case broken
        /// The target would not take it as it is.
        case invalid
        /// A rule, or the target, refused it.
        case refused
    }

    public init(_ item: ItemID?, _ cause: Cause, _ detail: String) {
        (self.item, self.cause, self.detail) = (item, cause, detail)
    }
}

/// What a restore did.
public struct RestoreReport: Sendable {
    public var operation: UniqueID
    public var restored = 0
    /// There already and changed to what was asked for.
    public var merged = 0
    public var skipped = 0
    public var removed = 0
    public var unrestored: [Unrestored] = []
    /// Keywords and subscriptions the target could not keep.
    public var losses: [String] = []
    /// Messages whose line ends the target's protocol wanted to be others.
    public var altered = 0
    public var foldersCreated = 0
    public var foldersRemoved = 0
    /// Rights and annotations that are what they should be now.
    public var attributes = 0
    public var bytes: UInt64 = 0

    init(_ operation: UniqueID) { self.operation = operation }
}

/// A time in which nobody was watching an account.
public struct Unwatched: Hashable, Sendable {
    /// Nil: it had never been looked at.
    public var from: Timestamp?
    /// Nil: it went on.
    public var to: Timestamp?

    public init(from: Timestamp?, to: Timestamp?) { (self.from, self.to) = (from, to) }
}
