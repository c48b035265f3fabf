import Blobs
import Events
import Foundation
import TestKit
import Testing

@Suite struct RoundTripTests {
    @Test(.enabled(if: TestData.hasMail, Comment(rawValue: TestData.absence)))
    func everyRealMessageComesBackByteForByte() throws {
        let mail = realMail
        #expect(mail.count >= 1_957)
        let scratch = BlobScratch()
        let store = try scratch.store()
        let stored = try store.store(mail)
        #expect(stored.map(\.digest) == mail.map(digest))
        let reader = store.reader()
        for message in mail {
            #expect(try reader.bytes(digest(message)) == message)
        }
        // In another process' view: opened again.
        let statistics = try store.statistics()
        #expect(statistics.messages == UInt64(Set(mail).count))
        #expect(statistics.rawBytes == UInt64(Set(mail).map(\.count).reduce(0, +)))
    }

    @Test func plantedBase64OfEveryShapeComesBack() throws {
        let seed = UInt64.random(in: 1...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let scratch = BlobScratch()
        let store = try scratch.store()
        var messages: [[UInt8]] = [[], [10], [65]]
        for _ in 0..<400 {
            var message: [UInt8] = []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                message += random.text(Int.random(in: 0...300, using: &random))
                if Bool.random(using: &random) { message.append(10) }
                let bytes = random.bytes(Int.random(in: 1...9_000, using: &random))
                let columns = [76, 72, 64, 60, 4, 8, 998, 70, 0, 77, 76, 76].randomElement(using: &random)!
                var run = base64(
                    bytes, columns: columns, eol: Bool.random(using: &random) ? "\n" : "\r\n",
                    finalEOL: Bool.random(using: &random))
                switch Int.random(in: 0...9, using: &random) {
                case 0: run[Int.random(in: 0..<run.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                case 1: run.remove(at: Int.random(in: 0..<run.count, using: &random))
                case 2: run.insert(13, at: Int.random(in: 0..<run.count, using: &random))
                case 3: run.insert(10, at: Int.random(in: 0..<run.count, using: &random))
                case 4: run += base64(random.bytes(3_000), columns: columns == 0 ? 76 : columns, eol: "\r\n")
                case 5: run.append(UInt8(ascii: "="))
                case 6:
                    // Bits behind the last byte that canonical padding has as zeros.
                    if let last = run.lastIndex(of: UInt8(ascii: "=")), last > 2 { run[last - 2] = UInt8(ascii: "h") }
                default: break
                }
                message += run
            }
            messages.append(message)
        }
        try store.store(messages)
        let reader = store.reader()
        for message in messages {
            #expect(try reader.bytes(digest(message)) == message, "seed \(seed)")
        }
        #expect(try store.statistics().parts > 100)
    }

    @Test(arguments: [76, 72, 64, 4, 0, 996]) func largeMessagesAreTheSameHoweverTheyComeIn(columns: Int) throws {
        var random = SeededGenerator(seed: 7)
        let attachment = random.bytes(3_400_001)
        let message =
            random.text(5_000) + [10] + base64(attachment, columns: columns, eol: "\r\n") + random.text(1_500_000)
            + [10] + base64(random.bytes(70_000), columns: columns, finalEOL: false)
        let scratch = BlobScratch()
        let store = try scratch.store()
        let encoder = store.encoder()
        var position = 0
        let streamed = try encoder.add(
            reading: { room in
                let count = min(room.count, message.count - position, 100_003)
                message[position..<position + count].withUnsafeBytes { room.copyMemory(from: $0) }
                position += count
                return count
            }, emit: { try store.append($0) })
        #expect(streamed.digest == digest(message))
        try store.append(try encoder.finish())
        try store.sync()
        #expect(try store.reader().bytes(digest(message)) == message)
        #expect(try store.reader().streamed(digest(message)) == message)

        let other = BlobScratch()
        let whole = try other.store()
        try whole.store([message])
        #expect(try whole.reader().streamed(digest(message)) == message)
        // Cut in the same places: the same parts.
        #expect(try whole.statistics().parts == store.statistics().parts)
        #expect(try whole.statistics().partBytes == store.statistics().partBytes)
    }

    @Test func duplicatesAreStoredOnce() throws {
        var random = SeededGenerator(seed: 3)
        let message = random.text(20_000)
        let scratch = BlobScratch()
        let store = try scratch.store()
        let first = try store.store([message, message, random.text(100)])
        #expect(first.map(\.isNew) == [true, false, true])
        let before = try store.statistics().packBytes
        #expect(try store.store([message]).map(\.isNew) == [false])
        #expect(try store.statistics().packBytes == before)
        #expect(try store.statistics().messages == 2)
    }

    @Test(arguments: [40_000, 2_500_000]) func oneAttachmentInLinesOf76And72IsStoredOnce(size: Int) throws {
        var random = SeededGenerator(seed: 4)
        let attachment = random.bytes(size)
        let scratch = BlobScratch()
        let store = try scratch.store()
        var messages: [[UInt8]] = []
        for (columns, eol) in [(76, "\n"), (72, "\r\n"), (64, "\n"), (0, "\n")] {
            messages.append(random.text(500) + [10, 10] + base64(attachment, columns: columns, eol: eol) + [45, 45])
        }
        try store.store(messages)
        let statistics = try store.statistics()
        #expect(statistics.parts == UInt64((size + 1_048_574) / 1_048_575))
        #expect(statistics.partBytes == UInt64(size))
        for message in messages { #expect(try store.reader().bytes(digest(message)) == message) }
    }

    @Test func aReaderSeesWhatIsAppendedBeforeTheSync() throws {
        let scratch = BlobScratch()
        let store = try scratch.store()
        let message = Array("Subject: soon\n\n".utf8)
        let encoder = store.encoder()
        try encoder.add(message.span.bytes)
        try store.append(try encoder.finish())
        #expect(try store.contains(digest(message)))
        #expect(try store.reader().bytes(digest(message)) == message)
        #expect(throws: BlobError.missing(digest([1]))) { try store.reader().bytes(digest([1])) }
    }
}
