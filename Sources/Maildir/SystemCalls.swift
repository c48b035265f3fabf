internal import CLinux
internal import Glibc

/// An open file descriptor, closed with its owner.
struct Descriptor: ~Copyable, Sendable {
    let raw: Int32
    init(_ raw: Int32) { self.raw = raw }
    deinit { close(raw) }
}

/// Device and inode: the same directory, whatever its name.
public struct FileIdentity: Hashable, Sendable {
    public let device: UInt64
    public let inode: UInt64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}

func errorText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error" }
    return String(cString: text)
}

/// Calls `body` with the NUL-terminated name. A name that has a NUL in it is refused with `EINVAL`, not cut short.
func withPath(_ bytes: some Sequence<UInt8>, _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
    var terminated: [CChar] = []
    terminated.reserveCapacity(bytes.underestimatedCount + 1)
    for byte in bytes {
        if byte == 0 {
            errno = EINVAL
            return -1
        }
        terminated.append(CChar(bitPattern: byte))
    }
    terminated.append(0)
    return terminated.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else {
            errno = EINVAL
            return -1
        }
        return body(base)
    }
}

/// `openat`, again after a signal. -1 leaves `errno`.
func openAt(_ directory: Int32, _ name: some Sequence<UInt8>, _ flags: Int32, mode: mode_t = 0) -> Int32 {
    withPath(name) { path in
        while true {
            let descriptor = openat(directory, path, flags | O_CLOEXEC, mode)
            if descriptor >= 0 || errno != EINTR { return descriptor }
        }
    }
}

/// Opens a directory without following a link in its last component.
func openDirectory(
    at directory: Int32, _ name: [UInt8], path: [UInt8], followLink: Bool = false
) throws(MaildirError) -> Descriptor {
    let raw = openAt(directory, name, O_RDONLY | O_DIRECTORY | (followLink ? 0 : O_NOFOLLOW))
    if raw >= 0 { return Descriptor(raw) }
    let code = errno
    // O_DIRECTORY | O_NOFOLLOW says ENOTDIR of a symbolic link.
    if code == ENOTDIR || code == ELOOP, let status = statusAt(directory, name),
        status.st_mode & S_IFMT == S_IFLNK
    {
        throw .symbolicLink(path: path)
    }
    throw .system(errno: code, during: .open, path: path)
}

/// `fstatat` without following a link; nil leaves `errno`.
func statusAt(_ directory: Int32, _ name: some Sequence<UInt8>) -> stat? {
    var status = stat()
    let result = withPath(name) { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }
    return result == 0 ? status : nil
}

func fileStatus(of descriptor: Int32, path: [UInt8]) throws(MaildirError) -> stat {
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw .system(errno: errno, during: .stat, path: path) }
    return status
}

/// Reads once into `buffer`; 0 at the end of the file, -1 leaves `errno`.
func readOnce(_ descriptor: Int32, into buffer: inout [UInt8], at offset: Int = 0) -> Int {
    buffer.withUnsafeMutableBytes { bytes in
        guard offset < bytes.count, let base = bytes.baseAddress else { return 0 }
        while true {
            let count = read(descriptor, base + offset, bytes.count - offset)
            if count >= 0 || errno != EINTR { return count }
        }
    }
}

/// Reads a small file whole, at most `limit` octets. nil when there is none.
func readSmallFile(
    at directory: Int32, _ name: [UInt8], path: [UInt8], limit: Int
) throws(MaildirError) -> [UInt8]? {
    let raw = openAt(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
    if raw < 0 {
        if errno == ENOENT { return nil }
        throw .system(errno: errno, during: .open, path: path)
    }
    let file = Descriptor(raw)
    let status = try fileStatus(of: file.raw, path: path)
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notARegularFile(name: path) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = readOnce(file.raw, into: &buffer)
        if count < 0 { throw .system(errno: errno, during: .read, path: path) }
        if count == 0 { return content }
        content.append(contentsOf: buffer[..<count])
        if content.count > limit { throw .tooLarge(name: path, size: Int64(status.st_size)) }
    }
}

extension [UInt8] {
    init(ascii text: StaticString) { self = text.withUTF8Buffer { Array($0) } }

    /// `self/name`.
    func appending(component name: some Sequence<UInt8>) -> [UInt8] {
        var path = self
        if path.last != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
        path.append(contentsOf: name)
        return path
    }
}
