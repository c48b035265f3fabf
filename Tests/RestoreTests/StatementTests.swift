import Capture
import Connectors
import Events
import Glibc
import Journal
import Projections
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

/// What must hold of restores together with retention, holds and what stands at the target, statement by statement.
struct StatementTests {
    private func content(_ scene: PurgeScene, _ name: String) -> MailboxContent {
        MailboxContent(readingMaildir: scene.scratch.appending(name).string)
    }

    private func restore(_ scene: PurgeScene, _ account: Account, deletedSince: TransactionID? = nil, to name: String)
        throws -> RestoreReport
    {
        let request = RestoreRequest(
            account: account, point: try scene.vault.journal.head().transaction,
            selection: .account(deletedSince: deletedSince),
            target: .maildir(path: scene.scratch.appending(name).string))
        let plan = try RestorePlanner.plan(scene.vault, request)
        return try RestoreRun(scene.vault, plan, operation: UniqueID(using: &scene.generator)).run()
    }

    private func remove(_ scene: PurgeScene, _ account: AccountNumber) throws -> Account {
        let state = try #require(try scene.vault.accounts().first { $0.number == account }).state
        let removed = Account(number: account, state: state, isDeleted: true)
        try scene.vault.record(removed, .deleted)
        return removed
    }

    private func digests(_ texts: String...) -> Set<Digest> {
        Set(texts.map { Digest(hashing: Array($0.utf8).span.bytes) })
    }

    @Test("A draft edited five times then deleted and purged leaves zero blobs: every state's blob goes")
    func draft() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let draft = try scene.deliver(anna, "draft 0")
        for version in 1...5 { try scene.change(anna, draft, "draft \(version)") }
        try scene.delete(anna, draft)
        scene.days(31)
        try scene.purge()
        for version in 0...5 { #expect(try !scene.stores("draft \(version)")) }
        #expect(try scene.problems().isEmpty)
    }

    @Test("Account deleted 20 days ago, item retention 10, account retention 30: all its items are still restorable")
    func deletedAccount() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        try scene.vault.setRetention(.vault, RetentionDays(data: 10, account: 30))
        let item = try scene.deliver(anna, "deleted before the account")
        try scene.deliver(anna, "live until the end")
        try scene.delete(anna, item)
        scene.days(9)
        let removed = try remove(scene, anna)
        scene.days(20)
        try scene.purge()
        let live = try restore(scene, removed, to: "live")
        #expect(live.restored == 1 && live.unrestored.isEmpty)
        #expect(Set(content(scene, "live").messages.map(\.digest)) == digests("live until the end"))
        let all = try restore(scene, removed, deletedSince: .beginning, to: "all")
        #expect(all.restored == 2 && all.unrestored.isEmpty)
        #expect(
            Set(content(scene, "all").messages.map(\.digest))
                == digests("live until the end", "deleted before the account"))
    }

    @Test(
        "Account on legal hold: purge removes nothing of it; restore with undelete returns deleted mail in original folders"
    )
    func hold() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        try scene.record(
            anna,
            [
                Change(
                    ItemID(.folder, 2), .created,
                    ItemState(FolderState(path: [utf8("Work"), utf8("Deep")], sourceName: [])))
            ])
        _ = try scene.vault.placeHold(on: anna, query: nil, reason: "case")
        let items = [try scene.deliver(anna, "in the inbox"), try scene.deliver(anna, "deep", folder: 2)]
        try scene.delete(anna, items)
        scene.days(400)
        #expect(try scene.purge(0).plan.parts.isEmpty)
        #expect(try scene.purge().plan.parts.isEmpty)
        let account = try #require(try scene.vault.accounts().first)
        let report = try restore(scene, account, deletedSince: .beginning, to: "out")
        #expect(report.restored == 2 && report.unrestored.isEmpty)
        let found = content(scene, "out").messages
        #expect(Set(found.map(\.digest)) == digests("in the inbox", "deep"))
        #expect(Set(found.map(\.folder.description)) == ["INBOX", "Work/Deep"])
    }

    @Test(
        "Where something is mounted at a folder's path nothing is written through it: its items are named, the others come"
    )
    func mounted() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Shared")
        bench.mail.deliver(".Shared", "1.a:2,", "for the mounted one")
        bench.mail.deliver("", "2.b:2,", "for the inbox")
        try bench.scan()
        let out = MaildirFixture(bench.scratch.appending("out"))
        let elsewhere = MaildirFixture(bench.scratch.appending("elsewhere"))
        #expect(symlink(elsewhere.path.string, out.path.appending(".Shared").string) == 0)
        let report = try bench.restore(bench.request())
        #expect(report.restored == 1 && report.unrestored.count == 2)
        #expect(report.unrestored.allSatisfy { $0.cause == .refused && $0.detail.contains("Shared") })
        #expect(report.unrestored.contains { $0.item?.kind == .message })
        #expect(bench.content("elsewhere").messages.isEmpty)
        // Again, and it is no other.
        #expect(try bench.restore(bench.request()).restored == 0)
    }

    @Test(
        "A corrupt blob, a message that was never readable and one that the target refuses each end in unrestored with their distinct cause; the run continues"
    )
    func causes() throws {
        let bench = try Bench()
        let source = MemorySource {
            $0.add("INBOX", [.init("1", "whole"), .init("2", "never readable")])
            $0.add(String(repeating: "n", count: 300), [.init("3", "in a folder nobody can have")])
        }
        source.change { $0["INBOX"].messages[1].unreadable = 5 }
        _ = try SmartScan(bench.vault, bench.account, source).run()
        let damaged = (0..<900).map { "\($0 &* 2_654_435_761) " }.joined()
        source.change { $0["INBOX"].messages.append(.init("4", damaged)) }
        _ = try SmartScan(bench.vault, bench.account, source).run()
        let pack = try #require(bench.packs.last)
        let end = try #require(Tree.read(pack)?.lastIndex { $0 != 0 })
        Tree.flip(pack, byte: end - 400, bit: 3)
        let report = try bench.restore(bench.request())
        #expect(report.restored == 1 && bench.content().messages.count == 1)
        let messages = report.unrestored.filter { $0.item?.kind == .message }
        #expect(messages.count == 3 && Set(messages.map(\.detail)).count == 3, "\(messages)")
        #expect(Set(messages.map(\.cause)) == [.broken, .invalid])
        let operation = try bench.vault.operation(report.operation.description)
        #expect(Set(try bench.vault.details(of: operation).unrestored) == Set(report.unrestored))
    }
}
