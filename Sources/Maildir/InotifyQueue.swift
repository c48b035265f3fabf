internal import Glibc

/// One inotify instance: watches, and the events that are read from it.
struct InotifyQueue: ~Copyable, Sendable {
    struct Event {
        let watch: Int32
        let mask: UInt32
        /// The same in the two events of a rename.
        let cookie: UInt32
        /// Empty when the event is about the watched directory itself.
        let name: [UInt8]

        func has(_ flag: some BinaryInteger) -> Bool { mask & UInt32(truncatingIfNeeded: flag) != 0 }
    }

    let descriptor: Descriptor

    init(path: [UInt8]) throws(MaildirError) {
        let raw = inotify_init1(O_CLOEXEC | O_NONBLOCK)
        if raw < 0 {
            let code = errno
            // EMFILE says two things: the user's instances are used up, or the process's descriptors are.
            let spare = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if spare >= 0 { close(spare) }
            if code == EMFILE, spare >= 0 {
                throw .watchLimit(sysctl: "fs.inotify.max_user_instances", path: path)
            }
            throw .system(errno: code, during: .watch, path: path)
        }
        descriptor = Descriptor(raw)
    }

    /// Watches a directory, and returns the number that its events carry: the same if it is watched already.
    func watch(_ path: [UInt8], mask: Int, followLink: Bool = false) throws(MaildirError) -> Int32 {
        var flags = UInt32(truncatingIfNeeded: mask | Int(IN_ONLYDIR) | Int(IN_EXCL_UNLINK))
        if !followLink { flags |= UInt32(truncatingIfNeeded: Int(IN_DONT_FOLLOW)) }
        let raw = descriptor.raw
        let watch = withPath(path) { inotify_add_watch(raw, $0, flags) }
        if watch < 0 {
            if errno == ENOSPC { throw .watchLimit(sysctl: "fs.inotify.max_user_watches", path: path) }
            throw .system(errno: errno, during: .watch, path: path)
        }
        return watch
    }

    func stopWatching(_ watch: Int32) { inotify_rm_watch(descriptor.raw, watch) }

    /// Reads what is there, at most one buffer; false when there was nothing.
    func read(into events: inout [Event], buffer: inout [UInt8], path: [UInt8]) throws(MaildirError) -> Bool {
        let count = readOnce(descriptor.raw, into: &buffer)
        if count < 0 {
            if errno == EAGAIN { return false }
            throw .system(errno: errno, during: .read, path: path)
        }
        var position = 0
        while count - position >= 16 {
            func word(_ offset: Int) -> UInt32 {
                (0..<4).reduce(0) { $0 | UInt32(buffer[position + offset + $1]) << UInt32(8 * $1) }
            }
            let length = Int(word(12))
            guard length <= count - position - 16 else { break }
            let field = buffer[(position + 16)..<(position + 16 + length)]
            events.append(
                Event(
                    watch: Int32(bitPattern: word(0)), mask: word(4), cookie: word(8),
                    name: Array(field.prefix { $0 != 0 })))
            position += 16 + length
        }
        return count > 0
    }
}
