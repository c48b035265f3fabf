import Blobs
import Events
import Foundation
import Synchronization
import TestKit
import Testing

@Suite struct ConcurrencyTests {
    @Test func threeEncodersAndASyncerStoreEverythingOnce() throws {
        var random = SeededGenerator(seed: 21)
        let logo = random.bytes(30_000)
        let messages = (0..<1_500).map { number in
            random.text(200 + number % 3_000) + Array("\n\nm\(number / 2)\n".utf8)
                + base64(logo, columns: number % 2 == 0 ? 76 : 72)
        }
        let scratch = BlobScratch()
        var options = BlobOptions()
        options.batchBytes = 200_000
        let store = try scratch.store(options)
        let next = Mutex(0)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 3) { worker in
            do {
                let encoder = store.encoder()
                while true {
                    let number = next.withLock { next in
                        defer { next += 1 }
                        return next
                    }
                    if number >= messages.count { break }
                    let message = messages[number]
                    try encoder.add(message.span.bytes)
                    if encoder.isFull {
                        try store.append(try encoder.finish())
                        if worker == 0 { try store.sync() }
                    }
                }
                try store.append(try encoder.finish())
                try store.sync()
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 }.isEmpty)
        let statistics = try store.statistics()
        #expect(statistics.parts == 1)
        #expect(statistics.messages == UInt64(messages.count))
        let reader = store.reader()
        for message in messages { #expect(try reader.bytes(digest(message)) == message) }
        #expect(try store.check(report: { _ in }).findings == 0)
    }

    @Test func aBatchMetTwiceIsWrittenOnce() throws {
        var random = SeededGenerator(seed: 22)
        let message = random.text(5_000) + [10] + base64(random.bytes(90_000), columns: 76)
        let scratch = BlobScratch()
        let store = try scratch.store()
        let (first, second) = (store.encoder(), store.encoder())
        try first.add(message.span.bytes)
        try second.add(message.span.bytes)
        let batches = [try first.finish(), try second.finish()]
        for batch in batches { try store.append(batch) }
        try store.sync()
        #expect(try store.statistics().packBytes == UInt64(64 + batches[0].storedBytes))
    }

    @Test func packsAreSealedWhenFull() throws {
        var random = SeededGenerator(seed: 23)
        let scratch = BlobScratch()
        var options = BlobOptions()
        options.packBytes = 300_000
        options.batchBytes = 50_000
        let store = try scratch.store(options)
        let messages = (0..<40).map { _ in random.bytes(30_000) }
        try store.store(messages)
        #expect(scratch.packs.count == 5)
        #expect(try store.statistics().packs == 5)
        for pack in scratch.packs {
            let attributes = try FileManager.default.attributesOfItem(atPath: pack)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect((attributes[.size] as? Int ?? .max) < 301_000)
        }
        #expect(try store.check(report: { _ in }).findings == 0)
        for message in messages { #expect(try store.reader().bytes(digest(message)) == message) }
    }

    @Test func aMessageOf200MBNeedsLittleMemory() throws {
        let scratch = BlobScratch()
        let store = try scratch.store()
        let encoder = store.encoder()
        // Lines of base64 that differ, made on the fly.
        var random = SeededGenerator(seed: 24)
        let line = Array("\n".utf8)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var block: [UInt8] = []
        for _ in 0..<1_300 {
            for _ in 0..<76 { block.append(alphabet[Int(random.next() & 63)]) }
            block += line
        }
        let before = residentBytes()
        var given = 0
        let target = 200_000_000
        let message = try encoder.add(
            reading: { room in
                if given >= target { return 0 }
                let count = min(room.count, block.count)
                let whole = count / 77 * 77
                // The block begins at another line each time, so that parts differ.
                let shift = given / 77 % 7 * 77
                block.withUnsafeBytes {
                    room.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[shift..<max(shift, min(block.count, whole))]))
                }
                let taken = max(0, min(block.count, whole) - shift)
                given += taken
                return taken
            }, emit: { try store.append($0) })
        try store.append(try encoder.finish())
        try store.sync()
        #expect(message.size >= UInt64(target))
        var got = 0
        try store.reader().stream(message.digest) { got += $0.byteCount }
        #expect(UInt64(got) == message.size)
        // Other tests run meanwhile in this process; the message alone would be more than this.
        #expect(residentBytes() - before < 150 << 20)
    }

    private func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4_096
    }
}
