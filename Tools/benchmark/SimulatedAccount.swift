import Blobs
import Events
import Files
import Glibc
import Journal
import Projections
import Synchronization
import Synthesis
import SystemPackage
import Vault

/// A clock that goes on when it is told to, and a little each time it is looked at.
private final class SimulatedClock: Sendable {
    private let now = Mutex(Timestamp(seconds: 1_500_000_000))

    func next() -> Timestamp { advance(1_000) }

    @discardableResult
    func advance(_ microseconds: Int64) -> Timestamp {
        now.withLock { now in
            now = Timestamp(rawValue: now.rawValue + microseconds)
            return now
        }
    }
}

/// One account that gets mail, deletes it, and is purged, by a clock of its own.
final class SimulatedAccount {
    private let path: String
    private let clock = SimulatedClock()
    private var vault: OpenVault?
    private var generator: RandomStream
    private var number = AccountNumber(rawValue: 0)
    private(set) var count = 0
    private var live: [(item: UInt32, state: MessageState)] = []

    init(_ path: String, seed: UInt64) throws {
        self.path = path
        generator = RandomStream(seed: seed, "purge")
        var random = SystemRandomNumberGenerator()
        try OpenVault.create(FilePath(path), clock: wall, using: &random)
        try open()
        guard let vault else { return }
        number = try vault.addAccount("bench@example.org", sources: [], using: &random).number
        try commit([
            Change(
                ItemID(.folder, 1), .created, ItemState(FolderState(path: [Array("INBOX".utf8)], sourceName: [])))
        ])
    }

    private var wall: WallClock { WallClock { [clock] in clock.next() } }

    private func open() throws { vault = try OpenVault(FilePath(path), clock: wall) }

    private func opened() throws -> OpenVault {
        guard let vault else { throw BenchFailure("the vault is closed") }
        return vault
    }

    func days(_ count: Int) { clock.advance(Int64(count) * 86_400_000_000) }

    private func commit(_ changes: [Change]) throws {
        try opened().commit(changes.map { JournalEntry(account: number, origin: .realtime, changes: [$0]) })
    }

    func receive(_ messages: Int) throws {
        let vault = try opened()
        let encoder = vault.blobs.encoder()
        var changes: [Change] = []
        try vault.appendBlobs {
            for _ in 0..<messages {
                count += 1
                let bytes = message()
                try encoder.add(bytes.span.bytes)
                if encoder.isFull { try vault.blobs.append(encoder.finish()) }
                let state = MessageState(
                    folder: 1, content: .blob(Digest(hashing: bytes.span.bytes), size: UInt64(bytes.count)),
                    internalDate: clock.next(), sourceName: Array("\(count).bench".utf8))
                changes.append(Change(ItemID(.message, UInt32(count)), .created, ItemState(state)))
                live.append((UInt32(count), state))
            }
            if !encoder.isEmpty { try vault.blobs.append(encoder.finish()) }
            try vault.blobs.sync()
        }
        try commit(changes)
    }

    /// Words that compress as mail does; one in eight has an attachment that does not.
    private func message() -> [UInt8] {
        var text = "From: someone\(generator.next() % 300)@example.org\nSubject: number \(count)\n\n"
        for _ in 0..<(20 + generator.next() % 300) {
            text += SimulatedAccount.words[Int(generator.next() % UInt64(SimulatedAccount.words.count))]
            text += generator.next() % 12 == 0 ? "\n" : " "
        }
        var bytes = Array(text.utf8)
        if generator.next() % 8 == 0 {
            for _ in 0..<(200 + generator.next() % 3_000) {
                withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
            }
        }
        return bytes
    }

    private static let words: [String] = (0..<2_000).map { number in
        String(number * 7_919 % 100_003, radix: 36) + ["ing", "ed", "", "s", "ly"][number % 5]
    }

    /// Every second message, or those of which nine of ten go within some weeks.
    func delete(half: Bool) throws {
        var (kept, changes): ([(item: UInt32, state: MessageState)], [Change]) = ([], [])
        for (index, entry) in live.enumerated() {
            let isOld = UInt32(count) - entry.item > 1_000
            let goes = half ? index % 2 == 0 : entry.item % 10 != 0 && (isOld || generator.next() % 5 == 0)
            if goes {
                changes.append(Change(ItemID(.message, entry.item), .deleted, ItemState(entry.state, isDeleted: true)))
            } else {
                kept.append(entry)
            }
        }
        live = kept
        try commit(changes)
    }

    private var request: PurgeRequest { PurgeRequest(isHeld: { _, _, _ in true }) }

    func plan() throws -> PurgePlan { try Purge(opened(), request).plan() }

    func purge() throws -> PurgeReport { try Purge(opened(), request).run() }

    func compact() throws {
        vault = nil
        guard try VaultCompaction.run(FilePath(path)) else { throw BenchFailure("the vault is open somewhere") }
        try open()
        _ = try opened().projections()
    }

    /// What the vault must keep: messages that are live or whose retention is not over.
    func kept() throws -> (messages: Int, bytes: Int) {
        let vault = try opened()
        let totals = try vault.projections().statistics(number)
        return (Int(totals.liveMessages + totals.deletedItems), Int(try vault.blobs.statistics().rawBytes))
    }

    func sizes() -> (packs: Int, segments: Int, lmdb: Int, projections: Int) {
        func size(_ name: String) -> Int { Shell.size(of: path + "/" + name).apparent }
        return (size("blobs/packs"), size("journal/segments"), size("journal/lmdb"), size("projections"))
    }

    func bytes() -> (kept: Int, databases: Int) {
        let sizes = sizes()
        return (sizes.packs + sizes.segments, sizes.lmdb + sizes.projections)
    }

    var peakMemory: Int {
        var usage = rusage()
        // RUSAGE_SELF, which the importer gives another type.
        getrusage(0, &usage)
        return usage.ru_maxrss * 1_024
    }
}
