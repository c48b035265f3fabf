import Events
import Files
import Foundation
import Journal
import Projections
import SystemPackage
import TestKit
import Testing

/// A journal and its projections in a scratch directory.
private struct Bench {
    let scratch = Scratch("projections")
    let clock = TestClock(step: 250_000)
    let journal: OpenJournal

    init() throws {
        let path = scratch.appending("journal")
        Tree.makeDirectory(path)
        try OpenJournal.create(in: path)
        journal = try OpenJournal(
            path, vault: UniqueID(high: 1, low: 2), readOnly: false, clock: clock.wall)
        for name in ["projections", "other"] { Tree.makeDirectory(scratch.appending(name)) }
    }

    func projections(_ name: String = "projections") throws -> OpenProjections {
        try OpenProjections(scratch.appending(name))
    }
}

private let accounts = (1...3).map { AccountNumber(rawValue: UInt32($0)) }

private func pointers(
    _ projections: OpenProjections, _ account: AccountNumber, _ position: TransactionID
) throws -> [ItemPointer] {
    var found: [ItemPointer] = []
    try projections.pointers(account, asOf: position) { found.append($0) }
    return found
}

struct ProjectionsTests {
    @Test("At every transaction of a random history the fold, the projections and a model agree")
    func everyTransaction() throws {
        let bench = try Bench()
        var history = HistoryGenerator(.announced())
        let entries = history.entries(250)
        try bench.journal.append(entries)
        let projections = try bench.projections()
        try projections.follow(bench.journal, batch: 37)
        var model: [AccountNumber: [ItemID: ItemState]] = [:]
        var folds = accounts.map { AccountFold(account: $0) }
        for (index, entry) in entries.enumerated() {
            let id = TransactionID(rawValue: UInt64(index + 1))
            for change in entry.changes { model[entry.account, default: [:]][change.item] = change.state }
            for number in folds.indices {
                try folds[number].fold(bench.journal, through: id)
                let account = folds[number].account
                let all = try pointers(projections, account, id)
                let live = all.filter { !$0.pointer.isDeleted }
                #expect(live == folds[number].live())
                #expect(all.filter(\.pointer.isDeleted) == folds[number].deleted())
                let expected = model[account] ?? [:]
                #expect(all.map(\.item) == expected.keys.sorted())
                guard account == entry.account || index % 50 == 0 else { continue }
                for pointer in all {
                    let found = try projections.pointer(account, pointer.item, asOf: id)
                    #expect(found == pointer.pointer && found == folds[number].pointer(pointer.item))
                }
                var states: [ItemID: ItemState] = [:]
                try bench.journal.states(all) { states[$0.item] = $0.state }
                #expect(states == expected)
                #expect(
                    try bench.journal.stateDigest(of: live) == bench.journal.stateDigest(of: folds[number].live()))
            }
        }
    }

    @Test("The digest of a state is SHA-256 over each live item's kind, number, length and bytes")
    func stateDigest() throws {
        let bench = try Bench()
        var history = HistoryGenerator(.announced())
        try bench.journal.append(history.entries(120))
        var fold = AccountFold(account: accounts[0])
        try fold.fold(bench.journal, through: bench.journal.head().transaction)
        var expected = DigestBuilder()
        for (item, state) in history.states(accounts[0]).sorted(by: { $0.key < $1.key }) where !state.isDeleted {
            var encoded = ByteWriter()
            state.encode(into: &encoded)
            var row = ByteWriter()
            row.integer(item.kind.rawValue)
            row.integer(item.number)
            row.integer(UInt32(encoded.count))
            row.raw(encoded.bytes)
            let bytes = row.bytes
            expected.update(bytes.span.bytes)
        }
        #expect(try bench.journal.stateDigest(of: fold.live()) == expected.finish())
        #expect(try bench.journal.stateDigest(of: []) == DigestBuilder().finish())
    }

    @Test("The content is the same whatever the batches and however often it was stopped")
    func batches() throws {
        let bench = try Bench()
        var history = HistoryGenerator(.announced())
        let entries = history.entries(400)
        var digests: Set<Digest> = []
        do {
            let growing = try bench.projections("other")
            for start in stride(from: 0, to: 400, by: 57) {
                try bench.journal.append(Array(entries[start..<min(400, start + 57)]))
                try growing.follow(bench.journal)
            }
            digests.insert(try growing.contentDigest())
        }
        for batch in [1, 7, 100, 100_000] {
            let scratch = Scratch("batch")
            if batch == 7 {
                // Stopped between two batches, and in the middle of one by a record that cannot be read.
                struct Stop: Error {}
                let stopped = try OpenProjections(scratch.path)
                #expect(throws: Stop.self) {
                    try stopped.follow(bench.journal, batch: 50) { if $0.rawValue > 120 { throw Stop() } }
                }
                #expect(try stopped.position().rawValue == 150)
                let found = try bench.journal.withRecord(TransactionID(rawValue: 170)) {
                    $0.bytes.withUnsafeBytes { Array($0) }
                }
                let record = try #require(found)
                let data = bench.scratch.appending("journal/lmdb/data.mdb")
                let places = try offsets(of: record, in: data)
                for place in places { Tree.flip(data, byte: place + record.count / 2, bit: 3) }
                #expect(throws: JournalError.self) { try stopped.follow(bench.journal, batch: 50) }
                for place in places { Tree.flip(data, byte: place + record.count / 2, bit: 3) }
                #expect(try stopped.position().rawValue == 150)
            }
            let projections = try OpenProjections(scratch.path)
            #expect(try projections.follow(bench.journal, batch: batch).rawValue == 400)
            digests.insert(try projections.contentDigest())
        }
        #expect(digests.count == 1)
    }

    /// Where `needle` stands in a file, every time.
    private func offsets(of needle: [UInt8], in file: FilePath) throws -> [Int] {
        let bytes = Data(try #require(Tree.read(file)))
        var (start, found): (Data.Index, [Int]) = (bytes.startIndex, [])
        while let range = bytes.range(of: Data(needle), in: start..<bytes.endIndex) {
            found.append(range.lowerBound)
            start = range.upperBound
        }
        try #require(!found.isEmpty)
        return found
    }

    @Test("A history is JSON that says every state, and each ends when the next begins")
    func histories() throws {
        let bench = try Bench()
        var history = HistoryGenerator(.announced())
        try bench.journal.append(history.entries(300))
        let projections = try bench.projections()
        try projections.follow(bench.journal, batch: 40)
        for item in history.states(accounts[0]).keys.sorted() {
            let bytes = try projections.history(accounts[0], item)
            #expect(try projections.history(accounts[0], item) == bytes)
            let rows = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [[String: Any]])
            let states = try projections.states(accounts[0], item)
            #expect(rows.map { $0["txid"] as? Int } == states.map { Int($0.transaction.rawValue) })
            for (row, next) in zip(rows, rows.dropFirst()) {
                #expect(row["end_date"] as? String == next["start_date"] as? String)
                #expect(row["end_date"] is String)
            }
            let last = try #require(rows.last)
            #expect(last["end_date"] is NSNull)
            #expect(last["deleted"] as? Bool == history.states(accounts[0])[item]?.isDeleted)
            for (row, pointer) in zip(rows, states) {
                let recorded = try bench.journal.state(item, at: pointer)
                #expect(row["start_date"] as? String == recorded.time.description)
                #expect(row["item"] as? String == item.description)
                #expect(row["origin"] as? String == "\(recorded.origin.name)")
                if let message = recorded.state.message {
                    #expect(row["folder"] as? String == "f\(message.folder)")
                    #expect(row["digest"] as? String == message.digest?.description)
                    #expect(row["folder_path"] is String)
                }
            }
        }
        #expect(try projections.history(accounts[0], ItemID(.message, 999_999)) == Array("[]".utf8))
        #expect(try projections.history(AccountNumber(rawValue: 77), ItemID(.message, 1)) == Array("[]".utf8))
    }

    @Test("A message's folder path is the one the folder had then")
    func folderPath() throws {
        let bench = try Bench()
        let account = accounts[0]
        func folder(_ path: String, _ kinds: ChangeKinds) -> Change {
            Change(ItemID(.folder, 1), kinds, ItemState(FolderState(path: [Array(path.utf8)], sourceName: [1])))
        }
        func message(_ kinds: ChangeKinds, _ flags: MessageFlags) -> Change {
            let state = MessageState(
                folder: 1, content: .unreadable(1), internalDate: Timestamp(rawValue: 0), flags: flags, sourceName: [2])
            return Change(ItemID(.message, 1), kinds, ItemState(state))
        }
        for changes in [
            [folder("Old", .created), message(.created, [])], [folder("New", .renamed)], [message(.flags, .seen)],
        ] { try bench.journal.append([JournalEntry(account: account, origin: .scan, changes: changes)]) }
        let projections = try bench.projections()
        try projections.follow(bench.journal, batch: 1)
        let text = String(decoding: try projections.history(account, ItemID(.message, 1)), as: UTF8.self)
        #expect(text.contains(#""txid":1,"#) && text.contains(#""folder_path":"Old""#))
        #expect(text.contains(#""txid":3,"#) && text.contains(#""folder_path":"New""#))
    }

    @Test("Statistics and the tables of the living and the deleted equal a recount")
    func recount() throws {
        let bench = try Bench()
        var history = HistoryGenerator(.announced())
        let projections = try bench.projections()
        var all: [JournalEntry] = []
        for _ in 0..<6 {
            let entries = history.entries(80)
            all += entries
            try bench.journal.append(entries)
            try projections.follow(bench.journal, batch: 23)
            for account in accounts { try recount(account, history, all, projections) }
        }
    }

    private func recount(
        _ account: AccountNumber, _ history: HistoryGenerator, _ all: [JournalEntry], _ projections: OpenProjections
    ) throws {
        let states = history.states(account)
        let live = states.filter { !$0.value.isDeleted }
        let own = all.enumerated().filter { $0.element.account == account }
        let statistics = try projections.statistics(account)
        #expect(statistics.liveMessages == UInt64(live.keys.count { $0.kind == .message }))
        #expect(statistics.liveFolders == UInt64(live.keys.count { $0.kind == .folder }))
        #expect(statistics.liveBytes == live.values.reduce(0) { $0 + ($1.message?.size ?? 0) })
        #expect(statistics.deletedItems == UInt64(states.count - live.count))
        #expect(statistics.states == UInt64(own.reduce(0) { $0 + $1.element.changes.count }))
        #expect(statistics.transactions == UInt64(own.count))
        #expect(statistics.firstTransaction.rawValue == UInt64((own.first?.offset ?? -1) + 1))
        #expect(statistics.lastTransaction.rawValue == UInt64((own.last?.offset ?? -1) + 1))
        #expect(
            try projections.highestNumber(account, .message)
                == states.keys.filter { $0.kind == .message }.map(\.number).max() ?? 0)
        var folders: [ItemID] = []
        try projections.live(account, .folder, folder: 0) { folders.append($0.item) }
        #expect(folders == live.keys.filter { $0.kind == .folder }.sorted())
        for number in Set(states.values.compactMap { $0.message?.folder }) {
            var messages: [ItemID] = []
            try projections.live(account, .message, folder: number) { messages.append($0.item) }
            #expect(messages == live.filter { $0.value.message?.folder == number }.keys.sorted())
        }
        var deleted: [ItemID] = []
        let range = TransactionID(rawValue: 1)...TransactionID(rawValue: UInt64(all.count))
        try projections.deleted(account, in: range) { item, id in
            deleted.append(item)
            #expect(all[Int(id.rawValue) - 1].changes.contains { $0.item == item && $0.state.isDeleted })
        }
        #expect(deleted.sorted() == states.filter(\.value.isDeleted).keys.sorted())
        #expect(
            try projections.notes(account).map { Int($0.transaction.rawValue) - 1 }
                == own.filter { $0.element.note != nil }.map(\.offset))
    }

    @Test("Many items are listed whole across the steps of a snapshot")
    func manyItems() throws {
        let bench = try Bench()
        let changes = (1...21_000).map { number in
            Change(
                ItemID(.message, UInt32(number)), .created,
                ItemState(
                    MessageState(
                        folder: 1, content: .unreadable(1), internalDate: Timestamp(rawValue: 0), sourceName: [1])))
        }
        for start in stride(from: 0, to: 21_000, by: 7_000) {
            try bench.journal.append([
                JournalEntry(account: accounts[0], origin: .scan, changes: Array(changes[start..<start + 7_000]))
            ])
        }
        let projections = try bench.projections()
        try projections.follow(bench.journal)
        var listed: [UInt32] = []
        try projections.live(accounts[0], .message, folder: 1) { listed.append($0.item.number) }
        #expect(listed == Array(1...21_000))
        let all = try pointers(projections, accounts[0], TransactionID(rawValue: 3))
        #expect(all.map(\.item.number) == Array(1...21_000))
        #expect(try pointers(projections, accounts[0], TransactionID(rawValue: 1)).count == 7_000)
        #expect(try pointers(projections, accounts[0], .beginning).isEmpty)
    }

    @Test("Projections of another journal, or ahead of it, cannot be used")
    func foreign() throws {
        let bench = try Bench()
        let other = try Bench()
        var history = HistoryGenerator(.announced())
        try bench.journal.append(history.entries(20))
        try other.journal.append(history.entries(10))
        let projections = try bench.projections()
        try projections.follow(bench.journal)
        #expect(throws: ProjectionsUnusable.self) { try projections.follow(other.journal) }
        try other.journal.append(history.entries(30))
        #expect(throws: ProjectionsUnusable.self) { try projections.follow(other.journal) }
        #expect(try projections.follow(bench.journal).rawValue == 20)
    }

    @Test("Cut or foreign files cannot be used, and say so")
    func unusable() throws {
        let bench = try Bench()
        var history = HistoryGenerator(.announced())
        try bench.journal.append(history.entries(200))
        do { try bench.projections().follow(bench.journal) }
        let file = bench.scratch.appending("projections/data.mdb")
        let whole = try #require(Tree.read(file))
        for size in [0, 1, 8_192, whole.count / 2] {
            Tree.write(file, Array(whole[..<size]))
            #expect(throws: ProjectionsUnusable.self, "\(size) bytes") { try bench.projections() }
        }
        Tree.write(file, Array(repeating: 0xA5, count: whole.count))
        #expect(throws: ProjectionsUnusable.self) { try bench.projections() }
        #expect(throws: ProjectionsUnusable.self) {
            try OpenProjections(bench.scratch.appending("other"), readOnly: true)
        }
    }
}
