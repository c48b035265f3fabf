import Blobs
import Capture
import Connectors
import Events
import Journal
import Projections
import SystemPackage
import TestKit
import Testing
import Vault

struct PassTests {
    @Test("The first pass records each message as a transaction of its own, the folders as one")
    func first() throws {
        let bench = try Bench()
        let report = try bench.pass(sampleSource())
        let transactions = try bench.transactions()
        #expect(transactions.map(\.entry.changes.count) == [3, 1, 1, 1, 1, 1])
        #expect(transactions.allSatisfy { $0.entry.origin == .scan && $0.entry.account == bench.account.number })
        #expect(transactions.flatMap(\.entry.changes).allSatisfy { $0.kinds == .created })
        #expect(report.created == 5 && report.foldersCreated == 3 && report.messages == 5 && report.bytes == 19)
        #expect(report.isComplete)
        #expect(report.firstTransaction?.rawValue == 3 && report.lastTransaction?.rawValue == 8)
        #expect(
            try bench.mailbox() == [
                "Box/Sub: 5 = five", "Box: 4 = four", "INBOX: 1 = one", "INBOX: 2 = two", "INBOX: 3 = three",
            ])
    }

    @Test("A second pass over what has not changed records and reads nothing")
    func second() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let opened = source.change { $0.opened }
        #expect(try bench.recorded(source).isEmpty)
        #expect(source.change { $0.opened } == opened)
        #expect(try bench.pass(source).isEmpty)
    }

    @Test(
        "Marks that a vault of before does not have come with the next change of a message, and are none by themselves")
    func marks() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change { contents in
            for folder in contents.folders.indices {
                for index in contents.folders[folder].messages.indices {
                    let name = String(decoding: contents.folders[folder].messages[index].name, as: UTF8.self)
                    contents.folders[folder].messages[index].marks.emailID = utf8("M\(name)")
                }
            }
        }
        #expect(try bench.recorded(source).isEmpty)
        #expect(try bench.recorded(source, deep: true).flatMap(\.entry.changes).isEmpty)
        source.change { $0["INBOX"].messages[1].flags = [.flagged] }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.kinds) == [.flags])
        #expect(changes.first?.state.message?.marks.emailID == utf8("M2"))
        #expect(try bench.live().values.compactMap(\.message).count { !$0.marks.isEmpty } == 1)
    }

    @Test("Of several messages with the same bytes the one that moved is known by its mark")
    func marked() throws {
        let bench = try Bench()
        let source = MemorySource {
            $0.add("INBOX", (1...3).map { MemorySource.Message("\($0)", "same") })
            $0.add("Box")
            for index in 0..<3 { $0["INBOX"].messages[index].marks.emailID = utf8("M\(index)") }
        }
        try bench.pass(source)
        let second = try bench.item("2")
        source.change {
            _ = $0.take("1", from: "INBOX")
            var moved = $0.take("2", from: "INBOX")
            _ = $0.take("3", from: "INBOX")
            moved.name = utf8("9")
            $0["Box"].messages = [moved]
        }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.filter { $0.kinds.contains(.moved) }.map(\.item) == [try some(second)])
        #expect(changes.count { $0.kinds == .deleted } == 2)

        // The same mark and other bytes is a lie.
        source.change {
            var moved = $0.take("9", from: "Box")
            (moved.name, moved.bytes) = (utf8("10"), utf8("other"))
            $0["INBOX"].messages = [moved]
        }
        let again = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(Set(again.map(\.kinds)) == [.created, .deleted])
    }

    @Test("Changed flags and keywords are one change each, without the bytes being read again")
    func flags() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let opened = source.change { $0.opened }
        source.change {
            $0["INBOX"].messages[0].flags = [.seen, .answered]
            $0["INBOX"].messages[1].keywords = [utf8("a"), utf8("b")]
            $0["INBOX"].messages[2].flags = [.passed, .flagged]
        }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        let byItem = Dictionary(uniqueKeysWithValues: changes.map { ($0.item, $0) })
        #expect(changes.count == 3)
        #expect(try byItem[some(try bench.item("1"))]?.kinds == .flags)
        #expect(try byItem[some(try bench.item("2"))]?.kinds == .tags)
        #expect(try byItem[some(try bench.item("3"))]?.kinds == [.flags, .tags])
        #expect(source.change { $0.opened } == opened)
        #expect(try bench.recorded(source).isEmpty)
    }

    @Test("A message moved to another folder, under its name or another, is one change of the same item")
    func moved() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let (one, two) = (try bench.item("1"), try bench.item("2"))
        source.change {
            let same = $0.take("1", from: "INBOX")
            var renamed = $0.take("2", from: "INBOX")
            renamed.name = utf8("99")
            renamed.flags = [.seen]
            $0["Box"].messages += [same, renamed]
        }
        let transactions = try bench.recorded(source)
        #expect(transactions.count == 1)
        let changes = transactions.flatMap(\.entry.changes).sorted { $0.item < $1.item }
        #expect(changes.map(\.item) == [one, two])
        #expect(changes.map(\.kinds) == [.moved, [.moved, .flags]])
        #expect(
            try bench.mailbox().filter { $0.hasPrefix("Box:") } == ["Box: 1 = one", "Box: 4 = four", "Box: 99 = two"])
        #expect(try bench.recorded(source).isEmpty)
    }

    @Test("Forty messages moved together are one transaction")
    func fortyMoved() throws {
        let bench = try Bench()
        let source = MemorySource {
            $0.add("INBOX", (0..<50).map { .init("\($0)", "text \($0)") })
            $0.add("Archive")
        }
        try bench.pass(source)
        source.change { contents in
            for number in 0..<40 { contents["Archive"].messages.append(contents.take("\(number)", from: "INBOX")) }
        }
        let transactions = try bench.recorded(source)
        #expect(transactions.map(\.entry.changes.count) == [40])
        #expect(transactions[0].entry.changes.allSatisfy { $0.kinds == .moved })
    }

    @Test("A message under another name in its folder is the same item")
    func renamedInPlace() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let one = try bench.item("1")
        source.change { $0["INBOX"].messages[0].name = utf8("other") }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.item) == [one] && changes.map(\.kinds) == [.metadata])
        #expect(try bench.item("other") == one)
    }

    @Test("A copy is another item, and its bytes are kept once, in another account too")
    func copies() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let before = try bench.vault.blobs.statistics()
        source.change { $0["Box"].messages.append(.init("77", "one")) }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.kinds) == [.created])
        let other = try bench.vault.addAccount("bert@example.org", sources: [], using: &bench.generator)
        let report = try AccountCapture(bench.vault, other, sampleSource()).pass(origin: .scan)
        #expect(report.created == 5)
        let after = try bench.vault.blobs.statistics()
        #expect(before.messages == after.messages && before.rawBytes == after.rawBytes && after.messages == 5)
    }

    @Test("What is gone is deleted, keeps its digest and place, and the rest stays")
    func deletion() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let two = try #require(try bench.item("2"))
        let state = try bench.live()[two]?.message
        source.change { _ = $0.take("2", from: "INBOX") }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.item) == [two] && changes.map(\.kinds) == [.deleted])
        #expect(changes[0].state.isDeleted && changes[0].state.message == state)
        #expect(try bench.mailbox().count == 4)
        #expect(try bench.recorded(source).isEmpty)
    }

    @Test("A message that vanishes between the listing and its opening is not recorded, and not an error")
    func vanishing() throws {
        let bench = try Bench()
        let source = sampleSource()
        source.change { $0["INBOX"].messages[1].vanishes = true }
        let report = try bench.pass(source)
        #expect(report.vanished == 1 && report.created == 4 && report.unreadable.isEmpty)
        source.change { $0["INBOX"].messages[1].vanishes = false }
        #expect(try bench.pass(source).created == 1)
    }

    @Test("An unreadable message is recorded with its reason, and healed when it can be read")
    func unreadable() throws {
        let bench = try Bench()
        let source = sampleSource()
        source.change { $0["INBOX"].messages[1].unreadable = 5 }
        let report = try bench.pass(source)
        #expect(report.unreadable.count == 1 && !report.isComplete && report.created == 5)
        let item = try #require(try bench.item("2"))
        #expect(try bench.live()[item]?.message?.content == .unreadable(5))
        let again = try bench.pass(source)
        #expect(again.unreadable.count == 1 && again.isEmpty)
        source.change { $0["INBOX"].messages[1].unreadable = nil }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.item) == [item])
        #expect(changes[0].kinds.contains(.content) && !changes[0].kinds.contains(.created))
        #expect(try bench.mailbox().contains("INBOX: 2 = two"))
    }

    @Test("A deep scan finds bytes that changed under an unchanged name; another scan does not look")
    func deep() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let one = try bench.item("1")
        source.change { $0["INBOX"].messages[0].bytes = utf8("other") }
        #expect(try bench.recorded(source).isEmpty)
        let changes = try bench.recorded(source, deep: true).flatMap(\.entry.changes)
        #expect(changes.map(\.item) == [one] && changes.map(\.kinds) == [.content])
        #expect(try bench.recorded(source, deep: true).isEmpty)
        source.change { $0["INBOX"].messages[0].unreadable = 5 }
        #expect(try bench.recorded(source, deep: true).isEmpty)
        #expect(try bench.mailbox().contains("INBOX: 1 = other"))
    }

    @Test("A listing that fails deletes nothing of its folder; the others are seen to")
    func listingFails() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change {
            $0["INBOX"].listFailure = .unreadable(code: 5, "INBOX")
            $0["INBOX"].messages = []
            _ = $0.take("4", from: "Box")
        }
        let report = try bench.pass(source)
        #expect(report.deleted == 1 && report.unlistable.count == 1 && !report.isComplete)
        #expect(try bench.mailbox().filter { $0.hasPrefix("INBOX") }.count == 3)
        source.change {
            $0["INBOX"].listFailure = nil
            $0["INBOX"].problem = .unreadable(code: 13, "INBOX")
            $0["INBOX"].identity = []
        }
        #expect(try bench.pass(source).isEmpty)
        #expect(try bench.mailbox().filter { $0.hasPrefix("INBOX") }.count == 3)
    }

    @Test("A source that cannot be reached, as a whole or in the middle, deletes nothing and is an error")
    func unreachable() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let before = try bench.mailbox()
        source.change { $0.foldersFailure = .unavailable("no route") }
        #expect(code { try bench.pass(source) } == .unreachable)
        source.change { $0.foldersFailure = .unreadable(code: 5, "root") }
        #expect(code { try bench.pass(source) } == .sourceDamaged)
        source.change {
            $0.foldersFailure = nil
            $0["INBOX"].messages = []
            $0["Box/Sub"].listFailure = .unavailable("gone")
        }
        #expect(code { try bench.pass(source) } == .unreachable)
        #expect(try bench.mailbox() == before)
    }

    @Test("A message moved while the folders are listed is moved, whichever is listed first")
    func movedMeanwhile() throws {
        for (from, to) in [("INBOX", "Box"), ("Box", "INBOX")] {
            let bench = try Bench()
            let source = sampleSource()
            try bench.pass(source)
            let name = from == "INBOX" ? "1" : "4"
            let item = try bench.item(name)
            source.change { contents in
                contents.listings = 0
                contents.afterListing = { count, contents in
                    if count == 1 { contents[to].messages.append(contents.take(name, from: from)) }
                }
            }
            try bench.pass(source)
            source.change { $0.afterListing = nil }
            try bench.pass(source)
            let moved = try bench.vault.projections().history(bench.account.number, try #require(item))
            #expect(try bench.item(name) == item, "from \(from)")
            #expect(!String(decoding: moved, as: UTF8.self).contains("deleted\":true"))
            #expect(try bench.live().count == 8)
        }
    }

    @Test("A move of which a watch has seen only one end is a move, whichever end that is")
    func halves() throws {
        for seen in ["INBOX", "Box"] {
            let bench = try Bench()
            let source = sampleSource()
            try bench.pass(source)
            let item = try bench.item("1")
            source.change { $0["Box"].messages.append($0.take("1", from: "INBOX")) }
            let capture = try AccountCapture(bench.vault, bench.account, source)
            let before = try bench.vault.journal.head().transaction
            var asked = 0
            let report = try capture.pass(
                .folders([utf8(seen)]), origin: .realtime, holdsBack: true,
                meanwhile: {
                    asked += 1
                    return .folders([utf8("Box")])
                })
            let changes = try bench.transactions(after: before).flatMap(\.entry.changes)
            #expect(changes.map(\.kinds) == [.moved] && changes.first?.item == item, "\(seen): \(changes)")
            #expect(report.moved == 1 && report.created == 0 && report.deleted == 0 && report.held.isEmpty)
            #expect(asked > 0 || seen == "Box")
            #expect(try capture.pass(origin: .realtime, holdsBack: true).isEmpty)
        }
    }

    @Test(
        "A copy whose original goes within a window is a move; one whose original stays is another item, a window later"
    )
    func originals() throws {
        for originalGoes in [true, false] {
            let bench = try Bench()
            let source = sampleSource()
            try bench.pass(source)
            let item = try bench.item("1")
            source.change { $0["Box"].messages.append(.init("1c", "one", [.seen])) }
            let capture = try AccountCapture(bench.vault, bench.account, source)
            let box = PassScope.folders([utf8("Box")])
            let first = try capture.pass(box, origin: .realtime, holdsBack: true)
            #expect(first.isEmpty && first.held == [utf8("Box")])
            if originalGoes { source.change { _ = $0.take("1", from: "INBOX") } }
            let second = try capture.pass(box, origin: .realtime, holdsBack: true)
            #expect(second.held.isEmpty && second.created == (originalGoes ? 0 : 1))
            #expect(second.moved == (originalGoes ? 1 : 0))
            #expect(try (bench.item("1c") == item) == originalGoes)
            // A scan, which looks everywhere, holds nothing back.
            source.change { $0["Box/Sub"].messages.append(.init("1d", "one")) }
            #expect(try capture.pass(origin: .scan).created == 1)
        }
    }

    @Test("A message that cannot be read and moves is the same item where names tell, and what is kept of it stays")
    func unreadableMoves() throws {
        for wasRead in [true, false] {
            let bench = try Bench()
            let source = MemorySource(hasUniqueNames: true) {
                $0.add("INBOX", [.init("1", "one"), .init("2", "two")])
                $0.add("Box")
            }
            if !wasRead { source.change { $0["INBOX"].messages[0].unreadable = 5 } }
            try bench.pass(source)
            let item = try some(try bench.item("1"))
            source.change {
                var message = $0.take("1", from: "INBOX")
                message.unreadable = 5
                $0["Box"].messages.append(message)
            }
            let changes = try bench.recorded(source).flatMap(\.entry.changes)
            #expect(changes.map(\.item) == [item] && changes.map(\.kinds) == [.moved])
            #expect((try bench.live()[item]?.message?.digest != nil) == wasRead)
            // Moved back and readable: healed, and still the same.
            source.change {
                var message = $0.take("1", from: "Box")
                message.unreadable = nil
                $0["INBOX"].messages.append(message)
            }
            try bench.pass(source)
            #expect(try bench.item("1") == item && bench.live()[item]?.message?.digest != nil)
        }
    }

    @Test("A pass over some folders leaves the others alone")
    func scope() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change {
            _ = $0.take("1", from: "INBOX")
            _ = $0.take("4", from: "Box")
        }
        let changes = try bench.recorded(source, .folders([utf8("Box")])).flatMap(\.entry.changes)
        #expect(changes.map(\.kinds) == [.deleted])
        #expect(try bench.item("1") != nil)
        #expect(try bench.recorded(source).flatMap(\.entry.changes).count == 1)
    }

    @Test("A second capture of an account is refused while the first one lasts")
    func busy() throws {
        let bench = try Bench()
        do {
            let first = try AccountCapture(bench.vault, bench.account, sampleSource())
            #expect(code { try bench.pass(sampleSource()) } == .captured)
            withExtendedLifetime(first) {}
        }
        #expect(Failure.Code.captured.exitStatus == 7)
        #expect(try bench.pass(sampleSource()).created == 5)
    }

    @Test("A large message is streamed and kept whole; one that breaks off does not harm its neighbours")
    func large() throws {
        let bench = try Bench()
        var generator = SeededGenerator.announced()
        let body = generator.bytes(1 << 10)
        let large = Array((0..<9_000).map { _ in body }.joined())
        let source = MemorySource {
            $0.add("INBOX", [.init("1", "one"), .init(name: utf8("2"), bytes: large), .init("3", "three")])
        }
        #expect(try bench.pass(source).created == 3)
        let digest = try #require(try bench.live()[some(try bench.item("2"))]?.message?.digest)
        #expect(digest == Digest(hashing: large.span.bytes))
        var read: [UInt8] = []
        try bench.vault.blobs.reader().stream(digest) { read += $0.withUnsafeBytes { Array($0) } }
        #expect(read == large)
    }

    @Test("Many messages are recorded in the order of the listing, whatever the workers do")
    func many() throws {
        let bench = try Bench()
        let source = MemorySource { $0.add("INBOX", (0..<1_500).map { .init("\($0)", "text \($0 % 700)") }) }
        let changes = try bench.recorded(source).flatMap(\.entry.changes).dropFirst()
        #expect(changes.map { $0.state.message?.sourceName } == (0..<1_500).map { utf8("\($0)") })
        #expect(changes.map(\.item.number) == Array(1...1_500))
        #expect(try bench.recorded(source).isEmpty)
        #expect(try bench.vault.blobs.statistics().messages == 700)
    }
}
