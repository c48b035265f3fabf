public import Connectors
internal import Events
internal import Journal
internal import Projections
public import Vault

/// Takes old archives in as items of an account, in folders of their own that no source can miss. Nothing is written to
/// any server. Taken in twice, a message is there once.
public struct ArchiveImport {
    private let vault: OpenVault
    private let account: Account
    private let lock: CaptureLock

    /// What an import did.
    public struct Report: Hashable, Sendable {
        public var folders = 0
        public var messages = 0
        public var imported = 0
        /// In that folder already.
        public var skipped = 0
        public var bytes: UInt64 = 0
        public var unreadable: [String] = []
    }

    /// Where imports go unless told otherwise.
    public static let defaultFolder = [Array("Imported".utf8)]

    /// Takes the right to record items of `account`.
    public init(_ vault: OpenVault, _ account: Account) throws {
        guard let lock = try vault.captureLock(account.number) else {
            throw Failure(
                .captured, "\(account.state.address) is being captured by another process",
                hint: "Stop the watch for the time of the import")
        }
        (self.vault, self.account, self.lock) = (vault, account, lock)
    }

    /// Takes in all folders of `archive`, below the folder `into`.
    public func run(
        _ archive: any Source, into: [[UInt8]] = ArchiveImport.defaultFolder,
        progress: (PassProgress) -> Void = { _ in }
    ) throws -> Report {
        var report = Report()
        let projections = try vault.projections()
        // Until all that was found in the store is recorded, no purge takes it away.
        let blobs = try vault.useBlobs()
        defer { withExtendedLifetime(blobs) {} }
        var nextFolder = try projections.highestNumber(account.number, .folder) + 1
        var nextMessage = try projections.highestNumber(account.number, .message) + 1
        var known = try importFolders(projections)
        for folder in try archive.folders() {
            let listing: any SourceListing
            do {
                if let problem = folder.problem { throw problem }
                listing = try archive.list(folder)
            } catch let failure as SourceFailure {
                report.unreadable.append("\(failure)")
                continue
            }
            report.folders += 1
            report.messages += listing.count
            let path = into + folder.path
            let number: UInt32
            // How many of each are there already, to be passed over: two equal messages of one archive stay two.
            var there: [Digest: Int] = [:]
            if let found = known[path] {
                number = found
                there = try digests(projections, in: found)
            } else {
                number = nextFolder
                nextFolder += 1
                known[path] = number
                let change = Change(
                    ItemID(.folder, number), .created, ItemState(FolderState(path: path, sourceName: [])))
                try vault.commit([JournalEntry(account: account.number, origin: .import, changes: [change])])
            }
            let wanted = (0..<listing.count).map { Ingest.Wanted(comparison: 0, position: Int32($0)) }
            try Ingest(vault: vault).run(wanted, listings: [listing]) { slice, outcomes in
                var entries: [JournalEntry] = []
                for (wanted, outcome) in zip(slice, outcomes) {
                    switch outcome {
                    case .vanished: report.unreadable.append("a message vanished while it was read")
                    case .unreadable(_, let why): report.unreadable.append(why)
                    case .stored(let digest, let size, let date, _, _):
                        if let copies = there[digest], copies > 0 {
                            there[digest] = copies - 1
                            report.skipped += 1
                            continue
                        }
                        let position = Int(wanted.position)
                        let state = MessageState(
                            folder: number, content: .blob(digest, size: size), internalDate: date,
                            flags: listing.flags(position), keywords: listing.keywords(position), sourceName: [])
                        entries.append(
                            JournalEntry(
                                account: account.number, origin: .import,
                                changes: [Change(ItemID(.message, nextMessage), .created, ItemState(state))]))
                        nextMessage += 1
                        report.imported += 1
                        report.bytes += size
                    }
                }
                try vault.commit(entries)
                progress(PassProgress(messages: slice.endIndex, totalMessages: wanted.count, bytes: report.bytes))
            }
        }
        if !report.unreadable.isEmpty {
            let fields = report.unreadable.map { Note.Field("message", .text(Array($0.utf8))) }
            try vault.commit([
                JournalEntry(
                    account: account.number, origin: .import, changes: [],
                    note: Note(.unreadable, Array(fields.prefix(1000))))
            ])
        }
        try vault.journal.sealFullSegments()
        return report
    }

    /// The live folders that imports have made, by path.
    private func importFolders(_ projections: OpenProjections) throws -> [[[UInt8]]: UInt32] {
        var pointers: [ItemPointer] = []
        try projections.live(account.number, .folder, folder: 0) { pointers.append($0) }
        var found: [[[UInt8]]: UInt32] = [:]
        try vault.journal.states(pointers) { recorded in
            guard let state = recorded.state.folder, state.sourceName.isEmpty else { return }
            found[state.path] = recorded.item.number
        }
        return found
    }

    private func digests(_ projections: OpenProjections, in folder: UInt32) throws -> [Digest: Int] {
        var pointers: [ItemPointer] = []
        try projections.live(account.number, .message, folder: folder) { pointers.append($0) }
        var found: [Digest: Int] = [:]
        try vault.journal.states(pointers) { recorded in
            if let digest = recorded.state.message?.digest { found[digest, default: 0] += 1 }
        }
        return found
    }
}
