import ArgumentParser
import Glibc

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
