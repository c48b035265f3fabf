internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

/// One account as of one transaction, for verbs that show it.
struct AccountView {
    let vault: OpenVault
    let projections: OpenProjections
    let account: Account
    let point: ResolvedTime
    /// All folders there had been until then, by number.
    let folders: [UInt32: RecordedState]

    init(_ vault: OpenVault, _ projections: OpenProjections, _ account: Account, _ point: ResolvedTime) throws {
        (self.vault, self.projections, self.account, self.point) = (vault, projections, account, point)
        var pointers: [ItemPointer] = []
        struct BehindFolders: Error {}
        do {
            try projections.pointers(account.number, asOf: point.transaction) { pointer in
                guard pointer.item.kind == .folder else { throw BehindFolders() }
                pointers.append(pointer)
            }
        } catch is BehindFolders {}
        var folders: [UInt32: RecordedState] = [:]
        try vault.journal.states(pointers) { folders[$0.item.number] = $0 }
        self.folders = folders
    }

    func path(_ folder: UInt32) -> [UInt8]? { folders[folder]?.state.folder?.joinedPath }

    /// The live folder people call by that path, or by its id.
    func folder(_ name: String) throws -> UInt32 {
        let wanted = Array(name.utf8)
        if let found = folders.values.first(where: {
            !$0.state.isDeleted && ($0.state.folder?.joinedPath == wanted || $0.item.description == name)
        }) {
            return found.item.number
        }
        let known = folders.values.filter { !$0.state.isDeleted }.compactMap { $0.state.folder?.joinedPath }
            .map { TerminalText.safe($0) }.sorted()
        let near = Spelling.nearest(to: name, among: known)
        throw Failure(
            .notFound, "there is no folder \(name) in \(account.state.address) at that time",
            hint: near.map { "Did you mean \($0)?" }
                ?? (known.isEmpty ? nil : "There are: \(known.prefix(20).joined(separator: ", "))"))
    }

    /// Where the states of all items stand that `wanted` lets through, by kind and number.
    func pointers(where wanted: (ItemPointer) -> Bool) throws -> [ItemPointer] {
        var found: [ItemPointer] = []
        try projections.pointers(account.number, asOf: point.transaction) { if wanted($0) { found.append($0) } }
        return found
    }

    /// Whether the item was purged; else nil.
    func purged(_ item: ItemID) throws -> PurgedItem? {
        guard try projections.purge(of: item, account.number) != nil else { return nil }
        return try vault.purges(of: account.number).item(item, account.number)
    }

    /// The state of one item as of the point; throws when it was not there yet, or was purged.
    func state(_ item: ItemID, _ context: CommandContext) throws -> RecordedState {
        if let purged = try purged(item) { throw try context.failure(of: purged, account, vault) }
        guard let pointer = try projections.pointer(account.number, item, asOf: point.transaction) else {
            let exists = try !projections.states(account.number, item).isEmpty
            throw Failure(
                .notFound,
                exists
                    ? "\(item) was not in \(account.state.address) yet at that time"
                    : "there is no item \(item) in \(account.state.address)",
                hint: exists
                    ? "See when it came: yestermail history \(account.state.address) \(item)"
                    : "Ids are printed by ls, find and log")
        }
        return try vault.journal.state(item, at: pointer)
    }

    /// What purges have taken of the account.
    func purges() throws -> Purges { try vault.purges(of: account.number) }

    /// Whether the state the item had at the view's moment was thinned out; `recorded` is the one that covers it.
    func thinned(_ recorded: RecordedState) throws -> ThinnedStates? {
        try purges().thinned(
            recorded.item, account.number, asOf: point.transaction, kept: recorded.transaction)
    }

    /// The JSON object of a state as `history` has it, its `end_date` included.
    func json(_ item: ItemID, _ transaction: TransactionID) throws -> [UInt8] {
        guard let row = try projections.historyRow(account.number, item, transaction) else {
            throw ProjectionsUnusable(reason: "the history of \(item) lacks \(transaction)")
        }
        let next = try projections.states(account.number, item).first { $0.transaction > transaction }
        let following = try next.flatMap { try projections.historyRow(account.number, item, $0.transaction) }
        return HistoryJSON.object(row, endingWith: following)
    }
}

extension OpenProjections {
    /// The path a folder had just after a transaction.
    func folderPath(
        _ account: AccountNumber, _ folder: UInt32, asOf position: TransactionID, _ journal: OpenJournal
    ) throws -> [UInt8]? {
        let item = ItemID(.folder, folder)
        guard let pointer = try pointer(account, item, asOf: position) else { return nil }
        return try journal.state(item, at: pointer).state.folder?.joinedPath
    }
}
