internal import Blobs
public import Events
internal import Files
internal import Journal
internal import Projections
public import SystemPackage
public import Vault

/// A vault that is written to directly: messages with bodies of their own, days that go by.
public final class PurgeScene {
    public let scratch = Scratch("purge", isVolatile: true)
    public let clock: TestClock
    public var generator: SeededGenerator
    public private(set) var vault: OpenVault!
    private var next: [AccountNumber: UInt32] = [:]

    public var path: FilePath { scratch.appending("vault") }

    public init(_ generator: SeededGenerator = .announced(), from start: Timestamp = Timestamp(seconds: 1_772_000_000))
        throws
    {
        self.generator = generator
        clock = TestClock(start, step: 1_000)
        try OpenVault.create(path, clock: clock.wall, using: &self.generator)
        try open()
    }

    public func open() throws { vault = try OpenVault(path, clock: clock.wall) }

    public func close() { vault = nil }

    /// Opens again what was closed; databases are made anew if `compacting`.
    public func reopen(compacting: Bool = false) throws {
        close()
        if compacting, try !VaultCompaction.run(path) { fatalError("somebody has the vault open") }
        try open()
    }

    /// Of the newest transaction.
    public func lastTime() throws -> Timestamp { try vault.journal.head().time }

    public func days(_ count: Int) { clock.advance(seconds: Int64(count) * 86_400) }

    public func account(_ name: String) throws -> AccountNumber {
        let account = try vault.addAccount("\(name)@example.org", sources: [], using: &generator)
        try record(
            account.number,
            [Change(ItemID(.folder, 1), .created, ItemState(FolderState(path: [Array("INBOX".utf8)], sourceName: [])))])
        return account.number
    }

    public func record(_ account: AccountNumber, _ changes: [Change]) throws {
        try vault.commit([JournalEntry(account: account, origin: .scan, changes: changes)])
    }

    public func store(_ text: String) throws -> Digest {
        let bytes = Array(text.utf8)
        try vault.appendBlobs {
            let encoder = vault.blobs.encoder()
            try encoder.add(bytes.span.bytes)
            try vault.blobs.append(encoder.finish())
            try vault.blobs.sync()
        }
        return Digest(hashing: bytes.span.bytes)
    }

    public func state(_ text: String, folder: UInt32 = 1) throws -> MessageState {
        MessageState(
            folder: folder, content: .blob(try store(text), size: UInt64(text.utf8.count)),
            internalDate: clock.now, sourceName: [])
    }

    /// Captures a new message.
    @discardableResult
    public func deliver(_ account: AccountNumber, _ text: String, folder: UInt32 = 1) throws -> ItemID {
        let use = try vault.useBlobs()
        defer { withExtendedLifetime(use) {} }
        next[account, default: 0] += 1
        let item = ItemID(.message, next[account]!)
        try record(account, [Change(item, .created, ItemState(try state(text, folder: folder)))])
        return item
    }

    public func change(_ account: AccountNumber, _ item: ItemID, _ text: String) throws {
        try record(account, [Change(item, .content, ItemState(try state(text)))])
    }

    public func delete(_ account: AccountNumber, _ items: ItemID...) throws { try delete(account, items) }

    public func delete(_ account: AccountNumber, _ items: [ItemID]) throws {
        let projections = try vault.projections()
        try record(
            account,
            items.map { item in
                var state = try vault.journal.state(
                    item, at: projections.pointer(account, item, asOf: projections.position())!
                ).state
                state.isDeleted = true
                return Change(item, .deleted, state)
            })
    }

    public func request(_ data: Int? = nil, accounts: Int? = nil, erasing: AccountNumber? = nil) -> PurgeRequest {
        var request = PurgeRequest(isHeld: { _, _, _ in true })
        request.days = RetentionDays(data: data, account: accounts)
        request.erasing = erasing
        return request
    }

    @discardableResult
    public func purge(
        _ data: Int? = nil, accounts: Int? = nil, erasing: AccountNumber? = nil,
        isHeld: @escaping @Sendable (LegalHold, Account, ItemID) throws -> Bool = { _, _, _ in true }
    ) throws -> PurgeReport {
        var request = PurgeRequest(isHeld: isHeld)
        request.days = RetentionDays(data: data, account: accounts)
        request.erasing = erasing
        return try Purge(vault, request).run()
    }

    public func has(_ text: String) throws -> Bool {
        try vault.blobs.location(of: Digest(hashing: Array(text.utf8).span.bytes)) != nil
    }

    /// Whether a capture would find the bytes.
    public func stores(_ text: String) throws -> Bool {
        try vault.blobs.contains(Digest(hashing: Array(text.utf8).span.bytes))
    }

    public func reads(_ text: String) throws -> Bool {
        try vault.blobs.reader().read(Digest(hashing: Array(text.utf8).span.bytes)) { bytes in
            bytes.withUnsafeBytes { $0.elementsEqual(text.utf8) }
        }
    }

    public func states(_ account: AccountNumber, _ item: ItemID) throws -> Int {
        try vault.projections().states(account, item).count
    }

    /// Everything that a check of the whole vault looks at.
    public func problems() throws -> [String] {
        var problems: [String] = []
        try vault.journal.verify { problems.append("\($0)") }
        var options = BlobCheckOptions()
        options.dataFraction = 1
        try vault.blobs.check(options, report: { problems.append("\($0)") })
        let digests = try vault.verifyProjections()
        if digests.present != digests.rebuilt { problems.append("the projections are not what the journal gives") }
        problems += try VaultCheckpoints(vault).verifyLog(outside: [], key: nil).findings.map { "\($0)" }
        for account in try vault.accounts() {
            let head = try vault.journal.head().transaction
            var fold = AccountFold(account: account.number)
            try fold.fold(vault.journal, through: head)
            var items: [ItemPointer] = []
            try vault.projections().pointers(account.number, asOf: head) { items.append($0) }
            if fold.live() != items.filter({ !$0.pointer.isDeleted }) {
                problems.append("the fold has other live items")
            }
            if fold.deleted() != items.filter(\.pointer.isDeleted) {
                problems.append("the fold has other deleted items")
            }
            for item in items {
                for pointer in try vault.projections().states(account.number, item.item) {
                    let state = try vault.journal.state(item.item, at: pointer).state
                    if let digest = state.message?.digest, try vault.blobs.location(of: digest) == nil {
                        problems.append("\(item.item) of \(account.state.address) has lost its blob")
                    }
                }
            }
        }
        return problems
    }
}
