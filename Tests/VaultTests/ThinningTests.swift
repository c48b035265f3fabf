import Blobs
import Events
import Journal
import Projections
import TestKit
import Testing
import Vault

struct ThinningTests {
    /// A message whose flags change again and again; the days between.
    @discardableResult
    private func life(_ scene: PurgeScene, _ account: AccountNumber, _ text: String, hours: [Int64]) throws -> ItemID {
        let item = try scene.deliver(account, text)
        for (index, hours) in hours.enumerated() {
            scene.clock.advance(seconds: hours * 3_600)
            try flag(scene, account, item, text, index)
        }
        return item
    }

    private func flag(
        _ scene: PurgeScene, _ account: AccountNumber, _ item: ItemID, _ text: String, _ index: Int
    ) throws {
        var state = try scene.state(text)
        state.flags = MessageFlags(rawValue: UInt8(1 + index % 7))
        try scene.record(account, [Change(item, .flags, ItemState(state))])
    }

    @Test("A rule says what it keeps; what it cannot mean is refused with what to write")
    func rules() throws {
        for text in ["off", "all:30,daily:90,monthly", "all:1,none", "all:7,weekly", "all:1,daily:2,weekly:3,yearly"] {
            #expect(try HistoryRule(text).description == text)
        }
        #expect(try HistoryRule("all").isOff && HistoryRule("off").isOff)
        for text in [
            "", "daily", "all:0,daily", "all:30", "all:30,daily:90", "all,daily", "all:30,monthly:5,daily",
            "all:x,daily",
            "all:30,daily:90,", "all:50000,daily", "all:3,daily,none:4", "all:-1,none", "none", "all:1,all:2,daily",
        ] {
            #expect(throws: Failure.self, "\(text)") { try HistoryRule(text) }
        }
    }

    @Test(
        "Histories are thinned only when a rule says so: all states for some days, the newest of each day for some more, then of each month"
    )
    func thinned() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        // Four changes a day for 100 days.
        let item = try life(scene, anna, "flagged", hours: Array(repeating: 6, count: 400))
        let before = try scene.vault.projections().states(anna, item)
        #expect(try scene.purge().plan.states == 0 && scene.states(anna, item) == 401)
        try scene.vault.setRetention(.vault, RetentionDays(history: try HistoryRule("all:10,daily:30,monthly")))
        let plan = try Purge(scene.vault, scene.request()).plan()
        #expect(try plan.states > 200 && plan.bytes > 0 && scene.states(anna, item) == 401, "a plan changes nothing")
        let report = try scene.purge()
        #expect(try report.plan.states == plan.states && scene.states(anna, item) == 401 - plan.states)
        let after = try scene.vault.projections().states(anna, item)
        #expect(after.first == before.first && after.last == before.last)
        let times = try after.map { try #require(try scene.vault.journal.withRecord($0.transaction) { $0.time }) }
        let now = scene.clock.now
        func day(_ time: Timestamp) -> Int64 { time.rawValue / 86_400_000_000 }
        func age(_ time: Timestamp) -> Int64 { (now.rawValue - time.rawValue) / 86_400_000_000 }
        #expect(times.filter { age($0) < 10 }.count >= 38)
        let daily = times.filter { (11..<39).contains(age($0)) }
        #expect(daily.count == Set(daily.map(day)).count && (27...29).contains(daily.count))
        #expect(times.filter { age($0) > 41 }.count <= 4)
        // What is left of each day is its newest.
        for time in daily {
            let all = try before.map { try #require(try scene.vault.journal.withRecord($0.transaction) { $0.time }) }
            #expect(all.filter { day($0) == day(time) }.max() == time)
        }
        try scene.expectSound()
        #expect(try scene.purge().plan.states == 0, "done twice is done once")
        // What was thinned is named.
        let purges = try scene.vault.purges(of: anna)
        let gone = purges.thinned(item, anna)
        #expect(gone.first?.mark.rule == PurgeRule(.history, "all:10,daily:30,monthly", scope: "vault"))
        for pointer in before {
            let kept = try #require(
                try scene.vault.projections().pointer(anna, item, asOf: pointer.transaction)?.transaction)
            let said = purges.thinned(item, anna, asOf: pointer.transaction, kept: kept)
            #expect((said == nil) == (kept == pointer.transaction))
        }
        try scene.reopen(compacting: true)
        try scene.expectSound()
    }

    @Test(
        "Bytes of thinned contents come back; what the states that stay go on having, and all that says when an item was there, stays"
    )
    func contents() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let item = try scene.deliver(anna, "draft 0")
        for version in 1...5 { try scene.change(anna, item, "draft \(version)") }
        // Deleted, back, and flagged: its content is that of the fifth version.
        try scene.delete(anna, item)
        try scene.record(anna, [Change(item, .returned, ItemState(try scene.state("draft 5")))])
        for index in 0..<4 { try flag(scene, anna, item, "draft 5", index) }
        scene.days(40)
        try flag(scene, anna, item, "draft 5", 5)
        try scene.vault.setRetention(.account(anna), RetentionDays(history: try HistoryRule("all:30,none")))
        let report = try scene.purge()
        #expect(report.plan.states == 8 && report.blobs.messages == 4)
        for version in 1...4 { #expect(try !scene.has("draft \(version)")) }
        #expect(try scene.reads("draft 0") && scene.reads("draft 5"))
        #expect(try scene.states(anna, item) == 5)
        try scene.expectSound()
    }

    @Test("A hold keeps old states too: of an account, by query; and says so")
    func holds() throws {
        let scene = try PurgeScene()
        let anna = try scene.account("anna")
        let items = try (1...2).map { try life(scene, anna, "message \($0)", hours: Array(repeating: 1, count: 5)) }
        scene.days(60)
        try scene.vault.setRetention(.vault, RetentionDays(history: try HistoryRule("all:30,yearly")))
        let whole = try scene.vault.placeHold(on: anna, query: nil, reason: nil)
        let first = try scene.purge()
        #expect(first.plan.states == 0 && first.plan.heldStates.map(\.states) == [8])
        try scene.vault.liftHold(whole.number)
        try scene.vault.placeHold(on: nil, query: "first", reason: nil)
        let second = try scene.purge(isHeld: { _, _, item in item == items[0] })
        #expect(second.plan.states == 4 && second.plan.heldStates.map(\.states) == [4])
        #expect(try scene.states(anna, items[0]) == 6 && scene.states(anna, items[1]) == 2)
        try scene.expectSound()
    }

    @Test(
        "Random histories, thinned and purged again and again: when an item was there stays exactly known, and so is every state that is young, live, or held",
        arguments: 0..<4)
    func random(run: Int) throws {
        let scene = try PurgeScene(.announced("thinning \(run)"))
        let comment: Comment = "seed \(scene.generator.seed)"
        let anna = try scene.account("anna")
        struct Known {
            var states: [(id: TransactionID, time: Timestamp, state: ItemState)] = []
        }
        var known: [ItemID: Known] = [:]
        for step in 0..<250 {
            scene.clock.advance(seconds: Int64(scene.generator.number(1..<40_000)))
            let item: ItemID
            let last = known.isEmpty ? nil : scene.generator.element(known.keys.sorted())
            switch (scene.generator.number(0..<10), last) {
            case (0, _), (_, nil): item = try scene.deliver(anna, "text \(step)")
            case (1, let found?):
                item = found
                if known[item]!.states.last!.state.isDeleted {
                    var back = known[item]!.states.last!.state
                    back.isDeleted = false
                    try scene.record(anna, [Change(item, .returned, back)])
                } else {
                    try scene.delete(anna, item)
                }
            case (2, let found?) where !known[found]!.states.last!.state.isDeleted:
                item = found
                try scene.change(anna, item, "changed \(step)")
            case (_, let found?):
                guard let message = known[found]!.states.last!.state.message,
                    !known[found]!.states.last!.state.isDeleted
                else { continue }
                item = found
                var state = message
                state.flags = MessageFlags(rawValue: UInt8(scene.generator.number(0..<32)))
                guard state != message else { continue }
                try scene.record(anna, [Change(item, .flags, ItemState(state))])
            }
            let head = try scene.vault.journal.head()
            let pointer = try #require(try scene.vault.projections().pointer(anna, item, asOf: head.transaction))
            let state = try scene.vault.journal.state(item, at: pointer).state
            known[item, default: Known()].states.append((head.transaction, head.time, state))
        }
        scene.days(scene.generator.number(0..<20))
        for rule in ["all:20,daily:15,weekly:20,monthly", "all:10,weekly", "all:5,none"] {
            try scene.vault.setRetention(.vault, RetentionDays(data: 0, history: try HistoryRule(rule)))
            if scene.generator.chance(50) { scene.days(scene.generator.number(1..<10)) }
            let now = scene.clock.now
            let days = try #require(Int64(rule.split(separator: ":")[1].split(separator: ",")[0]))
            try scene.purge()
            let projections = try scene.vault.projections()
            for (item, life) in known {
                for (id, time, state) in life.states {
                    let pointer = try projections.pointer(anna, item, asOf: id)
                    #expect(pointer?.isDeleted == state.isDeleted, comment)
                    let found = try scene.vault.journal.state(item, at: try #require(pointer))
                    let isExact = found.transaction == id
                    let isYoung = now.rawValue - time.rawValue < days * 86_400_000_000
                    if isYoung || id == life.states.last!.id || state.isDeleted { #expect(isExact, comment) }
                    #expect(!isExact || found.state == state, comment)
                    if let digest = found.state.message?.digest {
                        #expect(try scene.vault.blobs.location(of: digest) != nil, comment)
                    }
                }
                // Nobody is told of an item before it was there.
                #expect(try projections.pointer(anna, item, asOf: life.states[0].id.previousForTests) == nil, comment)
            }
            for problem in try scene.problems() { Issue.record("\(problem), \(comment)") }
        }
        try scene.reopen(compacting: true)
        for problem in try scene.problems() { Issue.record("\(problem), \(comment)") }
    }
}

extension TransactionID {
    fileprivate var previousForTests: TransactionID { TransactionID(rawValue: rawValue - 1) }
}
