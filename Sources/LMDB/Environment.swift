internal import CLMDB
internal import CLinux
internal import Glibc
internal import Synchronization

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

    /// The file as it is open, and the directory it was opened in. Another process, or ``compact(beside:)``, may put a compacted copy
    /// into its place: whoever begins a transaction then opens that one; transactions on the old one end as they began.
    private let opened: Mutex<Opened>
    private let options: Options
    private let tables: [String: Table]
    public let path: String
    private let data: String

    private struct Opened {
        var map: OpenMap
        var directory: FileIdentity
    }

    /// Opens the environment in the directory `path`, which must exist, and the tables named; creates what is missing
    /// unless read-only.
    public init(path: String, tables names: [String], options: Options = Options()) throws(LMDBError) {
        var found: (opened: Opened, tables: [String: Table])?
        // Where the directory is exchanged for another while it is opened, lock and data may be of two.
        for _ in 0..<100 where found == nil {
            found = try Environment.open(path, names, options)
        }
        guard let found else { throw LMDBError(code: EBUSY, during: .open) }
        self.path = path
        data = path + "/data.mdb"
        self.options = options
        tables = found.tables
        opened = Mutex(found.opened)
    }

    deinit { OpenEnvironments.shared.remove(opened.withLock { $0.directory }) }

    /// Nil when the directory was exchanged for another meanwhile.
    private static func open(
        _ path: String, _ names: [String], _ options: Options
    ) throws(LMDBError) -> (opened: Opened, tables: [String: Table])? {
        guard let directory = FileIdentity(path: path) else { throw LMDBError(code: errno, during: .open) }
        guard OpenEnvironments.shared.insert(directory) else {
            preconditionFailure("the LMDB environment \(path) is already open in this process")
        }
        do throws(LMDBError) {
            let map = try OpenMap(path, tables: names.count, options)
            guard FileIdentity(path: path) == directory else {
                OpenEnvironments.shared.remove(directory)
                return nil
            }
            let tables = unsafe try openTables(
                names, in: map.handle, readOnly: options.readOnly, optional: options.optionalTables)
            return (Opened(map: map, directory: directory), tables)
        } catch {
            OpenEnvironments.shared.remove(directory)
            throw error
        }
    }

    /// What is open, or, where another file has taken its place, that one.
    private func current() throws(LMDBError) -> OpenMap {
        try opened.withLock { opened throws(LMDBError) -> OpenMap in
            guard isReplaced(opened.map) else { return opened.map }
            // Tables have the same handles again when they are opened in the same order.
            let names = tables.filter(\.value.exists).sorted { $0.value.handle < $1.value.handle }.map(\.key)
            for _ in 0..<100 {
                guard let found = try Environment.open(path, names, options) else { continue }
                guard found.tables == tables.filter(\.value.exists) else {
                    OpenEnvironments.shared.remove(found.opened.directory)
                    throw LMDBError(code: MDB_CORRUPTED, during: .table)
                }
                OpenEnvironments.shared.remove(opened.directory)
                opened = found.opened
                return opened.map
            }
            throw LMDBError(code: EBUSY, during: .open)
        }
    }

    /// Whether the name leads to another file than the one that is open. What somebody has removed altogether is not replaced.
    private func isReplaced(_ map: OpenMap) -> Bool {
        guard let there = FileIdentity(path: data) else { return false }
        return there != map.identity
    }

    /// Whether the file that is open is the one that `path` leads to.
    public func isInPlace() throws(LMDBError) -> Bool { try FileIdentity(path: data) == current().identity }

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
        let map = try current()
        defer { withExtendedLifetime(map) {} }
        let transaction = unsafe try ReadTransaction(environment: map.handle)
        return try body(transaction)
    }

    /// Runs `body` in the one write transaction there can be (others wait, of other processes too), then commits.
    /// When `body` throws, nothing of it stays.
    public func write<Result: ~Copyable>(_ body: (inout WriteTransaction) throws -> Result) throws -> Result {
        while true {
            let map = try current()
            defer { withExtendedLifetime(map) {} }
            var transaction = unsafe try WriteTransaction(environment: map.handle)
            // Replaced while this one waited: what is written to the old file would be known to nobody.
            if isReplaced(map) { continue }
            let result = try body(&transaction)
            try transaction.commit()
            return result
        }
    }

    /// Flushes what a ``Options/withoutSync`` environment has written.
    public func sync() throws(LMDBError) {
        let map = try current()
        try check(unsafe mdb_env_sync(map.handle, 1), .sync)
    }

    /// Copies a consistent snapshot, without free pages, to the existing empty directory `path`. The only safe way to
    /// copy an environment that is in use.
    public func copyCompacted(to path: String) throws(LMDBError) {
        let map = try current()
        try check(unsafe mdb_env_copy2(map.handle, path, UInt32(MDB_CP_COMPACT)), .copy)
    }

    /// Puts a copy without free pages into the place of the environment, while other processes read and write: they wait to write until it
    /// is done, and open the copy with their next transaction; the space comes back when the last of them has. `beside`: a directory
    /// on the same file system, which is made, and removed again; what a compaction that was killed has left there goes. False where the
    /// file system cannot exchange two directories, or gives a removed file another name: its space would not come back.
    public func compact(beside: String) throws -> Bool {
        try Environment.removeEnvironment(beside)
        return try write { (_: inout WriteTransaction) in
            let map = try current()
            guard unsafe mkdir(beside, 0o700) == 0 else { throw LMDBError(code: errno, during: .copy) }
            var isDone = false
            defer { if !isDone { try? Environment.removeEnvironment(beside) } }  // The next compaction removes it.
            guard try Environment.losesNames(beside) else { return false }
            // No other write can come between: the copy's own snapshot is of the newest commit.
            try check(unsafe mdb_env_copy2(map.handle, beside, UInt32(MDB_CP_COMPACT)), .copy)
            try Environment.flush(beside + "/data.mdb")
            try Environment.flush(beside)
            guard unsafe renameat2(AT_FDCWD, beside, AT_FDCWD, path, UInt32(CLINUX_RENAME_EXCHANGE)) == 0 else {
                if [EINVAL, ENOSYS, EOPNOTSUPP, EXDEV].contains(errno) { return false }
                throw LMDBError(code: errno, during: .copy)
            }
            try Environment.flush(path + "/..")
            // From here on everybody who looks finds the file replaced.
            try Environment.removeEnvironment(beside)
            isDone = true
            return true
        }
    }

    /// Whether a file that is open and was removed has no name any more. On some file systems it gets another.
    private static func losesNames(_ directory: String) throws(LMDBError) -> Bool {
        let path = directory + "/data.mdb"
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LMDBError(code: errno, during: .copy) }
        defer { close(descriptor) }
        var found = Glibc.stat()
        guard unsafe unlink(path) == 0, unsafe fstat(descriptor, &found) == 0 else {
            throw LMDBError(code: errno, during: .copy)
        }
        return found.st_nlink == 0
    }

    private static func flush(_ path: String) throws(LMDBError) {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LMDBError(code: errno, during: .copy) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw LMDBError(code: errno, during: .copy) }
    }

    /// Removes the two files of an environment, and its directory.
    private static func removeEnvironment(_ path: String) throws(LMDBError) {
        for name in ["data.mdb", "lock.mdb"] {
            guard unsafe unlink(path + "/" + name) == 0 || errno == ENOENT else {
                throw LMDBError(code: errno, during: .copy)
            }
        }
        guard unsafe rmdir(path) == 0 || errno == ENOENT else { throw LMDBError(code: errno, during: .copy) }
    }

    /// Bytes of `data.mdb` in use, up to the last page.
    public func usedBytes() -> Int {
        let map = opened.withLock { $0.map }
        defer { withExtendedLifetime(map) {} }
        var info = unsafe MDB_envinfo()
        var stat = MDB_stat()
        unsafe mdb_env_info(map.handle, &info)
        unsafe mdb_env_stat(map.handle, &stat)
        return unsafe (Int(info.me_last_pgno) + 1) * Int(stat.ms_psize)
    }
}

/// An environment's file, mapped; closed when nobody uses it any more.
@safe private final class OpenMap: Sendable {
    // SAFETY: MDB_env is safe to share between threads; it is set once and closed in deinit.
    nonisolated(unsafe) let handle: OpaquePointer
    /// Which file it is: no other can be while this one is open.
    let identity: FileIdentity
    private let map: UInt?

    init(_ path: String, tables: Int, _ options: Environment.Options) throws(LMDBError) {
        var created: OpaquePointer?
        var descriptor: Int32 = -1
        do throws(LMDBError) {
            try check(unsafe mdb_env_create(&created), .open)
            guard let environment = unsafe created else { throw LMDBError(code: ENOMEM, during: .open) }
            unsafe mdb_env_set_mapsize(environment, options.mapSize)
            unsafe mdb_env_set_maxdbs(environment, UInt32(max(tables, 1)))
            unsafe mdb_env_set_maxreaders(environment, options.maxReaders)
            // NOTLS: a reader's slot belongs to its transaction, so it may be on any thread.
            var flags = UInt32(MDB_NOTLS)
            if options.readOnly { flags |= UInt32(MDB_RDONLY) }
            if options.withoutLock { flags |= UInt32(MDB_NOLOCK) }
            if options.withoutSync { flags |= UInt32(MDB_NOSYNC) }
            try check(unsafe mdb_env_open(environment, path, flags, 0o600), .open)
            var dead: Int32 = 0
            if !options.withoutLock { unsafe mdb_reader_check(environment, &dead) }
            try check(unsafe mdb_env_get_fd(environment, &descriptor), .open)
            guard let found = FileIdentity(descriptor: descriptor) else { throw LMDBError(code: errno, during: .open) }
            identity = found
            unsafe handle = environment
        } catch {
            if let environment = unsafe created { unsafe mdb_env_close(environment) }
            throw error
        }
        map = MappedMemory.register(file: path + "/data.mdb", length: options.mapSize)
    }

    deinit {
        if let map { MappedMemory.forget(map) }
        unsafe mdb_env_close(handle)
    }
}

/// A table of an ``Environment``.
public struct Table: Hashable, Sendable {
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
        (device, inode) = (UInt64(found.st_dev), UInt64(found.st_ino))
    }

    init?(descriptor: Int32) {
        var found = stat()
        guard unsafe fstat(descriptor, &found) == 0 else { return nil }
        (device, inode) = (UInt64(found.st_dev), UInt64(found.st_ino))
    }
}

/// The environments this process has open: LMDB forbids a second one on the same file.
private final class OpenEnvironments: Sendable {
    static let shared = OpenEnvironments()
    private let identities = Mutex<Set<FileIdentity>>([])

    func insert(_ identity: FileIdentity) -> Bool { identities.withLock { $0.insert(identity).inserted } }
    func remove(_ identity: FileIdentity) { _ = identities.withLock { $0.remove(identity) } }
}
