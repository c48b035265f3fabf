import Events
import Journal
import Projections
public import Synthesis
import TestKit
import Vault

/// The vault against the oracle: whatever happens to mailboxes, every restore point is what it was, and replay and
/// projections agree. The same run is a test (size XS) and a part of `Tools/bench` (size S).
public struct ModelRun {
    private let stage: ModelStage
    private let seed: UInt64
    /// How often something was looked at, in per cent: more for a small history than for a large one.
    private let effort: Int
    private var passesSinceRestore = 0
    private let found: (String) -> Void
    public private(set) var report = Report()

    /// What was done.
    public struct Report: Sendable {
        public var events = 0
        public var passes = 0
        public var restores = 0
        public var restarts = 0
        public var comparedItems = 0
        public var transactions: UInt64 = 0
    }

    /// A run over a history of that size; what is not as it should be goes to `found`, in words.
    public init(
        seed: UInt64, size: HistorySize, bodies: Bodies = .generated, effort: Int = 30,
        found: @escaping (String) -> Void
    ) throws {
        stage = try ModelStage(seed: seed, size: size, bodies: bodies)
        (self.seed, self.effort, self.found) = (seed, effort, found)
    }

    /// Plays everything there is to its end. Throws what should never be thrown.
    public mutating func run() throws {
        while true {
            let playing = stage.mailboxes.indices.filter { stage.mailboxes[$0].player.next != nil }
            guard !playing.isEmpty else { break }
            let index = stage.generator.element(playing)
            try stage.play(index, stage.generator.number(1..<stage.generator.element([20, 150, 400])))
            if stage.generator.chance(20) {
                stage.restart()
                report.restarts += 1
            }
            guard try stage.pass(index), let pass = stage.mailboxes[index].passes.last else { continue }
            report.passes += 1
            try look(index, pass)
        }
        for index in stage.mailboxes.indices { try end(index) }
        let before = try stage.vault.projections().contentDigest()
        expect(try stage.vault.rebuildProjections().contentDigest() == before, "projections made anew differ")
        expect(try stage.followBeside(13), "projections that followed in steps of 13 differ")
        _ = try stage.vault.journal.verify { found("seed \(seed): \($0)") }
        report.comparedItems = stage.mailboxes.reduce(0) { $0 + $1.comparedItems }
        report.events = stage.mailboxes.reduce(0) { $0 + $1.player.played }
        report.transactions = try stage.head.rawValue
        expect(report.comparedItems > 50, "only \(report.comparedItems) items were compared")
    }

    private mutating func look(_ index: Int, _ pass: (head: TransactionID, played: Int)) throws {
        let context = "after \(pass.played) events of account \(index), \(pass.head)"
        for lost in try stage.lostIdentities(index) { expect(false, "\(context): \(lost)") }
        // Whatever the dice say, not many passes go by without a restore.
        passesSinceRestore += 1
        if stage.generator.chance(effort) || passesSinceRestore == 400 / effort { try same(index, pass, context) }
        let point = TransactionID(rawValue: UInt64(stage.generator.number(1..<Int(try stage.head.rawValue) + 1)))
        if stage.generator.chance(effort * 3) {
            expect(try stage.agree(index, at: point), "replay and projections differ as of \(point)")
        }
        if stage.generator.chance(effort * 2 / 3) {
            let batch = stage.generator.element([1, 7, 100, 20_000])
            expect(try stage.followBeside(batch), "\(context): projections that followed in steps of \(batch) differ")
        }
    }

    private mutating func end(_ index: Int) throws {
        if stage.mailboxes[index].player.model.exists {
            expect(try stage.pass(index), "the last state of account \(index) is not believed")
            if let last = stage.mailboxes[index].passes.last { try same(index, last, "account \(index) at its end") }
        }
        // The past has not changed since.
        for pass in stage.mailboxes[index].passes.shuffled(using: &stage.generator).prefix(4) {
            try same(index, pass, "later, after \(pass.played) events of account \(index), \(pass.head)")
        }
    }

    private mutating func same(
        _ index: Int, _ pass: (head: TransactionID, played: Int), _ context: String
    ) throws {
        report.restores += 1
        passesSinceRestore = 0
        for difference in try stage.differences(index, at: pass.head, after: pass.played).prefix(20) {
            expect(false, "\(context): \(difference)")
        }
    }

    private func expect(_ holds: Bool, _ what: String) {
        if !holds { found("seed \(seed): \(what)") }
    }
}
