import ArgumentParser
import FuzzTargets
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
            Calls.self, Kills.self, Bits.self, Sweep.self, Files.self, Disk.self, Power.self, Blocks.self, Points.self,
            ReadOnly.self, Planted.self, Simulate.self, FuzzCommand.self, Day.self, Work.self,
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

    static func end(_ reports: Report...) throws { try end(reports) }

    static func end(_ reports: [Report]) throws {
        for report in reports { print(report.summary) }
        if reports.contains(where: { !$0.findings.isEmpty }) { throw ExitCode(5) }
    }

    struct Calls: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Strikes the writing system calls of a scripted day: kills before them, or lets them fail.")
        @OptionGroup var options: Options
        @Option(help: "kills, errors, halves or syncs") var what: String = "kills"
        @Option(help: "Every Nth call.") var every: Int = 1
        @Option(help: "Only this step of the day.") var step: String?

        func run() throws {
            guard let what = CallSweep.Kind(rawValue: what) else { throw ValidationError("--what \(what)") }
            try TortureCommand.end(
                CallSweep.run(
                    options.tools, what, stride: max(1, every), seed: options.seed,
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

    struct Sweep: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "all-bits",
            abstract: "Flips every single bit of a small vault, or some, without a process for each.")
        @OptionGroup var options: Options
        @Option(help: "How many; default: every one.") var count: Int?
        @Option(help: "Of every Nth bit that a check sees: answers and repair.") var sample: Int = 500
        @Option(help: "Only files whose path contains this.") var file: String = ""

        func run() throws {
            try TortureCommand.end(
                BitSweep.run(
                    options.tools, count: count, sample: max(1, sample), seed: options.seed, file: file))
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

    struct Blocks: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Disks as a power cut may leave them, of the recorded block writes of days on ext4 or XFS. Needs root, /dev/fuse, loop devices."
        )
        @OptionGroup var options: Options
        @Option(help: "How many disks.") var count: Int = 5_000
        @Flag(help: "Of one day, every prefix of its writes instead.") var prefixes = false
        @Option(help: "ext4 or xfs") var system: String = "ext4"

        func run() throws {
            try TortureCommand.end(
                BlockReplay.run(
                    options.tools, system: system, count: count, everyPrefix: prefixes, seed: options.seed))
        }
    }

    struct Points: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Projections, fold, and what is restored and captured again, at random points in time.")
        @OptionGroup var options: Options
        @Option(help: "How many points.") var count: Int = 200

        func run() throws { try TortureCommand.end(TimePoints.run(options.tools, count: count, seed: options.seed)) }
    }

    struct ReadOnly: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "read-only", abstract: "A vault on a file system that is mounted to be read only. Needs root.")
        @OptionGroup var options: Options

        func run() throws { try TortureCommand.end(ReadOnlyMount.run(options.tools, seed: options.seed)) }
    }

    struct Planted: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Plants bugs as system calls that lie: every one must be caught.")
        @OptionGroup var options: Options
        @Option(help: "How many of them; default: all.") var count: Int?

        func run() throws { try TortureCommand.end(PlantedBugs.run(options.tools, count: count, seed: options.seed)) }
    }

    struct Simulate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Days of a mailbox and its vault in one process, each run from one seed.")
        @OptionGroup var options: Options
        @Option(help: "How many runs: with this seed and those that follow it.") var count: Int = 500

        func run() throws { try TortureCommand.end(Simulation.run(options.tools, count: count, seed: options.seed)) }
    }

    struct FuzzCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fuzz", abstract: "Gives a decoder changed input: \(FuzzTarget.allCases.map(\.rawValue)).")
        @OptionGroup var options: Options
        @Argument(help: "Which one; default: all, one after the other.") var target: String?
        @Option(help: "How many cases.") var count: Int = 100_000
        @Option(help: "Only write what it begins with into this directory.") var seeds: String?

        func run() throws {
            let targets = try target.map { name in
                guard let target = FuzzTarget(rawValue: name) else { throw ValidationError("no decoder \(name)") }
                return [target]
            }
            var reports: [Report] = []
            for target in targets ?? FuzzTarget.allCases {
                if let seeds {
                    Fuzz.writeSeeds(options.tools, target, into: FilePath(seeds))
                } else {
                    reports.append(Fuzz.run(options.tools, target, cases: count, seed: options.seed))
                }
            }
            try TortureCommand.end(reports)
        }
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
        @Argument var paths: [String] = []
        @Option var rounds: Int = 40

        func run() throws {
            if what == "disk", paths.count == 3 {
                try BlockReplay.serve(base: paths[0], log: paths[1], at: paths[2])
                return
            }
            guard let vault = getenv("YESTERMAIL_VAULT") else { throw ValidationError("no vault") }
            try SealingWork.run(FilePath(String(cString: vault)), rounds: rounds)
        }
    }
}
