internal import Glibc

/// A file that is replaced whole, under a lock file `NAME.lock` beside it, which then takes its place: as Dovecot does.
struct LockedFile: ~Copyable {
    private let directory: Int32
    private let name: [UInt8]
    private let lockName: [UInt8]
    private let path: [UInt8]
    private let file: Descriptor
    private var isReplaced = false

    /// Throws ``MaildirError/locked(path:)`` if another has the lock.
    init(_ name: [UInt8], in directory: Int32, path: [UInt8]) throws(MaildirError) {
        lockName = name + [UInt8](ascii: ".lock")
        let raw = openAt(directory, lockName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        if raw < 0 {
            if errno == EEXIST { throw .locked(path: path) }
            throw .system(errno: errno, during: .create, path: path)
        }
        (self.directory, self.name, self.path) = (directory, name, path)
        file = Descriptor(raw)
    }

    /// Removes the lock, unless it took the file's place: then one of that name is another's.
    deinit { if !isReplaced { _ = withPath(lockName) { unlinkat(directory, $0, 0) } } }

    mutating func replace(with content: [UInt8], durable: Bool) throws(MaildirError) {
        try writeAll(file.raw, content.span, path: path)
        if durable, fsync(file.raw) != 0 { throw .system(errno: errno, during: .sync, path: path) }
        let result = withPath(lockName) { old in withPath(name) { new in renameat(directory, old, directory, new) } }
        if result != 0 { throw .system(errno: errno, during: .rename, path: path) }
        isReplaced = true
        if durable, fsync(directory) != 0 { throw .system(errno: errno, during: .sync, path: path) }
    }
}

/// Writes all of it, again after a signal.
func writeAll(_ descriptor: Int32, _ bytes: Span<UInt8>, path: [UInt8]) throws(MaildirError) {
    var written = 0
    while written < bytes.count {
        let count = bytes.extracting(written..<bytes.count).withUnsafeBytes { part in
            write(descriptor, part.baseAddress, part.count)
        }
        if count < 0 {
            if errno == EINTR { continue }
            throw .system(errno: errno, during: .write, path: path)
        }
        written += count
    }
}
