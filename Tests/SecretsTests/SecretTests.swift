internal import Glibc
import Secrets
import SystemPackage
import TestKit
import Testing

@Suite("Secrets", .serialized)
struct SecretTests {
    private let scratch = Scratch("secrets")
    private let hidden = "hunter2-äö"

    private func file(_ content: String, mode: UInt32 = 0o600) -> String {
        let path = scratch.appending("secret")
        Tree.write(path, Array(content.utf8))
        Tree.chmod(path, mode)
        return path.string
    }

    private func read(_ text: String, user: String = "anna@example.org", seconds: Int = 20) throws -> String {
        String(decoding: try SecretReference(text).read(user: user, commandSeconds: seconds), as: UTF8.self)
    }

    private func failure(_ text: String, seconds: Int = 20) -> SecretFailure.Reason? {
        do {
            _ = try read(text, seconds: seconds)
            return nil
        } catch {
            let failure = error as? SecretFailure
            let said = "\(failure?.description ?? "") \(failure?.hint ?? "") \(String(reflecting: error))"
            #expect(!said.contains(hidden), "an error has no byte of a secret")
            return failure?.reason
        }
    }

    @Test("A secret comes from a file, a command, the environment or systemd, without its line end")
    func sources() throws {
        for end in ["", "\n", "\r\n"] {
            #expect(try read("file:" + file(hidden + end)) == hidden)
            #expect(try read("cmd:printf '%s' '\(hidden)\(end)'") == hidden)
        }
        setenv("YESTERMAIL_TEST_SECRET", hidden, 1)
        defer { unsetenv("YESTERMAIL_TEST_SECRET") }
        #expect(try read("env:YESTERMAIL_TEST_SECRET") == hidden)
        _ = file(hidden)
        setenv("CREDENTIALS_DIRECTORY", scratch.path.string, 1)
        #expect(try read("systemd:secret") == hidden)
        unsetenv("CREDENTIALS_DIRECTORY")
        #expect(failure("systemd:secret") == .noCredentials("secret"))
        #expect(failure("env:YESTERMAIL_TEST_SECRET_THAT_IS_NOT") == .noVariable("YESTERMAIL_TEST_SECRET_THAT_IS_NOT"))
    }

    @Test("A command is told whose secret is wanted, in its environment and not in its text")
    func account() throws {
        #expect(try read("cmd:printf %s \"$YESTERMAIL_ACCOUNT\"", user: "a'; rm -rf \"$b") == "a'; rm -rf \"$b")
    }

    @Test(
        "A file that everybody may read or write is refused",
        arguments: [0o604, 0o602, 0o644, 0o666, 0o601] as [UInt32])
    func worldReadable(mode: UInt32) {
        let path = file(hidden, mode: mode)
        #expect(failure("file:" + path) == .open("the secret file \(path)", mode: mode))
    }

    @Test("A file may be read by its owner and a group", arguments: [0o400, 0o600, 0o640] as [UInt32])
    func ownersOnly(mode: UInt32) throws {
        #expect(try read("file:" + file(hidden, mode: mode)) == hidden)
    }

    @Test("What is no file, not there, empty, too long or several lines is refused")
    func badFiles() throws {
        #expect(failure("file:/nowhere/secret") == .unreadable("the secret file /nowhere/secret", code: ENOENT))
        #expect(failure("file:" + scratch.path.string) == .notAFile("the secret file \(scratch.path)"))
        let fifo = scratch.appending("fifo").string
        mkfifo(fifo, 0o600)
        #expect(failure("file:" + fifo) == .notAFile("the secret file \(fifo)"))
        let path = file("")
        #expect(failure("file:" + path) == .empty("the secret file \(path)"))
        #expect(failure("file:" + file("\n")) == .empty("the secret file \(path)"))
        #expect(failure("file:" + file("\(hidden)\nuser: anna\n")) == .severalLines("the secret file \(path)"))
        #expect(failure("file:" + file("\(hidden)\0")) == .severalLines("the secret file \(path)"))
        #expect(failure("file:" + file(String(repeating: "x", count: 70_000))) == .tooLong("the secret file \(path)"))
    }

    @Test("A command that fails, prints too much or does not end is an error, and is gone afterwards")
    func badCommands() throws {
        #expect(commandFailure("echo $SECRET; exit 3") == .commandFailed(status: 3))
        #expect(commandFailure("kill -9 $$") == .commandFailed(status: 137))
        #expect(commandFailure("yes") == .tooLong("what the command printed"))
        let pid = scratch.appending("pid").string
        #expect(
            commandFailure("echo $$ > \(pid); echo x; sleep 600 & sleep 600", seconds: 1) == .commandTooSlow(seconds: 1)
        )
        let group = try #require(
            Int32(String(decoding: Tree.read(scratch.appending("pid")) ?? [], as: UTF8.self).dropLast()))
        // The children of the shell have been killed with it; nobody of the group is left but, for a moment, zombies of init.
        #expect(kill(group, 0) == -1 && errno == ESRCH)
    }

    private func commandFailure(_ command: String, seconds: Int = 20) -> SecretFailure.Reason? {
        setenv("SECRET", hidden, 1)
        defer { unsetenv("SECRET") }
        return failure("cmd:" + command, seconds: seconds)
    }

    @Test("A text that is no reference may be a secret, and is not repeated")
    func notReferences() {
        for text in [
            hidden, "", "file:", "cmd:", "pass:\(hidden)", "env:", "env:A=\(hidden)", "systemd:../\(hidden)",
            ":\(hidden)",
        ] {
            #expect(failure(text) == .notAReference)
        }
        #expect(failure("file:relative/path") == .relative(path: "relative/path"))
    }

    @Test("A reference is written as it was read")
    func roundTrip() throws {
        for text in ["file:/etc/a:b", "cmd:pass show 'mail' | head -n 1", "env:A", "systemd:imap"] {
            #expect(try SecretReference(text).description == text)
        }
    }
}
