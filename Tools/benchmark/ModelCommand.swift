import ArgumentParser
import Glibc
import Model
import Synthesis

/// The model test of the scenario tests at size S: ten accounts in one vault, six months, 20,000 messages.
struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Random histories against an oracle: ten accounts, 20,000 messages.")

    @Option(help: "Of the history; printed, so that a run can be repeated.") var seed = UInt64.random(in: 0..<1 << 48)
    @Option(help: "xs or s.") var size = "s"
    @Option(help: "How often something is looked at, in per cent.") var effort = 4

    func run() throws {
        guard let size = ["xs": HistorySize.extraSmall, "s": .small][size] else {
            throw BenchFailure("--size is xs or s")
        }
        print("model: seed \(seed)")
        var failures = 0
        let began = ContinuousClock.now
        var run = try ModelRun(seed: seed, size: size, effort: effort) { what in
            failures += 1
            print(what)
        }
        try run.run()
        let report = run.report
        print(
            "\(report.events) events in \(report.passes) passes, \(report.restarts) restarts, \(report.transactions) "
                + "transactions; \(report.restores) restores compared with the oracle, \(report.comparedItems) identities; "
                + "\(failures) differences; \(ContinuousClock.now - began)")
        if failures > 0 { throw ExitCode(1) }
    }
}
