internal import Glibc

/// A Maildir that is read. Nothing here changes anything on disk, not even an access time where that can be helped.
///
/// Safe to use from several threads.
public final class Maildir: Sendable {
    /// The root, as it was given.
    public let path: [UInt8]
    public let layout: MaildirLayout
    public let identity: FileIdentity

    /// Nested directories deeper than this are not looked into.
    static let maximumDepth = 64

    /// Opens the Maildir at `path` (a link to it is followed, none below it is). Without `layout` it is detected:
    /// a `.X` directory that has a `cur` makes it Maildir++, a nested directory that has one makes it `fs`.
    /// Throws ``MaildirError/notAMaildir(path:)`` if there is no folder at all.
    public init(path: [UInt8], layout: MaildirLayout? = nil) throws(MaildirError) {
        let root = try openDirectory(at: AT_FDCWD, path, path: path, followLink: true)
        identity = FileIdentity(try fileStatus(of: root.raw, path: path))
        self.path = path
        if let layout {
            self.layout = layout
        } else {
            self.layout = try Self.detectLayout(root.raw, path: path)
        }
    }

    /// The root, opened anew for each use: thousands of Maildirs need no descriptors, and the removal of one is not
    /// put off by ours. Throws ``MaildirError/replaced(path:)`` if the path leads elsewhere now.
    func openRoot() throws(MaildirError) -> Descriptor {
        let root = try openDirectory(at: AT_FDCWD, path, path: path, followLink: true)
        guard FileIdentity(try fileStatus(of: root.raw, path: path)) == identity else { throw .replaced(path: path) }
        return root
    }

    public convenience init(path: String, layout: MaildirLayout? = nil) throws(MaildirError) {
        try self.init(path: Array(path.utf8), layout: layout)
    }

    /// All folders, INBOX first, then by raw name. Throws when any directory could not be listed to its end, so that
    /// what is not in the result is not there.
    public func folders() throws(MaildirError) -> [MaildirFolder] {
        let root = try openRoot()
        var folders: [MaildirFolder] = []
        let rootIsInbox = layout != .fs || Self.hasFolder(root.raw)
        if rootIsInbox {
            folders.append(
                MaildirFolder(
                    rawName: [], path: .inbox, identity: identity, problem: Self.problem(of: root.raw, path: path),
                    rights: Self.rights(of: root.raw, path: path)))
        }
        switch layout {
        case .plain: break
        case .maildirPlusPlus: try appendDotFolders(root.raw, to: &folders)
        case .fs: try appendNested(root.raw, name: [], depth: 0, rootIsInbox: rootIsInbox, to: &folders)
        }
        return folders.sorted { $0.rawName.lexicographicallyPrecedes($1.rawName) }
    }

    /// Opens a folder to list and read it. Throws ``MaildirError/replaced(path:)`` if another directory has its name
    /// now, and whatever ``MaildirFolder/problem`` would say.
    public func open(_ folder: MaildirFolder) throws(MaildirError) -> MaildirDirectory {
        let directory = try open(rawName: folder.rawName)
        if let identity = folder.identity, identity != directory.identity {
            throw .replaced(path: directory.path)
        }
        return directory
    }

    /// Opens the folder whose directory is `rawName` (empty: the root).
    public func open(rawName: [UInt8]) throws(MaildirError) -> MaildirDirectory {
        var descriptor = try openRoot()
        var folderPath = path
        for part in rawName.split(separator: UInt8(ascii: "/")) {
            guard !part.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) else {
                throw .unrepresentable(name: rawName)
            }
            folderPath = folderPath.appending(component: part)
            descriptor = try openDirectory(at: descriptor.raw, Array(part), path: folderPath)
        }
        return try MaildirDirectory(folder: descriptor, path: folderPath)
    }

    /// Throws ``MaildirError/replaced(path:)`` when the path leads to another directory than the one opened.
    public func checkIdentity() throws(MaildirError) { _ = try openRoot() }

    // MARK: Folders

    private func appendDotFolders(_ root: Int32, to folders: inout [MaildirFolder]) throws(MaildirError) {
        for name in try Self.subdirectories(of: root, path: path) where name.first == UInt8(ascii: ".") {
            folders.append(folder(rawName: name, in: root, name: name, path: MaildirFolderPath(directory: name)))
        }
    }

    private func appendNested(
        _ directory: Int32, name: [UInt8], depth: Int, rootIsInbox: Bool, to folders: inout [MaildirFolder]
    ) throws(MaildirError) {
        let directoryPath = name.isEmpty ? path : path.appending(component: name)
        if depth >= Self.maximumDepth { throw .system(errno: ELOOP, during: .list, path: directoryPath) }
        for part in try Self.subdirectories(of: directory, path: directoryPath) where !Self.isReserved(part) {
            let nested = name.isEmpty ? part : name.appending(component: part)
            let folderPath = MaildirFolderPath(nested: nested, rootIsInbox: rootIsInbox)
            folders.append(folder(rawName: nested, in: directory, name: part, path: folderPath))
            if case .symbolicLink = folders.last?.problem { continue }
            let descriptor = try openDirectory(at: directory, part, path: path.appending(component: nested))
            try appendNested(
                descriptor.raw, name: nested, depth: depth + 1, rootIsInbox: rootIsInbox, to: &folders)
        }
    }

    private func folder(
        rawName: [UInt8], in directory: Int32, name: [UInt8], path folderPath: MaildirFolderPath
    ) -> MaildirFolder {
        let fullPath = path.appending(component: rawName)
        do throws(MaildirError) {
            let descriptor = try openDirectory(at: directory, name, path: fullPath)
            let status = try fileStatus(of: descriptor.raw, path: fullPath)
            return MaildirFolder(
                rawName: rawName, path: folderPath, identity: FileIdentity(status),
                problem: Self.problem(of: descriptor.raw, path: fullPath),
                rights: Self.rights(of: descriptor.raw, path: fullPath))
        } catch {
            let identity = statusAt(directory, name).map { FileIdentity($0) }
            return MaildirFolder(rawName: rawName, path: folderPath, identity: identity, problem: error, rights: nil)
        }
    }

    /// What keeps the directory from being a folder.
    private static func problem(of directory: Int32, path: [UInt8]) -> MaildirError? {
        if !hasFolder(directory), errno == ENOENT { return .notAMaildir(path: path) }
        for place in MaildirPlace.allCases {
            let placePath = path.appending(component: place.directoryName)
            guard let status = statusAt(directory, place.directoryName) else {
                return .system(errno: errno, during: .stat, path: placePath)
            }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: continue
            case S_IFLNK: return .symbolicLink(path: placePath)
            default: return .system(errno: ENOTDIR, during: .stat, path: placePath)
            }
        }
        return nil
    }

    /// What others may do with the folder; nil when the file that says so cannot be read.
    private static func rights(of directory: Int32, path: [UInt8]) -> DovecotAccessList? {
        let name = DovecotAccessList.fileName
        do throws(MaildirError) {
            let content = try readSmallFile(
                at: directory, name, path: path.appending(component: name), limit: DovecotAccessList.sizeLimit)
            return DovecotAccessList(parsing: content ?? [])
        } catch {
            return nil
        }
    }

    /// Whether there is a `cur` or a `new`. When there is neither, `errno` says why.
    static func hasFolder(_ directory: Int32) -> Bool {
        MaildirPlace.allCases.contains { statusAt(directory, $0.directoryName) != nil }
    }

    static func isReserved(_ name: [UInt8]) -> Bool {
        name == [UInt8](ascii: "cur") || name == [UInt8](ascii: "new") || name == [UInt8](ascii: "tmp")
    }

    /// The names of the directories, and of the links that may lead to one, in `directory`.
    static func subdirectories(of directory: Int32, path: [UInt8]) throws(MaildirError) -> [[UInt8]] {
        var names: [[UInt8]] = []
        var unknown: [[UInt8]] = []
        var reader = try DirectoryReader(directory, path: path)
        try reader.readAll { buffer, range, kind in
            switch kind {
            case .directory, .symbolicLink: names.append(Array(buffer[range]))
            case .unknown: unknown.append(Array(buffer[range]))
            case .regular, .other: break
            }
        }
        for name in unknown {
            let kind = try DirectoryReader.kind(of: name, in: directory, path: path)
            if kind == .directory || kind == .symbolicLink { names.append(name) }
        }
        return names
    }

    // MARK: Detection

    private static func detectLayout(_ root: Int32, path: [UInt8]) throws(MaildirError) -> MaildirLayout {
        let names = try subdirectories(of: root, path: path)
        func hasFolderBelow(_ name: [UInt8]) -> Bool {
            let raw = openAt(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return raw >= 0 && hasFolder(Descriptor(raw).raw)
        }
        if names.contains(where: { $0.first == UInt8(ascii: ".") && hasFolderBelow($0) }) { return .maildirPlusPlus }
        for name in names where name.first != UInt8(ascii: ".") && !isReserved(name) {
            if try hasNestedFolder(root, name, path: path, depth: 0) { return .fs }
        }
        // A root without a `.X` folder yet may get one: INBOX alone is Maildir++ without folders.
        if hasFolder(root) { return .maildirPlusPlus }
        throw .notAMaildir(path: path)
    }

    private static func hasNestedFolder(
        _ directory: Int32, _ name: [UInt8], path: [UInt8], depth: Int
    ) throws(MaildirError) -> Bool {
        let raw = openAt(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        if raw < 0 { return false }
        let descriptor = Descriptor(raw)
        if hasFolder(descriptor.raw) { return true }
        if depth >= 8 { return false }
        let below = path.appending(component: name)
        for part in try subdirectories(of: descriptor.raw, path: below) where !isReserved(part) {
            if try hasNestedFolder(descriptor.raw, part, path: below, depth: depth + 1) { return true }
        }
        return false
    }
}
