public import Events
internal import LMDB
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Content-addressed bytes of messages: stored once, compressed, verified, durable (`Specs/Format/Blobs.md`).
///
/// Writing: encoders give batches; `append`, `append`, … then `sync`. What `sync` has returned for is durable. Safe to use
/// from any thread. Several processes may have a store open; one appends at a time, from its first ``append(_:)`` (or
/// ``beginAppending()``) to its ``sync()``: it holds `LOCK` meanwhile, and another gets ``BlobError/busy(path:)``. A caller
/// that has a commit lock of its own takes it before and releases it after, and never sees that error.
@safe public final class BlobStore: Sendable {
    /// The `blobs` directory.
    public let path: String
    /// What encoders use that are not told otherwise.
    public let options: BlobOptions
    let vault: [UInt8]
    let index: BlobIndex
    /// Appended, not yet in the index.
    let pending = Mutex(PendingBlobs())
    let appender: Mutex<Appender>
    /// One sync at a time; appending goes on meanwhile.
    private let syncing = Mutex(())

    /// Opens the store in `path`, the `blobs` directory of a vault, and creates what is missing.
    ///
    /// - Parameters:
    ///   - vault: the vault's UUID, 16 bytes: it is in each pack.
    ///   - readOnly: creates and appends nothing; for reading beside a process that writes.
    ///   - withoutLock: not even LMDB's lock file is written; nobody may be writing then.
    /// - Throws: ``BlobError`` or `LMDBError`.
    public init(
        path: String, vault: [UInt8], options: BlobOptions = BlobOptions(), readOnly: Bool = false,
        withoutLock: Bool = false
    ) throws {
        guard vault.count == 16 else { throw BlobError.unusable(path: path, reason: "a UUID has 16 bytes") }
        if !readOnly {
            var created = try OpenFile.makeDirectory(path)
            for name in ["/packs", "/index"] where try OpenFile.makeDirectory(path + name) { created = true }
            if !OpenFile.exists(path + "/LOCK") {
                _ = try OpenFile(path + "/LOCK", O_RDWR | O_CREAT)
                created = true
            }
            if created {
                try OpenFile.syncDirectory(path)
                try OpenFile.syncDirectory(path + "/..")
            }
        }
        var environment = Environment.Options()
        environment.readOnly = readOnly
        // LMDB wants to write its lock file even to read; where nobody can write, there is no writer to be told either.
        environment.withoutLock = unsafe readOnly && (withoutLock || access(path + "/index", W_OK) != 0)
        self.path = path
        self.vault = vault
        self.options = options
        index = try BlobIndex(path: path + "/index", vault: vault, options: environment)
        if !readOnly { try OpenFile.syncDirectory(path + "/index") }
        appender = Mutex(Appender(path: path, vault: vault, packBytes: options.packBytes, readOnly: readOnly))
    }

    /// A worker's encoder.
    public func encoder(_ options: BlobOptions? = nil) -> BlobEncoder { BlobEncoder(store: self, options: options) }

    /// A thread's reader.
    public func reader(cacheBytes: Int = 8 << 20) -> BlobReader { BlobReader(store: self, cacheBytes: cacheBytes) }

    // MARK: Looking up

    /// Whether a message of that name is stored (after ``sync()``: durably).
    public func contains(_ digest: Digest) throws -> Bool { try known([digest], .messages) == [true] }

    /// Where the message lies, or nil.
    public func location(of digest: Digest) throws -> BlobLocation? { try location(of: digest, .messages) }

    /// Where many messages lie, nil for what is not stored: sort by them to decode each frame once.
    public func locations(of digests: [Digest]) throws -> [BlobLocation?] {
        let waiting = pending.withLock { pending in digests.map { pending.messages[$0] } }
        let found = try index.locations(digests, .messages)
        // Where some are not found, they may be condemned: still there to be read.
        let condemned = found.contains(where: { $0 == nil }) ? try index.condemnedLocations(digests, .messages) : found
        return digests.indices.map { waiting[$0] ?? found[$0] ?? condemned[$0] }
    }

    func location(of digest: Digest, _ kind: FrameKind) throws -> BlobLocation? {
        // In this order: a row leaves `pending` only after the index has it.
        if let waiting = pending.withLock({ $0[kind, digest] }) { return waiting }
        return try index.location(digest, kind)
    }

    /// Which of these are stored or appended.
    func known(_ digests: [Digest], _ kind: FrameKind) throws -> [Bool] {
        var found = pending.withLock { pending in digests.map { pending[kind, $0] != nil } }
        try index.contains(digests, kind, found: &found)
        return found
    }

    // MARK: Appending

    /// Takes the right to append and sees what other processes have appended. Called by the first ``append(_:)``.
    ///
    /// - Throws: ``BlobError/busy(path:)`` when another process is appending.
    public func beginAppending() throws { try appender.withLock { try $0.begin(self) } }

    /// Writes the frames of a batch. They are durable after the next ``sync()``.
    ///
    /// - Throws: ``BlobError`` or `LMDBError`; nothing of the batch counts then.
    public func append(_ batch: EncodedBatch) throws {
        if batch.frames.isEmpty { return }
        try appender.withLock { appender in
            try appender.begin(self)
            try appender.append(batch, to: self)
        }
    }

    /// Makes durable all that was appended before the call, and gives back the right to append.
    ///
    /// - Throws: ``BlobError`` or `LMDBError`. What was appended is not durable then, and no more can be appended until
    ///   the store is opened again: after a failed sync the kernel may have thrown pages away.
    public func sync() throws {
        try syncing.withLock { _ in
            guard let work = try appender.withLock({ try $0.takeUnsynced() }) else { return }
            do {
                for file in work.files { try file.syncData() }
                if work.isDirectoryNew { try OpenFile.syncDirectory(path + "/packs") }
                try commit(work)
            } catch {
                appender.withLock { $0.isSuspect = true }
                throw error
            }
            pending.withLock { pending in
                for row in work.rows { pending.remove(row) }
            }
            appender.withLock { $0.endIfIdle() }
        }
    }

    private func commit(_ work: UnsyncedWork) throws {
        let rows = work.rows.sorted { $0.digest < $1.digest }
        try index.environment.write { transaction in
            let value = ByteBuffer()
            for row in rows {
                row.location.write(into: value)
                try transaction.put(index.table(row.kind), row.digest.key, value.bytes)
            }
            for pack in work.packs {
                pack.write(into: value)
                try transaction.put(index.packs, pack.key, value.bytes)
            }
        }
    }

    /// Counts of what is durable.
    public func statistics() throws -> BlobStatistics {
        var sum = BlobStatistics()
        for row in try index.allPacks() {
            sum.packs += 1
            sum.messages += UInt64(row.messages)
            sum.parts += UInt64(row.parts)
            sum.rawBytes += row.messageBytes
            sum.partBytes += row.partBytes
            sum.packBytes += UInt64(row.end)
        }
        sum.indexBytes = UInt64(index.environment.usedBytes())
        return sum
    }
}

extension BlobStore {
    /// Makes the index as small as what is in it, while others use it. False where that cannot be done on this file system.
    public func compactIndex() throws -> Bool {
        try index.environment.compact(beside: index.environment.path + ".compacting")
    }
}

/// How much a store holds.
public struct BlobStatistics: Hashable, Sendable {
    public var packs: UInt64 = 0
    /// Different messages, and different parts of them.
    public var messages: UInt64 = 0
    public var parts: UInt64 = 0
    /// Raw bytes of the messages, each counted once.
    public var rawBytes: UInt64 = 0
    /// Decoded bytes of the parts, each counted once.
    public var partBytes: UInt64 = 0
    /// Bytes of the packs.
    public var packBytes: UInt64 = 0
    /// Bytes of the index in use.
    public var indexBytes: UInt64 = 0
    /// What the store takes on disk.
    public var storedBytes: UInt64 { packBytes + indexBytes }
}

/// A location that is not in the index yet.
struct PendingRow: Sendable {
    let kind: FrameKind
    let digest: Digest
    let location: BlobLocation
}

/// What was appended and waits for the next sync.
struct PendingBlobs: Sendable {
    var messages: [Digest: BlobLocation] = [:]
    var parts: [Digest: BlobLocation] = [:]

    subscript(kind: FrameKind, digest: Digest) -> BlobLocation? {
        kind == .parts ? parts[digest] : messages[digest]
    }

    mutating func insert(_ row: PendingRow) {
        if row.kind == .parts { parts[row.digest] = row.location } else { messages[row.digest] = row.location }
    }

    mutating func remove(_ row: PendingRow) {
        if row.kind == .parts { parts[row.digest] = nil } else { messages[row.digest] = nil }
    }
}

/// What one sync has to make durable.
struct UnsyncedWork: Sendable {
    var files: [OpenFile] = []
    var isDirectoryNew = false
    var packs: [PackRow] = []
    var rows: [PendingRow] = []
}
