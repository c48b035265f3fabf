import Capture
import Connectors
import Events
import Journal
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

struct UndeleteTests {
    private static let keyword = utf8("undelete_03_03_26")

    @Test("What was deleted at either end is included; it gets the keyword, loses the flag Deleted, keeps the rest")
    func ends() throws {
        let bench = try Bench()
        for name in ["1.a", "2.b", "3.c", "4.d"] {
            bench.mail.deliver("", "\(name):2,ST", name, modified: 1_000_000_000)
        }
        try bench.scan()
        var deletions: [TransactionID] = []
        for name in ["1.a", "2.b", "3.c", "4.d"] {
            bench.mail.remove("", "\(name):2,ST")
            deletions.append(try #require(try bench.report().firstTransaction))
        }
        let report = try bench.restore(bench.request(.deleted(deletions[1]...deletions[2], keyword: Self.keyword)))
        #expect(report.restored == 2)
        let messages = bench.content().messages
        #expect(
            Set(messages.map(\.digest))
                == [Digest(hashing: utf8("2.b").span.bytes), Digest(hashing: utf8("3.c").span.bytes)])
        for message in messages {
            #expect(message.flags.letters == utf8("S") && message.keywords == [Self.keyword])
            #expect(message.internalDate == 1_000_000_000 && message.folder.isInbox)
        }
    }

    @Test("Mail whose folder was renamed before it was deleted, or deleted with it, returns under the name it had then")
    func folders() throws {
        let bench = try Bench()
        for folder in [".Old", ".Gone"] { bench.mail.makeFolder(folder) }
        bench.mail.deliver(".Old", "1.a:2,S", "one")
        bench.mail.deliver(".Gone", "2.b:2,S", "two")
        let before = try bench.scan()
        bench.mail.renameFolder(".Old", to: ".Middle")
        try bench.scan()
        bench.mail.remove(".Middle", "1.a:2,S")
        bench.mail.removeFolder(".Gone")
        try bench.scan()
        bench.mail.renameFolder(".Middle", to: ".New")
        try bench.scan()
        let range = before...(try bench.head)
        try bench.restore(bench.request(.deleted(range, keyword: Self.keyword)))
        #expect(Set(bench.content().messages.map(\.folder.description)) == ["Middle", "Gone"])
    }

    @Test("Restored mail that had been deleted is the same item at the next pass, and its history goes on")
    func returned() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        bench.mail.deliver(".Box", "1.a:2,S", "one")
        bench.mail.deliver(".Box", "2.b:2,S", "two")
        let before = try bench.scan()
        let item = try #require(try bench.item("1.a"))
        bench.mail.remove(".Box", "1.a:2,S")
        try bench.scan()
        try bench.restore(bench.request(.deleted(before...(try bench.head), keyword: Self.keyword), to: "Mail"))
        let report = try bench.report()
        #expect(report.returned == 1 && report.created == 0)
        let kinds = try bench.kinds(of: item)
        #expect(kinds.count == 3 && kinds[0] == .created && kinds[1] == .deleted)
        #expect(kinds[2].contains(.returned) && kinds[2].contains(.tags))
        #expect(try bench.report().isEmpty)
        // The same again: what has come back is there.
        #expect(
            try bench.plan(bench.request(.deleted(before...(try bench.head), keyword: Self.keyword), to: "Mail"))
                .steps.isEmpty)
    }

    @Test("What came back and is deleted again can come back again")
    func again() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        bench.mail.deliver("", "2.b:2,S", "two")
        try bench.scan()
        let item = try #require(try bench.item("1.a"))
        for round in 1...3 {
            let place = bench.mail.path.appending("cur")
            for name in Tree.names(place) where name.starts(with: utf8("1.a")) { Tree.remove(Tree.child(place, name)) }
            let deletion = try #require(try bench.report().firstTransaction)
            try bench.restore(bench.request(.deleted(deletion...deletion, keyword: Self.keyword), to: "Mail"))
            #expect(try bench.report().returned == 1, "round \(round)")
        }
        #expect(try bench.kinds(of: item).count == 7)
        #expect(bench.content("Mail").messages.count == 2)
    }
}
