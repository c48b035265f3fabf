import Capture
import Connectors
import Events
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

struct ConflictTests {
    /// A vault that has `1.a`, and a target where another message has its name.
    private func conflict(known: Bool) throws -> (Bench, RestoreRequest, other: Digest) {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        if known { bench.mail.deliver("", "9.z:2,", "another") }
        try bench.scan()
        let item = try #require(try bench.item("1.a"))
        let out = MaildirFixture(bench.scratch.appending("out"))
        out.deliver("", "1.a:2,F", "another")
        return (bench, try bench.request(.items([item])), Digest(hashing: utf8("another").span.bytes))
    }

    private let one = Digest(hashing: utf8("one").span.bytes)

    @Test("Keep: what has the name stays as it is, and the item is named")
    func keep() throws {
        let (bench, request, other) = try conflict(known: true)
        let plan = try bench.plan(request)
        #expect(plan.steps.isEmpty && plan.conflicts.count == 1 && plan.skipped == 1)
        try bench.restore(request)
        #expect(bench.content().messages.map(\.digest) == [other])
    }

    @Test("Both: it gets another name, once however often it is run")
    func both() throws {
        var (bench, request, other) = try conflict(known: true)
        request.onConflict = .both
        try bench.restore(request)
        #expect(Set(bench.content().messages.map(\.digest)) == [other, one])
        let again = try bench.restore(request)
        #expect(again.restored == 0 && again.skipped == 1 && bench.content().messages.count == 2)
    }

    @Test("Replace: what is in the vault makes room; what is not stays, and the item is unrestored as refused")
    func replace() throws {
        var (bench, request, other) = try conflict(known: true)
        request.onConflict = .replace
        let report = try bench.restore(request)
        #expect(report.restored == 1 && report.removed == 1)
        #expect(bench.content().messages.map(\.digest) == [one])
        (bench, request, other) = try conflict(known: false)
        request.onConflict = .replace
        let refused = try bench.restore(request)
        #expect(refused.unrestored.map(\.cause) == [.refused] && refused.restored == 0)
        #expect(bench.content().messages.map(\.digest) == [other])
    }

    @Test("A replacement can be taken back")
    func undoReplacement() throws {
        var (bench, request, _) = try conflict(known: true)
        request.onConflict = .replace
        let before = bench.content()
        let report = try bench.restore(request)
        _ = try bench.undo(report.operation)
        #expect(bench.content().differences(from: before) == [])
    }

    @Test("Flags of what is there are left alone, or set, as asked for")
    func flags() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        let then = try bench.scan()
        bench.mail.move("", "1.a:2,S", to: nil, "1.a:2,FT")
        try bench.scan()
        var request = try bench.request(at: then, to: "Mail")
        #expect(try bench.plan(request).steps.isEmpty)
        request.only = .flags
        #expect(try bench.restore(request).merged == 1)
        #expect(bench.content("Mail").messages.map(\.flags.letters) == [utf8("S")])
    }
}

struct ExactTests {
    @Test("Exact: the mailbox is as it was, removals included")
    func exact() throws {
        let bench = try Bench()
        bench.mail.keywords("", ["$Work"])
        bench.mail.makeFolder(".Box")
        for number in 0..<40 {
            bench.mail.deliver(number % 2 == 0 ? "" : ".Box", "\(number).x:2,S", "message \(number)")
        }
        bench.mail.subscribe(["Box"])
        let then = try bench.scan()
        let expected = bench.content("Mail")
        bench.mail.deliver("", "new.x:2,", "new")
        bench.mail.deliver("", "copy.x:2,", "message 2")
        bench.mail.move("", "0.x:2,S", to: ".Box", "0.x:2,S")
        bench.mail.move("", "4.x:2,S", to: nil, "4.x:2,FTa")
        bench.mail.remove("", "6.x:2,S")
        bench.mail.move(".Box", "7.x:2,S", to: nil, "renamed.x:2,S")
        bench.mail.subscribe([])
        try bench.scan()
        let after = bench.content("Mail")
        var request = try bench.request(at: then, to: "Mail")
        request.isExact = true
        let report = try bench.restore(request)
        #expect(bench.content("Mail").differences(from: expected) == [])
        #expect(report.unrestored.isEmpty)
        #expect(try bench.plan(request).steps.isEmpty)
        // The capture sees moves and returns in it, not new mail.
        let pass = try bench.report()
        #expect(pass.created == 0, "\(pass)")
        _ = try bench.undo(report.operation)
        #expect(bench.content("Mail").messages.count == after.messages.count)
        let difference = bench.content("Mail").differences(from: after).filter { !$0.contains("subscription") }
        #expect(difference == [])
    }

    @Test("Exact removes only what the vault keeps; the rest stays and is named as refused")
    func unknown() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        let then = try bench.scan()
        bench.mail.deliver("", "2.b:2,S", "captured")
        try bench.scan()
        bench.mail.deliver("", "3.c:2,S", "never captured")
        var request = try bench.request(at: then, to: "Mail")
        request.isExact = true
        let report = try bench.restore(request)
        #expect(report.removed == 1 && report.unrestored.map(\.cause) == [.refused])
        let left = Set(bench.content("Mail").messages.map(\.digest))
        #expect(
            left == [Digest(hashing: utf8("one").span.bytes), Digest(hashing: utf8("never captured").span.bytes)])
    }

    @Test("Exact: a folder made since goes with its mail, is in the plan before, and undo makes it again")
    func folders() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        let then = try bench.scan()
        let expected = bench.content("Mail")
        bench.mail.makeFolder(".Since")
        bench.mail.makeFolder(".Since.Empty")
        bench.mail.deliver(".Since", "2.b:2,S", "two")
        Tree.write(bench.mail.directory(".Since").appending("dovecot-uidlist"), utf8("3 V1 N1\n"))
        try bench.scan()
        let after = bench.content("Mail")
        var request = try bench.request(at: then, to: "Mail")
        #expect(try bench.plan(request).count(.removeFolder) == 0)
        request.isExact = true
        let plan = try bench.plan(request)
        #expect(plan.count(.removeFolder) == 2 && plan.count(.remove) == 1)
        let report = try bench.restore(request)
        #expect(report.foldersRemoved == 2 && report.unrestored.isEmpty)
        #expect(bench.content("Mail").differences(from: expected) == [])
        #expect(try bench.plan(request).steps.isEmpty)
        try bench.scan()
        let (_, undone) = try bench.undo(report.operation)
        #expect(undone.restored == 1 && undone.unrestored.isEmpty)
        #expect(bench.content("Mail").differences(from: after) == [])
    }

    @Test(
        "Exact: a folder made since in which there is anything but mail stays, and is named",
        arguments: ["notes.txt", "tmp/1.x", "cur/.hidden"])
    func foreignFolders(name: String) throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        let then = try bench.scan()
        bench.mail.makeFolder(".Since")
        bench.mail.deliver(".Since", "2.b:2,S", "two")
        let foreign = Tree.path(Tree.bytes(of: bench.mail.directory(".Since")) + utf8("/" + name))
        Tree.write(foreign, utf8("mine"))
        try bench.scan()
        var request = try bench.request(at: then, to: "Mail")
        request.isExact = true
        let report = try bench.restore(request)
        #expect(report.removed == 1 && report.foldersRemoved == 0)
        #expect(report.unrestored.map(\.cause) == [.refused], "\(report.unrestored)")
        #expect(Tree.read(foreign) == utf8("mine"))
        #expect(Tree.exists(bench.mail.directory(".Since").appending("cur")))
    }
}
