internal import CLMDB
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// One LMDB environment: a directory with `data.mdb` and `lock.mdb`, and the tables in it.
///
/// The rules of `Specs/Format/LMDB.md` are kept here: no WRITEMAP, NOTLS always, a map so large that it never has to
/// grow, and never two environments on one directory in one process (closing the second would drop the locks of the
/// first, and the journal would lose acknowledged records).
@safe public final class Environment: Sendable {
    public struct Options: Sendable {
        /// Address space, not disk: the file grows only with use.
        public var mapSize: Int = 1 << 40
        public var maxReaders: UInt32 = 512
        /// Opens nothing for writing; tables must exist.
        public var readOnly = false
        /// For a directory that cannot be written: no lock file. No writer may be at work.
        public var withoutLock = false
        /// Leaves out every sync: only for what can be rebuilt, and ends with ``Environment/sync()``.
        public var withoutSync = false
        /// Tables that may be missing where the environment is opened for reading only: then they are empty.
        public var optionalTables: [String] = []

        public init() {}
    }

    // SAFETY: MDB_env is safe to share between threads; it is set once and closed in deinit.
    private nonisolated(unsafe) let handle: OpaquePointer
    private let identity: FileIdentity
    private let tables: [String: Table]
    private let map: UInt?
    public let path: String

    /// Opens the environment in the directory `path`, which must exist, and the tables named; creates what is missing
    /// unless read-only.
    public init(path: String, tables names: [String], options: Options = Options()) throws(LMDBError) {
        guard let identity = FileIdentity(path: path) else { throw LMDBError(code: errno, during: .open) }
        guard OpenEnvironments.shared.insert(identity) else {
            preconditionFailure("the LMDB environment \(path) is already open in this process")
        }
        var created: OpaquePointer?
        do throws(LMDBError) {
            try check(unsafe mdb_env_create(&created), .open)
            guard let environment = unsafe created else { throw LMDBError(code: ENOMEM, during: .open) }
            unsafe mdb_env_set_mapsize(environment, options.mapSize)
            unsafe mdb_env_set_maxdbs(environment, UInt32(max(names.count, 1)))
            unsafe mdb_env_set_maxreaders(environment, options.maxReaders)
            // NOTLS: a reader's slot belongs to its transaction, so it may be on any thread.
            var flags = UInt32(MDB_NOTLS)
            if options.readOnly { flags |= UInt32(MDB_RDONLY) }
            if options.withoutLock { flags |= UInt32(MDB_NOLOCK) }
            if options.withoutSync { flags |= UInt32(MDB_NOSYNC) }
            try check(unsafe mdb_env_open(environment, path, flags, 0o600), .open)
            var dead: Int32 = 0
            if !options.withoutLock { unsafe mdb_reader_check(environment, &dead) }
            unsafe handle = environment
            self.tables = unsafe try Environment.openTables(
                names, in: environment, readOnly: options.readOnly, optional: options.optionalTables)
        } catch {
            if let environment = unsafe created { unsafe mdb_env_close(environment) }
            OpenEnvironments.shared.remove(identity)
            throw error
        }
        self.path = path
        self.identity = identity
        map = MappedMemory.register(file: path + "/data.mdb", length: options.mapSize)
    }

    deinit {
        if let map { MappedMemory.forget(map) }
        unsafe mdb_env_close(handle)
        OpenEnvironments.shared.remove(identity)
    }

    private static func openTables(
        _ names: [String], in environment: OpaquePointer, readOnly: Bool, optional: [String]
    ) throws(LMDBError) -> [String: Table] {
        var transaction: OpaquePointer?
        try check(unsafe mdb_txn_begin(environment, nil, readOnly ? UInt32(MDB_RDONLY) : 0, &transaction), .begin)
        var opened: [String: Table] = [:]
        do throws(LMDBError) {
            var missing: [String] = []
            for name in names {
                if let table = unsafe try openTable(name, in: transaction, 0) {
                    opened[name] = table
                } else {
                    missing.append(name)
                }
            }
            // A table under a name that nobody gave it is one whose name was changed: it would be made again, empty.
            if !missing.isEmpty, unsafe try tableCount(transaction) > opened.count {
                throw LMDBError(code: MDB_CORRUPTED, during: .table)
            }
            for name in missing {
                if readOnly, optional.contains(name) {
                    opened[name] = .missing
                    continue
                }
                guard let table = unsafe try openTable(name, in: transaction, readOnly ? 0 : UInt32(MDB_CREATE)) else {
                    throw LMDBError(code: MDB_CORRUPTED, during: .table)
                }
                opened[name] = table
            }
        } catch {
            unsafe mdb_txn_abort(transaction)
            throw error
        }
        // Committed even when read-only: a table opened in an aborted transaction is invalid afterwards.
        try check(unsafe mdb_txn_commit(transaction), .commit)
        return opened
    }

    /// Nil when there is none of that name.
    private static func openTable(
        _ name: String, in transaction: OpaquePointer?, _ flags: UInt32
    ) throws(LMDBError) -> Table? {
        var table: MDB_dbi = 0
        let code = unsafe mdb_dbi_open(transaction, name, flags, &table)
        if code == MDB_NOTFOUND { return nil }
        try check(code, .table)
        // Keys in another order than by their bytes were never written.
        var kind: UInt32 = 0
        try check(unsafe mdb_dbi_flags(transaction, table, &kind), .table)
        guard kind == 0 else { throw LMDBError(code: MDB_CORRUPTED, during: .table) }
        return Table(handle: table)
    }

    private static func tableCount(_ transaction: OpaquePointer?) throws(LMDBError) -> Int {
        var (main, found) = (MDB_dbi(), MDB_stat())
        try check(unsafe mdb_dbi_open(transaction, nil, 0, &main), .table)
        try check(unsafe mdb_stat(transaction, main, &found), .table)
        return found.ms_entries
    }

    var tableNames: [String] { tables.keys.sorted() }

    /// The table of that name, which was given to the initializer.
    public func table(_ name: String) -> Table {
        guard let table = tables[name] else { preconditionFailure("no table \(name) was opened in \(path)") }
        return table
    }

    /// Runs `body` on a snapshot. The closure is synchronous on purpose: nothing can be awaited while a snapshot is
    /// open, so no snapshot outlives a slow network, and the file does not grow behind it.
    public func read<Result: ~Copyable>(_ body: (borrowing ReadTransaction) throws -> Result) throws -> Result {
        let transaction = unsafe try ReadTransaction(environment: handle)
        return try body(transaction)
    }

    /// Runs `body` in the one write transaction there can be (others wait, of other processes too), then commits.
    /// When `body` throws, nothing of it stays.
    public func write<Result: ~Copyable>(_ body: (inout WriteTransaction) throws -> Result) throws -> Result {
        var transaction = unsafe try WriteTransaction(environment: handle)
        let result = try body(&transaction)
        try transaction.commit()
        return result
    }

    /// Flushes what a ``Options/withoutSync`` environment has written.
    public func sync() throws(LMDBError) { try check(unsafe mdb_env_sync(handle, 1), .sync) }

    /// Copies a consistent snapshot, without free pages, to the existing empty directory `path`. The only safe way to
    /// copy an environment that is in use.
    public func copyCompacted(to path: String) throws(LMDBError) {
        try check(unsafe mdb_env_copy2(handle, path, UInt32(MDB_CP_COMPACT)), .copy)
    }

    /// Bytes of `data.mdb` in use, up to the last page.
    public func usedBytes() -> Int {
        var info = unsafe MDB_envinfo()
        var stat = MDB_stat()
        unsafe mdb_env_info(handle, &info)
        unsafe mdb_env_stat(handle, &stat)
        return unsafe (Int(info.me_last_pgno) + 1) * Int(stat.ms_psize)
    }
}

/// A table of an ``Environment``.
public struct Table: Sendable {
    let handle: UInt32

    /// Stands for one that is not there: it has no rows.
    static let missing = Table(handle: .max)

    /// False for a table that was allowed to be missing, and is.
    public var exists: Bool { handle != .max }
}

/// What a directory is, whatever path leads to it.
private struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    init?(path: String) {
        var found = stat()
        guard unsafe stat(path, &found) == 0 else { return nil }
        device = UInt64(found.st_dev)
        inode = UInt64(found.st_ino)
    }
}

/// The environments this process has open: LMDB forbids a second one on the same file.
private final class OpenEnvironments: Sendable {
    static let shared = OpenEnvironments()
    private let identities = Mutex<Set<FileIdentity>>([])

    func insert(_ identity: FileIdentity) -> Bool { identities.withLock { $0.insert(identity).inserted } }
    func remove(_ identity: FileIdentity) { _ = identities.withLock { $0.remove(identity) } }
}
