internal import Connectors
internal import Events
internal import Journal
internal import Projections
internal import Vault

/// A live message of the vault that its folder no longer shows.
struct VanishedMessage: Sendable {
    var number: UInt32
    var state: MessageState

    /// All messages of a folder that is gone.
    static func all(in folder: UInt32, of account: AccountNumber, _ vault: OpenVault) throws -> [VanishedMessage] {
        var pointers: [ItemPointer] = []
        try vault.projections().live(account, .message, folder: folder) { pointers.append($0) }
        var found: [VanishedMessage] = []
        try vault.journal.states(pointers) { recorded in
            guard let state = recorded.state.message else { return }
            found.append(VanishedMessage(number: recorded.item.number, state: state))
        }
        return found
    }

    /// What is new about it when it is there again as `now`, in another place or under another name.
    func kinds(as now: MessageState) -> ChangeKinds {
        var kinds: ChangeKinds = state.folder == now.folder ? .metadata : .moved
        if state.flags.subtracting(.passed) != now.flags.subtracting(.passed) { kinds.insert(.flags) }
        if state.flags.contains(.passed) != now.flags.contains(.passed) || state.keywords != now.keywords {
            kinds.insert(.tags)
        }
        if state.content != now.content { kinds.insert(.content) }
        return kinds
    }
}

/// What the messages of one folder in the vault and in a listing have to do with each other.
struct MessageComparison: Sendable {
    let folder: UInt32
    let listing: any SourceListing
    /// What came and went since the vault's state.
    private(set) var missed: MissedMessages?
    /// How many messages the vault has there.
    var known = 0
    /// Positions of the listing the vault does not know.
    var new: [Int32] = []
    var vanished: [VanishedMessage] = []
    /// New states of messages whose flags or keywords changed.
    var changed: [Change] = []
    /// Whether everything the source says there is, and nothing else, is known or new. A comparison with all there is always
    /// is; one with changes may have missed some.
    private(set) var isConsistent = true
    /// Known, but its bytes are wanted (again): unreadable when last seen, or a deep scan.
    var reread: [Reread] = []

    struct Reread: Sendable {
        var position: Int32
        var number: UInt32
        /// As it is now, but for its bytes and date.
        var state: MessageState
        var kinds: ChangeKinds
    }

    init(
        _ vault: OpenVault, _ projections: OpenProjections, account: AccountNumber, folder: UInt32,
        listing: any SourceListing, deep: Bool
    ) throws {
        try self.init(vault, projections, account, folder, listing, changes: nil, deep: deep)
    }

    /// With what has changed since the vault's state was all there was.
    init(
        _ vault: OpenVault, _ projections: OpenProjections, account: AccountNumber, folder: UInt32,
        changes: SourceChanges
    ) throws {
        try self.init(vault, projections, account, folder, changes.listing, changes: changes, deep: false)
        if known - vanished.count + new.count != changes.count { isConsistent = false }
        missed = changes.missed
    }

    private init(
        _ vault: OpenVault, _ projections: OpenProjections, _ account: AccountNumber, _ folder: UInt32,
        _ listing: any SourceListing, changes: SourceChanges?, deep: Bool
    ) throws {
        self.folder = folder
        self.listing = listing
        var seen = [Bool](repeating: false, count: listing.count)
        var pointers: [ItemPointer] = []
        pointers.reserveCapacity(4096)
        func compare() throws {
            try vault.journal.states(pointers) { recorded in
                guard let state = recorded.state.message else { return }
                compareOne(recorded.item.number, state, &seen, changes, deep: deep)
            }
            pointers.removeAll(keepingCapacity: true)
        }
        // In blocks: neither the pointers nor the states of a large folder are held at once.
        try projections.live(account, .message, folder: folder) { pointer in
            pointers.append(pointer)
            if pointers.count == 4096 { try compare() }
        }
        try compare()
        for position in 0..<listing.count where !seen[position] { new.append(Int32(position)) }
        new = listing.inOrderOfArrival(new)
    }

    private mutating func compareOne(
        _ number: UInt32, _ state: MessageState, _ seen: inout [Bool], _ changes: SourceChanges?, deep: Bool
    ) {
        known += 1
        if let changes, listing.position(state.sourceName) == nil, !changes.hasVanished(state.sourceName) {
            // Neither changed nor gone. One whose bytes could not be had is asked for again only where all is listed.
            if state.digest == nil { isConsistent = false }
            return
        }
        guard let position = listing.position(state.sourceName), !seen[position] else {
            vanished.append(VanishedMessage(number: number, state: state))
            return
        }
        seen[position] = true
        var kinds: ChangeKinds = []
        let flags = listing.flags(position)
        if state.flags.subtracting(.passed) != flags.subtracting(.passed) { kinds.insert(.flags) }
        if state.flags.contains(.passed) != flags.contains(.passed) { kinds.insert(.tags) }
        let keywords = listing.keywords(position)
        if keywords != state.keywords { kinds.insert(.tags) }
        var now = state
        now.flags = flags
        now.keywords = keywords
        if deep || state.digest == nil {
            reread.append(Reread(position: Int32(position), number: number, state: now, kinds: kinds))
        } else if !kinds.isEmpty {
            changed.append(Change(ItemID(.message, number), kinds, ItemState(now)))
        }
    }
}
