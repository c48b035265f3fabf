import Events
import Glibc
import Journal
import SystemPackage
import TestKit
import Testing

/// Records of which something was purged, byte for byte: `Tests/Fixtures/format-1/redacted.hex` (`Specs/Format/Journal.md`, "Redacted record").
struct RedactedVectorTests {
    private func change(_ number: UInt32) -> Change {
        Change(
            ItemID(.message, number), .created,
            ItemState(
                MessageState(
                    folder: 1, content: .blob(Digest(hashing: utf8("message \(number)").span.bytes), size: 9),
                    internalDate: Timestamp(seconds: 1_772_456_318), sourceName: utf8("name \(number)"))))
    }

    private func step(_ numbers: [UInt64], states: [UInt32: NumberRanges] = [:], whole: Bool = false) -> PurgedItems {
        var step = PurgeStep(
            operation: UniqueID(high: 1, low: 2), account: AccountNumber(rawValue: 1), isWholeAccount: whole,
            items: [.message: NumberRanges(numbers)])
        step.states = [.message: states]
        var purged = PurgedItems()
        purged.add(step, at: TransactionID(rawValue: 3))
        return purged
    }

    @Test(
        "A record of two changes, of which one, an old state, all, and all with the account's note is purged, is what format 1 says"
    )
    func vectors() throws {
        let directory = try JournalDirectory()
        let clock = TestClock(Timestamp(seconds: 1_772_456_318), step: 1_000_000)
        let journal = try OpenJournal(directory.path, vault: vaultID, readOnly: false, clock: clock.wall)
        try journal.append([
            JournalEntry(account: AccountNumber(rawValue: 1), origin: .scan, changes: [change(7), change(8)]),
            JournalEntry(
                account: AccountNumber(rawValue: 1), origin: .scan, changes: [change(9)],
                note: Note(.scanCompleted, [.init("complete", .flag(true))])),
        ])
        let one = TransactionID(rawValue: 1)
        let two = TransactionID(rawValue: 2)
        let cases: [(id: TransactionID, purged: PurgedItems, isStub: Bool)] = [
            (one, step([7]), false), (one, step([], states: [8: NumberRanges([1])]), false), (one, step([7, 8]), true),
            (two, step([9]), false), (two, step([], whole: true), true),
        ]
        var lines: [String] = []
        for (id, purged, isStub) in cases {
            let made = try #require(
                try journal.withRecord(id) { record -> [UInt8] in
                    let made = try RedactedRecord.make(record, without: purged)
                    #expect(made?.isStub == isStub)
                    // Done twice is done once.
                    return made?.bytes ?? []
                })
            lines.append(Hex.text(made))
            let file = CarriedLeaf(made)
            #expect(try file.leafHash() == journal.withRecord(id) { $0.leafHash })
        }
        let file = TestData.fixtures.appending("format-1/redacted.hex")
        if getenv("YESTERMAIL_WRITE_FIXTURES") != nil, !Tree.exists(file) {
            Tree.write(file, Array((lines.joined(separator: "\n") + "\n").utf8))
        }
        let stored = try #require(Tree.read(file), "\(file) is missing")
        #expect(String(decoding: stored, as: UTF8.self) == lines.joined(separator: "\n") + "\n")
    }
}

/// A record read by the page alone: the 32 bytes before its last four are the leaf hash it stands for.
private struct CarriedLeaf {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func leafHash() throws -> Digest? {
        guard bytes.count > 72 + 32, bytes[3] == 254 else { return nil }
        return Digest(bytes[(bytes.count - 36)..<(bytes.count - 4)].span.bytes)
    }
}
