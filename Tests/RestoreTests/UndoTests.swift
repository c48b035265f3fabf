import Capture
import Connectors
import Events
import Restore
import Synchronization
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

struct UndoTests {
    private func bench() throws -> Bench {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        bench.mail.keywords("", ["$Work"])
        for number in 0..<12 {
            bench.mail.deliver(number % 2 == 0 ? "" : ".Box", "\(number).x:2,S", "message \(number)")
        }
        bench.mail.deliver("", "k.x:2,Sa", "with a keyword")
        try bench.scan()
        return bench
    }

    @Test("Undo removes exactly what was delivered")
    func exactly() throws {
        let bench = try bench()
        let out = MaildirFixture(bench.scratch.appending("out"))
        out.deliver("", "own.y:2,", "the target's own")
        // There already: skipped by the restore, so not the undo's either.
        out.deliver("", "0.x:2,S", "message 0")
        let before = bench.content().messages
        let report = try bench.restore(bench.request())
        #expect(report.restored == 12 && report.skipped == 1)
        let (plan, undone) = try bench.undo(report.operation)
        #expect(plan.count(.remove) == 12 && undone.removed == 12 && undone.unrestored.isEmpty)
        #expect(bench.content().messages == before)
    }

    @Test("What somebody has changed since is kept, and what somebody has removed is not missed")
    func changed() throws {
        let bench = try bench()
        let report = try bench.restore(bench.request())
        let out = MaildirFixture(bench.scratch.appending("out"), existing: true)
        out.move("", "0.x:2,S", to: nil, "0.x:2,FS")
        out.move("", "2.x:2,S", to: ".Box", "2.x:2,S")
        out.remove("", "4.x:2,S")
        Tree.write(out.file("", "cur", "6.x:2,S"), utf8("other bytes"))
        let (plan, undone) = try bench.undo(report.operation)
        #expect(undone.unrestored.isEmpty && plan.conflicts.count == 2)
        let left = Set(bench.content().messages.map(\.digest))
        #expect(
            left
                == Set(["message 0", "message 2", "other bytes"].map { Digest(hashing: utf8($0).span.bytes) }))
    }

    @Test("Flags that a restore set are taken back")
    func flags() throws {
        let bench = try bench()
        let then = try bench.head
        bench.mail.move("", "0.x:2,S", to: nil, "0.x:2,Fa")
        try bench.scan()
        let before = bench.content("Mail")
        var request = try bench.request(at: then, to: "Mail")
        request.only = .changed
        let report = try bench.restore(request)
        #expect(report.merged == 1 && bench.content("Mail") != before)
        #expect(try bench.undo(report.operation).report.merged == 1)
        #expect(bench.content("Mail").differences(from: before) == [])
    }

    @Test("A restore that was stopped can be taken back")
    func stopped() throws {
        let bench = try Bench()
        for number in 0..<700 { bench.mail.deliver("", "\(number).x:2,S", "message \(number)") }
        try bench.scan()
        let jobs = Atomic<Int>(0)
        #expect(
            code {
                try bench.restore(bench.request()) { jobs.wrappingAdd(1, ordering: .relaxed).newValue > 1 }
            } == .interrupted)
        #expect(!bench.content().messages.isEmpty)
        let operation = try #require(try bench.vault.operations().last)
        _ = try bench.undo(operation.id)
        #expect(bench.content().messages.isEmpty)
    }
}

extension MaildirFixture {
    /// A Maildir that is there already.
    init(_ path: FilePath, existing: Bool) { self.init(path) }
}
