import ArgumentParser
import Glibc

/// What bringing back costs: one item, the plan for an account, everything, and each of them in memory.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Restores, plans and exports of an account of 100 thousand messages.")

    @Option(help: "Messages of the account; a multiple of 10000.") var messages = 100_000
    @Option var rounds = 5
    @Option var seed: UInt64 = 1
    @Option(help: "Where to work; removed afterwards.") var work: String?

    func run() throws {
        let work = work ?? Shell.temporary("restore")
        try Shell.makeDirectory(work)
        defer { Shell.removeTree(work) }
        print(Machine.report(workingDirectory: work))
        let vault = GrowingVault(binary: Yestermail.builtBinary, work: work, seed: seed)
        try vault.make()
        try vault.grow(to: messages)
        _ = try vault.measure(["scan", "--quiet"])
        var table = Table(
            "\(messages) messages of one account: median of \(rounds)",
            ["what", "ms", "MB at most", "goal"])
        let account = GrowingVault.account
        let out = work + "/out"
        func row(
            _ name: String, goal: String, prepare: () -> Void = {}, _ arguments: (Int) -> [String]
        ) throws {
            var (walls, memory): ([Double], Int) = ([], 0)
            for round in 0..<rounds {
                Shell.removeTree(out)
                prepare()
                let measured = try vault.measure(arguments(round))
                walls.append(measured.wall * 1e3)
                memory = max(memory, measured.memory)
            }
            table.add([name, Figure.spread(walls), "\(memory / 1_000_000)", goal])
            fflush(nil)
        }
        let half = messages / 2
        // Another item each time, as of just after it was captured, into a mailbox that is not there.
        func item(_ round: Int) -> [String] {
            ["restore", "item", account, "m\(half + round * 997)", "--at", "last", "--to", "maildir:" + out]
        }
        try row("one item as of T", goal: "", item)
        try row(
            "one item as of T, nothing of the vault in memory", goal: "50 ms",
            prepare: { RestoreCommand.forget(vault.path) }, item)
        if RestoreCommand.forgetCaches() {
            try row(
                "one item as of T, nothing of the machine's programs either", goal: "",
                prepare: { _ = RestoreCommand.forgetCaches() }, item)
        }
        try row("the plan for the account, nothing there", goal: "1000 ms") { _ in
            ["restore", "account", account, "--to", "maildir:" + out, "--dry-run"]
        }
        try row("the plan for the account, all of it there", goal: "1000 ms") { _ in
            ["restore", "account", account, "--dry-run"]
        }
        try row("the plan in a file", goal: "100 MB") { _ in
            ["restore", "account", account, "--to", "maildir:" + out, "--save-plan", work + "/plan"]
        }
        try row("the plan of the file, run again", goal: "100 MB") { _ in
            ["restore", "--plan", work + "/plan", "--dry-run"]
        }
        try row("the whole account", goal: "100 MB") { _ in
            ["restore", "account", account, "--to", "maildir:" + out, "--quiet"]
        }
        for format in ["vault", "mbox", "eml"] {
            try row("export as \(format)", goal: "100 MB") { _ in
                ["export", account, out, "--format", format, "--quiet"]
            }
        }
        print(table.text)
        print("\nload at the end  " + (Shell.text(of: "/proc/loadavg") ?? ""))
    }

    /// Has the kernel forget what it has read of the files below `path`.
    private static func forget(_ path: String) {
        sync()
        for file in (Shell.output(["find", path, "-type", "f"]) ?? "").split(separator: "\n") {
            let descriptor = open(String(file), O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            close(descriptor)
        }
    }

    /// Empties the kernel's caches; false where that may not be done.
    private static func forgetCaches() -> Bool {
        sync()
        let descriptor = open("/proc/sys/vm/drop_caches", O_WRONLY)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return write(descriptor, "3", 1) == 1
    }
}
