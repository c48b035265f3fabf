import Blobs
import Events
import Journal
import Projections
import Restore
import SystemPackage
import TestKit
import Testing
import Vault

/// What a purge has decided on is gone from that moment, though the journal still has it.
struct ExportWhilePurgingTests {
    private struct Killed: Error {}

    /// No proof shows a record of which something was decided on; that it is in the log is proved all the same.
    private func prove(_ scene: PurgeScene, _ generator: inout SeededGenerator) throws {
        let checkpoints = VaultCheckpoints(scene.vault)
        let signed = try checkpoints.sign(signingKey: nil, using: &generator)
        let purges = try scene.vault.purges().items
        var shown = 0
        let last = try scene.vault.journal.head().transaction
        for number in 1...last.rawValue {
            let id = TransactionID(rawValue: number)
            let transaction = try some(try scene.vault.journal.transaction(id))
            let rest = purges.rest(of: transaction).entry
            let isTouched =
                rest.changes.count < transaction.entry.changes.count
                || (rest.note == nil && transaction.entry.note != nil)
            #expect((code { _ = try checkpoints.prove(id, in: signed) } == .notFound) == isTouched, "\(id)")
            _ = try checkpoints.prove(id, in: signed, withRecord: false)
            shown += isTouched ? 0 : 1
        }
        #expect(shown > 0 && shown < Int(last.rawValue))
    }

    @Test(
        "An export made between a purge's decision and its rewriting carries nothing of what was erased, and no proof shows it"
    )
    func undecided() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let bert = try scene.account("bert")
        let item = try scene.deliver(anna, "CANARY of an item")
        try scene.delete(anna, item)
        let whole = try scene.deliver(bert, "CANARY of an account")
        let kept = try scene.deliver(anna, "kept")
        var state = try scene.state("CANARY of an old state")
        try scene.record(anna, [Change(kept, .content, ItemState(state))])
        state = try scene.state("kept after all")
        try scene.record(anna, [Change(kept, .content, ItemState(state))])
        var account = try #require(try scene.vault.accounts().first { $0.number == bert })
        account.state.isEnabled = false
        try scene.vault.record(account, .metadata)
        try scene.vault.setRetention(.vault, RetentionDays(history: try HistoryRule("all:5,none")))
        scene.days(40)
        #expect(throws: Killed.self) {
            _ = try Purge(scene.vault, scene.request()).run { if $0.phase == .journal { throw Killed() } }
        }
        // The journal still has all of it.
        let left = try scene.vault.journal.purgedItems()
        var changes = 0
        try scene.vault.journal.scan(
            from: TransactionID(rawValue: 1), through: try scene.vault.journal.head().transaction
        ) {
            let transaction = try $0.transaction()
            changes += transaction.entry.changes.count - left.rest(of: transaction).entry.changes.count
            return true
        }
        #expect(changes > 0)
        var generator = scene.generator
        try prove(scene, &generator)
        let out = scene.scratch.appending("out")
        let head = try scene.vault.journal.head().transaction
        _ = try VaultExport.run(
            scene.vault, accounts: [anna, bert], through: head, to: out, using: &generator)
        let made = try OpenVault(out, clock: scene.clock.wall)
        let projections = try made.projections()
        #expect(try projections.states(anna, item).isEmpty && projections.states(bert, whole).isEmpty)
        #expect(try projections.states(anna, kept).count == 2)
        for text in ["CANARY of an item", "CANARY of an account", "CANARY of an old state"] {
            #expect(try made.blobs.location(of: Digest(hashing: Array(text.utf8).span.bytes)) == nil)
        }
        // And the purge is finished all the same.
        try scene.purge()
        for problem in try scene.problems() { Issue.record("\(problem)") }
    }
}
