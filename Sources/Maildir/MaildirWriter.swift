internal import CLinux
internal import Glibc

/// Writes a Maildir++: the target of a restore. For one thread.
///
/// Everything is reached from the descriptor of a directory, by names of one component, without following a link: no
/// folder name leads out of the root.
public final class MaildirWriter {
    /// When what was written is on the disk for good.
    public enum Durability: Hashable, Sendable {
        /// Each message before its delivery returns.
        case each
        /// All at ``MaildirWriter/sync()``; until then a crash may leave messages out, or empty.
        case batch
    }

    public let path: [UInt8]
    public let durability: Durability
    let root: Descriptor
    var names: MaildirNameSource

    /// Opens the Maildir at `path`; makes it, and its `cur`, `new` and `tmp`, where missing. Its parent must exist.
    public init(
        path: [UInt8], durability: Durability = .batch, names: MaildirNameSource = .system()
    ) throws(MaildirError) {
        if withPath(path, { mkdir($0, 0o700) }) != 0, errno != EEXIST {
            throw .system(errno: errno, during: .create, path: path)
        }
        root = try openDirectory(at: AT_FDCWD, path, path: path, followLink: true)
        (self.path, self.durability, self.names) = (path, durability, names)
        try Self.makePlaces(in: root.raw, path: path)
    }

    /// Opens the folder, and makes it where missing: `.A.B` with `maildirfolder`, as Maildir++ has it. Throws
    /// ``MaildirError/nameTooLong(name:)`` and ``MaildirError/unrepresentable(name:)`` for a path that cannot be.
    public func folder(_ folder: MaildirFolderPath) throws(MaildirError) -> MaildirTargetFolder {
        let name = try folder.directoryName()
        if name.isEmpty {
            let descriptor = try openDirectory(at: root.raw, [UInt8(ascii: ".")], path: path)
            return try MaildirTargetFolder(folder: descriptor, rawName: name, path: path, writer: self)
        }
        let folderPath = path.appending(component: name)
        guard isPlainName(name) else { throw .unrepresentable(name: name) }
        let isNew = try Self.makeDirectory(name, in: root.raw, path: folderPath)
        let descriptor = try openDirectory(at: root.raw, name, path: folderPath)
        try Self.makePlaces(in: descriptor.raw, path: folderPath)
        if isNew {
            let marker = [UInt8](ascii: "maildirfolder")
            let raw = openAt(descriptor.raw, marker, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
            if raw < 0 { throw .system(errno: errno, during: .create, path: folderPath.appending(component: marker)) }
            close(raw)
            if durability == .each {
                try sync(descriptor.raw, path: folderPath)
                try sync(root.raw, path: path)
            }
        }
        return try MaildirTargetFolder(folder: descriptor, rawName: name, path: folderPath, writer: self)
    }

    /// Replaces the file of subscriptions (Dovecot, version 2), under Dovecot's lock file: these folders, and `mounts`, which are
    /// mailboxes of somebody else. Returns the folders that have no name on disk.
    public func setSubscriptions(
        _ folders: [MaildirFolderPath], mounts: [MaildirFolderPath] = []
    ) throws(MaildirError) -> [MaildirFolderPath] {
        let unfit = folders.filter { folder in (try? folder.directoryName()) == nil }
        let fit = folders.filter { !unfit.contains($0) }
        let content = MaildirSubscriptions(fit + mounts).bytes(layout: .maildirPlusPlus)
        let name = MaildirSubscriptions.dovecotFileName
        var lock = try LockedFile(name, in: root.raw, path: path.appending(component: name))
        try lock.replace(with: content, durable: durability == .each)
        return unfit
    }

    /// Ends a batch: all that was written is on the disk when this returns (`syncfs`).
    public func sync() throws(MaildirError) {
        if syncfs(root.raw) != 0 { throw .system(errno: errno, during: .sync, path: path) }
    }

    func sync(_ descriptor: Int32, path: [UInt8]) throws(MaildirError) {
        if fsync(descriptor) != 0 { throw .system(errno: errno, during: .sync, path: path) }
    }

    static func makePlaces(in directory: Int32, path: [UInt8]) throws(MaildirError) {
        for name in [[UInt8](ascii: "tmp"), [UInt8](ascii: "new"), [UInt8](ascii: "cur")] {
            _ = try makeDirectory(name, in: directory, path: path.appending(component: name))
        }
    }

    /// Whether it was made; what is there already is looked at by who opens it.
    private static func makeDirectory(_ name: [UInt8], in directory: Int32, path: [UInt8]) throws(MaildirError) -> Bool
    {
        if withPath(name, { mkdirat(directory, $0, 0o700) }) == 0 { return true }
        if errno == EEXIST { return false }
        if errno == ENAMETOOLONG { throw .nameTooLong(name: name) }
        throw .system(errno: errno, during: .create, path: path)
    }
}
