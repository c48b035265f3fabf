internal import Events
internal import Glibc
internal import Mbox

/// Old mail in files, as sources that are read once.
public enum ArchiveFormat: String, Hashable, Sendable, CaseIterable {
    case mbox, maildir, eml

    /// Opens what stands at `path`; without a format it is found out: a directory with `cur` or `new` is a Maildir, another
    /// directory is searched for `.eml` files, a file that begins with `From ` is an mbox, any other is one message.
    public static func open(path: String, format: ArchiveFormat?) throws -> any Source {
        var found = stat()
        guard stat(path, &found) == 0 else {
            throw Failure(.notFound, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        let isDirectory = found.st_mode & S_IFMT == S_IFDIR
        do {
            switch try format ?? guess(path, isDirectory) {
            case .maildir: return try MaildirSource(path: path)
            case .eml: return try EmlSource(path: path, isDirectory: isDirectory)
            case .mbox: return try MboxSource(path: path)
            }
        } catch let failure as SourceFailure {
            throw Failure(.notFound, "\(path) cannot be read: \(failure)", hint: "Say what it is with --format")
        }
    }

    private static func guess(_ path: String, _ isDirectory: Bool) throws -> ArchiveFormat {
        if isDirectory {
            let isMaildir = ["cur", "new"].contains { access(path + "/" + $0, F_OK) == 0 }
            return isMaildir ? .maildir : .eml
        }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw Failure(.permission, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var beginning = [UInt8](repeating: 0, count: 5)
        let count = pread(descriptor, &beginning, 5, 0)
        return count == 5 && beginning == Array("From ".utf8) ? .mbox : .eml
    }
}

/// An mbox file as a ``Source`` with one folder, called as the file is.
struct MboxSource: Source {
    private let path: String
    private let reader: MboxReader

    init(path: String) throws {
        self.path = path
        do throws(MboxError) { reader = try MboxReader(path: path) } catch {
            throw SourceFailure.unavailable("\(error)")
        }
    }

    func identity() throws -> [UInt8] { Array(path.utf8) }

    func folders() throws -> [SourceFolder] {
        var name = path.split(separator: "/").last.map(String.init) ?? "mbox"
        for ending in [".mbox", ".mboxrd", ".mbx"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
        return [SourceFolder(name: Array(path.utf8), path: [Array(name.utf8)], identity: [])]
    }

    func list(_ folder: SourceFolder) throws -> any SourceListing {
        var reader = reader
        var messages: [MboxMessage] = []
        do throws(MboxError) {
            while let message = try reader.next() { messages.append(message) }
        } catch {
            throw SourceFailure.unavailable("\(path): \(error)")
        }
        return MboxListing(reader: self.reader, messages: messages, path: path)
    }
}

private struct MboxListing: SourceListing {
    let reader: MboxReader
    let messages: [MboxMessage]
    let path: String

    var count: Int { messages.count }
    var passedOver: [String] { [] }

    /// The message's place in the file.
    func name(_ position: Int) -> ArraySlice<UInt8> { ArraySlice("\(messages[position].range.lowerBound)".utf8) }

    func position(_ name: [UInt8]) -> Int? {
        guard let offset = Int64(String(decoding: name, as: UTF8.self)) else { return nil }
        return messages.firstIndex { $0.range.lowerBound == offset }
    }

    func flags(_ position: Int) -> MessageFlags {
        let status = status(position)
        var flags: MessageFlags = []
        if status.isSeen { flags.insert(.seen) }
        if status.isAnswered { flags.insert(.answered) }
        if status.isFlagged { flags.insert(.flagged) }
        if status.isDeleted { flags.insert(.deleted) }
        if status.isDraft { flags.insert(.draft) }
        return flags
    }

    func keywords(_ position: Int) -> [[UInt8]] {
        Set(status(position).keywords).sorted { $0.lexicographicallyPrecedes($1) }
    }

    private func status(_ position: Int) -> MboxStatus {
        var reader = reader
        var header: [UInt8] = []
        // A header that cannot be read has no flags; the message itself will say why.
        try? reader.withContent(of: messages[position]) { chunk in
            for index in 0..<chunk.count { header.append(chunk[index]) }
            if header.count >= 1 << 16 { throw SourceFailure.vanished("") }
        }
        return MboxStatus(parsing: header.span)
    }

    func open(_ position: Int) throws -> any SourceMessage {
        MboxSourceMessage(mbox: reader, message: messages[position], path: path)
    }
}

private struct MboxSourceMessage: SourceMessage {
    let mbox: MboxReader
    let message: MboxMessage
    let path: String

    var size: UInt64 { UInt64(message.content.count) }
    var internalDate: Timestamp { Timestamp(seconds: message.postmark.date ?? 0) }

    func read(into buffer: inout [UInt8]) throws {
        var reader = mbox
        do throws(MboxError) { try reader.read(message, into: &buffer) } catch {
            throw SourceFailure.unreadable(code: UInt32(EIO), "\(path), byte \(message.range.lowerBound): \(error)")
        }
    }

    /// Undoes the quoting into a file without a name, to be read piece by piece.
    func reader() throws -> any SourceMessageReader {
        guard let file = tmpfile() else { throw SourceFailure.unreadable(code: UInt32(bitPattern: errno), path) }
        let spool = SpooledReader(file)
        var reader = mbox
        try reader.withContent(of: message) { chunk in
            let written = chunk.withUnsafeBufferPointer { fwrite($0.baseAddress, 1, $0.count, file) }
            guard written == chunk.count else { throw SourceFailure.unreadable(code: UInt32(bitPattern: errno), path) }
        }
        rewind(file)
        return spool
    }
}

private final class SpooledReader: SourceMessageReader {
    private let file: UnsafeMutablePointer<FILE>

    init(_ file: UnsafeMutablePointer<FILE>) { self.file = file }

    deinit { fclose(file) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = fread(buffer.baseAddress, 1, buffer.count, file)
        guard count > 0 || ferror(file) == 0 else {
            throw SourceFailure.unreadable(code: UInt32(EIO), "a spooled message")
        }
        return count
    }
}

/// Files of one message each, as a ``Source`` with one folder for each directory that has some.
struct EmlSource: Source {
    private let path: String
    private let isDirectory: Bool

    init(path: String, isDirectory: Bool) throws {
        self.path = path
        self.isDirectory = isDirectory
    }

    func identity() throws -> [UInt8] { Array(path.utf8) }

    func folders() throws -> [SourceFolder] {
        let name = Array((path.split(separator: "/").last.map(String.init) ?? "eml").utf8)
        guard isDirectory else { return [SourceFolder(name: [], path: [name], identity: [])] }
        var found: [SourceFolder] = []
        try collect(Array(path.utf8), [], [name], 0, &found)
        return found
    }

    private func collect(
        _ directory: [UInt8], _ relative: [UInt8], _ path: [[UInt8]], _ depth: Int, _ found: inout [SourceFolder]
    ) throws {
        guard depth < 32 else { throw SourceFailure.unavailable("\(self.path) is nested too deeply") }
        let entries = try DirectoryEntries.read(directory)
        if entries.contains(where: { !$0.isDirectory && $0.isEml }) {
            found.append(SourceFolder(name: relative, path: path, identity: []))
        }
        for entry in entries where entry.isDirectory {
            try collect(
                directory + [47] + entry.name, relative + [47] + entry.name, path + [entry.name], depth + 1, &found)
        }
    }

    func list(_ folder: SourceFolder) throws -> any SourceListing {
        guard isDirectory else { return EmlListing(files: [Array(path.utf8)]) }
        let directory = Array(path.utf8) + folder.name
        let names = try DirectoryEntries.read(directory).filter { !$0.isDirectory && $0.isEml }
        return EmlListing(files: names.map { directory + [47] + $0.name })
    }
}

private struct EmlListing: SourceListing {
    let files: [[UInt8]]

    var count: Int { files.count }
    var passedOver: [String] { [] }

    func name(_ position: Int) -> ArraySlice<UInt8> { files[position].split(separator: 47).last ?? [] }
    func position(_ name: [UInt8]) -> Int? { files.firstIndex { $0.split(separator: 47).last.map(Array.init) == name } }
    func flags(_ position: Int) -> MessageFlags { [] }
    func keywords(_ position: Int) -> [[UInt8]] { [] }
    func open(_ position: Int) throws -> any SourceMessage { try EmlMessage(files[position]) }
}

private final class EmlMessage: SourceMessage, SourceMessageReader {
    private let descriptor: Int32
    private let path: String
    private var offset: off_t = 0
    let size: UInt64
    let internalDate: Timestamp

    init(_ path: [UInt8]) throws {
        self.path = String(decoding: path, as: UTF8.self)
        descriptor = (path + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                Glibc.open($0.baseAddress!, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            }
        }
        guard descriptor >= 0 else {
            if errno == ENOENT { throw SourceFailure.vanished(self.path) }
            throw SourceFailure.unreadable(
                code: UInt32(bitPattern: errno), "\(self.path): \(String(cString: strerror(errno)))")
        }
        var found = stat()
        guard fstat(descriptor, &found) == 0, found.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw SourceFailure.unreadable(code: UInt32(EINVAL), "\(self.path) is not a regular file")
        }
        size = UInt64(max(found.st_size, 0))
        internalDate = Timestamp(seconds: Int64(found.st_mtim.tv_sec), nanoseconds: Int64(found.st_mtim.tv_nsec))
    }

    deinit { close(descriptor) }

    func read(into buffer: inout [UInt8]) throws {
        buffer.removeAll(keepingCapacity: true)
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try piece.withUnsafeMutableBytes { try read(into: $0) }
            if count == 0 { return }
            buffer.append(contentsOf: piece[..<count])
        }
    }

    func reader() throws -> any SourceMessageReader { self }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, offset)
            if count >= 0 {
                offset += off_t(count)
                return count
            }
            if errno != EINTR { throw SourceFailure.unreadable(code: UInt32(bitPattern: errno), path) }
        }
    }
}

/// The entries of a directory, sorted; links are not followed.
private enum DirectoryEntries {
    struct Entry {
        var name: [UInt8]
        var isDirectory: Bool
        var isEml: Bool { name.count > 4 && name.suffix(4).map { $0 | 0x20 } == Array(".eml".utf8) }
    }

    static func read(_ path: [UInt8]) throws -> [Entry] {
        let shown = String(decoding: path, as: UTF8.self)
        let opened = (path + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { opendir($0.baseAddress!) }
        }
        guard let directory = opened else {
            throw SourceFailure.unavailable("\(shown): \(String(cString: strerror(errno)))")
        }
        defer { closedir(directory) }
        var found: [Entry] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { throw SourceFailure.unavailable("\(shown): \(String(cString: strerror(errno)))") }
                break
            }
            var name: [UInt8] = []
            withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                for byte in bytes {
                    if byte == 0 { break }
                    name.append(byte)
                }
            }
            guard name != [46], name != [46, 46] else { continue }
            found.append(Entry(name: name, isDirectory: entry.pointee.d_type == UInt8(DT_DIR)))
        }
        return found.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}
