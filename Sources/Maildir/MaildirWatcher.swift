internal import CLinux
internal import Glibc

/// Wakes a ``MaildirWatcher`` from another thread. ``wake()`` is one `write`, and so allowed in a signal handler.
public final class MaildirWaker: Sendable {
    let descriptor: Descriptor

    init() throws(MaildirError) {
        let raw = eventfd(0, Int32(CLINUX_EFD_CLOEXEC | CLINUX_EFD_NONBLOCK))
        if raw < 0 { throw .system(errno: errno, during: .watch, path: []) }
        descriptor = Descriptor(raw)
    }

    /// The call of ``MaildirWatcher/next(timeoutMilliseconds:)`` under way, or the next one, returns at once.
    public func wake() {
        var one: UInt64 = 1
        write(descriptor.raw, &one, 8)
    }

    func clear() {
        var count: UInt64 = 0
        read(descriptor.raw, &count, 8)
    }
}

/// Watches any number of Maildirs by one inotify instance (of which a user may have few). For one thread, except its
/// ``waker``.
///
/// A watch is set before the folder is reported as touched: who lists after the report misses nothing.
public final class MaildirWatcher {
    public let waker: MaildirWaker
    private let queue: InotifyQueue
    private var roots: [Int: Maildir] = [:]
    private var nextRoot = 0
    private var watches: [Int32: Watch] = [:]
    private var watchesOfFolder: [Folder: [Int32]] = [:]
    private var pending: [MaildirChange] = []
    private var events: [InotifyQueue.Event] = []
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    private struct Folder: Hashable {
        let root: Int
        let rawName: [UInt8]
    }

    private struct Watch {
        let folder: Folder
        let part: MaildirChange.Part
    }

    private static let entryMask =
        Int(IN_MOVED_FROM) | Int(IN_MOVED_TO) | Int(IN_CREATE) | Int(IN_DELETE) | Int(IN_CLOSE_WRITE)
    private static let directoryMask = entryMask | Int(IN_DELETE_SELF) | Int(IN_MOVE_SELF)

    /// Throws ``MaildirError/watchLimit(sysctl:path:)`` when the user has no inotify instance left.
    public init() throws(MaildirError) {
        waker = try MaildirWaker()
        queue = try InotifyQueue(path: [])
    }

    /// The number of watches, of which `fs.inotify.max_user_watches` is the limit: three for each folder.
    public var watchCount: Int { watches.count }

    /// Watches a Maildir with all its folders; the number returned is in its changes. Lists after this miss nothing.
    public func add(_ maildir: Maildir) throws(MaildirError) -> Int {
        let number = nextRoot
        nextRoot += 1
        roots[number] = maildir
        do throws(MaildirError) {
            try maildir.checkIdentity()
            try watch(Folder(root: number, rawName: []), in: maildir)
        } catch {
            remove(number)
            throw error
        }
        return number
    }

    /// Watches a Maildir no more.
    public func remove(_ root: Int) {
        forget { $0.root == root }
        roots[root] = nil
    }

    /// Waits for changes: at most that long, for ever if nil. Empty after the time, a ``MaildirWaker/wake()`` or a signal.
    public func next(timeoutMilliseconds: Int?) throws(MaildirError) -> [MaildirChange] {
        var polled = [
            pollfd(fd: queue.descriptor.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: waker.descriptor.raw, events: Int16(POLLIN), revents: 0),
        ]
        let timeout = timeoutMilliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
        if poll(&polled, 2, timeout) < 0 {
            if errno == EINTR { return [] }
            throw .system(errno: errno, during: .wait, path: [])
        }
        if polled[1].revents != 0 { waker.clear() }
        events.removeAll(keepingCapacity: true)
        for _ in 0..<16 {
            if try !queue.read(into: &events, buffer: &buffer, path: []) { break }
        }
        for event in events { handle(event) }
        defer { pending = [] }
        return pending
    }

    // MARK: Watches

    /// Watches the folder and the folders below it.
    private func watch(_ folder: Folder, in maildir: Maildir) throws(MaildirError) {
        let directory = folder.rawName.isEmpty ? maildir.path : maildir.path.appending(component: folder.rawName)
        try add(directory, mask: Self.directoryMask, folder, .directory)
        for place in MaildirPlace.allCases {
            let path = directory.appending(component: place.directoryName)
            do throws(MaildirError) {
                try add(path, mask: Self.entryMask, folder, place == .cur ? .cur : .new)
            } catch {
                // Not there yet: its creation is an event of the folder's directory.
                if case .system(ENOENT, _, _) = error { continue }
                if case .system(ENOTDIR, _, _) = error { continue }
                throw error
            }
        }
        for name in try foldersBelow(folder, in: maildir, path: directory) {
            let below = folder.rawName.isEmpty ? name : folder.rawName.appending(component: name)
            do throws(MaildirError) {
                try watch(Folder(root: folder.root, rawName: below), in: maildir)
            } catch {
                if case .watchLimit = error { throw error }
                // A link, no directory any more, or one that may not be read: the listing of the folders says so.
                continue
            }
        }
    }

    private func add(
        _ path: [UInt8], mask: Int, _ folder: Folder, _ part: MaildirChange.Part
    ) throws(MaildirError) {
        // The root may be a link; nothing below it.
        let number = try queue.watch(path, mask: mask, followLink: folder.rawName.isEmpty && part == .directory)
        if let old = watches[number], old.folder != folder {
            watchesOfFolder[old.folder]?.removeAll { $0 == number }
        }
        watches[number] = Watch(folder: folder, part: part)
        if watchesOfFolder[folder]?.contains(number) != true { watchesOfFolder[folder, default: []].append(number) }
    }

    private func foldersBelow(
        _ folder: Folder, in maildir: Maildir, path: [UInt8]
    ) throws(MaildirError) -> [[UInt8]] {
        switch maildir.layout {
        case .plain: return []
        case .maildirPlusPlus where !folder.rawName.isEmpty: return []
        case .maildirPlusPlus, .fs:
            if folder.rawName.lazy.filter({ $0 == UInt8(ascii: "/") }).count >= Maildir.maximumDepth { return [] }
            let directory = try openDirectory(at: AT_FDCWD, path, path: path, followLink: folder.rawName.isEmpty)
            return try Maildir.subdirectories(of: directory.raw, path: path).filter {
                isFolder($0, below: folder, layout: maildir.layout)
            }
        }
    }

    private func isFolder(_ name: [UInt8], below folder: Folder, layout: MaildirLayout) -> Bool {
        switch layout {
        case .plain: false
        case .maildirPlusPlus: folder.rawName.isEmpty && name.first == UInt8(ascii: ".")
        case .fs: !Maildir.isReserved(name)
        }
    }

    private func forget(where isGone: (Folder) -> Bool) {
        for folder in watchesOfFolder.keys.filter(isGone) {
            for number in watchesOfFolder.removeValue(forKey: folder) ?? [] {
                queue.stopWatching(number)
                watches[number] = nil
            }
        }
    }

    // MARK: Events

    private func report(_ root: Int, _ kind: MaildirChange.Kind) {
        let change = MaildirChange(root: root, kind: kind)
        if pending.last != change { pending.append(change) }
    }

    private func handle(_ event: InotifyQueue.Event) {
        if event.has(IN_Q_OVERFLOW) {
            for (number, maildir) in roots.sorted(by: { $0.key < $1.key }) {
                watchOrReport(Folder(root: number, rawName: []), in: maildir)
                report(number, .overflow)
            }
            return
        }
        guard let watch = watches[event.watch], let maildir = roots[watch.folder.root] else { return }
        let (root, rawName) = (watch.folder.root, watch.folder.rawName)
        switch watch.part {
        case .directory where event.name.isEmpty:
            if rawName.isEmpty, event.has(IN_DELETE_SELF) || event.has(IN_MOVE_SELF) || event.has(IN_UNMOUNT) {
                remove(root)
                report(root, .rootGone)
            }
        case .directory where event.has(IN_ISDIR) && !event.has(IN_ATTRIB):
            handleDirectory(event, in: watch.folder, maildir)
        case .directory:
            if event.name == DovecotKeywords.fileName || event.name == DovecotAccessList.fileName {
                report(root, .folderTouched(rawName: rawName, .directory))
            } else if rawName.isEmpty,
                event.name == MaildirSubscriptions.dovecotFileName
                    || event.name == MaildirSubscriptions.courierFileName
            {
                report(root, .subscriptionsChanged)
            }
        case .new: reportEntry(event, .new, watch.folder)
        case .cur: reportEntry(event, .cur, watch.folder)
        }
        if event.has(IN_IGNORED) {
            watches[event.watch] = nil
            watchesOfFolder[watch.folder]?.removeAll { $0 == event.watch }
        }
    }

    private func reportEntry(_ event: InotifyQueue.Event, _ place: MaildirPlace, _ folder: Folder) {
        guard let first = event.name.first, first != UInt8(ascii: "."), !event.has(IN_ISDIR) else { return }
        let change: MaildirChange.EntryChange
        if event.has(IN_MOVED_FROM) {
            change = .movedFrom(cookie: event.cookie)
        } else if event.has(IN_MOVED_TO) {
            change = .movedTo(cookie: event.cookie)
        } else {
            change = event.has(IN_DELETE) ? .disappeared : .appeared
        }
        report(folder.root, .entry(rawName: folder.rawName, place, name: event.name, change))
    }

    /// A directory was created, renamed or deleted in the directory of `folder`.
    private func handleDirectory(_ event: InotifyQueue.Event, in folder: Folder, _ maildir: Maildir) {
        let isArrival = event.has(IN_CREATE) || event.has(IN_MOVED_TO)
        if event.name == MaildirPlace.cur.directoryName || event.name == MaildirPlace.new.directoryName {
            if isArrival { watchOrReport(folder, in: maildir) }
            report(folder.root, .foldersChanged)
            let part: MaildirChange.Part = event.name == MaildirPlace.cur.directoryName ? .cur : .new
            report(folder.root, .folderTouched(rawName: folder.rawName, part))
            return
        }
        guard isFolder(event.name, below: folder, layout: maildir.layout) else { return }
        let rawName = folder.rawName.isEmpty ? event.name : folder.rawName.appending(component: event.name)
        let prefix = rawName + [UInt8(ascii: "/")]
        // Also before an arrival: another directory may have had the name.
        forget { $0.root == folder.root && ($0.rawName == rawName || $0.rawName.starts(with: prefix)) }
        report(folder.root, .foldersChanged)
        guard isArrival else { return }
        let new = Folder(root: folder.root, rawName: rawName)
        watchOrReport(new, in: maildir)
        let arrived = watchesOfFolder.keys.filter {
            $0.root == folder.root && ($0.rawName == rawName || $0.rawName.starts(with: prefix))
        }
        for folder in arrived.sorted(by: { $0.rawName.lexicographicallyPrecedes($1.rawName) }) {
            for part in [MaildirChange.Part.directory, .new, .cur] {
                report(folder.root, .folderTouched(rawName: folder.rawName, part))
            }
        }
    }

    private func watchOrReport(_ folder: Folder, in maildir: Maildir) {
        do throws(MaildirError) {
            try watch(folder, in: maildir)
        } catch {
            switch error {
            // Gone again: that is an event of its own.
            case .system(ENOENT, _, _), .system(ENOTDIR, _, _), .symbolicLink: return
            default: report(folder.root, .unwatched(rawName: folder.rawName, error))
            }
        }
    }
}
