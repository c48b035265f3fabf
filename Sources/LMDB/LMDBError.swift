internal import CLMDB
internal import Glibc

/// What LMDB answered when it did not do as it was asked.
public struct LMDBError: Error, Hashable, Sendable, CustomStringConvertible {
    /// LMDB's own code (negative) or an `errno` (positive).
    public let code: Int32
    /// What was being done.
    public let during: Step

    public enum Step: String, Hashable, Sendable {
        case open, begin, table, get, put, delete, cursor, commit, sync, copy, stat
    }

    init(code: Int32, during: Step) {
        self.code = code
        self.during = during
    }

    /// The disk, or the quota, is full. LMDB reports a short write as `EIO`: ask the file system before
    /// telling a person that the disk is broken.
    public var mayBeNoSpace: Bool { isInputOutput || code == ENOSPC || code == EDQUOT }
    /// `EIO`: the disk, or a write that was cut short.
    public var isInputOutput: Bool { code == EIO }
    /// The process may not write here.
    public var isPermission: Bool { [EACCES, EPERM, EROFS].contains(code) }
    /// `data.mdb` is not there, or its directory.
    public var isMissing: Bool { code == ENOENT }
    /// LMDB says itself that the file is not what it should be.
    public var isDamage: Bool {
        // No sound tree is deeper than a cursor's stack.
        [
            MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_VERSION_MISMATCH, MDB_PANIC, MDB_INCOMPATIBLE,
            MDB_BAD_TXN, MDB_CURSOR_FULL,
        ].contains(code)
    }

    public var description: String {
        let text = unsafe mdb_strerror(code).map { unsafe String(cString: $0) } ?? "code \(code)"
        return "LMDB \(during.rawValue): \(text) (\(code))"
    }
}

/// Turns a return code into an error.
func check(_ code: Int32, _ step: LMDBError.Step) throws(LMDBError) {
    if code != 0 { throw LMDBError(code: code, during: step) }
}
