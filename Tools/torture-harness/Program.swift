internal import Glibc
public import SystemPackage
internal import TestKit

/// The program under torture, as a person or a script runs it.
public struct Program: Sendable {
    public let executable: String
    public let vault: FilePath
    /// Where its outputs go; only one process at a time.
    let scratch: FilePath
    /// What begins its runs; without it each of them is loaded anew.
    private let server: ProgramServer?

    /// `library`: the one of Tools/torture-shim; without it every run is loaded anew, which takes most of the time of a short one.
    public init(_ executable: String, vault: FilePath, scratch: FilePath, library: String = "") {
        (self.executable, self.vault, self.scratch) = (executable, vault, scratch)
        server = library.isEmpty ? nil : ProgramServer(executable, library: library)
    }

    public struct Answer: Sendable {
        /// 128 and the signal when a signal ended it.
        public var status: Int32
        public var output: [UInt8]
        public var error: String

        public var text: String { String(decoding: output, as: UTF8.self) }
        public func says(_ word: String) -> Bool { text.contains(word) }
        /// For a finding: what it answered, shortened.
        var brief: String { "\(status) \(text.prefix(600)) \(error.prefix(600))" }
    }

    /// How long a run may take, on a machine that others use too; what has not ended by then is ended, and its status is 137.
    private static let patience: Int32 = 1_800_000

    @discardableResult
    public func run(_ arguments: [String], environment: [String: String] = [:]) -> Answer {
        let child = start(arguments, environment: environment)
        return child.end(within: Self.patience)
    }

    @discardableResult
    public func run(_ arguments: String...) -> Answer { run(arguments) }

    /// Starts it with its output in files.
    public func start(_ arguments: [String], environment: [String: String] = [:]) -> Child {
        let (out, err) = (scratch.appending("stdout"), scratch.appending("stderr"))
        let all = ["YESTERMAIL_VAULT": vault.string, "TZ": "UTC", "PATH": "/usr/bin:/bin", "HOME": scratch.string]
            .merging(environment) { $1 }
        if let server { return server.start(arguments, all, output: out, error: err) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, out.string, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, err.string, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        // Hangs up when the child has ended.
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0, &ends) == 0 else {
            fatalError("no socket: errno \(errno)")
        }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 100)
        var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, executable, &actions, nil, &argv, &envp)
        close(ends[1])
        guard code == 0 else { fatalError("\(executable) cannot be started: errno \(code)") }
        return Child(process: child, output: out, error: err, ended: ends[0], server: nil)
    }

    /// A process of the program that has not been waited for.
    public struct Child {
        let process: pid_t
        let output: FilePath
        let error: FilePath
        /// Says when it has ended: is closed by then, or the server's word can be read there.
        let ended: Int32
        let server: ProgramServer?

        /// Waits until it has said something `lines` times, or has ended, or said nothing for that long.
        public func says(_ lines: Int, within milliseconds: Int32) {
            let watch = TreeWatch([output])
            let isSaid = !(Tree.read(output) ?? []).isEmpty
            watch.wait(for: isSaid ? lines - 1 : lines, orEndOf: ended, milliseconds: milliseconds)
        }

        /// Whether it has not ended within that time.
        func isAtWork(for milliseconds: Int32) -> Bool {
            var waiting = pollfd(fd: ended, events: Int16(POLLIN), revents: 0)
            return poll(&waiting, 1, milliseconds) <= 0
        }

        /// Asks it to end.
        func interrupt() { _ = Glibc.kill(process, SIGTERM) }

        /// Waits that long for its end, then kills it; true when it was killed.
        @discardableResult
        public func kill(after microseconds: Int) -> Bool {
            var waiting = pollfd(fd: ended, events: Int16(POLLIN), revents: 0)
            var isEnded = poll(&waiting, 1, Int32(microseconds / 1_000)) > 0
            if !isEnded {
                usleep(UInt32(microseconds % 1_000))
                isEnded = poll(&waiting, 1, 0) > 0
            }
            _ = Glibc.kill(process, SIGKILL)
            return !isEnded
        }

        public func end(within milliseconds: Int32) -> Answer {
            var waiting = pollfd(fd: ended, events: Int16(POLLIN), revents: 0)
            while poll(&waiting, 1, milliseconds) < 0, errno == EINTR {}
            if waiting.revents == 0 { _ = Glibc.kill(process, SIGKILL) }
            var status: Int32 = 0
            if let server {
                status = server.status()
            } else {
                while waitpid(process, &status, 0) < 0, errno == EINTR {}
                close(ended)
            }
            return Answer(
                status: status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F,
                output: Tree.read(output) ?? [], error: String(decoding: Tree.read(error) ?? [], as: UTF8.self))
        }
    }
}
