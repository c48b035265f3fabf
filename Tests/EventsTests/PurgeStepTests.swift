import Events
import Testing

struct PurgeStepTests {
    private func step() -> PurgeStep {
        var step = PurgeStep(
            operation: UniqueID(high: 1, low: 2), account: AccountNumber(rawValue: 3), isWholeAccount: false,
            items: [.message: NumberRanges([4, 5, 9]), .folder: NumberRanges([2])])
        step.lives = [.message: [10...40, 11...41, 12...12], .folder: [3...50]]
        step.states = [.message: [7: NumberRanges([20, 21, 30]), 8: NumberRanges([22])]]
        step.rule = PurgeRule(.items, "30", scope: "domain example.org")
        step.stubs = NumberRanges([10, 11])
        step.redacted = [12: .zero]
        return step
    }

    @Test("A step is what its note says, and tells how long each item was there")
    func roundTrip() throws {
        let step = step()
        let read = try #require(PurgeStep(step.note))
        #expect(read == step)
        #expect(read.life(of: ItemID(.message, 9)) == TransactionID(rawValue: 12)...TransactionID(rawValue: 12))
        #expect(read.life(of: ItemID(.message, 6)) == nil && read.life(of: ItemID(.contact, 4)) == nil)
        #expect(read.note.text("states m").map { String(decoding: $0, as: UTF8.self) } == "7:20-21,30 8:22")
        #expect(read.note.text("lives m").map { String(decoding: $0, as: UTF8.self) } == "10-40 11-41 12-12")
        #expect(read.note.text("rule").map { String(decoding: $0, as: UTF8.self) } == "items 30 domain example.org")
    }

    @Test("A note with a field that is not as it must be is no step")
    func refused() {
        for (name, text) in [
            ("lives m", "1-2"), ("lives m", "2-1 3-4 5-6"), ("lives m", "a"), ("lives x", "1-2"), ("lives m", "1 2 3"),
            ("states m", "7"), ("states m", "0:1"), ("states m", "7:"), ("states m", "7:1 7:2"), ("states m", "7:2,1"),
            ("states ?", "7:1"), ("rule", ""), ("rule", "items 30"), ("rule", "erasure now"), ("rule", "items  x"),
        ] {
            var note = step().note
            note.fields.removeAll { $0.name == name }
            note.fields.append(.init(name, .text(Array(text.utf8))))
            #expect(PurgeStep(note) == nil, "\(name) \(text)")
        }
    }

    @Test("What purges have taken of a transaction is known before the journal is written anew")
    func rest() throws {
        var purged = PurgedItems()
        purged.add(step(), at: TransactionID(rawValue: 100))
        let account = AccountNumber(rawValue: 3)
        func isGone(_ number: UInt32, _ id: UInt64) -> Bool {
            purged.contains(account, ItemID(.message, number), at: TransactionID(rawValue: id))
        }
        #expect(isGone(4, 99) && !isGone(4, 100) && !isGone(6, 50))
        #expect(isGone(7, 20) && isGone(7, 21) && !isGone(7, 22) && isGone(7, 30) && !isGone(8, 20) && isGone(8, 22))
        #expect(!purged.contains(AccountNumber(rawValue: 4), ItemID(.message, 7), at: TransactionID(rawValue: 20)))
    }
}
