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
            self = errno == ENOENT || errno == ENOTDIR ? .missing : .damaged("it cannot be opened (errno \(errno))")
            return
        }
        defer { close(descriptor) }
        var found = Inspection(descriptor)
        // A commit may be on its way: the two pages are not read in one moment.
        for _ in 0..<3 where found != .sound {
            usleep(500)
            found = Inspection(descriptor)
        }
        self = found
    }

    private init(_ descriptor: Int32) {
        var found = stat()
        guard unsafe fstat(descriptor, &found) == 0 else {
            self = .damaged("its size cannot be read (errno \(errno))")
            return
        }
        guard let bytes = readFully(descriptor, 0, 2 * Inspection.pageSize) else {
            self = .damaged("it is cut off after \(found.st_size) bytes")
            return
        }
        let span = unsafe bytes.span.bytes
        let pages = [0, Inspection.pageSize].compactMap { MetaPage(span.extracting($0..<$0 + Inspection.pageSize)) }
        guard pages.count == 2 else {
            self = .damaged("a meta page is not LMDB's")
            return
        }
        // The pages are written in turn: the even transactions on the first, the odd ones on the second. Anything else is a
        // number that was changed, by which LMDB would take an older state for the newest.
        let numbers = pages.map(\.transaction)
        let isFresh = numbers == [0, 0]
        guard
            isFresh
                || (numbers[0] % 2 == 0 && numbers[1] % 2 == 1
                    && (numbers[0] ^ numbers[1] == 1 || numbers[0] == numbers[1] + 1))
        else {
            self = .damaged("its meta pages do not follow each other (transactions \(numbers[0]) and \(numbers[1]))")
            return
        }
        for page in pages {
            let needed = (page.lastPage &+ 1) &* UInt64(Inspection.pageSize)
            guard UInt64(found.st_size) >= needed, page.lastPage < 1 << 40 else {
                // The older page's snapshot may have been larger than a file that was made smaller: it never is.
                self = .damaged("it has \(found.st_size) bytes and must have \(needed)")
                return
            }
        }
        // Of the older one only its number is ever used: when the write of a meta page fails, LMDB puts back the number and the size of
        // the old one, but not its roots.
        let newest = numbers[0] > numbers[1] ? pages[0] : pages[1]
        guard [newest.main, newest.free].allSatisfy({ $0.isEmpty || $0.root <= newest.lastPage }) else {
            self = .damaged("a meta page names a page beyond the end")
            return
        }
        self = .sound
    }

    /// Whether nothing was ever committed to the environment in `directory`: whoever was making it died. LMDB makes it anew.
    public static func isUnbegun(_ directory: String) -> Bool {
        let descriptor = unsafe open(directory + "/data.mdb", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var found = stat()
        guard unsafe fstat(descriptor, &found) == 0 else { return false }
        if found.st_size == 0 { return true }
        guard let bytes = readFully(descriptor, 0, 2 * pageSize) else { return false }
        let span = unsafe bytes.span.bytes
        let pages = [0, pageSize].compactMap { MetaPage(span.extracting($0..<$0 + pageSize)) }
        return pages.map(\.transaction) == [0, 0]
    }

    static let pageSize = 4096
}

/// The parts of LMDB 0.9's meta page that can be held against the file. In the machine's own byte order.
struct MetaPage {
    let lastPage: UInt64
    let transaction: UInt64
    let free, main: TableDescription

    init?(_ page: RawSpan) {
        let flags = unsafe page.unsafeLoadUnaligned(fromByteOffset: 10, as: UInt16.self)
        let magic = unsafe page.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt32.self)
        let version = unsafe page.unsafeLoadUnaligned(fromByteOffset: 20, as: UInt32.self)
        let pageSize = unsafe page.unsafeLoadUnaligned(fromByteOffset: 40, as: UInt32.self)
        guard flags & 0x08 != 0, magic == 0xBEEF_C0DE, version == 1, pageSize == 4096 else { return nil }
        free = TableDescription(page.extracting(40..<88))
        main = TableDescription(page.extracting(88..<136))
        lastPage = unsafe page.unsafeLoadUnaligned(fromByteOffset: 136, as: UInt64.self)
        transaction = unsafe page.unsafeLoadUnaligned(fromByteOffset: 144, as: UInt64.self)
    }
}
