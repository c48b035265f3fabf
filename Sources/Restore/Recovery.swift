internal import Blobs
public import Events
internal import Journal
internal import Projections
public import Vault

/// Gives messages that no transaction names a place in an account, so that they can be found, read and restored like any
/// others: what is left of a vault when its journal is not.
public struct Recovery {
    /// What the headers of a message say.
    public struct Placing: Hashable, Sendable {
        /// Below ``Recovery/folder``.
        public var folder: [UInt8]
        public var date: Timestamp

        public init(folder: [UInt8], date: Timestamp) { (self.folder, self.date) = (folder, date) }
    }

    public struct Report: Hashable, Sendable {
        public var recovered = 0
        public var bytes: UInt64 = 0
        /// Messages no transaction names whose bytes are damaged.
        public var damaged: [Digest] = []
        public var account: String?
        /// States whose messages are nowhere in the store.
        public var missing: [Missing] = []
    }

    /// A state that the journal has, and of which the bytes are lost.
    public struct Missing: Hashable, Sendable {
        public var account: AccountNumber
        public var item: ItemID
        public var transaction: TransactionID
        public var digest: Digest
    }

    /// The account that holds what nobody knows the owner of.
    public static let address = "recovered@vault.invalid"
    public static let folder = Array("recovered".utf8)
    private static let group = 512

    /// Looks for such messages and records them. `place` is given the beginning of each.
    public static func run(
        _ vault: OpenVault, place: (RawSpan) -> Placing, progress: (Int, Int) -> Void = { _, _ in },
        using generator: inout some RandomNumberGenerator
    ) throws -> Report {
        let unnamed = try unnamed(in: vault)
        var report = Report()
        report.missing = try missing(in: vault)
        guard !unnamed.isEmpty else { return report }
        let reader = vault.blobs.reader()
        var account: Account?
        var folders: [[UInt8]: UInt32] = [:]
        var entries: [JournalEntry] = []
        var number: UInt32 = 1
        for (index, digest) in unnamed.enumerated() {
            let size = try vault.blobs.location(of: digest)?.size ?? 0
            let placing: Placing
            do {
                placing = try reading(digest, reader, place)
            } catch is BlobError {
                report.damaged.append(digest)
                continue
            }
            let owner = try account ?? vault.recoveryAccount(using: &generator)
            if account == nil {
                number = try vault.projections().highestNumber(owner.number, .message) + 1
                folders = try knownFolders(vault, owner)
            }
            account = owner
            let folder: UInt32
            if let known = folders[placing.folder] {
                folder = known
            } else {
                folder = UInt32(folders.count + 1)
                folders[placing.folder] = folder
                entries.append(
                    entry(
                        owner, ItemID(.folder, folder),
                        ItemState(FolderState(path: [Recovery.folder, placing.folder], sourceName: []))))
            }
            let state = MessageState(
                folder: folder, content: .blob(digest, size: size), internalDate: placing.date, sourceName: [])
            entries.append(entry(owner, ItemID(.message, number), ItemState(state)))
            number += 1
            report.recovered += 1
            report.bytes += size
            if entries.count >= group {
                try vault.commit(entries)
                entries.removeAll(keepingCapacity: true)
                progress(index, unnamed.count)
            }
        }
        if !entries.isEmpty { try vault.commit(entries) }
        report.account = account?.state.address
        return report
    }

    private static func entry(_ account: Account, _ item: ItemID, _ state: ItemState) -> JournalEntry {
        JournalEntry(account: account.number, origin: .import, changes: [Change(item, .created, state)])
    }

    /// Reads all of a message, so that it is known to be whole, and asks where its headers put it.
    private static func reading(_ digest: Digest, _ reader: BlobReader, _ place: (RawSpan) -> Placing) throws -> Placing
    {
        var beginning: [UInt8] = []
        try reader.stream(digest) { piece in
            guard beginning.count < 1 << 18 else { return }
            piece.withUnsafeBytes { beginning.append(contentsOf: $0) }
        }
        return place(beginning.span.bytes)
    }

    private static func knownFolders(_ vault: OpenVault, _ account: Account) throws -> [[UInt8]: UInt32] {
        var pointers: [ItemPointer] = []
        try vault.projections().live(account.number, .folder, folder: 0) { pointers.append($0) }
        var found: [[UInt8]: UInt32] = [:]
        try vault.journal.states(pointers) { recorded in
            if let path = recorded.state.folder?.path, path.count == 2 { found[path[1]] = recorded.item.number }
        }
        return found
    }

    /// The states whose messages the store has not, oldest first.
    private static func missing(in vault: OpenVault) throws -> [Missing] {
        var found: [Missing] = []
        var group: [Missing] = []
        func look() throws {
            let places = try vault.blobs.locations(of: group.map(\.digest))
            found += zip(group, places).filter { $0.1 == nil }.map(\.0)
            group.removeAll(keepingCapacity: true)
        }
        try vault.journal.scan(from: TransactionID(rawValue: 1), through: try vault.journal.head().transaction) {
            record in
            guard !record.isLost else { return true }
            for change in try record.transaction().entry.changes where !change.kinds.isDisjoint(with: bringing) {
                guard let digest = change.state.message?.digest else { continue }
                group.append(
                    Missing(account: record.account, item: change.item, transaction: record.id, digest: digest))
            }
            if group.count >= 4_096 { try look() }
            return true
        }
        try look()
        return found
    }

    /// Changes with which a message first has its bytes.
    private static let bringing: ChangeKinds = [.created, .content]

    /// The messages of the store that no state of the journal names, in the order in which they lie.
    private static func unnamed(in vault: OpenVault) throws -> [Digest] {
        var named: [Digest] = []
        try vault.journal.scan(from: TransactionID(rawValue: 1), through: try vault.journal.head().transaction) {
            record in
            guard !record.isLost else { return true }
            for change in try record.transaction().entry.changes {
                if let digest = change.state.message?.digest { named.append(digest) }
            }
            return true
        }
        named.sort()
        var place = 0
        let all = try vault.blobs.messageNames().filter { digest in
            while place < named.count, named[place] < digest { place += 1 }
            return place == named.count || named[place] != digest
        }
        let places = try vault.blobs.locations(of: all)
        return all.indices.sorted { left, right in
            guard let one = places[left], let other = places[right] else { return left < right }
            return one < other
        }.map { all[$0] }
    }
}

extension OpenVault {
    /// The account for what nobody knows the owner of; it lives nowhere, and is not scanned.
    fileprivate func recoveryAccount(using generator: inout some RandomNumberGenerator) throws -> Account {
        if let found = try accounts().first(where: { !$0.isDeleted && $0.state.address == Recovery.address }) {
            return found
        }
        var account = try addAccount(Recovery.address, sources: [], using: &generator)
        account.state.isEnabled = false
        try record(account, .metadata)
        return account
    }
}
