internal import Glibc

/// A message under way into a folder: written to `tmp`, then renamed into its place, whole or not at all. Given up
/// before ``finish()``, it leaves nothing behind.
public final class MaildirDelivery {
    public struct Options: Sendable {
        /// The base name; generated if nil, with an `,S=` field. Must not be that of a message in the folder: a file
        /// that has the same flags too is not overwritten, one with others is not looked for.
        public var baseName: [UInt8]?
        /// `new` is for messages without flags; with flags they go to `cur`.
        public var place: MaildirPlace
        public var flags: MaildirFlags
        /// Letters beyond those of ``MaildirFlags``.
        public var unknownFlags: [UInt8]
        /// The file's modification time, which Maildir servers give as INTERNALDATE; nil leaves the time of writing.
        public var internalDate: FileTime?

        public init(
            baseName: [UInt8]? = nil, place: MaildirPlace = .cur, flags: MaildirFlags = [], unknownFlags: [UInt8] = [],
            internalDate: FileTime? = nil
        ) {
            (self.baseName, self.place, self.flags) = (baseName, place, flags)
            (self.unknownFlags, self.internalDate) = (unknownFlags, internalDate)
        }
    }

    private let folder: MaildirTargetFolder
    private let options: Options
    private let generatedName: [UInt8]
    private let file: Descriptor
    private var isInTmp = true
    /// Octets written so far.
    public private(set) var size: Int64 = 0

    init(to folder: MaildirTargetFolder, _ options: Options) throws(MaildirError) {
        if let base = options.baseName {
            _ = try MaildirTargetFolder.checked(base)
            guard MaildirFileName(parsing: base).base == base else { throw .unrepresentable(name: base) }
        }
        let name = try MaildirTargetFolder.checked(folder.writer.names.next())
        let raw = openAt(folder.tmp.raw, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        if raw < 0 {
            let path = folder.path.appending(component: [UInt8](ascii: "tmp")).appending(component: name)
            throw .system(errno: errno, during: .create, path: path)
        }
        file = Descriptor(raw)
        (self.folder, self.options, generatedName) = (folder, options, name)
    }

    deinit {
        if isInTmp { _ = withPath(generatedName) { unlinkat(folder.tmp.raw, $0, 0) } }
    }

    /// Appends to the message.
    public func write(_ bytes: Span<UInt8>) throws(MaildirError) {
        try writeAll(file.raw, bytes, path: folder.path.appending(component: generatedName))
        size += Int64(bytes.count)
    }

    /// Puts the message in its place. Throws ``MaildirError/exists(name:)`` if a file of that name is there, and then
    /// leaves it as it is. Called once; after it the delivery is over.
    public func finish() throws(MaildirError) -> (place: MaildirPlace, name: [UInt8]) {
        guard isInTmp else { throw .vanished(name: generatedName) }
        let base = options.baseName ?? generatedName + [UInt8](ascii: ",S=") + Array(String(size).utf8)
        let isNew = options.place == .new && options.flags.isEmpty && options.unknownFlags.isEmpty
        let name = try MaildirTargetFolder.checked(
            isNew
                ? base : MaildirFileName(base: base, flags: options.flags, unknownFlags: options.unknownFlags).bytes)
        let place: MaildirPlace = isNew ? .new : .cur
        let path = folder.path(of: place).appending(component: name)
        if let date = options.internalDate {
            let nanoseconds = (0..<1_000_000_000).contains(date.nanoseconds) ? Int(date.nanoseconds) : 0
            let time = timespec(tv_sec: time_t(date.seconds), tv_nsec: nanoseconds)
            if futimens(file.raw, [time, time]) != 0 { throw .system(errno: errno, during: .write, path: path) }
        }
        if folder.writer.durability == .each { try folder.writer.sync(file.raw, path: path) }
        try folder.move(generatedName, from: folder.tmp.raw, to: name, in: place)
        isInTmp = false
        return (place, name)
    }
}
