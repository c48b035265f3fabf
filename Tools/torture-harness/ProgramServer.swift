internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Begins runs of one program without loading it again: a process of it that waits before its `main`, and forks there
/// (`Tools/torture-shim/server.c`). One run at a time.
final class ProgramServer: Sendable {
    private let executable: String
    private let library: String
    private let open = Mutex<(process: pid_t, socket: Int32)?>(nil)

    init(_ executable: String, library: String) { (self.executable, self.library) = (executable, library) }

    deinit {
        open.withLock { open in
            guard let (process, socket) = open else { return }
            // It ends when nobody can ask any more.
            close(socket)
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
        }
    }

    func start(
        _ arguments: [String], _ variables: [String: String], output: FilePath, error: FilePath
    ) -> Program.Child {
        let socket = socket()
        var strings: [String] = [output.string, error.string, "\(arguments.count + 1)", executable]
        strings += arguments
        strings.append("\(variables.count)")
        for (name, value) in variables { strings.append("\(name)=\(value)") }
        var text: [UInt8] = []
        for string in strings {
            text += Array(string.utf8)
            text.append(0)
        }
        var request = withUnsafeBytes(of: UInt32(text.count)) { [UInt8]($0) }
        request += text
        var done = 0
        while done < request.count {
            let count = request.withUnsafeMutableBytes { write(socket, $0.baseAddress! + done, $0.count - done) }
            guard count > 0 else { fatalError("the server of \(executable) has ended: errno \(errno)") }
            done += count
        }
        return Program.Child(process: number(socket), output: output, error: error, ended: socket, server: self)
    }

    /// The status of the run that has ended, or will.
    func status() -> Int32 {
        let socket = socket()
        let status = number(socket)
        var ready: UInt8 = 0
        guard write(socket, &ready, 1) == 1 else { fatalError("the server of \(executable) has ended: errno \(errno)") }
        return status
    }

    private func number(_ socket: Int32) -> Int32 {
        var value: Int32 = 0
        var count = read(socket, &value, 4)
        while count < 0, errno == EINTR { count = read(socket, &value, 4) }
        guard count == 4 else { fatalError("the server of \(executable) has ended: errno \(errno)") }
        return value
    }

    private func socket() -> Int32 {
        open.withLock { open in
            if let open { return open.socket }
            var ends: [Int32] = [0, 0]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0, &ends) == 0 else {
                fatalError("no socket: errno \(errno)")
            }
            let place: Int32 = 100
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, ends[1], place)
            var argv: [UnsafeMutablePointer<CChar>?] = [strdup(executable), nil]
            let variables = ["LD_PRELOAD=\(library)", "LD_BIND_NOW=1", "SHIM_SERVER=\(place)"]
            var envp: [UnsafeMutablePointer<CChar>?] = variables.map { (text: String) in strdup(text) } + [nil]
            defer { for text in argv + envp { free(text) } }
            var process: pid_t = 0
            let code = posix_spawn(&process, executable, &actions, nil, &argv, &envp)
            guard code == 0 else { fatalError("\(executable) cannot be started: errno \(code)") }
            close(ends[1])
            open = (process, ends[0])
            return ends[0]
        }
    }
}
