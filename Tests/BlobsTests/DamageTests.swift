import Blobs
import Events
import Foundation
import TestKit
import Testing

@Suite struct DamageTests {
    private func corpus(_ seed: UInt64, _ count: Int = 12) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { number in
            var message = random.text(Int.random(in: 50...3_000, using: &random)) + [10]
            if number % 3 == 0 { message += base64(random.bytes(5_000), columns: 76) }
            return message
        }
    }

    private func change(_ path: String, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = Array(FileManager.default.contents(atPath: path)!)
        body(&bytes)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    @Test func everyBitFlipIsFoundAndNeverReadAsMail() throws {
        let messages = corpus(1)
        let scratch = BlobScratch()
        let store = try scratch.store()
        try store.store(messages)
        let pack = scratch.packs[0]
        let good = Array(FileManager.default.contents(atPath: pack)!)
        #expect(try store.check(report: { _ in }).findings == 0)
        // Every bit of the structures at the beginning, every 61st of the rest.
        let bits = Array(0..<min(700, good.count) * 8) + Array(stride(from: 700 * 8, to: good.count * 8, by: 61))
        var undetected = 0
        for bit in bits {
            let file = FileHandle(forUpdatingAtPath: pack)!
            file.seek(toFileOffset: UInt64(bit / 8))
            file.write(Data([good[bit / 8] ^ (1 << UInt8(bit % 8))]))
            var findings = 0
            try store.check(report: { _ in findings += 1 })
            if findings == 0 { undetected += 1 }
            if bit % 17 == 0 {
                let reader = store.reader()
                for message in messages {
                    do {
                        #expect(try reader.bytes(digest(message)) == message, "bit \(bit)")
                    } catch let error as BlobError {
                        guard case .damaged = error else {
                            Issue.record("bit \(bit): \(error)")
                            continue
                        }
                    }
                }
            }
            file.seek(toFileOffset: UInt64(bit / 8))
            file.write(Data([good[bit / 8]]))
            file.closeFile()
        }
        #expect(undetected == 0)
        #expect(try store.check(report: { _ in }).findings == 0)
    }

    @Test func aTruncatedPackGivesTypedErrors() throws {
        let messages = corpus(2)
        let scratch = BlobScratch()
        let store = try scratch.store()
        try store.store(messages)
        let pack = scratch.packs[0]
        let size = Array(FileManager.default.contents(atPath: pack)!).count
        for length in [size - 1, size / 2, 64, 10, 0] {
            truncate(pack, off_t(length))
            let reader = store.reader()
            var damaged = 0
            for message in messages {
                do { #expect(try reader.bytes(digest(message)) == message) } catch BlobError.damaged { damaged += 1 }
            }
            #expect(damaged > 0)
            var findings: [BlobFinding] = []
            try store.check(report: { findings.append($0) })
            #expect(findings.contains { $0.kind == .pack })
        }
        try FileManager.default.removeItem(atPath: pack)
        #expect(throws: BlobError.self) { try store.reader().bytes(digest(messages[0])) }
        var findings: [BlobFinding] = []
        try store.check(report: { findings.append($0) })
        #expect(findings.first?.reason == "the pack is not there")
        #expect(Set(findings.flatMap(\.digests)).isSuperset(of: messages.map(digest)))
    }

    @Test func aTornTailIsCutBehindTheDurableEndOnly() throws {
        let messages = corpus(3)
        for tail in [1, 47, 48, 200, 5_000] {
            let scratch = BlobScratch()
            do { try scratch.store().store(messages) }
            let pack = scratch.packs[0]
            let durable = Array(FileManager.default.contents(atPath: pack)!)
            var random = SeededGenerator(seed: UInt64(tail))
            try change(pack) { $0 += random.bytes(tail) }
            let store = try scratch.store()
            for message in messages { #expect(try store.reader().bytes(digest(message)) == message) }
            let more = corpus(4)
            try store.store(more)
            #expect(Array(FileManager.default.contents(atPath: pack)!.prefix(durable.count)) == durable)
            for message in messages + more { #expect(try store.reader().bytes(digest(message)) == message) }
            #expect(try store.check(report: { _ in }).findings == 0)
        }
    }

    @Test func framesAppendedButNotSyncedAreTakenInAfterACrash() throws {
        let messages = corpus(5)
        let late = corpus(6)
        let scratch = BlobScratch()
        do {
            let store = try scratch.store()
            try store.store(messages)
            let encoder = store.encoder()
            for message in late { try encoder.add(message.span.bytes) }
            try store.append(try encoder.finish())
            // The process ends here, without a sync.
        }
        let store = try scratch.store()
        #expect(try !store.contains(digest(late[0])))
        try store.beginAppending()
        try store.sync()
        for message in messages + late { #expect(try store.reader().bytes(digest(message)) == message) }
        #expect(try store.check(report: { _ in }).findings == 0)
    }

    @Test func anIndexThatFellBackLosesNothing() throws {
        let scratch = BlobScratch()
        let (old, new) = (corpus(7), corpus(8))
        let index = scratch.path + "/blobs/index/data.mdb"
        do { try scratch.store().store(old) }
        let before = FileManager.default.contents(atPath: index)!
        do { try scratch.store().store(new) }
        let packsBefore = try scratch.packs.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        try before.write(to: URL(fileURLWithPath: index))
        let store = try scratch.store()
        try store.beginAppending()
        try store.sync()
        #expect(try scratch.packs.map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == packsBefore)
        for message in old + new { #expect(try store.reader().bytes(digest(message)) == message) }
    }

    @Test func aDamagedTailWithFramesInItIsLeftAndNeverWrittenOver() throws {
        let scratch = BlobScratch()
        let (old, new) = (corpus(9), corpus(10))
        do {
            let store = try scratch.store()
            try store.store(old)
            let encoder = store.encoder()
            for message in new {
                try encoder.add(message.span.bytes)
                try store.append(try encoder.finish())
            }
        }
        let pack = scratch.packs[0]
        let end = Array(FileManager.default.contents(atPath: pack)!)
        // The first frame behind the durable end is hurt, the following ones are whole.
        var store = try scratch.store() as BlobStore?
        let durable = Int(try store!.statistics().packBytes)
        store = nil
        try change(pack) { $0[durable + 60] ^= 1 }
        let again = try scratch.store()
        try again.store(corpus(11))
        var expected = end
        expected[durable + 60] ^= 1
        #expect(Array(FileManager.default.contents(atPath: pack)!) == expected)
        #expect(scratch.packs.count == 2)
        for message in old + corpus(11) { #expect(try again.reader().bytes(digest(message)) == message) }
    }

    @Test func theIndexMadeAnewEqualsTheOriginal() throws {
        let scratch = BlobScratch()
        var options = BlobOptions()
        options.packBytes = 100_000
        options.batchBytes = 20_000
        let messages = corpus(12, 300)
        let store = try scratch.store(options)
        for part in 0..<6 { try store.store(Array(messages[part * 50..<(part + 1) * 50])) }
        #expect(scratch.packs.count > 3)
        let digests = messages.map(digest)
        let before = try store.locations(of: digests)
        let statistics = try store.statistics()
        try store.rebuildIndex()
        #expect(try store.locations(of: digests) == before)
        let after = try store.statistics()
        #expect(after.packBytes == statistics.packBytes && after.messages == statistics.messages)
        #expect(after.parts == statistics.parts && after.partBytes == statistics.partBytes)
        #expect(after.rawBytes == statistics.rawBytes && after.packs == statistics.packs)
        #expect(try store.check(report: { _ in }).findings == 0)
        // And it can be appended to.
        try store.store(corpus(13))
        #expect(try store.check(report: { _ in }).findings == 0)
    }

    @Test func aCheckNamesWhatTheIndexHasWrong() throws {
        let scratch = BlobScratch()
        let messages = corpus(14)
        do { try scratch.store().store(messages) }
        // Another vault's UUID is refused, for packs and index alike.
        #expect(throws: BlobError.self) { try BlobStore(path: scratch.path + "/blobs", vault: Array(1..<17)) }
        let store = try scratch.store()
        var some = BlobCheckOptions()
        some.dataFraction = 0
        #expect(try store.check(some, report: { _ in }).verifiedBlobs == 0)
        some.dataFraction = 1
        let all = try store.check(some, report: { _ in })
        #expect(all.verifiedBlobs == all.blobs && all.blobs > messages.count)
    }

    @Test("A wrong length in the index is found without reading data, and healed from the pack")
    func aWrongLengthInTheIndex() throws {
        let scratch = BlobScratch()
        let messages = corpus(15)
        do { try scratch.store().store(messages) }
        let wanted = digest(messages[3])
        let key = wanted.withBytes { Array($0) }
        try change(scratch.path + "/blobs/index/data.mdb") { bytes in
            // The row may be in pages that are free, too.
            for at in 0..<bytes.count - 52 where bytes[at] == key[0] && Array(bytes[at..<at + 32]) == key {
                bytes[at + 32 + 12 + 3] ^= 2
            }
        }
        let store = try scratch.store()
        var tables = BlobCheckOptions()
        tables.dataFraction = 0
        var findings: [BlobFinding] = []
        try store.check(tables, report: { findings.append($0) })
        #expect(findings.contains { $0.kind == .index && $0.digests == [wanted] })
        try store.repair(keepCopy: { _ in }, report: { _ in })
        #expect(try store.locations(of: [wanted]).first??.size == UInt64(messages[3].count))
        #expect(try store.check(tables, report: { _ in }).findings == 0)
    }

    @Test("A row of the index for a pack that never was makes none, and loses nothing", arguments: [3, 30] as [UInt8])
    func aPackThatNeverWas(bit: UInt8) throws {
        let scratch = BlobScratch()
        var options = BlobOptions()
        options.packBytes = 20_000
        options.batchBytes = 5_000
        let messages = corpus(16, 40)
        do {
            let store = try scratch.store(options)
            for part in 0..<4 { try store.store(Array(messages[part * 10..<(part + 1) * 10])) }
        }
        let packs = scratch.packs
        #expect(2..<8 ~= packs.count)
        // The last row: LMDB writes the lengths of value and key before it.
        let number = UInt32(packs.count)
        let key: [UInt8] =
            [36, 0, 0, 0, 0, 0, 4, 0] + (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
        var changed = 0
        try change(scratch.path + "/blobs/index/data.mdb") { bytes in
            for at in 0..<bytes.count - 12 where Array(bytes[at..<at + 12]) == key {
                bytes[at + 11 - Int(bit / 8)] ^= 1 << (bit % 8)
                changed += 1
            }
        }
        #expect(changed > 0)
        let store = try scratch.store(options)
        var notes: [RepairNote] = []
        try store.repair(keepCopy: { _ in }, report: { notes.append($0) })
        #expect(notes.count == 1 && notes.allSatisfy { !$0.isLoss }, "\(notes)")
        #expect(scratch.packs == packs)
        #expect(try store.check(report: { _ in }).findings == 0)
        for message in messages { #expect(try store.reader().bytes(digest(message)) == message) }
    }
}
