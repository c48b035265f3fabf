#if canImport(Glibc)
    internal import Glibc
#endif

/// Calls of the operating system, whole and with typed errors.
func errorText(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }

/// An open file, closed at the end of its life.
final class OpenFile: Sendable {
    let descriptor: Int32
    let path: String

    /// Opens `path`; `mode` 0600 for what is created.
    init(_ path: String, _ flags: Int32) throws(BlobError) {
        let opened = unsafe open(path, flags | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw .system(operation: "open", path: path, errno: errno) }
        descriptor = opened
        self.path = path
    }

    deinit { close(descriptor) }

    private func failure(_ operation: String) -> BlobError {
        .system(operation: operation, path: path, errno: errno)
    }

    func size() throws(BlobError) -> Int {
        var found = stat()
        guard unsafe fstat(descriptor, &found) == 0 else { throw failure("stat") }
        return Int(found.st_size)
    }

    /// Appends up to `length` bytes from `offset` on to `buffer`; fewer only at the end of the file.
    func read(_ length: Int, at offset: Int, into buffer: ByteBuffer) throws(BlobError) {
        var error: BlobError?
        unsafe buffer.appendTail(length) { room in
            var done = 0
            while done < length {
                let got = unsafe pread(descriptor, room.baseAddress! + done, length - done, off_t(offset + done))
                if got < 0 && errno == EINTR { continue }
                if got < 0 { error = failure("read") }
                if got <= 0 { break }
                done += got
            }
            return done
        }
        if let error { throw error }
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(BlobError) {
        var done = 0
        while done < bytes.byteCount {
            let put = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(descriptor, $0.baseAddress! + done, $0.count - done, off_t(offset + done))
            }
            if put < 0 && errno == EINTR { continue }
            guard put > 0 else { throw failure("write") }
            done += put
        }
    }

    /// Data, and the size the data needs.
    func syncData() throws(BlobError) {
        guard fdatasync(descriptor) == 0 else { throw failure("fdatasync") }
    }

    func truncate(to length: Int) throws(BlobError) {
        guard ftruncate(descriptor, off_t(length)) == 0 else { throw failure("truncate") }
    }

    /// Takes the exclusive lock of the file, or returns false when another process has it.
    func tryLock() throws(BlobError) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw failure("lock")
    }

    func unlock() { flock(descriptor, LOCK_UN) }

    /// Makes the names in a directory durable.
    static func syncDirectory(_ path: String) throws(BlobError) {
        let directory = try OpenFile(path, O_RDONLY | O_DIRECTORY)
        guard fsync(directory.descriptor) == 0 else { throw .system(operation: "fsync", path: path, errno: errno) }
    }

    /// Creates the directory (0700) unless there is one. True when created.
    @discardableResult
    static func makeDirectory(_ path: String) throws(BlobError) -> Bool {
        if unsafe mkdir(path, 0o700) == 0 { return true }
        if errno == EEXIST { return false }
        throw .system(operation: "mkdir", path: path, errno: errno)
    }

    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
}
