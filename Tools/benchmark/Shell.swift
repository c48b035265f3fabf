import Glibc

/// Starts programs and asks the operating system small things.
enum Shell {
    /// Nanoseconds of the monotonic clock.
    static func now() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    /// Nanoseconds of CPU this process has used.
    static func processorTime() -> UInt64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The text of a file; nil when it cannot be read. For files of `/proc` too, which have no size.
    static func text(of path: String) -> String? { bytes(of: path).map { String(decoding: $0, as: UTF8.self) } }

    static func bytes(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { return result }
            result += chunk[..<count]
        }
    }

    /// Starts `arguments` (found by PATH), with standard output and error to files, and waits: what `wait4` says.
    static func run(
        _ arguments: [String], output: String, error: String
    ) throws -> (status: Int32, usage: rusage) {
        try wait(for: start(arguments, output: output, error: error))
    }

    /// Starts `arguments`, and does not wait: the process.
    static func start(_ arguments: [String], output: String, error: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        var child: pid_t = 0
        let code = posix_spawnp(&child, arguments[0], &actions, nil, pointers, environ)
        guard code == 0 else { throw BenchFailure("\(arguments[0]): \(String(cString: strerror(code)))") }
        return child
    }

    static func wait(for child: pid_t) throws -> (status: Int32, usage: rusage) {
        var status: Int32 = 0
        var usage = rusage()
        while wait4(child, &status, 0, &usage) < 0 {
            guard errno == EINTR else { throw BenchFailure("wait4: \(String(cString: strerror(errno)))") }
        }
        let signal = status & 0x7F
        return (signal == 0 ? status >> 8 & 0xFF : 128 + signal, usage)
    }

    /// Whether a process that is not waited for yet has ended.
    static func hasEnded(_ child: pid_t) -> Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(child), &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo != 0
    }

    /// The output of a short command; nil when it failed.
    static func output(_ arguments: [String]) -> String? {
        let path = temporary("output")
        defer { unlink(path) }
        guard let result = try? run(arguments, output: path, error: "/dev/null"), result.status == 0 else {
            return nil
        }
        return text(of: path)
    }

    /// A path for a file of this process in the system's temporary directory.
    static func temporary(_ name: String) -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        return "\(base)/yestermail-bench-\(getpid())-\(name)"
    }

    static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw BenchFailure("mkdir \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Removes what this process made.
    static func removeTree(_ path: String) { _ = output(["rm", "-rf", "--", path]) }

    /// Bytes of all files below `path`, as `du` counts them: allocated, and apparent.
    static func size(of path: String) -> (allocated: Int, apparent: Int) {
        func du(_ options: [String]) -> Int {
            let text = output(["du", "-s"] + options + ["--", path]) ?? ""
            return Int(text.prefix { $0 >= "0" && $0 <= "9" }) ?? 0
        }
        return (du(["-B1"]), du(["-b"]))
    }

    /// Writes a file only its owner can read.
    static func write(_ text: String, to path: String) throws {
        unlink(path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw BenchFailure("\(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw BenchFailure("\(path): not written") }
    }

    /// The executable of this process.
    static let ownPath: String = {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.bindMemory(to: CChar.self).baseAddress.map { readlink("/proc/self/exe", $0, bytes.count) } ?? 0
        }
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }()
}
