internal import CLMDB

/// The one open write of an ``Environment``: committed by ``Environment/write(_:)``, or undone when it goes out of scope.
///
/// It belongs to the thread that began it: LMDB's writer lock is a robust mutex, and a commit from another thread
/// returns success and then hangs the next writer for good. Hence the synchronous closure.
@safe public struct WriteTransaction: ~Copyable {
    // nil once LMDB has taken the transaction back.
    private var handle: OpaquePointer?

    init(environment: OpaquePointer) throws(LMDBError) {
        var begun: OpaquePointer?
        try check(unsafe mdb_txn_begin(environment, nil, 0, &begun), .begin)
        unsafe handle = begun
    }

    deinit { if let handle = unsafe handle { unsafe mdb_txn_abort(handle) } }

    private var open: OpaquePointer {
        guard let handle = unsafe handle else { preconditionFailure("the transaction has been committed") }
        return unsafe handle
    }

    mutating func commit() throws(LMDBError) {
        let handle = unsafe self.open
        unsafe self.handle = nil
        // On failure LMDB has freed the transaction too: there is nothing left to abort.
        try check(unsafe mdb_txn_commit(handle), .commit)
    }

    /// The bytes under `key`, valid until the next change in this transaction, or nil.
    @_lifetime(borrow self)
    public func value(_ table: Table, _ key: Key) throws(LMDBError) -> RawSpan? {
        guard let found = unsafe try lookUp(open, table, key) else { return nil }
        return unsafe _overrideLifetime(RawSpan(_unsafeBytes: found), borrowing: self)
    }

    /// Sets the value of `key`.
    public mutating func put(_ table: Table, _ key: Key, _ value: RawSpan) throws(LMDBError) {
        try store(table, key, value, flags: 0)
    }

    /// Adds a key that must be greater than every key of the table; throws otherwise. The only write the journal knows.
    public mutating func append(_ table: Table, _ key: Key, _ value: RawSpan) throws(LMDBError) {
        try store(table, key, value, flags: UInt32(MDB_APPEND))
    }

    /// As ``append(_:_:_:)`` while keys ascend, as ``put(_:_:_:)`` where one does not: fills pages fully when it can.
    public mutating func putAscending(_ table: Table, _ key: Key, _ value: RawSpan) throws(LMDBError) {
        let code = storeCode(table, key, value, flags: UInt32(MDB_APPEND))
        if code == MDB_KEYEXIST { try store(table, key, value, flags: 0) } else { try check(code, .put) }
    }

    private mutating func storeCode(_ table: Table, _ key: Key, _ value: RawSpan, flags: UInt32) -> Int32 {
        let handle = unsafe open
        return unsafe key.withBytes { keyBytes in
            unsafe value.withUnsafeBytes { valueBytes in
                var name = unsafe MDB_val(
                    mv_size: keyBytes.count, mv_data: UnsafeMutableRawPointer(mutating: keyBytes.baseAddress))
                var data = unsafe MDB_val(
                    mv_size: valueBytes.count, mv_data: UnsafeMutableRawPointer(mutating: valueBytes.baseAddress))
                return unsafe mdb_put(handle, table.handle, &name, &data, flags)
            }
        }
    }

    private mutating func store(_ table: Table, _ key: Key, _ value: RawSpan, flags: UInt32) throws(LMDBError) {
        try check(storeCode(table, key, value, flags: flags), .put)
    }

    /// Removes `key`; false when it was not there.
    @discardableResult
    public mutating func delete(_ table: Table, _ key: Key) throws(LMDBError) -> Bool {
        let handle = unsafe open
        let code = unsafe key.withBytes { bytes in
            var name = unsafe MDB_val(
                mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return unsafe mdb_del(handle, table.handle, &name, nil)
        }
        if code == MDB_NOTFOUND { return false }
        try check(code, .delete)
        return true
    }

    /// Empties `table`.
    public mutating func clear(_ table: Table) throws(LMDBError) {
        try check(unsafe mdb_drop(open, table.handle, 0), .delete)
    }

    /// Runs `body` with a cursor on `table`.
    public mutating func cursor<Result: ~Copyable>(
        _ table: Table, _ body: (inout Cursor) throws -> Result
    ) throws -> Result {
        var cursor = unsafe try Cursor(transaction: open, table: table)
        return try body(&cursor)
    }

    /// How many keys `table` has.
    public func count(_ table: Table) throws(LMDBError) -> Int { unsafe try entryCount(open, table) }
}
