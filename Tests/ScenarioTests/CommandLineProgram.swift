internal import Foundation
internal import Glibc
internal import SystemPackage
internal import TestKit

/// The built executable, run as a person or a script runs it.
struct CommandLineProgram {
    let vault: FilePath
    var environment: [String: String] = [:]

    struct Answer {
        var status: Int32
        var output: [UInt8]
        var error: String

        var text: String { String(decoding: output, as: UTF8.self) }
        /// The one JSON document on standard output.
        var json: Any {
            get throws { try JSONSerialization.jsonObject(with: Data(output), options: .fragmentsAllowed) }
        }
        var object: [String: Any] { get throws { try json as? [String: Any] ?? [:] } }
        /// The objects of JSON Lines.
        var lines: [[String: Any]] {
            get throws {
                try text.split(separator: "\n").map {
                    try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
                }
            }
        }
        /// What is behind `error` in the JSON on standard error.
        var failure: [String: Any] {
            get throws {
                let all = try JSONSerialization.jsonObject(with: Data(error.utf8)) as? [String: Any]
                return all?["error"] as? [String: Any] ?? [:]
            }
        }
    }

    /// Beside the test bundle.
    static let executable: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = (own as NSString).deletingLastPathComponent + "/yestermail"
        if access(beside, X_OK) == 0 { return beside }
        return TestData.package.appending(".build/debug/yestermail").string
    }()

    /// Starts the program; `stop` may end it with a signal once its standard output has said something.
    @discardableResult
    func run(_ arguments: String..., endingWith signal: Int32? = nil) throws -> Answer {
        try run(arguments, endingWith: signal)
    }

    @discardableResult
    func run(_ arguments: [String], endingWith signal: Int32? = nil) throws -> Answer {
        let scratch = Scratch("cli")
        let (out, err) = (scratch.appending("out").string, scratch.appending("err").string)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT, 0o600)
        var all = ProcessInfo.processInfo.environment
        for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "YESTERMAIL_CONFIG"] { all[name] = nil }
        all["YESTERMAIL_VAULT"] = vault.string
        all["TZ"] = "UTC"
        all.merge(environment) { $1 }
        var argv: [UnsafeMutablePointer<CChar>?] = ([Self.executable] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, Self.executable, &actions, nil, &argv, &envp)
        guard code == 0 else { throw Problem(what: "\(Self.executable) cannot be started: errno \(code)") }
        if let signal {
            var waits = 0
            while (Tree.read(FilePath(out)) ?? []).isEmpty, waits < 3_000 {
                usleep(10_000)
                waits += 1
            }
            kill(child, waits < 3_000 ? signal : SIGKILL)
        }
        var status: Int32 = 0
        // A program that does not end is ended: a test must never hang.
        var waits = 0
        while true {
            let found = waitpid(child, &status, WNOHANG)
            if found == child { break }
            guard found == 0 || errno == EINTR else { throw Problem(what: "waitpid: errno \(errno)") }
            if waits == 60_000 { kill(child, SIGKILL) }
            usleep(2_000)
            waits += 1
        }
        return Answer(
            status: status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F,
            output: Tree.read(FilePath(out)) ?? [],
            error: String(decoding: Tree.read(FilePath(err)) ?? [], as: UTF8.self))
    }

    struct Problem: Error { let what: String }
}

/// A vault with one account that lives in a small Maildir, scanned.
struct CommandLineScene {
    let scratch = Scratch("scene")
    let maildir: MaildirFixture
    let program: CommandLineProgram

    static let first =
        "From: Piero Rossi <piero@example.org>\nSubject: Contract 2026\nMessage-ID: <4711@example.org>\n\nsigned\n"
    static let second =
        "From: x@example.org\nSubject: \u{1B}]0;owned\u{07} \u{202E}gnp\nMessage-ID: <4712@example.org>\n\nhostile\n"

    init() throws {
        maildir = MaildirFixture(scratch.appending("mail"))
        maildir.makeFolder(".Trash")
        maildir.deliver("", "1.a:2,S", Self.first)
        maildir.deliver("", "2.b:2,", Self.second)
        program = CommandLineProgram(vault: scratch.appending("vault"))
        try program.run("init")
        try program.run("account", "add", "anna@example.org", "--source", "maildir:\(maildir.path)")
        try program.run("scan")
    }

    /// The id of the message with that file name.
    func item(_ subject: String) throws -> String {
        try program.run("find", "anna", "--ever", "subject:\(subject)", "--json").lines.first?["item"] as? String
            ?? "m0"
    }
}
