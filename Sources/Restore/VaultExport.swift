internal import Blobs
public import Events
internal import Files
internal import Journal
public import SystemPackage
public import Vault

/// Makes a vault of a part of another: some accounts, or all, with their whole histories up to a transaction. What comes out
/// is a full vault: it can be looked at, checked, restored from, and scanned into.
public struct VaultExport {
    private let vault: OpenVault
    private let last: TransactionID
    private let accounts: Set<AccountNumber>
    /// What purges have taken: the journal may still have it while one is going on, or was killed.
    private let purged: PurgedItems
    private let reader: BlobReader
    private var encoder: BlobEncoder?
    private var report = Report()

    public struct Report: Sendable {
        public var transactions = 0
        public var messages = 0
        public var bytes: UInt64 = 0
        /// Bytes that the vault does not have any more; the histories that name them are in the export all the same.
        public var unrestored: [Unrestored] = []
    }

    /// Transactions copied at once.
    private static let group = 512

    /// Exports `accounts` as of `point` into `directory`, which must be missing or empty.
    public static func run(
        _ vault: OpenVault, accounts: Set<AccountNumber>, through point: TransactionID, to directory: FilePath,
        progress: (TransactionID) -> Void = { _ in }, using generator: inout some RandomNumberGenerator
    ) throws -> Report {
        let began = try vault.journal.withRecord(TransactionID(rawValue: 1)) { $0.time } ?? vault.clock.now()
        // Its first transaction is as old as that of the vault it comes from: no time goes back behind it.
        try OpenVault.create(directory, clock: WallClock { began }, using: &generator)
        let made = try OpenVault(directory)
        var export = VaultExport(vault, accounts, point, without: try vault.purges().items)
        try export.copy(to: made, progress)
        _ = try made.projections()
        return export.report
    }

    private init(
        _ vault: OpenVault, _ accounts: Set<AccountNumber>, _ last: TransactionID, without purged: PurgedItems
    ) {
        (self.vault, self.accounts, self.last, self.purged) = (vault, accounts, last, purged)
        reader = vault.blobs.reader()
    }

    private mutating func copy(to made: OpenVault, _ progress: (TransactionID) -> Void) throws {
        // The first transaction says that a vault was made; the new one has its own.
        var next = TransactionID(rawValue: 2)
        while next <= last {
            var group: [(time: Timestamp, entry: JournalEntry)] = []
            try vault.journal.scan(from: next, through: last) { record in
                next = record.id.next
                guard !record.isLost else { return true }
                let transaction = purged.rest(of: try record.transaction())
                if let entry = wanted(transaction.entry) { group.append((transaction.time, entry)) }
                return group.count < VaultExport.group
            }
            if group.isEmpty { break }
            try copyBlobs(of: group.map(\.entry), to: made)
            try made.journal.append(group.map(\.entry), at: group.map(\.time))
            report.transactions += group.count
            progress(next)
        }
        try made.journal.sealFullSegments()
    }

    /// What of a transaction is about the accounts that are wanted.
    private func wanted(_ entry: JournalEntry) -> JournalEntry? {
        var entry = entry
        guard entry.account == .directory else {
            return accounts.contains(entry.account) && !(entry.changes.isEmpty && entry.note == nil) ? entry : nil
        }
        // What is noted there is about this vault as a whole, by its own transaction IDs: purges, rules, others' holds.
        entry.note = nil
        entry.changes.removeAll { change in
            change.item.kind == .account && !accounts.contains(AccountNumber(rawValue: change.item.number))
        }
        return entry.changes.isEmpty ? nil : entry
    }

    private mutating func copyBlobs(of entries: [JournalEntry], to made: OpenVault) throws {
        var items: [Digest: ItemID] = [:]
        for change in entries.flatMap(\.changes) {
            if let digest = change.state.message?.digest, items[digest] == nil { items[digest] = change.item }
        }
        let digests = Array(items.keys)
        let there = try made.blobs.locations(of: digests)
        let places = try vault.blobs.locations(of: digests)
        let missing = digests.indices.filter { there[$0] == nil }.sorted { left, right in
            switch (places[left], places[right]) {
            case (let one?, let other?): one < other
            case (let one, _): one != nil
            }
        }.map { digests[$0] }
        let encoder = encoder ?? made.blobs.encoder()
        self.encoder = encoder
        func keep(_ batch: EncodedBatch) throws { try made.appendBlobs { try made.blobs.append(batch) } }
        for digest in missing {
            do {
                let size: UInt64
                if let place = try vault.blobs.location(of: digest),
                    place.size > UInt64(BlobReader.bufferedMessageBytes)
                {
                    size = try copyLarge(digest, encoder, made, keep)
                } else {
                    size = try reader.read(digest) { bytes in
                        try encoder.add(bytes)
                        return UInt64(bytes.byteCount)
                    }
                }
                report.messages += 1
                report.bytes += size
            } catch let error as BlobError {
                let cause: Unrestored.Cause = if case .damaged = error { .broken } else { .readError }
                report.unrestored.append(Unrestored(items[digest], cause, "\(error)"))
            }
            if encoder.isFull { try keep(encoder.finish()) }
        }
        if !encoder.isEmpty { try keep(encoder.finish()) }
        try made.appendBlobs { try made.blobs.sync() }
    }

    /// A large message is verified whole before any of it is stored, so that a damaged one leaves nothing behind: by way of a file
    /// that has no name, so that no more of it is in memory than a piece.
    private func copyLarge(
        _ digest: Digest, _ encoder: BlobEncoder, _ made: OpenVault, _ keep: (EncodedBatch) throws -> Void
    ) throws -> UInt64 {
        let path = made.directory.appending("state/message")
        let file = try File(path, .create)
        try Directory.removeFile(path)
        var size = 0
        try reader.stream(digest) { piece in
            try file.write(piece, at: size)
            size += piece.byteCount
        }
        var offset = 0
        try encoder.add(
            reading: { room in
                let count = try file.read(at: offset, into: room)
                offset += count
                return count
            }, emit: keep)
        return UInt64(size)
    }
}
