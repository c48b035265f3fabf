import Events
import Glibc
import Journal
import Projections
import Synthesis
import TestKit
import Testing
import Vault

/// The vault against the oracle: whatever happened to a mailbox, every restore point is what it was.
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
        let stage = try ModelStage(seed: seed)
        while stage.player.next != nil {
            try stage.player.play(next: stage.generator.number(1..<stage.generator.element([20, 150, 400])))
            if stage.generator.chance(20) { stage.restart() }
            guard try stage.pass(), let pass = stage.passes.last else { continue }
            let context: Comment = "seed \(seed), after \(pass.played) events, \(pass.head)"
            let lost = try stage.lostIdentities()
            #expect(lost == [], context)
            if stage.generator.chance(30) {
                try same(stage, at: pass.head, after: pass.played, context)
            }
            let point = TransactionID(rawValue: UInt64(stage.generator.number(1..<Int(try stage.head.rawValue) + 1)))
            #expect(try stage.agree(at: point), "seed \(seed), \(point)")
            if stage.generator.chance(20) {
                #expect(try stage.followBeside(stage.generator.element([1, 7, 100, 20_000])), context)
            }
        }
        if stage.player.model.exists {
            #expect(try stage.pass())
            let last = try #require(stage.passes.last)
            try same(stage, at: last.head, after: last.played, "seed \(seed), at the end")
        }
        // The past has not changed since.
        for pass in stage.passes.shuffled(using: &stage.generator).prefix(4) {
            try same(
                stage, at: pass.head, after: pass.played,
                "seed \(seed), later, after \(pass.played) events, \(pass.head)")
        }
        #expect(stage.comparedItems > 200, "seed \(seed)")
        let before = try stage.vault.projections().contentDigest()
        #expect(try stage.vault.rebuildProjections().contentDigest() == before)
        #expect(try stage.followBeside(13))
        var findings: [JournalFinding] = []
        _ = try stage.vault.journal.verify { findings.append($0) }
        #expect(findings.isEmpty)
    }

    private func same(_ stage: ModelStage, at point: TransactionID, after played: Int, _ comment: Comment) throws {
        let differences = try stage.differences(at: point, after: played)
        #expect(differences == [], comment)
    }
}
