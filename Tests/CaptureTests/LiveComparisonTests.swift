import Capture
import Connectors
import Events
import Journal
import TestKit
import Testing
import Vault

extension Bench {
    fileprivate func compare(_ source: any Source, deep: Bool = false) throws -> LiveComparison {
        try LiveComparison(vault, account, source, deep: deep)
    }
}

private func text(_ item: ItemID?, _ kinds: ChangeKinds) -> String {
    "\(kinds.contains(.created) ? "new" : item.map { "\($0)" } ?? "?") \(kinds.rawValue)"
}

@Suite("The vault held against the mailbox")
struct LiveComparisonTests {
    @Test("It names what a scan then records, whatever has happened, and records nothing", arguments: 0..<20)
    func predicts(round: Int) throws {
        var random = SeededGenerator.announced("live(\(round))")
        let bench = try Bench()
        let source = MemorySource {
            for folder in ["INBOX", "A", "A/B", "C"] { $0.add(folder) }
            for number in 0..<24 {
                // Some have the same bytes.
                let message = MemorySource.Message("\(number)", "text \(number % 17)", number % 3 == 0 ? [.seen] : [])
                $0[["INBOX", "A", "A/B", "C"][number % 4]].messages.append(message)
            }
        }
        try bench.pass(source)
        for _ in 0..<4 {
            for _ in 0..<random.number(0..<6) { change(source, &random) }
            let before = try bench.vault.journal.head().transaction
            let found = try bench.compare(source)
            #expect(try bench.vault.journal.head().transaction == before)
            #expect(found.isComplete)
            let recorded = try bench.recorded(source).flatMap(\.entry.changes)
            #expect(
                found.differences.map { text($0.item, $0.kinds) }.sorted()
                    == recorded.map { text($0.item, $0.kinds) }.sorted())
            #expect(try bench.compare(source).differences.isEmpty)
        }
    }

    private func change(_ source: MemorySource, _ random: inout SeededGenerator) {
        source.change { contents in
            let from = random.number(0..<contents.folders.count)
            let to = random.number(0..<contents.folders.count)
            let place =
                contents.folders[from].messages.isEmpty
                ? nil : random.number(0..<contents.folders[from].messages.count)
            let name = Array("n\(random.next())".utf8)
            switch (random.number(0..<7), place) {
            case (0, let place?): contents.folders[from].messages[place].flags.formSymmetricDifference(.flagged)
            case (1, let place?):
                contents.folders[from].messages[place].keywords = [Array("k\(random.number(0..<3))".utf8)]
            case (2, let place?): contents.folders[from].messages.remove(at: place)
            case (3, let place?):
                var message = contents.folders[from].messages.remove(at: place)
                message.name = name
                contents.folders[to].messages.append(message)
            case (4, _):
                let path = String(decoding: contents.folders[from].name, as: UTF8.self)
                if path != "INBOX" { contents.rename(path, to: "R\(random.next())") }
            case (5, _): contents.add("N\(random.next())", [.init("1", "text \(random.number(0..<17))")])
            default:
                let text = "text \(random.number(0..<30))"
                contents.folders[to].messages.append(.init(name: name, bytes: Array(text.utf8)))
            }
        }
    }

    @Test("What cannot be looked at is named, and nothing is said about it")
    func unlistable() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change {
            $0["Box"].listFailure = .unreadable(code: 13, "Box")
            $0["INBOX"].messages.remove(at: 0)
        }
        let found = try bench.compare(source)
        #expect(!found.isComplete && found.unlistable.count == 1)
        #expect(found.differences.map(\.kinds) == [.deleted])
        source.change { $0.foldersFailure = .unavailable("gone") }
        #expect(code { _ = try bench.compare(source) } == .unreachable)
    }

    @Test("Other bytes under the same name are seen by a deep comparison only")
    func deep() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change { $0["INBOX"].messages[0].bytes = utf8("another") }
        #expect(try bench.compare(source).differences.isEmpty)
        let found = try bench.compare(source, deep: true)
        #expect(found.differences.map(\.kinds) == [.content])
        source.change { $0["INBOX"].messages[0].unreadable = 5 }
        #expect(try bench.compare(source, deep: true).unreadable.count == 1)
    }
}
