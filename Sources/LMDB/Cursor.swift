internal import CKernels
internal import CLMDB
internal import Glibc

/// A position in a table, lent to a closure by its transaction. Begins before the first key.
@safe public struct Cursor: ~Copyable {
    private let handle: OpaquePointer
    private var found: (key: MDB_val, value: MDB_val)
    private var page: UInt = 0
    /// There is a row here: ``found`` is in the memory map.
    private var isAtRow = false

    init(transaction: OpaquePointer, table: Table) throws(LMDBError) {
        var opened: OpaquePointer?
        try check(unsafe mdb_cursor_open(transaction, table.handle, &opened), .cursor)
        unsafe handle = opened!
        unsafe found = (MDB_val(), MDB_val())
    }

    deinit { unsafe mdb_cursor_close(handle) }

    /// To the next key (the first, at the beginning); false behind the last one. One that does not come after the one before it is damage.
    public mutating func next() throws(LMDBError) -> Bool {
        guard try step(MDB_NEXT) else { return false }
        _ = isOnAnotherPage()
        return true
    }

    /// As ``next()``, for long ascending scans: loads each page before it is read.
    public mutating func nextPrefetching() throws(LMDBError) -> Bool {
        guard try step(MDB_NEXT) else { return false }
        if isOnAnotherPage() { unsafe ck_prefetch_page(found.value.mv_data) }
        return true
    }

    /// To the key before; false before the first.
    public mutating func previous() throws(LMDBError) -> Bool {
        guard try step(MDB_PREV) else { return false }
        _ = isOnAnotherPage()
        return true
    }

    public mutating func first() throws(LMDBError) -> Bool { try move(MDB_FIRST) }

    public mutating func last() throws(LMDBError) -> Bool { try move(MDB_LAST) }

    /// To the first key that is not less than `key`; false when there is none.
    public mutating func seek(_ key: Key) throws(LMDBError) -> Bool {
        let code = unsafe key.withBytes { bytes in
            unsafe found.key = MDB_val(
                mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            let code = unsafe mdb_cursor_get(handle, &found.key, &found.value, MDB_SET_RANGE)
            // A damaged branch page leads astray: what is found must not be before what was looked for.
            return unsafe code == 0
                && Cursor.precedes(UnsafeRawBufferPointer(start: found.key.mv_data, count: found.key.mv_size), bytes)
                ? MDB_CORRUPTED : code
        }
        MappedMemory.touch()
        return try answered(code)
    }

    /// To the last key that is less than `key`; false when there is none.
    public mutating func seekBefore(_ key: Key) throws(LMDBError) -> Bool {
        guard try seek(key) ? try previous() : try last() else { return false }
        let isBefore = unsafe key.withBytes {
            unsafe Cursor.precedes(UnsafeRawBufferPointer(start: found.key.mv_data, count: found.key.mv_size), $0)
        }
        guard isBefore else { throw LMDBError(code: MDB_CORRUPTED, during: .cursor) }
        return true
    }

    private static func precedes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let common = min(left.count, right.count)
        let order = unsafe common == 0 ? 0 : memcmp(left.baseAddress!, right.baseAddress!, common)
        return order < 0 || (order == 0 && left.count < right.count)
    }

    /// A changed place of a row in its page shows the rows in another order.
    private mutating func step(_ operation: MDB_cursor_op) throws(LMDBError) -> Bool {
        let (wasAtRow, before) = unsafe (isAtRow, found.key)
        guard try get(operation) else { return false }
        guard wasAtRow else { return true }
        let (old, new) = unsafe (
            UnsafeRawBufferPointer(start: before.mv_data, count: before.mv_size),
            UnsafeRawBufferPointer(start: found.key.mv_data, count: found.key.mv_size)
        )
        let isAscending = unsafe operation == MDB_NEXT ? Cursor.precedes(old, new) : Cursor.precedes(new, old)
        guard isAscending else { throw LMDBError(code: MDB_CORRUPTED, during: .cursor) }
        return true
    }

    /// The first or the last: what was here before says nothing.
    private mutating func move(_ operation: MDB_cursor_op) throws(LMDBError) -> Bool {
        guard try get(operation) else { return false }
        _ = isOnAnotherPage()
        return true
    }

    /// Whether the value here is on another page than the one before was.
    private mutating func isOnAnotherPage() -> Bool {
        let address = UInt(bitPattern: unsafe found.value.mv_data) >> 12
        guard address != page else { return false }
        page = address
        MappedMemory.touch()
        return true
    }

    private mutating func get(_ operation: MDB_cursor_op) throws(LMDBError) -> Bool {
        try answered(unsafe mdb_cursor_get(handle, &found.key, &found.value, operation))
    }

    private mutating func answered(_ code: Int32) throws(LMDBError) -> Bool {
        isAtRow = code == 0
        if code == 0 { return true }
        if code == MDB_NOTFOUND { return false }
        throw LMDBError(code: code, during: .cursor)
    }

    /// The key here, in the memory map.
    public var key: RawSpan {
        @_lifetime(borrow self) get {
            let bytes = unsafe RawSpan(_unsafeStart: found.key.mv_data, byteCount: found.key.mv_size)
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }

    /// The value here, in the memory map, aligned to 2 bytes only.
    public var value: RawSpan {
        @_lifetime(borrow self) get {
            let bytes = unsafe RawSpan(_unsafeStart: found.value.mv_data, byteCount: found.value.mv_size)
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }
}
