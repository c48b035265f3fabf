internal import CLinux
internal import Events
internal import Glibc
internal import Maildir

/// A Maildir as a ``Source``. Nothing in it is changed, not even an access time where that can be helped.
public final class MaildirSource: WatchableSource {
    private let maildir: Maildir
    /// The root, as it was given.
    public let path: String

    /// INBOX is the root itself; no directory can have this name.
    static let inboxName = Array(".".utf8)

    /// Opens the Maildir at `path`. Throws ``SourceFailure/unavailable(_:)``.
    public init(path: String) throws {
        self.path = path
        do throws(MaildirError) {
            maildir = try Maildir(path: path)
        } catch {
            throw SourceFailure.unavailable("\(error)")
        }
    }

    /// Maildir's own rule, whatever the folder.
    public var hasUniqueNames: Bool { true }

    public func identity() throws -> [UInt8] {
        MaildirSource.identity(of: maildir.path, maildir.identity.inode)
    }

    public func folders() throws -> [SourceFolder] {
        do throws(MaildirError) {
            let subscribed = Set(
                (try maildir.subscriptions()?.folders ?? []).map { $0.components.map(\.bytes) })
            let folders = try maildir.folders()
            let mounts = MaildirRights.mounts(
                among: subscribed, beside: folders.map { $0.path.components.map(\.bytes) })
            return folders.compactMap { folder in
                // A directory that is no folder at all (a `.git`, a cache) is nobody's mailbox.
                if case .notAMaildir = folder.problem { return nil }
                let path = folder.path.components.map(\.bytes)
                var place = maildir.path
                if !folder.rawName.isEmpty { place += [UInt8(ascii: "/")] + folder.rawName }
                var found = SourceFolder(
                    name: folder.rawName.isEmpty ? MaildirSource.inboxName : folder.rawName, path: path,
                    identity: folder.identity.map { MaildirSource.identity(of: place, $0.inode) } ?? [],
                    isSubscribed: subscribed.contains(path),
                    problem: folder.problem.map { .unreadable(code: $0.errorNumber, "\($0)") })
                found.attributes = folder.rights.map {
                    MaildirRights.attributes($0, mounts: folder.isInbox ? mounts : [])
                }
                return found
            }
        } catch {
            throw SourceFailure.unavailable("\(error)")
        }
    }

    public func list(_ folder: SourceFolder) throws -> any SourceListing {
        do {
            let directory = try maildir.open(rawName: folder.name == MaildirSource.inboxName ? [] : folder.name)
            if !folder.identity.isEmpty,
                MaildirSource.identity(of: directory.path, directory.identity.inode) != folder.identity
            {
                throw MaildirError.replaced(path: directory.path)
            }
            let keywords = try directory.keywords()
            let listing = try directory.list()
            guard listing.isExact else {
                throw MaildirError.system(errno: EAGAIN, during: .list, path: directory.path)
            }
            return MaildirSourceListing(directory: directory, listing: listing, keywords: keywords)
        } catch let error as MaildirError {
            throw SourceFailure.unreadable(code: error.errorNumber, "\(error)")
        }
    }

    /// The directory's inode and time of birth: an inode alone is given again to the next directory made.
    private static func identity(of path: [UInt8], _ inode: UInt64) -> [UInt8] {
        var found = statx()
        let code = (path + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                statx(AT_FDCWD, $0.baseAddress, AT_SYMLINK_NOFOLLOW, UInt32(CLINUX_STATX_BTIME), &found)
            }
        }
        var identity = ByteWriter(capacity: 24)
        identity.integer(inode)
        if code == 0, found.stx_mask & UInt32(CLINUX_STATX_BTIME) != 0 {
            identity.integer(found.stx_btime.tv_sec)
            identity.integer(found.stx_btime.tv_nsec)
        }
        return identity.bytes
    }

    public static func watch(_ sources: [MaildirSource]) throws -> any SourceWatch {
        try MaildirSourceWatch(sources.map { ($0.maildir, $0.path) })
    }
}

extension MaildirError {
    /// The `errno` behind it; `EIO` where there is none.
    var errorNumber: UInt32 {
        if case .system(let code, _, _) = self { UInt32(bitPattern: code) } else { UInt32(EIO) }
    }
}

/// One folder of a Maildir, listed.
private struct MaildirSourceListing: SourceListing {
    let directory: MaildirDirectory
    let listing: MaildirListing
    let keywords: DovecotKeywords

    var count: Int { listing.count }

    func name(_ position: Int) -> ArraySlice<UInt8> { listing.baseName(at: position) }

    func position(_ name: [UInt8]) -> Int? { listing.position(ofBaseName: name) }

    /// Names begin with the time of delivery; a directory keeps its entries in the order of a hash.
    func inOrderOfArrival(_ positions: [Int32]) -> [Int32] {
        positions.sorted { name(Int($0)).lexicographicallyPrecedes(name(Int($1))) }
    }

    func flags(_ position: Int) -> MessageFlags {
        let found = listing[position].flags
        var flags: MessageFlags = []
        if found.contains(.seen) { flags.insert(.seen) }
        if found.contains(.replied) { flags.insert(.answered) }
        if found.contains(.flagged) { flags.insert(.flagged) }
        if found.contains(.trashed) { flags.insert(.deleted) }
        if found.contains(.draft) { flags.insert(.draft) }
        if found.contains(.passed) { flags.insert(.passed) }
        return flags
    }

    func keywords(_ position: Int) -> [[UInt8]] {
        let flags = listing[position].flags
        if flags == flags.withoutKeywords { return [] }
        // A letter without a name is kept as what it is, so that nothing is lost when the file of names is.
        let names = flags.keywordIndexes.map {
            keywords.names[$0] ?? Array("maildir-\(Character(UnicodeScalar(UInt8(97 + $0))))".utf8)
        }
        return Set(names).sorted { $0.lexicographicallyPrecedes($1) }
    }

    var passedOver: [String] {
        listing.skipped.map { entry in
            let why =
                switch entry.reason {
                case .hidden: "its name begins with a dot"
                case .directory: "a directory"
                case .symbolicLink: "a symbolic link"
                case .special: "not a regular file"
                case .duplicate: "another file has the same unique name"
                }
            let name = directory.path + [47] + entry.place.directoryName + [47] + entry.name
            return "\(String(decoding: name, as: UTF8.self)): \(why)"
        }
    }

    func open(_ position: Int) throws -> any SourceMessage {
        let entry = listing[position]
        do throws(MaildirError) {
            return MaildirSourceMessage(
                try directory.message(listing.name(at: position), in: entry.place), directory.path)
        } catch {
            throw SourceFailure(error, in: directory.path)
        }
    }
}

extension SourceFailure {
    /// What a failure at one message means for it.
    init(_ error: MaildirError, in folder: [UInt8]) {
        switch error {
        case .vanished(let name): self = .vanished(String(decoding: name, as: UTF8.self))
        default: self = .unreadable(code: error.errorNumber, "\(error)")
        }
    }
}

/// A message's file, open.
private final class MaildirSourceMessage: SourceMessage, SourceMessageReader {
    private let message: MaildirMessage
    private let folder: [UInt8]
    private var offset: Int64 = 0

    init(_ message: consuming MaildirMessage, _ folder: [UInt8]) {
        self.message = message
        self.folder = folder
    }

    var size: UInt64 { UInt64(max(message.size, 0)) }

    var internalDate: Timestamp {
        Timestamp(seconds: message.modified.seconds, nanoseconds: Int64(message.modified.nanoseconds))
    }

    func read(into buffer: inout [UInt8]) throws {
        do throws(MaildirError) { try message.read(into: &buffer) } catch { throw SourceFailure(error, in: folder) }
    }

    func reader() throws -> any SourceMessageReader { self }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        do throws(MaildirError) {
            let count = try message.read(at: offset, into: buffer)
            offset += Int64(count)
            return count
        } catch {
            throw SourceFailure(error, in: folder)
        }
    }
}

/// inotify over many Maildirs, as hints.
private final class MaildirSourceWatch: SourceWatch {
    private let watcher: MaildirWatcher
    private var sourceOfRoot: [Int: Int] = [:]
    let wake: @Sendable () -> Void

    init(_ maildirs: [(Maildir, String)]) throws {
        do throws(MaildirError) {
            watcher = try MaildirWatcher()
            let waker = watcher.waker
            wake = { waker.wake() }
            for (index, (maildir, _)) in maildirs.enumerated() { sourceOfRoot[try watcher.add(maildir)] = index }
        } catch {
            throw SourceFailure.unavailable("\(error)")
        }
    }

    func next(timeoutMilliseconds: Int?) throws -> [(source: Int, hint: SourceHint)] {
        let changes: [MaildirChange]
        do throws(MaildirError) { changes = try watcher.next(timeoutMilliseconds: timeoutMilliseconds) } catch {
            throw SourceFailure.unavailable("\(error)")
        }
        return changes.compactMap { change in
            guard let source = sourceOfRoot[change.root] else { return nil }
            return (source, hint(change.kind))
        }
    }

    private func hint(_ kind: MaildirChange.Kind) -> SourceHint {
        switch kind {
        case .folderTouched(let name, _), .entry(let name, _, _, _), .unwatched(let name, _):
            .folder(name.isEmpty ? MaildirSource.inboxName : name)
        case .foldersChanged, .subscriptionsChanged: .folders
        case .overflow: .everything
        case .rootGone: .gone
        }
    }
}
