internal import Foundation
internal import Glibc
internal import SystemPackage
internal import TestKit

/// The built executable as a process that can be killed at any moment.
struct ProgramChild {
    let process: pid_t
    /// Its standard output, as far as it has been written.
    let output: FilePath
    /// Hangs up when it has ended.
    let ended: Int32

    /// Starts `yestermail ARGUMENTS` with standard output into the new file `output`, standard error beside it.
    init(vault: FilePath, _ arguments: [String], output: FilePath) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output.string, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, output.string + ".err", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var all = ProcessInfo.processInfo.environment
        for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "YESTERMAIL_CONFIG"] { all[name] = nil }
        all["YESTERMAIL_VAULT"] = vault.string
        all["TZ"] = "UTC"
        var argv = ([CommandLineProgram.executable] + arguments).map { strdup($0) } + [nil]
        var envp = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var ends: (Int32, Int32) = (0, 0)
        let made = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) {
                // Closed on exec from the beginning, so that no other test's child inherits it.
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0, $0)
            }
        }
        guard made == 0 else { throw CommandLineProgram.Problem(what: "no socket: errno \(errno)") }
        defer { close(ends.1) }
        // Only this child has its other end.
        posix_spawn_file_actions_adddup2(&actions, ends.1, 100)
        var child: pid_t = 0
        let code = posix_spawn(&child, CommandLineProgram.executable, &actions, nil, &argv, &envp)
        guard code == 0 else { throw CommandLineProgram.Problem(what: "cannot be started: errno \(code)") }
        (process, self.output, ended) = (child, output, ends.0)
    }

    func signal(_ number: Int32) { kill(process, number) }

    /// Waits for its end; its status, or 128 and the signal that ended it.
    @discardableResult
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        close(ended)
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    /// The whole lines it has written.
    var lines: [String] {
        let bytes = Tree.read(output) ?? []
        guard let end = bytes.lastIndex(of: 10) else { return [] }
        return String(decoding: bytes[...end], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Waits until a line of its output contains `text`, for at most `seconds`. False when it ended, or stood still for so
    /// long, without having said it.
    func says(_ text: String, seconds: Int32 = 30) -> Bool {
        let watch = TreeWatch([output])
        while true {
            if lines.contains(where: { $0.contains(text) }) { return true }
            if watch.wait(for: 1, orEndOf: ended, milliseconds: seconds * 1_000) == 0 {
                return lines.contains { $0.contains(text) }
            }
        }
    }
}
