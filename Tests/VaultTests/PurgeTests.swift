import Blobs
import Events
import Files
import Journal
import Projections
import SystemPackage
import TestKit
import Testing
import Vault

extension PurgeScene {
    /// Everything that a check of the whole vault looks at.
    func expectSound(_ comment: Comment? = nil, at location: SourceLocation = #_sourceLocation) throws {
        for problem in try problems() { Issue.record("\(problem) \(comment ?? "")", sourceLocation: location) }
    }
}

struct PurgeTests {
    @Test(
        "A live message is never purged, however old, and neither is what was deleted yesterday; what was deleted longer ago goes with all of its states"
    )
    func retention() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let old = try scene.deliver(anna, "live and ten years old")
        let gone = try scene.deliver(anna, "draft 1")
        for version in 2...5 { try scene.change(anna, gone, "draft \(version)") }
        scene.days(3_650)
        try scene.delete(anna, gone)
        scene.days(29)
        let recent = try scene.deliver(anna, "deleted yesterday")
        try scene.delete(anna, recent)
        #expect(try scene.purge().plan.parts.isEmpty)
        scene.days(2)
        let plan = try Purge(scene.vault, scene.request()).plan()
        #expect(plan.messages == 1 && plan.blobs.messages == 5 && plan.bytes > 0)
        #expect(try scene.states(anna, gone) == 6, "a plan changes nothing")
        let report = try scene.purge()
        #expect(report.plan.messages == 1 && report.blobs.messages == 5)
        #expect(try scene.states(anna, gone) == 0 && scene.states(anna, old) == 1 && scene.states(anna, recent) == 2)
        for version in 1...5 { #expect(try !scene.has("draft \(version)")) }
        #expect(try scene.reads("live and ten years old") && scene.reads("deleted yesterday"))
        #expect(try scene.vault.projections().purge(of: gone, anna) != nil)
        #expect(try scene.vault.projections().highestNumber(anna, .message) == 3)
        try scene.expectSound()
        #expect(try scene.purge().plan.parts.isEmpty, "done twice is done once")
        try scene.reopen(compacting: true)
        try scene.expectSound()
        #expect(try scene.vault.projections().highestNumber(anna, .message) == 3)
    }

    @Test(
        "Numbers are never given again, though the item that had the highest is purged and the projections are made anew"
    )
    func numbers() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let item = try scene.deliver(anna, "the newest")
        try scene.delete(anna, item)
        scene.days(31)
        try scene.purge()
        #expect(try scene.vault.projections().highestNumber(anna, .message) == item.number)
        try scene.vault.rebuildProjections()
        #expect(try scene.vault.projections().highestNumber(anna, .message) == item.number)
        // An account that is purged does not give its number to another.
        let account = try #require(try scene.vault.accounts().first)
        try scene.vault.record(Account(number: account.number, state: account.state, isDeleted: true), .deleted)
        scene.days(31)
        try scene.purge()
        #expect(try scene.vault.accounts().isEmpty)
        #expect(try scene.account("bert") > anna)
        try scene.expectSound()
    }

    @Test("An account is erased while it lives; another that has the same mail keeps it, and numbers go on")
    func erasure() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let bert = try scene.account("bert")
        try scene.deliver(anna, "of anna only")
        try scene.deliver(anna, "of both")
        let item = try scene.deliver(bert, "of both")
        let plan = try Purge(scene.vault, scene.request(erasing: anna)).plan()
        #expect(plan.messages == 2 && plan.blobs.messages == 1)
        #expect(try scene.purge(erasing: anna).plan.parts.map(\.isWhole) == [true])
        #expect(try scene.vault.accounts().map(\.number) == [bert])
        #expect(try !scene.has("of anna only") && scene.reads("of both") && scene.states(bert, item) == 1)
        try scene.expectSound()
        try scene.reopen(compacting: true)
        try scene.expectSound()
        #expect(try scene.account("carl") > bert)
    }

    @Test("Retention 0 purges nothing of that class only, and an impossible one is refused")
    func zero() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let bert = try scene.account("bert")
        let item = try scene.deliver(anna, "deleted")
        try scene.deliver(bert, "of an account that goes")
        try scene.delete(anna, item)
        let account = try #require(try scene.vault.accounts().first { $0.number == bert })
        try scene.vault.record(Account(number: bert, state: account.state, isDeleted: true), .deleted)
        scene.days(1_000)
        try scene.vault.setRetention(.vault, RetentionDays(data: 0))
        let report = try scene.purge()
        #expect(report.plan.parts.map(\.account.number) == [bert])
        #expect(try scene.states(anna, item) == 2 && scene.reads("deleted"))
        #expect(throws: Failure.self) { try scene.vault.setRetention(.vault, RetentionDays(data: -1)) }
        #expect(throws: Failure.self) { try scene.vault.setRetention(.vault, RetentionDays(account: 1_000_000)) }
        try scene.expectSound()
    }

    @Test("The same message in three mailboxes is one blob: purging two of them keeps it, purging the third removes it")
    func shared() throws {
        let scene = try PurgeScene()
        let accounts = try ["anna", "bert", "carl"].map { try scene.account($0) }
        let items = try accounts.map { try scene.deliver($0, "to all of you") }
        try scene.delete(accounts[0], items[0])
        try scene.delete(accounts[1], items[1])
        scene.days(31)
        #expect(try scene.purge().plan.messages == 2)
        #expect(try scene.reads("to all of you"))
        try scene.delete(accounts[2], items[2])
        scene.days(31)
        #expect(try scene.purge().blobs.messages == 1)
        #expect(try !scene.has("to all of you"))
        try scene.expectSound()
    }

    @Test(
        "Account deleted 20 days ago, item retention 10, account retention 30: all its items are kept; after 30 days all go"
    )
    func accountRetention() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        try scene.vault.setRetention(.vault, RetentionDays(data: 10, account: 30))
        let item = try scene.deliver(anna, "deleted long before")
        try scene.deliver(anna, "live until the end")
        try scene.delete(anna, item)
        scene.days(9)
        let account = try #require(try scene.vault.accounts().first)
        try scene.vault.record(Account(number: anna, state: account.state, isDeleted: true), .deleted)
        scene.days(20)
        #expect(try scene.purge().plan.parts.isEmpty)
        #expect(try scene.reads("deleted long before") && scene.reads("live until the end"))
        scene.days(11)
        #expect(try scene.purge().plan.parts.map(\.isWhole) == [true])
        #expect(try !scene.has("deleted long before") && !scene.has("live until the end"))
        #expect(try scene.vault.accounts().isEmpty)
        try scene.expectSound()
    }

    @Test("Opting an account out starts its timer; opting in before it ends cancels it")
    func optOut() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        try scene.deliver(anna, "mail of anna")
        var account = try #require(try scene.vault.accounts().first)
        account.state.isEnabled = false
        try scene.vault.record(account, .metadata)
        scene.days(29)
        #expect(try scene.purge().plan.parts.isEmpty)
        account.state.isEnabled = true
        try scene.vault.record(account, .metadata)
        scene.days(29)
        #expect(try scene.purge().plan.parts.isEmpty && scene.reads("mail of anna"))
        account.state.isEnabled = false
        try scene.vault.record(account, .metadata)
        // The time before it was opted in again does not count.
        scene.days(5)
        #expect(try scene.purge().plan.parts.isEmpty)
        scene.days(26)
        #expect(try scene.purge().plan.parts.map(\.isWhole) == [true])
        #expect(try !scene.has("mail of anna"))
        #expect(try scene.vault.accounts().map(\.number) == [anna], "the account itself stays")
        #expect(try scene.purge().plan.parts.isEmpty)
        try scene.expectSound()
    }

    @Test("Of domain, account and folder the narrowest rule counts")
    func scopes() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        try scene.record(
            anna,
            [
                Change(
                    ItemID(.folder, 2), .created, ItemState(FolderState(path: [Array("Keep".utf8)], sourceName: [1]))),
                Change(
                    ItemID(.folder, 3), .created,
                    ItemState(FolderState(path: [Array("Keep".utf8), Array("Below".utf8)], sourceName: [2]))),
            ])
        let items = try [(1, "in INBOX"), (2, "in Keep"), (3, "in Keep/Below")].map {
            try scene.deliver(anna, $0.1, folder: UInt32($0.0))
        }
        try scene.delete(anna, items)
        try scene.vault.setRetention(.domain("example.org"), RetentionDays(data: 5))
        try scene.vault.setRetention(.folder(anna, 2), RetentionDays(data: 0))
        scene.days(6)
        #expect(try scene.purge().plan.messages == 1)
        #expect(try scene.reads("in Keep") && scene.reads("in Keep/Below") && !scene.has("in INBOX"))
        try scene.vault.setRetention(.folder(anna, 2), RetentionDays())
        try scene.vault.setRetention(.account(anna), RetentionDays(data: 50))
        #expect(try scene.purge().plan.parts.isEmpty)
        scene.days(50)
        #expect(try scene.purge().plan.messages == 2)
        try scene.expectSound()
    }

    @Test("What is on hold stays: by account, by query, by two holds until both are lifted")
    func holds() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let items = try (1...3).map { try scene.deliver(anna, "message \($0)") }
        try scene.delete(anna, items)
        scene.days(31)
        let whole = try scene.vault.placeHold(on: anna, query: nil, reason: "case 1")
        let part = try scene.vault.placeHold(on: nil, query: "odd", reason: nil)
        let odd: @Sendable (LegalHold, Account, ItemID) throws -> Bool = { hold, _, item in
            #expect(hold.query == "odd")
            return item.kind == .message && item.number % 2 == 1
        }
        let first = try scene.purge(isHeld: odd)
        #expect(first.plan.parts.isEmpty && first.plan.held.map(\.items) == [3])
        #expect(throws: Failure.self) { try scene.purge(erasing: anna, isHeld: odd) }
        try scene.vault.liftHold(whole.number)
        let second = try scene.purge(isHeld: odd)
        #expect(second.plan.messages == 1 && second.plan.held.map(\.items) == [2])
        #expect(try scene.reads("message 1") && !scene.has("message 2") && scene.reads("message 3"))
        #expect(throws: Failure.self) { try scene.purge(erasing: anna, isHeld: odd) }
        try scene.vault.liftHold(part.number)
        #expect(try scene.purge().plan.messages == 2)
        #expect(try scene.vault.holds().map { $0.lifted != nil } == [true, true])
        try scene.expectSound()
    }

    @Test(
        "A time in the future that a wrong clock left does not keep for ever, and a clock that fell back purges nothing too early"
    )
    func clocks() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let item = try scene.deliver(anna, "deleted while the clock was wrong")
        let right = scene.clock.now
        scene.days(36_500)
        try scene.delete(anna, item)
        scene.clock.set(right)
        try scene.deliver(anna, "the clock is right again")
        #expect(try scene.purge().plan.parts.isEmpty)
        scene.days(29)
        #expect(try scene.purge().plan.parts.isEmpty)
        scene.days(2)
        #expect(try scene.purge().plan.messages == 1)
        // A clock that shows 1970 makes nothing old.
        let second = try scene.deliver(anna, "deleted in 1970")
        let now = scene.clock.now
        scene.clock.set(Timestamp(seconds: 86_400))
        try scene.delete(anna, second)
        #expect(try scene.purge().plan.parts.isEmpty)
        scene.clock.set(now)
        #expect(try scene.purge().plan.parts.isEmpty)
        try scene.expectSound()
    }

    @Test("A folder stays as long as the history of anything that stays names it")
    func folders() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let folder = ItemID(.folder, 2)
        try scene.record(
            anna, [Change(folder, .created, ItemState(FolderState(path: [Array("Old".utf8)], sourceName: [1])))])
        let item = try scene.deliver(anna, "moved out of Old", folder: 2)
        var state = try scene.state("moved out of Old")
        state.folder = 1
        try scene.record(anna, [Change(item, .moved, ItemState(state))])
        try scene.delete(anna, folder)
        scene.days(31)
        #expect(try scene.purge().plan.parts.isEmpty)
        try scene.delete(anna, item)
        scene.days(31)
        let report = try scene.purge()
        #expect(report.plan.messages == 1 && report.plan.folders == 1)
        try scene.expectSound()
    }

    @Test("A purge that is repeated after the databases fell back to what they were is complete again")
    func fallenBack() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let item = try scene.deliver(anna, "to be purged")
        try scene.deliver(anna, "to be kept")
        try scene.delete(anna, item)
        scene.days(31)
        scene.close()
        let copy = scene.scratch.appending("copy")
        Tree.copy(scene.path.appending("journal/segments"), to: copy)
        try scene.open()
        try scene.purge()
        scene.close()
        // An older copy of the segments is put back beside the newer ones: what it has of what was purged does not come back.
        for name in Tree.names(copy) {
            let target = Tree.child(scene.path.appending("journal/segments"), name)
            if !Tree.exists(target) { Tree.copy(Tree.child(copy, name), to: target) }
        }
        try VaultRepair.run(scene.path, clock: scene.clock.wall) { _ in }
        try scene.open()
        #expect(try scene.states(anna, item) == 0 && scene.reads("to be kept"))
        try scene.expectSound()
    }
}
