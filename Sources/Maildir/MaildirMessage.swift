internal import CLinux
internal import Glibc

/// A moment as a file system stores it.
public struct FileTime: Hashable, Sendable {
    /// Since 1970, rounded down.
    public let seconds: Int64
    /// Of the second, 0 ..< 1,000,000,000.
    public let nanoseconds: Int32

    public init(seconds: Int64, nanoseconds: Int32 = 0) { (self.seconds, self.nanoseconds) = (seconds, nanoseconds) }

    init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: Int32(truncatingIfNeeded: time.tv_nsec))
    }
}

/// A message's file, open for reading. Reading leaves its access time alone where the system allows that.
public struct MaildirMessage: ~Copyable {
    /// Where the file was found, which is not where it was listed if its flags changed since.
    public let place: MaildirPlace
    public let name: [UInt8]
    /// Octets.
    public let size: Int64
    /// What Maildir servers give as INTERNALDATE.
    public let modified: FileTime
    public let identity: FileIdentity
    private let file: Descriptor

    init(file: consuming Descriptor, place: MaildirPlace, name: [UInt8], path: [UInt8]) throws(MaildirError) {
        let status = try fileStatus(of: file.raw, path: path)
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notARegularFile(name: name) }
        self.place = place
        self.name = name
        self.file = file
        size = Int64(status.st_size)
        modified = FileTime(status.st_mtim)
        identity = FileIdentity(status)
    }

    /// Reads the whole message into `buffer`, which is replaced and can be used again. Throws
    /// ``MaildirError/tooLarge(name:size:)`` beyond `limit` octets.
    public func read(into buffer: inout [UInt8], limit: Int = 1 << 30) throws(MaildirError) {
        guard let size = Int(exactly: size), size <= limit, size < Int.max else {
            throw .tooLarge(name: name, size: size)
        }
        // One octet more, so that the end is seen by the same call that reads the last of it.
        if buffer.count < size + 1 { buffer.append(contentsOf: repeatElement(0, count: size + 1 - buffer.count)) }
        var length = 0
        while length < buffer.count {
            let count = readOnce(file.raw, into: &buffer, at: length)
            if count < 0 { throw .system(errno: errno, during: .read, path: name) }
            if count == 0 { break }
            length += count
        }
        if length != size { throw .changedWhileRead(name: name) }
        buffer.removeLast(buffer.count - length)
    }

    /// Calls `body` with one chunk after another, in order, each of at most `buffer.count` octets; the buffer (64 KiB if
    /// it is empty) is the caller's, to be used again. Throws ``MaildirError/changedWhileRead(name:)`` after the
    /// chunks when they were not as many octets as ``size``.
    public func withChunks(_ buffer: inout [UInt8], _ body: (Span<UInt8>) throws -> Void) throws {
        if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: 65_536) }
        var total: Int64 = 0
        while true {
            let count = readOnce(file.raw, into: &buffer)
            if count < 0 { throw MaildirError.system(errno: errno, during: .read, path: name) }
            if count == 0 { break }
            total += Int64(count)
            if total > size { break }
            try body(buffer.span.extracting(0..<count))
        }
        if total != size { throw MaildirError.changedWhileRead(name: name) }
    }
}

extension MaildirMessage {
    /// Reads from `offset` into `buffer`, as much as one call gives; 0 at the end.
    public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(MaildirError) -> Int {
        while true {
            let count = pread(file.raw, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw .system(errno: errno, during: .read, path: name) }
        }
    }
}

extension MaildirDirectory {
    /// Opens the message listed as `name` in `place`. If it has another name by now (its flags changed, or it went
    /// from `new` to `cur`), it is looked for by its base name. Throws ``MaildirError/vanished(name:)`` if it is
    /// nowhere, ``MaildirError/notARegularFile(name:)`` if something else has its name.
    public func message(_ name: some Collection<UInt8>, in place: MaildirPlace) throws(MaildirError) -> MaildirMessage {
        let name = Array(name)
        if let message = try open(name, in: place) { return message }
        let base = MaildirFileName(parsing: name).base
        for _ in 0..<8 {
            let listing = try list()
            guard let position = listing.position(ofBaseName: base) else {
                if listing.isExact { throw .vanished(name: name) }
                continue
            }
            let found = Array(listing.name(at: position))
            if let message = try open(found, in: listing[position].place) { return message }
        }
        throw .vanished(name: name)
    }

    /// nil when there is no such file.
    private func open(_ name: [UInt8], in place: MaildirPlace) throws(MaildirError) -> MaildirMessage? {
        guard isPlainName(name) else { throw .unrepresentable(name: name) }
        let path = path(of: place).appending(component: name)
        // NONBLOCK and NOCTTY: a FIFO or a terminal in the place of a message must not hold us up.
        let flags = O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
        var raw = openAt(descriptor(of: place), name, flags | Int32(CLINUX_O_NOATIME))
        // NOATIME is for the owner only.
        if raw < 0, errno == EPERM { raw = openAt(descriptor(of: place), name, flags) }
        if raw >= 0 { return try MaildirMessage(file: Descriptor(raw), place: place, name: name, path: path) }
        switch errno {
        case ENOENT: return nil
        case ELOOP, ENXIO: throw .notARegularFile(name: name)
        default: throw .system(errno: errno, during: .open, path: path)
        }
    }
}

/// Whether the bytes are the name of an entry of a directory, and of nothing else.
func isPlainName(_ name: [UInt8]) -> Bool {
    !name.isEmpty && !name.contains(UInt8(ascii: "/")) && !name.contains(0) && name != [UInt8(ascii: ".")]
        && name != [UInt8(ascii: "."), UInt8(ascii: ".")]
}
