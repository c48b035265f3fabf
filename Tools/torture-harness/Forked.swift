internal import Glibc
internal import Threads

/// Bytes that this process and those it forks have in common.
final class SharedBytes {
    let bytes: UnsafeMutableRawBufferPointer

    init(_ count: Int) {
        let flags = Int32(MAP_SHARED) | Int32(MAP_ANONYMOUS)
        guard let memory = mmap(nil, max(count, 1), PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED else {
            fatalError("no shared memory: errno \(errno)")
        }
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
    }

    deinit { munmap(bytes.baseAddress, max(bytes.count, 1)) }
}

/// Work in a child process: what it does to its memory, and a fault in a mapped file, are its own. Only for a process of one thread.
enum Forked {
    // Swift hides it, for the sake of programs with more threads.
    private static let fork: @convention(c) () -> pid_t = {
        guard let found = dlsym(nil, "fork") else { fatalError("no fork") }
        return unsafeBitCast(found, to: (@convention(c) () -> pid_t).self)
    }()

    /// Runs `body` in a child to its end. The status of the child: what `body` returns, or 128 and the signal that ended it.
    static func run(_ body: () -> Int32) -> Int32 {
        let child = fork()
        guard child >= 0 else { fatalError("fork: errno \(errno)") }
        if child == 0 {
            // In a thread of its own: the Swift library has noted the number of this one, which before the fork was another, and two
            // threads that meet at the same `once` wait for it for ever.
            withoutActuallyEscaping(body) { body in
                nonisolated(unsafe) let body = body
                WorkerThread { _exit(body()) }.join()
            }
            _exit(126)
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }
}
