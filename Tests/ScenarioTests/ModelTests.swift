import Glibc
import Model
import Synthesis
import TestKit
import Testing

/// The vault against the oracle, at the size that is for every day (XS); `Tools/bench model` does it at size S.
struct ModelTests {
    /// `YESTERMAIL_MODEL_SEEDS` many of them, from the announced one on.
    private static let seeds: [UInt64] = {
        let count = getenv("YESTERMAIL_MODEL_SEEDS").flatMap { Int(String(cString: $0)) } ?? 2
        let first = SeededGenerator.announced("model").seed
        return (0..<max(1, count)).map { first &+ UInt64($0) }
    }()

    @Test(
        "Whatever happens to a mailbox, every pass can be restored as it was, and replay and projections agree",
        arguments: seeds)
    func life(seed: UInt64) throws {
        var run = try ModelRun(seed: seed, size: .extraSmall) { Issue.record(Comment(rawValue: $0)) }
        try run.run()
        #expect(run.report.events > 1_000 && run.report.restores >= 5, "\(run.report)")
    }
}
