import Capture
import Events
import Restore
import Synthesis
import TestKit
import Testing
import Vault

struct TakingBackTests {
    private let all: ChangeKinds = [.deleted, .moved, .flags, .tags]

    /// Takes back `kinds` of what happened to `items` in `range`, where the mailbox is.
    private func takeBack(
        _ bench: Bench, _ items: [String], _ kinds: ChangeKinds, _ range: ClosedRange<TransactionID>
    ) throws -> (plan: RestorePlan, report: RestoreReport) {
        let wanted = try items.map { RestoreRequest.WantedChange(item: try some(try bench.item($0)), kinds: kinds) }
        let plan = try bench.plan(bench.request(.changes(range, wanted), to: "Mail"))
        let operation = bench.operation()
        return (plan, try RestoreRun(bench.vault, plan, operation: operation, kind: "undo-changes").run())
    }

    private func after(_ id: TransactionID) -> TransactionID { TransactionID(rawValue: id.rawValue + 1) }

    @Test("What was deleted, moved and marked in that time is taken back; every later change stays")
    func later() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        for name in ["1.deleted", "2.moved", "3.marked", "4.both", "5.other"] {
            bench.mail.deliver("", "\(name):2,S", name)
        }
        let before = try bench.scan()
        // The bad half hour.
        bench.mail.remove("", "1.deleted:2,S")
        bench.mail.move("", "2.moved:2,S", to: ".Box", "2.moved:2,S")
        bench.mail.move("", "3.marked:2,S", to: "", "3.marked:2,T")
        bench.mail.move("", "4.both:2,S", to: "", "4.both:2,FS")
        let bad = try bench.scan()
        // Later, and good: an answer, a new message, another one read.
        bench.mail.move("", "4.both:2,FS", to: "", "4.both:2,FRS")
        bench.mail.move("", "5.other:2,S", to: "", "5.other:2,FS")
        bench.mail.deliver("", "6.new:2,", "new")
        try bench.scan()
        let (plan, report) = try takeBack(
            bench, ["1.deleted", "2.moved", "3.marked", "4.both", "5.other"], all, after(before)...bad)
        #expect(report.unrestored.isEmpty && plan.conflicts.isEmpty)
        let messages = bench.content("Mail").messages
        #expect(messages.count == 6)
        let names = ["1.deleted", "2.moved", "3.marked", "4.both", "5.other"]
        let found = Dictionary(
            names.map { name in (name, messages.first { $0.digest == Digest(hashing: utf8(name).span.bytes) }) },
            uniquingKeysWith: { $1 }
        ).compactMapValues { $0 }
        #expect(found.count == 5)
        #expect(found["1.deleted"]?.flags.letters == utf8("S") && found["1.deleted"]?.folder.isInbox == true)
        #expect(found["2.moved"]?.folder.isInbox == true && found["2.moved"]?.flags.letters == utf8("S"))
        #expect(found["3.marked"]?.flags.letters == utf8("S"))
        #expect(found["4.both"]?.flags.letters == utf8("RS"))
        #expect(found["5.other"]?.flags.letters == utf8("FS"))
        // The same items: the history goes on.
        let next = try bench.report()
        #expect(next.created == 0)
    }

    @Test("Only the changes that are meant are taken back")
    func meant() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        bench.mail.deliver("", "2.b:2,S", "two")
        let before = try bench.scan()
        bench.mail.remove("", "1.a:2,S")
        bench.mail.move("", "2.b:2,S", to: "", "2.b:2,F")
        let bad = try bench.scan()
        let (plan, _) = try takeBack(bench, ["1.a", "2.b"], .deleted, after(before)...bad)
        #expect(plan.count(.deliver) == 1 && plan.count(.setFlags) == 0)
        #expect(Set(bench.content("Mail").messages.map(\.flags.letters)) == [utf8("S"), utf8("F")])
    }

    @Test("What has changed again since, and what is not as the vault knows it, is left alone and named")
    func conflicts() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        for name in ["1.a", "2.b", "3.c"] { bench.mail.deliver("", "\(name):2,S", name) }
        let before = try bench.scan()
        for name in ["1.a", "2.b", "3.c"] { bench.mail.move("", "\(name):2,S", to: ".Box", "\(name):2,S") }
        let bad = try bench.scan()
        bench.mail.remove(".Box", "1.a:2,S")
        bench.mail.move(".Box", "2.b:2,S", to: "", "2.b:2,S")
        try bench.scan()
        // Not scanned: a person has just read it.
        bench.mail.move(".Box", "3.c:2,S", to: ".Box", "3.c:2,FS")
        let content = bench.content("Mail")
        let (plan, report) = try takeBack(bench, ["1.a", "2.b", "3.c"], all, after(before)...bad)
        #expect(plan.steps.isEmpty && report.restored == 0 && plan.skipped == 3)
        #expect(plan.conflicts.count == 2)
        #expect(bench.content("Mail") == content)
    }

    @Test("What came in that time is removed only where that is asked for; the vault keeps it, and undo brings it back")
    func created() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        let before = try bench.scan()
        bench.mail.deliver("", "2.spam:2,", "spam")
        let bad = try bench.scan()
        #expect(try takeBack(bench, ["2.spam"], all, after(before)...bad).plan.steps.isEmpty)
        let (_, report) = try takeBack(bench, ["2.spam"], .created, after(before)...bad)
        #expect(report.removed == 1 && bench.content("Mail").messages.count == 1)
        let undone = try bench.undo(report.operation)
        #expect(undone.report.restored == 1 && bench.content("Mail").messages.count == 2)
    }

    @Test("A taking back can be taken back")
    func undo() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        for name in ["1.a", "2.b"] { bench.mail.deliver("", "\(name):2,S", name) }
        let before = try bench.scan()
        bench.mail.remove("", "1.a:2,S")
        bench.mail.move("", "2.b:2,S", to: ".Box", "2.b:2,S")
        let bad = try bench.scan()
        let content = bench.content("Mail")
        let (_, report) = try takeBack(bench, ["1.a", "2.b"], all, after(before)...bad)
        #expect(bench.content("Mail") != content)
        _ = try bench.undo(report.operation)
        #expect(bench.content("Mail") == content)
    }
}
