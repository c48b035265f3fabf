public import Blobs
public import Events
public import Files
public import Headers
public import Journal
internal import LMDB
public import Projections
internal import Synchronization
public import SystemPackage

/// One directory with everything Yestermail keeps: blobs, journal, projections.
///
/// It has parts and three verbs: ``commit(_:)``, ``projections()`` and, for what reads the journal, ``journal``. What a
/// command does is a function of Capture or Restore that takes an open vault.
public final class OpenVault: Sendable {
    public let directory: FilePath
    public let id: UniqueID
    public let journal: OpenJournal
    public let blobs: BlobStore
    public let clock: WallClock
    public let isReadOnly: Bool
    private let workplace: FilePath?
    private let blobLock: LockFile?
    /// Says while this value lives that the vault may be written to.
    private let mark: WriterMark?
    private let appending = Mutex(())
    private let followed = Mutex<OpenProjections?>(nil)
    private let headers = Mutex<OpenHeaderIndex?>(nil)

    /// Opens the vault in `directory`. With `readOnly`, nothing is written but what the projections need to catch up,
    /// and not even that where the directory cannot be written.
    ///
    /// `workplace`: an existing directory of ours, for a vault that is not: not a byte of it is written, not even what LMDB
    /// writes to read, and its projections are made there. Nobody else may be writing to it meanwhile.
    public init(
        _ directory: FilePath, readOnly: Bool = false, clock: WallClock = .system, workplace: FilePath? = nil
    ) throws {
        let format = try VaultFormat(readingIn: directory)
        self.directory = directory
        self.clock = clock
        self.workplace = workplace
        id = format.id
        let readOnly = readOnly || workplace != nil
        let writable = workplace == nil && Directory.isWritable(directory)
        guard readOnly || writable else {
            throw Failure(
                .permission, "the vault in \(directory) cannot be written by this user",
                hint: "Run as the user who owns it, or use a command that only reads")
        }
        isReadOnly = readOnly || !writable
        let opening = VaultOpening(
            vault: directory, id: id, mayWrite: writable, isWriting: !isReadOnly, isForeign: workplace != nil)
        try opening.run()
        mark = isReadOnly ? nil : try WriterMark(directory)
        journal = try opening.journal(readOnly: isReadOnly, clock: clock)
        blobs = try opening.blobs(readOnly: isReadOnly)
        blobLock = isReadOnly ? nil : try LockFile(directory.appending("locks/blobs"))
    }

    /// The id of the vault in `directory`.
    public static func id(of directory: FilePath) throws -> UniqueID { try VaultFormat(readingIn: directory).id }

    /// Makes an empty vault in `directory`, which must be missing, empty, or left by a creation that was interrupted. `FORMAT` is
    /// written last: what a crash leaves before it is no vault, and is begun anew by the next creation.
    public static func create(
        _ directory: FilePath, clock: WallClock = .system, using generator: inout some RandomNumberGenerator
    ) throws {
        let isNew = !Directory.exists(directory)
        if !isNew {
            if Directory.exists(directory.appending(VaultFormat.fileName)) {
                throw Failure(.notEmpty, "there is a vault in \(directory) already", hint: "Use it, or choose another")
            }
            guard try Directory.names(directory).isEmpty || UnfinishedVault.isLeft(in: directory) else {
                throw Failure(
                    .notEmpty, "\(directory) is not empty", hint: "A vault wants a directory of its own")
            }
        } else {
            do {
                try Directory.create(directory)
            } catch {
                guard error.isMissing else { throw error }
                throw Failure(
                    .notFound, "\(directory.removingLastComponent()) does not exist",
                    hint: "Create it first: mkdir -p \(directory.removingLastComponent())")
            }
        }
        let unfinished: UnfinishedVault
        do {
            let begun = try UnfinishedVault(directory)
            try FileSystemSuitability.check(directory)
            unfinished = begun
        } catch {
            // Nothing is left behind; if that fails too, the first reason is the one to tell. The mark is closed by now: a file
            // that is removed while it is open stays, under another name, on FUSE.
            if (error as? Failure)?.code == .unsuitable {
                try? UnfinishedVault.withdraw(from: directory)
                if isNew { try? Directory.remove(directory) }
            }
            throw error
        }
        let id = UniqueID(using: &generator)
        for name in ["journal", "projections", "locks", "quarantine", "state"] {
            try Directory.create(directory.appending(name))
        }
        try OpenJournal.create(in: directory.appending("journal"))
        _ = try BlobStore(path: directory.appending("blobs").string, vault: id.bytes)
        try UncleanEnd.begin(directory)
        // FORMAT last: only with it is the directory a vault.
        try unfinished.finish(VaultFormat(version: VaultFormat.current, id: id, created: "\(clock.now())"))
        try Directory.sync(directory)
        let parent = directory.removingLastComponent()
        if isNew { try Directory.sync(parent.isEmpty ? "." : parent) }
        let vault = try OpenVault(directory, clock: clock)
        try vault.commit([
            JournalEntry(
                account: .directory, origin: .admin, changes: [],
                note: Note(.vaultCreated, [.init("id", .text(Array(id.description.utf8)))]))
        ])
    }

    /// Records `entries`, in order, and returns their IDs when they are on the disk in both copies. The blobs they name
    /// must be durable before (`Specs/Invariants.md`, 2).
    @discardableResult
    public func commit(_ entries: [JournalEntry]) throws -> Range<UInt64> { try journal.append(entries) }

    /// Runs `body`, which appends to ``blobs`` and syncs it, while no other thread or process does.
    public func appendBlobs(_ body: () throws -> Void) throws {
        guard let blobLock else { throw JournalError.readOnly }
        try appending.withLock { _ in
            try blobLock.lock()
            defer { blobLock.unlock() }
            try body()
        }
    }

    /// The projections, caught up with the journal. Damaged or outdated ones are set aside and rebuilt. Where nothing may
    /// be written they must be at the journal's head already; a replay does without them.
    public func projections(progress: (TransactionID) -> Void = { _ in }) throws -> OpenProjections {
        try followed.withLock { followed in
            if let open = followed {
                if !isReadOnly || !open.isReadOnly { try open.follow(journal, progress: progress) }
                return open
            }
            let open = try workplace.map { try foreignProjections($0, progress) } ?? openProjections(progress)
            followed = open
            return open
        }
    }

    /// The header index, as far as it is; nil where nothing may be written. One that cannot be used is begun anew.
    public func headerIndex() throws -> OpenHeaderIndex? {
        guard workplace == nil, Directory.isWritable(directory) else { return nil }
        let path = directory.appending("headers")
        return try headers.withLock { open in
            if let open { return open }
            if !Directory.exists(path) { try Directory.create(path) }
            do {
                open = try OpenHeaderIndex(path)
            } catch let unusable as HeaderIndexUnusable {
                Log.shared.note("\(unusable); it is begun anew")
                try removeEnvironment(path)
                try Directory.create(path)
                open = try OpenHeaderIndex(path)
            }
            return open
        }
    }

    /// Removes the header index, which is begun anew by whoever needs it next.
    public func removeHeaderIndex() throws {
        try headers.withLock { open in
            open = nil
            try removeEnvironment(directory.appending("headers"))
        }
    }

    /// Projections of a vault that is not written, made in a directory of ours, where they stay for the next time.
    private func foreignProjections(
        _ workplace: FilePath, _ progress: (TransactionID) -> Void
    ) throws -> OpenProjections {
        do {
            let open = try OpenProjections(workplace)
            try open.follow(journal, progress: progress)
            return open
        } catch {
            guard error is ProjectionsUnusable || error is DecodingFailure || (error as? LMDBError)?.isDamage == true
            else { throw error }
            // They are ours, and can be made again: those of a vault that was set back, or of another version.
            for name in try Directory.names(workplace) { try Directory.removeFile(workplace.appending(name)) }
            let fresh = try OpenProjections(workplace)
            try fresh.follow(journal, progress: progress)
            return fresh
        }
    }

    private var projectionsPath: FilePath { directory.appending("projections") }

    private func openProjections(_ progress: (TransactionID) -> Void) throws -> OpenProjections {
        // Missing altogether: somebody removed them, or a rebuild was stopped between two names.
        if !Directory.exists(projectionsPath), Directory.isWritable(directory) {
            Log.shared.note("the projections are missing; they are rebuilt from the journal")
            return try makeProjections(progress, unlessUsable: true)
        }
        guard Directory.isWritable(projectionsPath) else {
            let open = try OpenProjections(projectionsPath, readOnly: true)
            guard try open.position() == journal.head().transaction else {
                throw Failure(
                    .permission, "the projections are behind the journal and cannot be written by this user",
                    hint: "Run any command once as the user who owns the vault, or use replay")
            }
            return open
        }
        do {
            let open = try OpenProjections(projectionsPath)
            try open.follow(journal, progress: progress)
            return open
        } catch {
            // A row that cannot be read is as good a reason as a file that cannot; what is wrong with the journal is not.
            guard error is ProjectionsUnusable || error is DecodingFailure || (error as? LMDBError)?.isDamage == true
            else { throw error }
            Log.shared.note("\(error); they are rebuilt from the journal")
            return try makeProjections(progress, unlessUsable: true)
        }
    }

    /// Makes the projections anew from the journal alone, beside the old ones, and puts them in their place; the old ones
    /// are set aside under `quarantine/`.
    @discardableResult
    public func rebuildProjections(_ progress: (TransactionID) -> Void = { _ in }) throws -> OpenProjections {
        try followed.withLock { followed in
            followed = nil
            let fresh = try makeProjections(progress)
            followed = fresh
            return fresh
        }
    }

    /// One process at a time: two would write into the same place beside. With `unlessUsable`, what another has made
    /// meanwhile is taken.
    private func makeProjections(
        _ progress: (TransactionID) -> Void, unlessUsable: Bool = false
    ) throws -> OpenProjections {
        let lock = try LockFile(directory.appending("locks/projections"))
        try lock.lock()
        defer { lock.unlock() }
        if unlessUsable, Directory.exists(projectionsPath), let open = usableProjections(progress) { return open }
        let beside = directory.appending("projections.new")
        try removeEnvironment(beside)
        try Directory.create(beside)
        do {
            let fresh = try OpenProjections(beside, withoutSync: true)
            try fresh.follow(journal, progress: progress)
            try fresh.sync()
        }
        try setAsideProjections()
        try Directory.rename(beside, to: projectionsPath)
        try Directory.sync(directory)
        let open = try OpenProjections(projectionsPath)
        try open.follow(journal)
        return open
    }

    /// Makes the projections anew beside the present ones and returns the digests of both.
    public func verifyProjections(
        _ progress: (TransactionID) -> Void = { _ in }
    ) throws -> (present: Digest, rebuilt: Digest) {
        let beside = directory.appending("projections.verify")
        try removeEnvironment(beside)
        try Directory.create(beside)
        defer { try? removeEnvironment(beside) }
        let present = try projections()
        let fresh = try OpenProjections(beside, withoutSync: true)
        try fresh.follow(journal, progress: progress)
        try present.follow(journal)
        return (try present.contentDigest(), try fresh.contentDigest())
    }

    private func usableProjections(_ progress: (TransactionID) -> Void) -> OpenProjections? {
        // Whatever keeps them from being used, they are made anew.
        try? {
            let open = try OpenProjections(projectionsPath)
            try open.follow(journal, progress: progress)
            return open
        }()
    }

    private func setAsideProjections() throws {
        guard Directory.exists(projectionsPath) else { return }
        try Quarantine(directory).setAside(projectionsPath)
    }

    private func removeEnvironment(_ path: FilePath) throws {
        guard Directory.exists(path) else { return }
        for name in try Directory.names(path) { try Directory.removeFile(path.appending(name)) }
        try Directory.remove(path)
    }

    /// Takes the right to capture `account`, which one process has at a time; nil when another has it.
    public func captureLock(_ account: AccountNumber) throws -> CaptureLock? {
        let file = try LockFile(directory.appending("locks/account-\(account.rawValue)"))
        return try file.tryLock() ? CaptureLock(file) : nil
    }
}

/// The right to capture one account, let go with the value.
public final class CaptureLock: Sendable {
    private let file: LockFile

    init(_ file: LockFile) { self.file = file }

    deinit { file.unlock() }
}
