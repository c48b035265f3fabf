import ArgumentParser
import Glibc
import SystemPackage
import TestKit
import Torture

/// `Tools/torture`: see there.
@main
struct TortureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture",
        abstract: "Kills, starves and damages Yestermail, and looks whether it keeps its promises.",
        subcommands: [
            Calls.self, Kills.self, Bits.self, Files.self, Disk.self, Power.self, Points.self, Day.self, Work.self,
        ])

    /// What all harnesses are told.
    struct Options: ParsableArguments {
        @Option(help: "The seed; another one each time without it. The same seed makes the same cases.")
        var seed: UInt64 = UInt64.random(in: 0..<1 << 48)

        @Option(help: "The program under torture.") var program: String
        @Option(help: "The library of Tools/torture-shim.") var shim: String = ""

        @Option(help: "Ends when there are so many findings.") var most: Int = 20

        var tools: World.Tools {
            World.Tools(program: program, worker: CommandLine.arguments[0], shim: shim, mostFindings: most)
        }
    }

    static func end(_ reports: Report...) throws {
        for report in reports { print(report.summary) }
        if reports.contains(where: { !$0.findings.isEmpty }) { throw ExitCode(5) }
    }

    struct Calls: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Strikes the writing system calls of a scripted day: kills before them, or lets them fail.")
        @OptionGroup var options: Options
        @Option(help: "kills or errors") var what: String = "kills"
        @Option(help: "Every Nth call.") var every: Int = 1
        @Option(help: "Only this step of the day.") var step: String?

        func run() throws {
            try TortureCommand.end(
                CallSweep.run(
                    options.tools, what == "errors" ? .errors : .kills, stride: max(1, every), seed: options.seed,
                    only: step))
        }
    }

    struct Kills: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Kills the program at random moments under load.")
        @OptionGroup var options: Options
        @Option(help: "How often.") var count: Int = 300

        func run() throws { try TortureCommand.end(KillLoad.run(options.tools, count: count, seed: options.seed)) }
    }

    struct Bits: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Flips single bits of all kinds of files of a vault.")
        @OptionGroup var options: Options
        @Option(help: "How many.") var count: Int = 1_000
        @Option(help: "Only files whose path contains this.") var file: String = ""

        func run() throws {
            try TortureCommand.end(
                Damage.run(options.tools, .bits, count: count, seed: options.seed, file: file))
        }
    }

    struct Files: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Zeroes, swaps, truncates, empties, removes and rolls back files of a vault.")
        @OptionGroup var options: Options
        @Option(help: "How many.") var count: Int = 200
        @Option(help: "Only files whose path contains this.") var file: String = ""

        func run() throws {
            try TortureCommand.end(
                Damage.run(options.tools, .files, count: count, seed: options.seed, file: file))
        }
    }

    struct Disk: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Full disks of growing sizes, then freed. Needs root.")
        @OptionGroup var options: Options
        @Option(help: "How many sizes.") var count: Int = 10

        func run() throws { try TortureCommand.end(FullDisk.run(options.tools, count: count, seed: options.seed)) }
    }

    struct Power: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cuts the power of a file system in a file: FS_IOC_SHUTDOWN on ext4 or XFS. Needs root.")
        @OptionGroup var options: Options
        @Option(help: "How often.") var count: Int = 30
        @Option(help: "ext4 or xfs") var system: String = "ext4"

        func run() throws {
            try TortureCommand.end(PowerCut.run(options.tools, system: system, count: count, seed: options.seed))
        }
    }

    struct Points: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Projections, fold, and what is restored and captured again, at random points in time.")
        @OptionGroup var options: Options
        @Option(help: "How many points.") var count: Int = 200

        func run() throws { try TortureCommand.end(TimePoints.run(options.tools, count: count, seed: options.seed)) }
    }

    struct Day: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "calls-of-the-day", abstract: "Lists the system calls of each step of the scripted day.")
        @OptionGroup var options: Options

        func run() throws { CallSweep.list(options.tools) }
    }

    /// What a harness starts itself.
    struct Work: ParsableCommand {
        static let configuration = CommandConfiguration(shouldDisplay: false)
        @Argument var what: String
        @Option var rounds: Int = 40

        func run() throws {
            guard let vault = getenv("YESTERMAIL_VAULT") else { throw ValidationError("no vault") }
            try SealingWork.run(FilePath(String(cString: vault)), rounds: rounds)
        }
    }
}
