import Capture
import Connectors
import Events
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

struct UnrestoredTests {
    private func twoFrames() throws -> Bench {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", String(repeating: "first ", count: 500))
        try bench.scan()
        bench.mail.deliver("", "2.b:2,S", (0..<900).map { "\($0 &* 2_654_435_761) " }.joined())
        try bench.scan()
        return bench
    }

    @Test("A message whose stored bytes are damaged is unrestored as broken; the others come back")
    func damaged() throws {
        let bench = try twoFrames()
        let pack = try #require(bench.packs.last)
        let bytes = try #require(Tree.read(pack))
        // The last frame, some way before the end of what is written.
        let end = try #require(bytes.lastIndex { $0 != 0 })
        Tree.flip(pack, byte: end - 400, bit: 3)
        let report = try bench.restore(bench.request())
        #expect(report.restored == 1 && report.unrestored.map(\.cause) == [.broken])
        #expect(report.unrestored.first?.item == ItemID(.message, 2))
        #expect(bench.content().messages.map(\.digest).count == 1)
    }

    @Test("A message whose pack cannot be read is unrestored as a read error")
    func readError() throws {
        let bench = try twoFrames()
        for pack in bench.packs {
            Tree.remove(pack)
            Tree.makeDirectory(pack)
        }
        let report = try bench.restore(bench.request())
        #expect(report.restored == 0)
        #expect(report.unrestored.map(\.cause) == [.readError, .readError])
        #expect(bench.content().messages.isEmpty)
    }

    @Test("What could not be read when it was captured is unrestored as broken, and said before anything is written")
    func unreadable() throws {
        let bench = try Bench()
        let source = MemorySource { $0.add("INBOX", [.init("1", "one"), .init("2", "two")]) }
        source.change { $0["INBOX"].messages[1].unreadable = 5 }
        _ = try SmartScan(bench.vault, bench.account, source).run()
        let plan = try bench.plan(bench.request())
        #expect(plan.unrestored.map(\.cause) == [.broken])
        let report = try bench.restore(bench.request())
        #expect(report.restored == 1 && report.unrestored.map(\.cause) == [.broken])
    }

    @Test("A folder whose name the target cannot have makes its messages invalid; the rest comes back")
    func tooLong() throws {
        let bench = try Bench()
        let long = String(repeating: "n", count: 300)
        let source = MemorySource {
            $0.add("INBOX", [.init("1", "one")])
            $0.add(long, [.init("2", "two"), .init("3", "three")])
        }
        _ = try SmartScan(bench.vault, bench.account, source).run()
        let report = try bench.restore(bench.request())
        #expect(report.restored == 1)
        #expect(report.unrestored.allSatisfy { $0.cause == .invalid })
        #expect(
            Set(report.unrestored.compactMap(\.item)) == [ItemID(.folder, 2), ItemID(.message, 2), ItemID(.message, 3)])
    }

    @Test("Keywords for which a Maildir has no letters left are named as lost")
    func keywords() throws {
        let bench = try Bench()
        let source = MemorySource {
            $0.add("INBOX", [.init("1", "one", [], (0..<30).map { "k\($0 < 10 ? "0" : "")\($0)" })])
        }
        _ = try SmartScan(bench.vault, bench.account, source).run()
        let report = try bench.restore(bench.request())
        #expect(report.restored == 1 && report.losses.count == 1)
        #expect(bench.content().messages.first?.keywords.count == 26)
    }

    @Test("A target that is something else is refused before anything is written")
    func foreign() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,S", "one")
        let head = try bench.scan()
        Tree.makeDirectory(bench.scratch.appending("out"))
        Tree.write(bench.scratch.appending("out/letter.txt"), utf8("mine"))
        #expect(code { try bench.restore(bench.request()) } == .refused)
        #expect(Tree.names(bench.scratch.appending("out")) == [utf8("letter.txt")])
        #expect(try bench.head == head)
    }
}
