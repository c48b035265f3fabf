internal import Glibc
public import SystemPackage

/// An open regular file: reads and writes at offsets, and says where and why it could not.
///
/// Every call is repeated after `EINTR` and after a short transfer, so that a caller sees all of it done or an error.
public final class File: Sendable {
    public let path: FilePath
    private let descriptor: Int32

    public enum Mode: Sendable {
        case read
        case readWrite
        /// Must not exist.
        case create
    }

    /// Opens `path`; never follows a symbolic link as the last component.
    public init(_ path: FilePath, _ mode: Mode) throws(FileError) {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            }
        descriptor = path.withPlatformString { Glibc.open($0, flags | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        guard descriptor >= 0 else { throw FileError.last(mode == .create ? "create" : "open", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    public func size() throws(FileError) -> Int {
        var found = stat()
        guard fstat(descriptor, &found) == 0 else { throw FileError.last("stat", path) }
        return Int(found.st_size)
    }

    /// Fills `buffer` from `offset`; returns how many bytes there were (fewer only at the end of the file).
    public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError.last("read", path)
            }
            done += count
        }
        return done
    }

    /// `count` bytes from `offset`, or as many as there are.
    public func read(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(FileError) {
                filled = try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
                filled = 0
            }
        }
        if let failure { throw failure }
        return bytes
    }

    public func write(_ bytes: RawSpan, at offset: Int) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
                if count < 0 {
                    if errno == EINTR { continue }
                    failure = FileError.last("write", path)
                    return
                }
                done += count
            }
        }
        if let failure { throw failure }
    }

    /// Puts what was written on the disk (`fdatasync`). After a failure nothing written since may be believed.
    public func sync() throws(FileError) {
        while fdatasync(descriptor) != 0 {
            if errno == EINTR { continue }
            throw FileError.last("sync", path)
        }
    }

    /// Lets the kernel forget what it remembers of the file: what is read next comes from the disk.
    public func forgetCached() { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

    public func truncate(to size: Int) throws(FileError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileError.last("truncate", path) }
    }
}
