import Events
import TestKit
import Testing

struct EncodingTests {
    static func decode(_ entry: JournalEntry, _ bytes: [UInt8]) throws -> JournalEntry {
        try JournalEntry(account: entry.account, origin: entry.origin, decodingBody: bytes.span.bytes)
    }

    @Test("Every sort of entry comes back from its bytes as it was", arguments: Samples.entries.map(\.name))
    func roundTrip(name: String) throws {
        let entry = try #require(Samples.entries.first { $0.name == name }).entry
        for behind in [0, 1, UInt64.max] {
            let bytes = Samples.body(entry, clockBehind: behind)
            #expect(try Self.decode(entry, bytes) == entry)
            #expect(try clockBehind(bytes) == behind)
        }
    }

    @Test("Random histories come back from their bytes as they were")
    func randomRoundTrip() throws {
        var history = HistoryGenerator(.announced())
        for entry in history.entries(1_000) { #expect(try Self.decode(entry, Samples.body(entry)) == entry) }
    }

    @Test("Equal states have equal bytes, and a decoded state has the bytes it came from")
    func canonical() throws {
        for (_, entry) in Samples.entries {
            for change in entry.changes {
                var first = ByteWriter()
                change.state.encode(into: &first)
                var second = ByteWriter()
                try ItemState(change.item.kind, decoding: first.bytes.span.bytes).encode(into: &second)
                #expect(first.bytes == second.bytes)
            }
        }
    }

    @Test("States around the lengths where the length takes more bytes come back", arguments: [-2, -1, 0, 1, 2])
    func lengthSteps(offset: Int) throws {
        for step in [1 << 7, 1 << 14, 1 << 21] {
            var state = Samples.folder
            state.sourceName = Array(repeating: 7, count: step - 60 + offset)
            for _ in 0..<120 {
                state.sourceName.append(9)
                let entry = JournalEntry(
                    account: AccountNumber(rawValue: 1), origin: .scan,
                    changes: [
                        Change(ItemID(.folder, 1), .created, ItemState(state)),
                        Change(ItemID(.folder, 2), .created, ItemState(Samples.folder)),
                    ])
                guard try Self.decode(entry, Samples.body(entry)) == entry else {
                    Issue.record("a state of about \(state.sourceName.count) bytes does not come back")
                    return
                }
                if step > 1 << 14 { break }
            }
        }
    }

    @Test("An entry cut anywhere is refused", arguments: Samples.entries.map(\.name))
    func cuts(name: String) throws {
        let entry = try #require(Samples.entries.first { $0.name == name }).entry
        let bytes = Samples.body(entry, clockBehind: 77)
        for length in 0..<bytes.count {
            #expect(throws: DecodingFailure.self, "cut after \(length) bytes") {
                try Self.decode(entry, Array(bytes[..<length]))
            }
        }
        #expect(throws: DecodingFailure.self) { try Self.decode(entry, bytes + [0]) }
    }

    @Test(
        "A flipped bit is refused or gives something else, never the same entry", arguments: Samples.entries.map(\.name)
    )
    func flips(name: String) throws {
        let entry = try #require(Samples.entries.first { $0.name == name }).entry
        let bytes = Samples.body(entry)
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            guard let decoded = try? Self.decode(entry, damaged) else { continue }
            let behind = try clockBehind(damaged)
            #expect(decoded != entry || behind != 0, "bit \(bit % 8) of byte \(bit / 8) makes no difference")
        }
    }

    @Test("Random bytes are refused or understood, and never end the process")
    func randomBytes() {
        var generator = SeededGenerator.announced()
        let samples = Samples.entries.map { Samples.body($0.entry) }
        for _ in 0..<5_000 {
            var bytes = generator.chance(30) ? generator.bytes(generator.number(0..<80)) : generator.element(samples)
            for _ in 0..<generator.number(0..<4) where !bytes.isEmpty {
                bytes[generator.number(0..<bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            _ = try? JournalEntry(account: .directory, origin: .scan, decodingBody: bytes.span.bytes)
            for kind in ItemKind.allCases { _ = try? state(kind, bytes) }
        }
    }

    @Test("Bits and numbers this version does not know are refused, not passed over")
    func unknownBits() throws {
        let entry = Samples.entries[0].entry
        var bytes = Samples.body(entry)
        bytes[0] |= 0x80
        #expect(throws: DecodingFailure.self) { try Self.decode(entry, bytes) }
        for (kind, state) in [(ItemKind.message, ItemState(Samples.message)), (.folder, ItemState(Samples.folder))] {
            var writer = ByteWriter()
            state.encode(into: &writer)
            bytes = writer.bytes
            bytes[0] |= 2
            #expect(throws: DecodingFailure.self) { try EventsTests.state(kind, bytes) }
        }
        // Kinds of change beyond 16 bits must not be cut to something else.
        var writer = ByteWriter()
        writer.integer(UInt8(0))
        writer.varint(1)
        writer.integer(ItemKind.contact.rawValue)
        writer.varint(1)
        writer.varint(0x1_0001)
        writer.bytes([0])
        #expect(throws: DecodingFailure.self) { try Self.decode(entry, writer.bytes) }
    }
}

extension EncodingTests {
    @Test("Attributes of a folder come back as they were, sorted and each once, or not at all")
    func attributes() throws {
        func attribute(_ name: String) -> FolderAttribute { FolderAttribute(name: utf8(name), value: [0, 0xFF]) }
        var state = Samples.folder
        state.attributes = [attribute("acl anna"), attribute("special-use")]
        var writer = ByteWriter()
        ItemState(state).encode(into: &writer)
        #expect(try ItemState(.folder, decoding: writer.bytes.span.bytes).folder == state)
        for wrong in [["special-use", "acl anna"], ["a", "a"]] {
            state.attributes = wrong.map(attribute)
            var writer = ByteWriter()
            ItemState(state).encode(into: &writer)
            #expect(throws: DecodingFailure.self) { try ItemState(.folder, decoding: writer.bytes.span.bytes) }
        }
    }
}
