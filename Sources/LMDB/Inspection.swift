internal import Glibc

/// What can be said of an environment's file before LMDB is trusted with it: LMDB opens a file that was cut off, and
/// dies of it at the first page that is missing.
public enum Inspection: Hashable, Sendable {
    case sound
    case missing
    /// Not an LMDB file, or one whose pages are not all there.
    case damaged(String)

    /// Looks at the size and the two meta pages of `directory/data.mdb` by reading, not by mapping.
    public init(of directory: String) {
        let descriptor = unsafe open(directory + "/data.mdb", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            self = errno == ENOENT ? .missing : .damaged("it cannot be opened (errno \(errno))")
            return
        }
        defer { close(descriptor) }
        var found = stat()
        guard unsafe fstat(descriptor, &found) == 0 else {
            self = .damaged("its size cannot be read (errno \(errno))")
            return
        }
        var bytes = [UInt8](repeating: 0, count: 2 * Inspection.pageSize)
        let size = bytes.count
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, size, 0) }
        guard count == bytes.count else {
            self = .damaged("it is cut off after \(found.st_size) bytes")
            return
        }
        let span = unsafe bytes.span.bytes
        let pages = [0, Inspection.pageSize].compactMap { MetaPage(span.extracting($0..<$0 + Inspection.pageSize)) }
        guard pages.count == 2, let newest = pages.max(by: { $0.transaction < $1.transaction }) else {
            self = .damaged("a meta page is not LMDB's")
            return
        }
        let needed = (newest.lastPage &+ 1) &* UInt64(Inspection.pageSize)
        guard UInt64(found.st_size) >= needed else {
            self = .damaged("it has \(found.st_size) bytes and must have \(needed)")
            return
        }
        self = .sound
    }

    private static let pageSize = 4096
}

/// The parts of LMDB 0.9's meta page that can be held against the file. In the machine's own byte order.
private struct MetaPage {
    let lastPage: UInt64
    let transaction: UInt64

    init?(_ page: RawSpan) {
        let flags = unsafe page.unsafeLoadUnaligned(fromByteOffset: 10, as: UInt16.self)
        let magic = unsafe page.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt32.self)
        let version = unsafe page.unsafeLoadUnaligned(fromByteOffset: 20, as: UInt32.self)
        let pageSize = unsafe page.unsafeLoadUnaligned(fromByteOffset: 40, as: UInt32.self)
        guard flags & 0x08 != 0, magic == 0xBEEF_C0DE, version == 1, pageSize == 4096 else { return nil }
        lastPage = unsafe page.unsafeLoadUnaligned(fromByteOffset: 136, as: UInt64.self)
        transaction = unsafe page.unsafeLoadUnaligned(fromByteOffset: 144, as: UInt64.self)
    }
}
