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

struct RestoreTests {
    /// A mailbox with all that can be in one: flags, keywords, dates, odd folder names, subscriptions, a copy.
    private func fill(_ mail: MaildirFixture) {
        mail.keywords("", ["$Work", "Ümlaut"])
        mail.deliver("", "1.a:2,RS", "From: a@example.org\n\none", modified: 1_000_000_000)
        mail.deliver("", "2.b:2,Fab", "two", modified: 86_400)
        mail.deliver("", "3.c:2,DPT", "three", modified: 1_772_000_001)
        Tree.write(mail.file("", "new", "4.d"), utf8("new mail"), modified: 1_700_000_000)
        mail.deliver("", "5.empty:2,", "")
        for folder in [".Box", ".Box.Sub", ".Empty", ".&AOk-t&AOk-", ".&broken", ".x&-y", ". leading space ", "._"] {
            mail.makeFolder(folder)
            if folder != ".Empty" { mail.deliver(folder, "1.in:2,S", "in \(folder)") }
        }
        let hostile: [[UInt8]] = [
            [0x2E, 0xFE, 0xFF], utf8(".line\nbreak\u{1B}[31m"), [0x2E] + Array(repeating: 0x61, count: 250),
            utf8(".\u{202E}txt"), utf8(".~"),
        ]
        for folder in hostile {
            mail.makeFolder(folder)
            mail.deliver(folder, utf8("9.copy:2,"), utf8("in many folders"))
        }
        mail.subscribe(["Box", "Box.Sub", "&AOk-t&AOk-"])
    }

    @Test("A whole account comes back: bytes, flags, keywords, dates, folders of any name, subscriptions")
    func account() throws {
        let bench = try Bench()
        fill(bench.mail)
        try bench.scan()
        let report = try bench.restore(bench.request())
        let (found, expected) = (bench.content(), bench.content("Mail"))
        #expect(found.differences(from: expected) == [])
        #expect(found == expected)
        #expect(report.restored == expected.messages.count && report.unrestored.isEmpty && report.losses.isEmpty)
        #expect(report.foldersCreated == expected.folders.count)
    }

    @Test(
        "Of two messages with the same bytes the deleted one comes back, and is not taken for the other",
        arguments: ["1.a", "2.b"])
    func twins(deleted: String) throws {
        let bench = try Bench()
        for name in ["1.a", "2.b"] { bench.mail.deliver("", "\(name):2,S", "the same") }
        let point = try bench.scan()
        bench.mail.remove("", "\(deleted):2,S")
        try bench.scan()
        let plan = try bench.plan(bench.request(at: point, to: "Mail"))
        #expect(plan.count(.deliver) == 1 && plan.skipped == 1 && plan.conflicts.isEmpty, "\(plan.conflicts)")
        #expect(plan.steps.first?.item == (try bench.item(deleted)))
    }

    @Test("A dry run makes nothing: no target, no transaction")
    func dryRun() throws {
        let bench = try Bench()
        fill(bench.mail)
        let head = try bench.scan()
        let plan = try bench.plan(bench.request())
        #expect(plan.count(.deliver) == bench.content("Mail").messages.count && plan.bytes > 0)
        #expect(!Tree.exists(bench.scratch.appending("out")))
        #expect(try bench.head == head)
    }

    @Test("Run twice, the second restores nothing and skips everything")
    func twice() throws {
        let bench = try Bench()
        fill(bench.mail)
        try bench.scan()
        let first = try bench.restore(bench.request())
        let before = bench.content()
        let second = try bench.restore(bench.request())
        #expect(second.restored == 0 && second.merged == 0 && second.skipped == first.restored)
        #expect(second.unrestored.isEmpty && second.foldersCreated == 0)
        #expect(bench.content() == before)
    }

    @Test("Stopped in the middle and run again, everything is there once")
    func resumed() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        for number in 0..<1_300 {
            bench.mail.deliver(number % 3 == 0 ? ".Box" : "", "\(number).x:2,S", "message \(number % 1_200)")
        }
        try bench.scan()
        let jobs = Atomic<Int>(0)
        #expect(
            code {
                try bench.restore(bench.request()) { jobs.wrappingAdd(1, ordering: .relaxed).newValue > 1 }
            } == .interrupted)
        let part = bench.content()
        #expect(part.messages.count > 0 && part.messages.count < 1_300)
        let rest = try bench.restore(bench.request())
        #expect(rest.restored == 1_300 - part.messages.count && rest.skipped == part.messages.count)
        #expect(bench.content() == bench.content("Mail"))
    }

    @Test("An account as of an earlier transaction is what it was then, names of folders too")
    func earlier() throws {
        let bench = try Bench()
        fill(bench.mail)
        let then = try bench.scan()
        let expected = bench.content("Mail")
        bench.mail.renameFolder(".Box.Sub", to: ".Other.Sub")
        bench.mail.renameFolder(".Box", to: ".Other")
        bench.mail.move("", "1.a:2,RS", to: ".Empty", "1.a:2,")
        bench.mail.remove("", "2.b:2,Fab")
        bench.mail.removeFolder(".x&-y")
        bench.mail.deliver("", "7.new:2,", "seven")
        bench.mail.subscribe(["Other", "Other.Sub", "&AOk-t&AOk-"])
        try bench.scan()
        try bench.restore(bench.request(at: then))
        #expect(bench.content().differences(from: expected) == [])
        try bench.restore(bench.request(to: "now"))
        #expect(bench.content("now").differences(from: bench.content("Mail")) == [])
    }

    @Test("Single items come back as they were, into another folder where one is named")
    func items() throws {
        let bench = try Bench()
        fill(bench.mail)
        let then = try bench.scan()
        let (two, three) = (try #require(try bench.item("2.b")), try #require(try bench.item("3.c")))
        bench.mail.remove("", "2.b:2,Fab")
        bench.mail.move("", "3.c:2,DPT", to: ".Box", "3.c:2,")
        try bench.scan()
        // A deleted one as it was before; the other as it is.
        let report = try bench.restore(bench.request(.items([two, three])))
        #expect(report.restored == 2)
        var expected = bench.content("Mail").messages.filter { $0.digest == Digest(hashing: utf8("three").span.bytes) }
        #expect(bench.content().messages.count == 2 && bench.content().messages.contains(expected[0]))
        var request = try bench.request(.items([three]), at: then, to: "into")
        request.into = [utf8("Restored"), utf8("Märch")]
        try bench.restore(request)
        expected = bench.content("into").messages
        #expect(expected.count == 1 && expected[0].folder == FolderPath("Restored", "Märch"))
        #expect(expected[0].internalDate == 1_772_000_001)
        #expect(expected[0].flags.letters == utf8("DT"))
    }

    @Test("An item that was not there yet is refused by its name")
    func notYet() throws {
        let bench = try Bench()
        let before = try bench.scan()
        bench.mail.deliver("", "1.a:2,", "one")
        try bench.scan()
        let item = try #require(try bench.item("1.a"))
        #expect(code { _ = try bench.plan(bench.request(.items([item]), at: before)) } == .notFound)
    }

    @Test("The account as of after a mass deletion is restored empty, with a warning that names the moment before")
    func emptiness() throws {
        let bench = try Bench()
        for number in 0..<30 { bench.mail.deliver("", "\(number).x:2,", "message \(number)") }
        try bench.scan()
        for number in 0..<30 { bench.mail.remove("", "\(number).x:2,") }
        try bench.scan()
        let empty = try bench.plan(bench.request())
        #expect(empty.count(.deliver) == 0 && empty.warnings.count == 1)
        let named = empty.warnings.first?.split(separator: "@").last.flatMap { UInt64($0.prefix { $0.isNumber }) }
        let before = try bench.plan(bench.request(at: TransactionID(rawValue: try #require(named))))
        #expect(before.count(.deliver) == 30 && before.warnings.isEmpty)
    }

    @Test("A mass deletion in several transactions is named as one, without what had been deleted before as every day")
    func massDeletionInParts() throws {
        let bench = try Bench()
        for folder in ["", ".A", ".B"] {
            bench.mail.makeFolder(folder)
            for number in 0..<40 { bench.mail.deliver(folder, "\(number).x\(folder.count):2,", "\(folder) \(number)") }
        }
        try bench.scan()
        bench.mail.remove("", "39.x0:2,")
        try bench.scan()
        bench.clock.advance(seconds: 3_600)
        bench.mail.remove("", "38.x0:2,")
        let before = try bench.scan()
        for (folder, length) in [("", 0), (".A", 2), (".B", 2)] {
            for number in 0..<38 { Tree.remove(bench.mail.file(folder, "cur", "\(number).x\(length):2,")) }
            try bench.scan()
        }
        let warnings = try bench.plan(bench.request()).warnings
        #expect(warnings.count == 1)
        let named = try some(warnings.first?.split(separator: "@").last.flatMap { UInt64($0) })
        let point = TransactionID(rawValue: named)
        // Later notes of the same scan are as good as the deletion before.
        #expect(point >= before)
        let plan = try bench.plan(bench.request(at: point))
        #expect(plan.count(.deliver) == 118, "\(warnings)")
    }

    @Test("With deleted items since a transaction, those come too, and older deletions do not")
    func includingDeleted() throws {
        let bench = try Bench()
        for name in ["1.a", "2.b", "3.c"] { bench.mail.deliver("", "\(name):2,", name) }
        try bench.scan()
        bench.mail.remove("", "1.a:2,")
        let first = try bench.scan()
        bench.mail.remove("", "2.b:2,")
        try bench.scan()
        #expect(try bench.plan(bench.request(.account(deletedSince: first.next))).count(.deliver) == 2)
        #expect(try bench.plan(bench.request(.account(deletedSince: .beginning))).count(.deliver) == 3)
        #expect(try bench.plan(bench.request()).count(.deliver) == 1)
    }
}
