internal import Glibc
public import SystemPackage

/// A file whose exclusive `flock` stands for something only one may do at a time, among processes and among the
/// ``LockFile`` values of one process. The kernel lets go when the process dies.
public final class LockFile: Sendable {
    private let descriptor: Int32
    private let path: FilePath

    /// Opens the file, which is created when missing.
    public init(_ path: FilePath) throws(FileError) {
        descriptor = path.withPlatformString { Glibc.open($0, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        guard descriptor >= 0 else { throw FileError.last("open lock file", path) }
        self.path = path
    }

    /// Opens a file that must be there.
    public init(existing path: FilePath) throws(FileError) {
        descriptor = path.withPlatformString { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        guard descriptor >= 0 else { throw FileError.last("open lock file", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Waits for the lock.
    public func lock() throws(FileError) {
        while flock(descriptor, LOCK_EX) != 0 {
            if errno == EINTR { continue }
            throw FileError.last("lock", path)
        }
    }

    /// Waits for the lock, shared: others may have it so at the same time.
    public func lockShared() throws(FileError) {
        while flock(descriptor, LOCK_SH) != 0 {
            if errno == EINTR { continue }
            throw FileError.last("lock", path)
        }
    }

    /// Takes the lock unless another holds it.
    public func tryLock() throws(FileError) -> Bool {
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            if errno == EWOULDBLOCK { return false }
            throw FileError.last("lock", path)
        }
        return true
    }

    public func unlock() { flock(descriptor, LOCK_UN) }
}
