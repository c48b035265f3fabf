internal import CLinux
internal import Glibc

/// Reads the entries of a directory by `getdents64`.
///
/// Not `readdir`: glibc makes a directory that was removed meanwhile (`ENOENT`) look like the end of an empty one, and
/// then every message in it would seem deleted.
struct DirectoryReader: ~Copyable {
    /// What the directory says of an entry; `unknown` on file systems that do not.
    enum Kind: Hashable {
        case regular, directory, symbolicLink, other, unknown
    }

    private let descriptor: Descriptor
    private let path: [UInt8]
    private var buffer: [UInt8]
    private var position = 0
    private var end = 0

    /// Begins at the first entry of the directory behind `directory`, by a description of its own.
    init(_ directory: Int32, path: [UInt8], bufferSize: Int = 65_536) throws(MaildirError) {
        let raw = openAt(directory, [UInt8(ascii: ".")], O_RDONLY | O_DIRECTORY)
        if raw < 0 { throw .system(errno: errno, during: .list, path: path) }
        descriptor = Descriptor(raw)
        self.path = path
        buffer = [UInt8](repeating: 0, count: bufferSize)
    }

    /// Calls `body` with each entry but `.` and `..`: the buffer, where in it the name is, and the kind.
    mutating func readAll(_ body: (borrowing [UInt8], Range<Int>, Kind) throws(MaildirError) -> Void)
        throws(MaildirError)
    {
        while try fill() {
            while position < end {
                // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name with NUL.
                guard end - position >= 20 else { throw .system(errno: EIO, during: .list, path: path) }
                let length = Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
                guard length >= 20, length <= end - position else {
                    throw .system(errno: EIO, during: .list, path: path)
                }
                let first = position + 19
                // The NUL is in the last eight octets: the record is padded to a multiple of eight.
                var last = max(first, position + length - 8)
                while last < position + length, buffer[last] != 0 { last += 1 }
                let kind = Self.kind(buffer[position + 18])
                position += length
                let isDot =
                    buffer[first] == UInt8(ascii: ".")
                    && (last == first + 1 || (last == first + 2 && buffer[first + 1] == UInt8(ascii: ".")))
                if !isDot { try body(buffer, first..<last, kind) }
            }
        }
    }

    /// Reads a part of the directory and forgets it.
    mutating func readSome() throws(MaildirError) { _ = try fill() }

    private mutating func fill() throws(MaildirError) -> Bool {
        position = 0
        end = 0
        while true {
            let raw = descriptor.raw
            let count = buffer.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { getdents64(raw, $0, bytes.count) } ?? -1
            }
            if count > 0 {
                end = count
                return true
            }
            if count == 0 { return false }
            if errno != EINTR { throw .system(errno: errno, during: .list, path: path) }
        }
    }

    private static func kind(_ type: UInt8) -> Kind {
        switch type {
        case 0: .unknown
        case 4: .directory
        case 8: .regular
        case 10: .symbolicLink
        default: .other
        }
    }

    /// The kind by `fstatat`, for file systems that do not tell it. nil: the entry is gone.
    static func kind(of name: [UInt8], in directory: Int32, path: [UInt8]) throws(MaildirError) -> Kind? {
        guard let status = statusAt(directory, name) else {
            if errno == ENOENT { return nil }
            throw .system(errno: errno, during: .stat, path: path.appending(component: name))
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .regular
        case S_IFDIR: return .directory
        case S_IFLNK: return .symbolicLink
        default: return .other
        }
    }
}
