internal import CLMDB

/// One snapshot of an ``Environment``, ended when it goes out of scope.
///
/// Not copyable, so it ends once; not `Sendable`, so it stays where it is; and what it lends cannot outlive it. Keep it
/// short: an open snapshot keeps every page freed since, and the file grows (`Specs/Format/LMDB.md`, "Readers").
@safe public struct ReadTransaction: ~Copyable {
    let handle: OpaquePointer

    init(environment: OpaquePointer) throws(LMDBError) {
        var begun: OpaquePointer?
        try check(unsafe mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &begun), .begin)
        unsafe handle = begun!
    }

    deinit { unsafe mdb_txn_abort(handle) }

    /// The bytes under `key`, in place in the memory map, or nil. Their address is aligned to 2 bytes only.
    @_lifetime(borrow self)
    public func value(_ table: Table, _ key: Key) throws(LMDBError) -> RawSpan? {
        guard let found = unsafe try lookUp(handle, table, key) else { return nil }
        return unsafe _overrideLifetime(RawSpan(_unsafeBytes: found), borrowing: self)
    }

    /// Runs `body` with a cursor on `table`.
    public func cursor<Result: ~Copyable>(_ table: Table, _ body: (inout Cursor) throws -> Result) throws -> Result {
        var cursor = unsafe try Cursor(transaction: handle, table: table)
        return try body(&cursor)
    }

    /// How many keys `table` has.
    public func count(_ table: Table) throws(LMDBError) -> Int { unsafe try entryCount(handle, table) }

    /// The number of the commit whose state this is.
    public var id: UInt64 { UInt64(unsafe mdb_txn_id(handle)) }
}

func lookUp(_ transaction: OpaquePointer, _ table: Table, _ key: Key) throws(LMDBError) -> UnsafeRawBufferPointer? {
    guard table.exists else { return nil }
    var found = unsafe MDB_val()
    let code = unsafe key.withBytes { bytes in
        var wanted = unsafe MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        return unsafe mdb_get(transaction, table.handle, &wanted, &found)
    }
    MappedMemory.touch()
    if code == MDB_NOTFOUND { return nil }
    try check(code, .get)
    return unsafe UnsafeRawBufferPointer(start: found.mv_data, count: found.mv_size)
}

func entryCount(_ transaction: OpaquePointer, _ table: Table) throws(LMDBError) -> Int {
    guard table.exists else { return 0 }
    var stat = MDB_stat()
    try check(unsafe mdb_stat(transaction, table.handle, &stat), .stat)
    return Int(stat.ms_entries)
}
