import Capture
import Connectors
import Events
import Journal
import Projections
import TestKit
import Testing
import Vault

struct FolderTests {
    @Test("A renamed folder and its subtree are one transaction; items keep their IDs")
    func rename() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let (box, sub, four) = (try bench.folder("Box"), try bench.folder("Box/Sub"), try bench.item("4"))
        source.change { $0.rename("Box", to: "Archive/2026") }
        let transactions = try bench.recorded(source)
        #expect(transactions.count == 1)
        #expect(transactions[0].entry.changes.map(\.kinds) == [.renamed, .renamed])
        #expect(try bench.folder("Archive/2026") == box && bench.folder("Archive/2026/Sub") == sub)
        #expect(try bench.item("4") == four)
        #expect(try bench.recorded(source).isEmpty)
    }

    @Test("All folders renamed at once keep their IDs")
    func allRenamed() throws {
        let bench = try Bench()
        let source = MemorySource { $0.add("Top", [.init("1", "one")]) }
        try bench.pass(source)
        let (folder, one) = (try bench.folder("Top"), try bench.item("1"))
        source.change { $0.rename("Top", to: "New") }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.kinds) == [.renamed])
        #expect(try bench.folder("New") == folder && bench.item("1") == one)
    }

    @Test("Two folders that change their names with each other keep their messages")
    func swapped() throws {
        let bench = try Bench()
        let source = sampleSource()
        source.change { $0.add("Other", [.init("6", "six")]) }
        try bench.pass(source)
        let (box, other) = (try bench.folder("Box"), try bench.folder("Other"))
        source.change {
            $0.rename("Other", to: "Temporary")
            $0.rename("Box", to: "Other")
            $0.rename("Temporary", to: "Box")
        }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.allSatisfy { $0.kinds == .renamed })
        #expect(try bench.folder("Box") == other && bench.folder("Other") == box)
    }

    @Test("A folder deleted and made again with the same name is another folder")
    func recreated() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let sub = try #require(try bench.folder("Box/Sub"))
        source.change {
            $0.remove("Box/Sub")
            $0.add("Box/Sub", [.init("8", "eight")])
        }
        try bench.pass(source)
        let fresh = try #require(try bench.folder("Box/Sub"))
        #expect(fresh != sub)
        #expect(try bench.states()[sub]?.isDeleted == true)
        #expect(try bench.item("5") == nil && bench.item("8") != nil)
        #expect(try bench.recorded(source).isEmpty)
    }

    @Test("A folder deleted with its messages is one transaction")
    func deleted() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change { $0.remove("Box/Sub") }
        let transactions = try bench.recorded(source)
        #expect(transactions.map(\.entry.changes.count) == [2])
        #expect(transactions[0].entry.changes.allSatisfy { $0.kinds == .deleted && $0.state.isDeleted })
        source.change { $0["Box"].messages = [] }
        try bench.pass(source)
        source.change { $0.remove("Box") }
        #expect(try bench.recorded(source).flatMap(\.entry.changes).map(\.item.kind) == [.folder])
    }

    @Test("Messages moved out of a folder before it was deleted are moved")
    func movedOut() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let five = try bench.item("5")
        source.change {
            let message = $0.take("5", from: "Box/Sub")
            $0.remove("Box/Sub")
            $0["INBOX"].messages.append(message)
        }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.kinds) == [.moved, .deleted])
        #expect(changes[0].item == five && changes[1].item.kind == .folder)
    }

    @Test("A changed subscription is a change of the folder alone")
    func subscription() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change { $0["Box"].isSubscribed = true }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.kinds) == [.subscription])
        #expect(changes[0].state.folder?.isSubscribed == true)
    }

    @Test("A source emptied and replaced is refused, and nothing is recorded as deleted")
    func replaced() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        let before = try bench.mailbox()
        let head = try bench.vault.journal.head().transaction
        for build in [
            { (contents: inout MemorySource.Contents) in contents.add("INBOX") }, { _ in },
            { contents in
                contents.add("INBOX")
                contents.add("Quite/Another")
            },
        ] {
            let empty = MemorySource { contents in
                build(&contents)
                for index in contents.folders.indices { contents.folders[index].identity = [200, UInt8(index)] }
            }
            #expect(code { try bench.pass(empty) } == .refused)
        }
        // One of them cannot be listed: no more reason to believe.
        let broken = MemorySource {
            $0.add("INBOX")
            $0["INBOX"].identity = [201]
            $0["INBOX"].listFailure = .unreadable(code: 5, "INBOX")
        }
        #expect(code { try bench.pass(broken) } == .refused)
        #expect(try bench.mailbox() == before)
        #expect(try bench.vault.journal.head().transaction == head)
    }

    @Test("The same mailbox on another disk, with other identities everywhere, is the same mailbox")
    func copiedSource() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change { for index in $0.folders.indices { $0.folders[index].identity = [100, UInt8(index)] } }
        let changes = try bench.recorded(source).flatMap(\.entry.changes)
        #expect(changes.map(\.kinds) == [.metadata, .metadata, .metadata])
        #expect(try bench.recorded(source).isEmpty)
    }

    @Test("A mailbox that its user emptied is empty")
    func emptied() throws {
        let bench = try Bench()
        let source = sampleSource()
        try bench.pass(source)
        source.change { for index in $0.folders.indices { $0.folders[index].messages = [] } }
        #expect(try bench.pass(source).deleted == 5)
        #expect(try bench.mailbox().isEmpty)
    }
}
