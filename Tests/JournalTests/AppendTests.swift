import Events
import Files
import Journal
import SystemPackage
import TestKit
import Testing

struct AppendTests {
    @Test("IDs are dense from 1, whatever the batches and however often the journal is opened")
    func dense() throws {
        let directory = try JournalDirectory()
        var generator = SeededGenerator.announced()
        var expected: [String] = []
        for _ in 0..<12 {
            let journal = try directory.open()
            #expect(try journal.head().transaction.rawValue == UInt64(expected.count))
            for _ in 0..<4 {
                let batch = (0..<generator.number(0..<6)).map { "\(expected.count + $0)" }
                let range = try journal.append(batch.map { entry($0) })
                #expect(range == UInt64(expected.count + 1)..<UInt64(expected.count + 1 + batch.count))
                expected += batch
            }
        }
        #expect(try directory.names() == expected)
    }

    @Test("What was appended is read back as it was, by ID, in order and by name")
    func read() throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        var history = HistoryGenerator(.announced())
        let entries = history.entries(300)
        for start in stride(from: 0, to: 300, by: 50) { try journal.append(Array(entries[start..<start + 50])) }
        for (index, entry) in entries.enumerated() {
            #expect(try journal.transaction(TransactionID(rawValue: UInt64(index + 1)))?.entry == entry)
        }
        #expect(try journal.transaction(.beginning) == nil)
        #expect(try journal.transaction(TransactionID(rawValue: 301)) == nil)
        var seen: [UInt64] = []
        try journal.scan(from: TransactionID(rawValue: 10), through: TransactionID(rawValue: 20)) {
            seen.append($0.id.rawValue)
            return $0.id.rawValue < 15
        }
        #expect(seen == Array(10...15))
        #expect(throws: JournalError.self) {
            try journal.scan(from: TransactionID(rawValue: 299), through: TransactionID(rawValue: 301)) { _ in true }
        }
        let wanted = [5, 6, 7, 300, 1, 1, 2, 299].map { TransactionID(rawValue: $0) }
        var given: [TransactionID] = []
        try journal.withRecords(wanted) { given.append($0.id) }
        #expect(given == wanted)
        #expect(throws: JournalError.self) { try journal.withRecords([TransactionID(rawValue: 301)]) { _ in } }
    }

    @Test("A clock that steps back is held, and by how much is noted")
    func clock() throws {
        let directory = try JournalDirectory()
        directory.clock.set(Timestamp(seconds: 1_000))
        do {
            let journal = try directory.open()
            try journal.append([entry("a")])
            directory.clock.set(Timestamp(seconds: 400))
            try journal.append([entry("b")])
        }
        directory.clock.set(Timestamp(rawValue: .min))
        let journal = try directory.open()
        try journal.append([entry("c")])
        directory.clock.set(Timestamp(seconds: 2_000))
        try journal.append([entry("d")])
        let all = try (1...4).map { try #require(try journal.transaction(TransactionID(rawValue: $0))) }
        #expect(all.map(\.time.seconds) == [1_000, 1_000, 1_000, 2_000])
        #expect(all[1].clockBehind == 600_000_000 - 1_000 || all[1].clockBehind == 600_000_000)
        #expect(all[0].clockBehind == 0 && all[2].clockBehind > 0 && all[3].clockBehind == 0)
        #expect(try findings(journal).isEmpty)
    }

    @Test("The newest transaction at or before an instant is exact where times are equal")
    func timeSearch() throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        let clock = directory.clock
        let times: [Int64] = [5, 5, 5, 8, 9, 9, 20, 20, 20, 20, 21]
        var fixed = try JournalDirectory()
        fixed.options = directory.options
        let still = TestClock()
        let other = try OpenJournal(fixed.path, vault: vaultID, readOnly: false, clock: still.wall)
        for time in times {
            still.set(Timestamp(seconds: time))
            try other.append([entry("\(time)")])
        }
        for micro in stride(from: Int64(3_900_000), through: 22_100_000, by: 100_000) {
            let expected = times.filter { $0 * 1_000_000 <= micro }.count
            #expect(try other.newest(atOrBefore: Timestamp(rawValue: micro)).rawValue == UInt64(expected))
        }
        #expect(try other.newest(atOrBefore: Timestamp(rawValue: .max)).rawValue == 11)
        #expect(try other.newest(atOrBefore: Timestamp(rawValue: .min)) == .beginning)
        #expect(try journal.newest(atOrBefore: clock.now) == .beginning)
    }

    @Test("The mirror segments have the bytes of LMDB, raw and sealed")
    func mirrored() throws {
        let directory = try JournalDirectory(segmentBytes: 2_000)
        let journal = try directory.open()
        for number in 0..<100 { try journal.append([entry("record \(number)")]) }
        let before = Tree.names(directory.segments)
        #expect(before.count > 3)
        var lmdb: [UInt8] = []
        try journal.scan(from: TransactionID(rawValue: 1), through: journal.head().transaction) {
            lmdb += $0.bytes.withUnsafeBytes { Array($0) }
            return true
        }
        var mirror: [UInt8] = []
        for name in before { mirror += try #require(Tree.read(Tree.child(directory.segments, name)))[72...] }
        #expect(Array(mirror[..<lmdb.count]) == lmdb)
        #expect(mirror[lmdb.count...].allSatisfy { $0 == 0 })
        #expect(try checkedNames(journal).count == 100)
        try journal.sealFullSegments()
        let after = Tree.names(directory.segments)
        #expect(after.count == before.count)
        #expect(after.filter { $0.suffix(7) == utf8(".sealed") }.count == before.count - 1)
        #expect(try checkedNames(journal).count == 100)
        try journal.append([entry("after")])
        try journal.sealFullSegments()
        #expect(try checkedNames(journal).last == "after")
    }

    @Test("A batch larger than a segment is kept whole")
    func largeBatch() throws {
        let directory = try JournalDirectory(segmentBytes: 2_000)
        let journal = try directory.open()
        try journal.append((0..<200).map { entry("\($0)") })
        try journal.append((200..<210).map { entry("\($0)") })
        #expect(try checkedNames(journal) == (0..<210).map { "\($0)" })
    }

    @Test("A transaction that is too large is refused, and the next one is taken")
    func tooLarge() throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        let state = MessageState(
            folder: 1, content: .unreadable(0), internalDate: Timestamp(rawValue: 0),
            sourceName: Array(repeating: 1, count: 64 << 20))
        let large = JournalEntry(
            account: AccountNumber(rawValue: 1), origin: .scan,
            changes: [Change(ItemID(.message, 1), .created, ItemState(state))])
        #expect(throws: JournalError.self) { try journal.append([entry("with it"), large]) }
        #expect(try journal.append([entry("next")]) == 1..<2)
        #expect(try checkedNames(journal) == ["next"])
    }

    @Test("Groups of any size, small ones and those written by two threads, stand in both copies alike and in order")
    func groups() throws {
        let directory = try JournalDirectory(segmentBytes: 150_000)
        var generator = SeededGenerator.announced()
        var expected: [String] = []
        for size in [255, 256, 511, 512, 513, 1_500, 1, 4_000] + (0..<4).map({ _ in generator.number(1..<1_200) }) {
            // Sometimes by a journal that has just been opened, whose tail is looked at first.
            let journal = try directory.open()
            let names = (0..<size).map { "\(expected.count + $0)" }
            let range = try journal.append(names.map { entry($0) })
            #expect(range == UInt64(expected.count + 1)..<UInt64(expected.count + 1 + size))
            expected += names
        }
        #expect(try directory.names() == expected)
    }

    @Test("A large group with a transaction that is too large is refused as a whole, and the next one is taken")
    func tooLargeInGroup() throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        let state = MessageState(
            folder: 1, content: .unreadable(0), internalDate: Timestamp(rawValue: 0),
            sourceName: Array(repeating: 1, count: 64 << 20))
        let large = JournalEntry(
            account: AccountNumber(rawValue: 1), origin: .scan,
            changes: [Change(ItemID(.message, 1), .created, ItemState(state))])
        #expect(throws: JournalError.self) { try journal.append((0..<1_100).map { entry("\($0)") } + [large]) }
        #expect(try journal.append([entry("next")]) == 1..<2)
        #expect(try checkedNames(journal) == ["next"])
    }

    @Test("A journal opened for reading takes nothing, and sees what another appends")
    func readOnly() throws {
        let directory = try JournalDirectory()
        try directory.append(["a"])
        let journal = try directory.open(readOnly: true)
        #expect(throws: JournalError.self) { try journal.append([entry("b")]) }
        #expect(throws: JournalError.self) { try journal.sealFullSegments() }
        #expect(try checkedNames(journal) == ["a"])
    }

    @Test("Segments of another vault are refused")
    func foreign() throws {
        let directory = try JournalDirectory()
        try directory.append(["a"])
        let journal = try OpenJournal(
            directory.path, vault: UniqueID(high: 1, low: 2), readOnly: false, clock: directory.clock.wall)
        #expect(throws: JournalError.self) { try journal.append([entry("b")]) }
        #expect(try findings(journal).contains { $0.reason == .header })
    }

    @Test("Threads that append at once lose nothing, while another seals")
    func threads() async throws {
        let directory = try JournalDirectory(segmentBytes: 3_000)
        let journal = try directory.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask { for number in 0..<60 { try journal.append([entry("\(worker)-\(number)")]) } }
            }
            group.addTask { for _ in 0..<10 { try journal.sealFullSegments() } }
            try await group.waitForAll()
        }
        let names = try checkedNames(journal)
        #expect(Set(names).count == 240 && names.count == 240)
    }
}
