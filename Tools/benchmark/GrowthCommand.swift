import ArgumentParser
import Glibc
import Synthesis

/// How time, memory and size grow with the number of messages of one account in one vault.
struct GrowthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "growth", abstract: "10 thousand, 100 thousand, 1 million messages in one vault.")

    @Option(help: "Messages to have at each step, comma between; multiples of 10000.")
    var steps = "10000,100000,1000000"
    @Option var seed: UInt64 = 1
    @Option(help: "Where to work; removed afterwards. A million messages take 8 GB.") var work: String?

    func run() throws {
        let work = work ?? Shell.temporary("growth")
        try Shell.makeDirectory(work)
        defer { Shell.removeTree(work) }
        print(Machine.report(workingDirectory: work))
        let vault = GrowingVault(binary: Yestermail.builtBinary, work: work, seed: seed)
        try vault.make()
        var times = Table(
            "what it takes: seconds of wall clock, and peak memory in MB",
            [
                "messages", "scan of the new ones", "µs each", "MB", "scan, nothing changed", "MB", "one message",
                "its history",
            ])
        var sizes = Table(
            "bytes a message, on disk",
            ["messages", "journal", "projections", "blob index", "packs", "of raw mail"])
        for step in steps.split(separator: ",").compactMap({ Int($0) }) {
            let added = step - vault.messages
            try vault.grow(to: step)
            let scan = try vault.measure(["scan", "--quiet"])
            let again = try vault.measure(["scan", "--quiet"])
            // One from the middle: in neither cache, nor at an end of anything.
            let one = try vault.measure(["cat", GrowingVault.account, "m\(step / 2)"])
            let history = try vault.measure(["history", GrowingVault.account, "m\(step / 2)"])
            times.add(
                [
                    "\(step)", seconds(scan.wall), seconds(scan.wall / Double(added) * 1e6), megabytes(scan.memory),
                    seconds(again.wall), megabytes(again.memory), seconds(one.wall), seconds(history.wall),
                ])
            sizes.add(
                ["\(step)"]
                    + ["journal", "projections", "blobs/index", "blobs/packs"].map {
                        "\(Shell.size(of: vault.path + "/" + $0).apparent / step)"
                    } + ["\(vault.bytes / step)"])
            fflush(nil)
        }
        print(times.text)
        print(sizes.text)
        print("\nload at the end  " + (Shell.text(of: "/proc/loadavg") ?? ""))
    }

    private func seconds(_ value: Double) -> String { Figure.short(value) }
    private func megabytes(_ bytes: Int) -> String { "\(bytes / 1_000_000)" }
}

/// A vault, and a Maildir that gets more and more mail.
private final class GrowingVault {
    static let account = "bench@example.org"
    private static let partMessages = 10_000

    let binary, work, path: String
    private let seed: UInt64
    private(set) var messages = 0
    private(set) var bytes = 0
    private var parts = 0

    init(binary: String, work: String, seed: UInt64) {
        (self.binary, self.work, self.seed) = (binary, work, seed)
        path = work + "/vault"
    }

    func make() throws {
        for name in ["", "/cur", "/new", "/tmp"] { try Shell.makeDirectory(work + "/w" + name) }
        _ = try measure(["init"])
        _ = try measure(["account", "add", GrowingVault.account, "--source", "maildir:\(work)/w"])
    }

    /// Adds parts of ten thousand small messages, each below a folder of its own.
    func grow(to wanted: Int) throws {
        while messages < wanted {
            let corpus = MailCorpus(.small100k, seed: seed &+ UInt64(parts), scale: 100)
            let part = work + "/part"
            let statistics = try corpus.write(to: part)
            let script = """
                cd "$1" && for f in .?* ; do [ "$f" = .. ] || mv -- "$f" "$2$f" || exit 1; done
                cd .. && mv -- "$1" "$2"
                """
            let folder = "\(work)/w/.Part\(parts)"
            guard
                try Shell.run(["sh", "-c", script, "sh", part, folder], output: "/dev/null", error: "/dev/null").status
                    == 0
            else { throw BenchFailure("\(part) cannot be moved to \(folder)") }
            messages += statistics.messages
            bytes += statistics.bytes
            parts += 1
        }
        guard messages == wanted else { throw BenchFailure("\(wanted) is no multiple of \(GrowingVault.partMessages)") }
    }

    func measure(_ arguments: [String]) throws -> Measurement {
        // Nobody pays for what another left to be written.
        _ = Shell.output(["sync"])
        let measured = try Measurement(Command(arguments: [binary, "--vault", path] + arguments))
        guard measured.status == 0 else { throw BenchFailure("\(arguments[0]): \(measured.complaint)") }
        return measured
    }
}
