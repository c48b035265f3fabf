internal import Events
import Glibc

/// A program that backs up a Maildir. Everything it keeps is below `home`; the source is the directory `w` in `work`.
protocol BackupTool {
    var name: String { get }
    /// Whether it can be run; else why not.
    func missing() -> String?
    /// What comes before the first backup and is not timed.
    func prepare() -> [Command]
    func backup(_ label: Int) -> Command
    /// Everything, into the directory `target`, which is empty; the Maildir is then at ``restoredRoot(in:)``.
    func restore(to target: String, label: Int) -> Command
    func restoredRoot(in target: String) -> String
    /// One message as it was at the first backup, to standard output.
    func one(_ message: ChosenMessage) throws -> Command
    /// Reads every byte it keeps.
    func check() -> Command
    /// What counts as its size.
    var repository: String { get }
}

/// The message that is asked for back.
struct ChosenMessage {
    /// Below the Maildir's root, as at the first backup.
    let path: String
    let messageID: String
    let bytes: [UInt8]
    /// An instant after the first backup and before the second, RFC 3339.
    let time: String
}

extension BackupTool {
    func onPath(_ program: String) -> String? {
        Shell.output(["sh", "-c", "command -v \(program)"]) == nil ? "\(program) is not installed" : nil
    }
}

struct Restic: BackupTool {
    let name = "restic"
    let work, home: String
    var repository: String { home + "/repository" }

    func missing() -> String? { onPath("restic") }
    private func command(_ arguments: [String]) -> Command {
        Command(
            arguments: [
                "env", "RESTIC_PASSWORD=bench", "RESTIC_CACHE_DIR=\(home)/cache", "RESTIC_PROGRESS_FPS=0.1", "restic",
                "--repo", repository,
            ] + arguments, directory: work)
    }
    func prepare() -> [Command] { [command(["init", "--quiet"])] }
    func backup(_ label: Int) -> Command { command(["backup", "--quiet", "--tag", "a\(label)", "w"]) }
    func restore(to target: String, label: Int) -> Command {
        command(["restore", "--quiet", "latest", "--target", target])
    }
    func restoredRoot(in target: String) -> String { target + "/w" }
    func one(_ message: ChosenMessage) throws -> Command {
        // `latest` with a tag is the newest that has it: the first backup.
        command(["dump", "--tag", "a1", "latest", "/w/" + message.path])
    }
    func check() -> Command { command(["check", "--read-data", "--quiet"]) }
}

struct Borg: BackupTool {
    let name = "borg zstd,3"
    let work, home: String
    var repository: String { home + "/repository" }

    func missing() -> String? { onPath("borg") }
    private func command(_ arguments: [String], in directory: String? = nil) -> Command {
        Command(
            arguments: ["env", "BORG_BASE_DIR=\(home)", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes", "borg"]
                + arguments, directory: directory ?? work)
    }
    func prepare() -> [Command] { [command(["init", "-e", "none", repository])] }
    func backup(_ label: Int) -> Command { command(["create", "-C", "zstd,3", "\(repository)::a\(label)", "w"]) }
    func restore(to target: String, label: Int) -> Command {
        command(["extract", "\(repository)::a\(label)"], in: target)
    }
    func restoredRoot(in target: String) -> String { target + "/w" }
    func one(_ message: ChosenMessage) throws -> Command {
        // A pattern of one path; `pp:` takes it as it is.
        command(["extract", "--stdout", "\(repository)::a1", "pp:w/" + message.path])
    }
    func check() -> Command { command(["check", "--verify-data", repository]) }
}

/// No backup tool, but the simplest thing that packs: a floor to compare with.
struct TarZstd: BackupTool {
    let name = "tar | zstd -3"
    let work, home: String
    var repository: String { home + "/repository" }
    private func file(_ label: Int) -> String { "\(repository)/\(label).tar.zst" }

    func missing() -> String? { onPath("zstd") ?? onPath("tar") }
    private func shell(_ script: String, _ arguments: [String], in directory: String? = nil) -> Command {
        Command(arguments: ["sh", "-c", script, "sh"] + arguments, directory: directory ?? work)
    }
    func prepare() -> [Command] { [Command(arguments: ["mkdir", repository])] }
    // Only the newest is kept, and one that stands for the first: the size is that of one.
    func backup(_ label: Int) -> Command { shell("tar cf - w | zstd -3 -q -f -o \"$1\"", [file(min(label, 2))]) }
    func restore(to target: String, label: Int) -> Command {
        shell("zstd -dcq \"$1\" | tar xf -", [file(2)], in: target)
    }
    func restoredRoot(in target: String) -> String { target + "/w" }
    func one(_ message: ChosenMessage) throws -> Command {
        shell("zstd -dcq \"$1\" | tar xOf - \"$2\"", [file(1), "w/" + message.path])
    }
    func check() -> Command { shell("zstd -tq \"$1\"", [file(2)]) }
}

struct Yestermail: BackupTool {
    let name = "yestermail"
    let work, home, binary: String
    private let account = "bench@example.org"
    /// The one that is named in `YESTERMAIL`, else that of this tree.
    static let builtBinary: String = {
        if let named = getenv("YESTERMAIL") { return String(cString: named) }
        return String(Shell.ownPath.dropLast("yestermail-bench".count)) + "yestermail"
    }()
    var repository: String { home + "/vault" }

    func missing() -> String? {
        if Shell.output([binary, "--version"]) == nil {
            return "\(binary) does not run (build it, or name it in YESTERMAIL)"
        }
        return nil
    }
    private func command(_ arguments: [String]) -> Command {
        Command(arguments: [binary, "--vault", repository] + arguments, directory: work)
    }
    func prepare() -> [Command] {
        [command(["init"]), command(["account", "add", account, "--source", "maildir:\(work)/w"])]
    }
    func backup(_ label: Int) -> Command { command(["scan", "--quiet"]) }
    func restore(to target: String, label: Int) -> Command {
        command([
            "restore", "account", account, "--at", "last", "--to", "maildir:" + restoredRoot(in: target), "--quiet",
        ])
    }
    func restoredRoot(in target: String) -> String { target + "/w" }
    func one(_ message: ChosenMessage) throws -> Command {
        // Its id, as `ls` prints it: what restic and borg are told is a path.
        let digest = Digest(hashing: message.bytes.span.bytes).description
        let list = Shell.output([
            binary, "--vault", repository, "ls", account + ":INBOX", "--at", message.time, "--json", "--quiet",
        ])
        guard let line = (list ?? "").split(separator: "\n").first(where: { $0.contains(digest) }),
            let item = Array("\(line)".split(separator: "\"", omittingEmptySubsequences: false)).item(behind: "item")
        else { throw BenchFailure("yestermail does not list the message") }
        return command(["cat", account, item, "--at", message.time])
    }
    func check() -> Command { command(["check", "--read-data", "--quiet"]) }
}

extension [Substring] {
    /// The value of a key, where the parts are what stands between quotation marks: `…"item":"m7"…`.
    func item(behind key: String) -> String? {
        guard let place = firstIndex(of: Substring(key)), place + 2 < count else { return nil }
        return String(self[place + 2])
    }
}
