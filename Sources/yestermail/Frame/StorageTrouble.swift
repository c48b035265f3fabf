internal import Blobs
internal import Events
internal import Files
internal import Glibc
internal import LMDB
internal import Presentation
internal import SystemPackage

/// The vault's own disk does not take what is written: it is full, read-only, or fails.
struct StorageTrouble {
    let failure: Failure
    /// What was written last may not be what is on the disk: the vault is to be verified before it is written to again.
    var isSuspicious: Bool { failure.code == .failed }

    /// One group of blobs, and the records of it.
    static let neededBytes: UInt64 = 32 << 20
    /// Below this, LMDB's input/output error is that of a full disk.
    private static let fullBytes: UInt64 = 4 << 20

    /// Nil when `error` is something else.
    init?(_ error: any Error, vault: FilePath) {
        let code: Int32
        switch error {
        case let error as FileError: code = error.code.rawValue
        case let error as LMDBError: code = error.code
        case BlobError.system(_, _, let errno): code = errno
        case BlobError.suspect: code = EIO
        case let error as Failure where error.code == .noSpace: code = ENOSPC
        default: return nil
        }
        // Where even that cannot be asked, the error speaks for itself.
        let free = (try? Directory.freeBytes(vault)) ?? .max
        switch code {
        case ENOSPC, EDQUOT,
            EIO where free < StorageTrouble.fullBytes:
            let room = free == .max ? "" : " (\(Quantity.bytes(free)) are free)"
            failure = Failure(
                .noSpace, "no space left for the vault in \(vault): \(error)",
                hint:
                    "Free at least \(Quantity.bytes(StorageTrouble.neededBytes)) on its file system\(room): what has been recorded is kept"
            )
        case EROFS:
            failure = Failure(
                .permission, "the file system of the vault in \(vault) has become read-only: \(error)",
                hint: "Look for the cause (dmesg) and mount it for writing again: what has been recorded is kept")
        case EIO:
            failure = Failure(
                .failed, "the disk of the vault in \(vault) fails: \(error)",
                hint: "Look for the cause (dmesg); then run: yestermail check --read-data")
        default: return nil
        }
    }
}
