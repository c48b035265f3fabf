/// Changes of one account that happened together, or a note on what was done, recorded under one ID.
public struct Transaction: Hashable, Sendable {
    /// Given by the journal.
    public let id: TransactionID
    /// Given by the journal: never less than that of the transaction before.
    public let time: Timestamp
    /// By how many microseconds the clock stood behind the transaction before, when it did.
    public let clockBehind: UInt64
    public let entry: JournalEntry

    public init(id: TransactionID, time: Timestamp, clockBehind: UInt64 = 0, entry: JournalEntry) {
        (self.id, self.time, self.clockBehind, self.entry) = (id, time, clockBehind, entry)
    }
}

/// What is asked to be recorded as one transaction.
public struct JournalEntry: Hashable, Sendable {
    public var account: AccountNumber
    public var origin: Origin
    public var changes: [Change]
    public var note: Note?

    public init(account: AccountNumber, origin: Origin, changes: [Change], note: Note? = nil) {
        (self.account, self.origin, self.changes, self.note) = (account, origin, changes, note)
    }
}

/// Who caused a transaction. The raw values are in the journal.
public enum Origin: UInt8, Hashable, Sendable, CaseIterable {
    case realtime = 1
    case scan = 2
    case `import` = 3
    case restore = 4
    case admin = 5

    public var name: StaticString {
        switch self {
        case .realtime: "realtime"
        case .scan: "scan"
        case .import: "import"
        case .restore: "restore"
        case .admin: "admin"
        }
    }
}

/// One item's new state, and what about it is new.
public struct Change: Hashable, Sendable {
    public var item: ItemID
    public var kinds: ChangeKinds
    public var state: ItemState

    public init(_ item: ItemID, _ kinds: ChangeKinds, _ state: ItemState) {
        (self.item, self.kinds, self.state) = (item, kinds, state)
    }
}

/// What is new in a state. The raw values are in the journal (`Specs/Format/Events.md`, "Register of changes").
public struct ChangeKinds: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let created = ChangeKinds(rawValue: 1)
    public static let content = ChangeKinds(rawValue: 2)
    public static let flags = ChangeKinds(rawValue: 4)
    public static let tags = ChangeKinds(rawValue: 8)
    public static let moved = ChangeKinds(rawValue: 16)
    public static let renamed = ChangeKinds(rawValue: 32)
    public static let deleted = ChangeKinds(rawValue: 64)
    /// Back after it had been deleted.
    public static let returned = ChangeKinds(rawValue: 128)
    public static let subscription = ChangeKinds(rawValue: 256)
    /// The internal date, the source's name for it, settings: whatever has no name of its own.
    public static let metadata = ChangeKinds(rawValue: 512)

    public static let names: [(kind: ChangeKinds, name: StaticString)] = [
        (.created, "created"), (.content, "content"), (.flags, "flags"), (.tags, "tags"), (.moved, "moved"),
        (.renamed, "renamed"), (.deleted, "deleted"), (.returned, "returned"), (.subscription, "subscription"),
        (.metadata, "metadata"),
    ]
}

/// What happened that is no item's change: a scan, a gap, a restore. The audit is one log.
public struct Note: Hashable, Sendable {
    public var kind: Kind
    /// In the order written; names are ASCII.
    public var fields: [Field]

    /// The raw values are in the journal (`Specs/Format/Events.md`, "Register of notes").
    public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        case scanCompleted = 1
        case scanInterrupted = 2
        case watchBegan = 3
        case watchEnded = 4
        case gap = 5
        case operationBegan = 6
        case operationStep = 7
        case operationEnded = 8
        case vaultCreated = 9
        case unreadable = 10
        /// Stands for a transaction that neither copy of the journal has any more.
        case lost = 11
        case sourceCheckpoint = 12
        /// Messages were seen, and gone before they could be read.
        case missed = 13
        /// A purge has decided: what its steps name is gone as of them.
        case purgeBegan = 20
        case purgeStep = 21
        case purgeEnded = 22
        /// How long what was deleted is kept.
        case retention = 23
        case holdPlaced = 24
        case holdLifted = 25

        public var name: StaticString {
            switch self {
            case .scanCompleted: "scan_completed"
            case .scanInterrupted: "scan_interrupted"
            case .watchBegan: "watch_began"
            case .watchEnded: "watch_ended"
            case .gap: "gap"
            case .operationBegan: "operation_began"
            case .operationStep: "operation_step"
            case .operationEnded: "operation_ended"
            case .vaultCreated: "vault_created"
            case .unreadable: "unreadable"
            case .lost: "lost"
            case .sourceCheckpoint: "source_checkpoint"
            case .missed: "missed"
            case .purgeBegan: "purge_began"
            case .purgeStep: "purge_step"
            case .purgeEnded: "purge_ended"
            case .retention: "retention"
            case .holdPlaced: "hold_placed"
            case .holdLifted: "hold_lifted"
            }
        }
    }

    public struct Field: Hashable, Sendable {
        public var name: String
        public var value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    public enum Value: Hashable, Sendable {
        case number(Int64)
        case time(Timestamp)
        case text([UInt8])
        case flag(Bool)
    }

    public init(_ kind: Kind, _ fields: [Field] = []) {
        self.kind = kind
        self.fields = fields
    }

    public subscript(name: String) -> Value? { fields.first { $0.name == name }?.value }

    public func number(_ name: String) -> Int64? {
        if case .number(let value)? = self[name] { value } else { nil }
    }

    public func time(_ name: String) -> Timestamp? {
        if case .time(let value)? = self[name] { value } else { nil }
    }

    public func text(_ name: String) -> [UInt8]? {
        if case .text(let value)? = self[name] { value } else { nil }
    }

    public func flag(_ name: String) -> Bool? {
        if case .flag(let value)? = self[name] { value } else { nil }
    }
}
