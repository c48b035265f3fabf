internal import Glibc
internal import Synchronization

/// Runs a command to its end, or kills it with all it started.
enum SecretCommand {
    /// One at a time, so that no command inherits the end of another's pipe, which then would not end.
    private static let spawning = Mutex(())

    static func output(_ command: String, _ user: String, _ seconds: Int, limit: Int) throws(SecretFailure) -> [UInt8] {
        let started = spawning.withLock { _ in start(command, user) }
        guard let child = started.child else { throw SecretFailure(.notStarted(code: started.code)) }
        defer { close(started.output) }
        let deadline = milliseconds() + Int64(seconds) * 1_000
        var bytes: [UInt8] = []
        let isComplete = drain(started.output, until: deadline, limit: limit, into: &bytes)
        guard isComplete, let status = wait(child, until: deadline) else {
            kill(-child, SIGKILL)
            var status: Int32 = 0
            while waitpid(child, &status, 0) < 0, errno == EINTR {}
            throw SecretFailure(
                bytes.count > limit ? .tooLong("what the command printed") : .commandTooSlow(seconds: seconds))
        }
        guard status == 0 else { throw SecretFailure(.commandFailed(status: status)) }
        return bytes
    }

    /// In a process group of its own, with nothing to read, and with no signal blocked or ignored that this process blocks
    /// or ignores.
    private static func start(_ command: String, _ user: String) -> (child: pid_t?, output: Int32, code: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return (nil, -1, errno) }
        defer { close(ends[1]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments =
            ["sh", "-c", command].map { (text: String) -> UnsafeMutablePointer<CChar>? in strdup(text) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = [strdup("YESTERMAIL_ACCOUNT=\(user)")]
        var next = environ
        while let entry = next.pointee {
            if strncmp(entry, "YESTERMAIL_ACCOUNT=", 19) != 0 { variables.append(strdup(entry)) }
            next += 1
        }
        variables.append(nil)
        defer { for string in arguments + variables { free(string) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments, variables)
        if code == 0 { return (child, ends[0], 0) }
        close(ends[0])
        return (nil, -1, code)
    }

    /// Whether the output came to its end in time, and was not too long.
    private static func drain(_ descriptor: Int32, until deadline: Int64, limit: Int, into bytes: inout [UInt8]) -> Bool
    {
        var piece = [UInt8](repeating: 0, count: 4_096)
        while bytes.count <= limit {
            let left = deadline - milliseconds()
            guard left > 0 else { return false }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(clamping: left))
            guard ready > 0 else {
                if ready < 0, errno == EINTR { continue }
                return false
            }
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count == 0 { return true }
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            bytes += piece[..<count]
        }
        return false
    }

    /// Its exit status, 128 and the signal when one ended it; nil when it goes on beyond the deadline. Its output has ended,
    /// so it is mostly a matter of microseconds.
    private static func wait(_ child: pid_t, until deadline: Int64) -> Int32? {
        var status: Int32 = 0
        while true {
            let found = waitpid(child, &status, WNOHANG)
            if found == child { return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F }
            if found < 0, errno != EINTR { return 127 }
            guard milliseconds() < deadline else { return nil }
            usleep(500)
        }
    }

    private static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
