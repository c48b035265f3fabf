internal import Glibc
public import SystemPackage

/// Sees what happens below some directories, as it happens: for tests that have to do something while a process is at work,
/// and must not guess how long that takes.
public final class TreeWatch {
    private let descriptor = inotify_init1(O_NONBLOCK | O_CLOEXEC)
    private var paths: [Int32: FilePath] = [:]

    /// Watches `paths` and, where they are directories, all that is and will be below them.
    public init(_ paths: [FilePath]) {
        guard descriptor >= 0 else { fatalError("inotify: errno \(errno)") }
        for path in paths { add(path) }
    }

    deinit { close(descriptor) }

    private func add(_ path: FilePath) {
        let mask = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        let watch = path.withPlatformString { inotify_add_watch(descriptor, $0, UInt32(truncatingIfNeeded: Int(mask))) }
        // Gone meanwhile.
        guard watch >= 0 else { return }
        paths[watch] = path
        for name in Tree.names(path) where Tree.isDirectory(Tree.child(path, name)) { add(Tree.child(path, name)) }
    }

    /// Waits until `count` things have happened, or for at most that long, or until the other end of `ended` is closed or says something.
    /// Returns how many have.
    @discardableResult
    public func wait(for count: Int, orEndOf ended: Int32, milliseconds: Int32 = 30_000) -> Int {
        var seen = 0
        while seen < count {
            var waiting = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: ended, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&waiting, 2, milliseconds)
            if ready < 0, errno == EINTR { continue }
            if ready <= 0 { return seen }
            if waiting[0].revents != 0 { seen += read(atMost: count - seen) } else { return seen }
        }
        return seen
    }

    /// Takes in what has happened. One thing at a time would be asked of the kernel no more exactly: what was read is past.
    private func read(atMost wanted: Int) -> Int {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        var (position, events) = (0, 0)
        while position + 16 <= count {
            func word(_ offset: Int) -> UInt32 {
                buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position + offset, as: UInt32.self) }
            }
            let length = Int(word(12))
            let name = Array(buffer[position + 16..<position + 16 + length].prefix { $0 != 0 })
            let isNewDirectory = word(4) & UInt32(IN_CREATE) != 0 && word(4) & UInt32(IN_ISDIR) != 0
            if isNewDirectory, let parent = paths[Int32(bitPattern: word(0))] { add(Tree.child(parent, name)) }
            position += 16 + length
            events += 1
        }
        return min(events, wanted)
    }
}
