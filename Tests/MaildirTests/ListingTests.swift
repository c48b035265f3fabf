import Glibc
import Maildir
import Synchronization
import TestKit
import Testing

@Suite struct ListingTests {
    @Test func `the messages of cur and new are listed with their flags, the rest is told as skipped`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.write("cur/1.a:2,FSabX", "x")
        directory.write("new/2.b", "y")
        directory.write("cur/.nfs", "")
        directory.makeDirectory("cur/sub")
        symlink("/etc/passwd", directory.path + "/cur/link:2,S")
        mkfifo(directory.path + "/new/fifo", 0o600)
        directory.write("cur/dup:2,S", "z")
        directory.write("new/dup", "z")
        let inbox = try Maildir(path: directory.path).open(rawName: [])
        let listing = try inbox.list()
        #expect(listing.isExact)
        #expect(listing.count == 3)
        let first = try #require(listing.position(ofBaseName: bytes("1.a")))
        #expect(listing[first].place == .cur)
        #expect(listing[first].flags.letters == bytes("FSab"))
        #expect(listing[first].hasUnknownFlags)
        #expect(text(listing.name(at: first)) == "1.a:2,FSabX")
        #expect(text(listing.baseName(at: first)) == "1.a")
        let duplicate = try #require(listing.position(ofBaseName: bytes("dup")))
        #expect(listing[duplicate].place == .cur)
        #expect(listing.position(ofBaseName: bytes("nobody")) == nil)
        let skipped = Set(listing.skipped.map { "\($0.place) \(text($0.name)) \($0.reason)" })
        #expect(
            skipped == [
                "cur .nfs hidden", "cur sub directory", "cur link:2,S symbolicLink", "new fifo special",
                "new dup duplicate",
            ])
        for skip in listing.skipped
        where skip.reason == .special || skip.reason == .symbolicLink || skip.reason == .directory {
            #expect(throws: MaildirError.notARegularFile(name: skip.name)) {
                _ = try inbox.message(skip.name, in: skip.place)
            }
        }
    }

    @Test func `names of any bytes and of 255 octets are listed as they are`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        var names: Set<[UInt8]> = [Array(repeating: UInt8(ascii: "x"), count: 255)]
        for byte in UInt8(1)...255 where byte != UInt8(ascii: "/") { names.insert([UInt8(ascii: "n"), byte]) }
        for name in names {
            let path = (directory.bytes + bytes("/cur/") + name + [0]).map { CChar(bitPattern: $0) }
            close(open(path, O_WRONLY | O_CREAT, 0o600))
        }
        let listing = try Maildir(path: directory.path).open(rawName: []).list()
        // "n" and "n:" and the like have one base name where the info is cut off.
        #expect(Set((0..<listing.count).map { Array(listing.name(at: $0)) }) == names)
        for position in 0..<listing.count {
            #expect(listing.position(ofBaseName: listing.baseName(at: position)) == position)
        }
    }

    @Test func `20,000 messages take little memory`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        for number in 0..<20_000 {
            let name = "17\(10_000_000 + number).M\(number * 7)P4711.mail.example.org,S=\(number),W=\(number + 80):2,S"
            close(open(directory.path + "/cur/" + name, O_WRONLY | O_CREAT, 0o600))
        }
        let inbox = try Maildir(path: directory.path).open(rawName: [])
        let listing = try inbox.list()
        #expect(listing.count == 20_000)
        let names = (0..<listing.count).reduce(0) { $0 + listing.name(at: $1).count }
        #expect(listing.memoryFootprint < 2 * names + 40 * listing.count)
        let clock = ContinuousClock()
        let times = try (0..<9).map { _ in try clock.measure { _ = try inbox.list() } }.sorted()
        print("listing of 20,000 messages: median \(times[4]), best \(times[0])")
    }

    /// Messages that live all the while are renamed as fast as can be; none may ever be missing.
    @Test(arguments: [UInt64(1), 2, 3]) func `no live message is missed while others rename`(seed: UInt64) throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        let messages = 1_500
        for number in 0..<messages { directory.write("new/\(number).live", "x") }
        let inbox = try Maildir(path: directory.path).open(rawName: [])
        let stop = Atomic<Bool>(false)
        let renames = Atomic<Int>(0)
        let path = directory.path
        try withThread {
            var random = SeededGenerator(seed: seed)
            var names = (0..<messages).map { "new/\($0).live" }
            while !stop.load(ordering: .relaxed) {
                let number = Int.random(in: 0..<messages, using: &random)
                let flags = ["", "S", "FS", "RS", "ST", "DS"].randomElement(using: &random) ?? ""
                let toNew = Int.random(in: 0..<5, using: &random) == 0
                let name = toNew ? "new/\(number).live" : "cur/\(number).live:2,\(flags)"
                if rename(path + "/" + names[number], path + "/" + name) == 0 { names[number] = name }
                // Comers and goers between them.
                let other = path + "/cur/\(Int.random(in: 0..<50, using: &random)).other:2,"
                if Bool.random(using: &random) { close(open(other, O_WRONLY | O_CREAT, 0o600)) } else { unlink(other) }
                renames.add(1, ordering: .relaxed)
            }
        } whileRunning: {
            defer { stop.store(true, ordering: .relaxed) }
            var (exact, missed) = (0, 0)
            for _ in 0..<60 {
                let listing = try inbox.list()
                if listing.isExact { exact += 1 }
                let missing = (0..<messages).filter { listing.position(ofBaseName: bytes("\($0).live")) == nil }
                if listing.isExact, !missing.isEmpty {
                    missed += 1
                    print("seed \(seed): missing \(missing.prefix(5))")
                }
            }
            #expect(missed == 0, "seed \(seed)")
            #expect(exact >= 55, "seed \(seed): only \(exact) exact listings")
            print("seed \(seed): \(exact) of 60 listings exact, during \(renames.load(ordering: .relaxed)) renames")
        }
    }

    @Test func `a message is read whole and in chunks, with its date`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        directory.write("cur/1:2,S", content)
        directory.write("cur/empty:2,", "")
        var times = [timespec(tv_sec: -5, tv_nsec: 0), timespec(tv_sec: 1_234_567_890, tv_nsec: 987_654_321)]
        utimensat(AT_FDCWD, directory.path + "/cur/1:2,S", &times, 0)
        let inbox = try Maildir(path: directory.path).open(rawName: [])
        let message = try inbox.message(bytes("1:2,S"), in: .cur)
        #expect(message.size == 200_000)
        #expect(message.modified == FileTime(seconds: 1_234_567_890, nanoseconds: 987_654_321))
        var buffer: [UInt8] = Array(repeating: 1, count: 300_000)
        try message.read(into: &buffer)
        #expect(buffer == content)
        var chunk = [UInt8](repeating: 0, count: 4_099)
        var read: [UInt8] = []
        try inbox.message(bytes("1:2,S"), in: .cur).withChunks(&chunk) { span in
            for index in 0..<span.count { read.append(span[index]) }
        }
        #expect(read == content)
        try inbox.message(bytes("empty:2,"), in: .cur).read(into: &buffer)
        #expect(buffer.isEmpty)
        #expect(throws: MaildirError.tooLarge(name: bytes("1:2,S"), size: 200_000)) {
            try inbox.message(bytes("1:2,S"), in: .cur).read(into: &buffer, limit: 10)
        }
        var status = stat()
        stat(directory.path + "/cur/1:2,S", &status)
        #expect(status.st_atim.tv_sec == -5)
    }

    @Test func `a message whose flags changed since it was listed is found, one that is gone has vanished`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.write("new/1", "x")
        let inbox = try Maildir(path: directory.path).open(rawName: [])
        directory.move("new/1", "cur/1:2,S")
        do {
            let message = try inbox.message(bytes("1"), in: .new)
            #expect(message.place == .cur)
            #expect(message.name == bytes("1:2,S"))
        }
        directory.remove("cur/1:2,S")
        #expect(throws: MaildirError.vanished(name: bytes("1"))) { _ = try inbox.message(bytes("1"), in: .new) }
        #expect(throws: MaildirError.self) { _ = try inbox.message(bytes("../subscriptions"), in: .cur) }
    }

    @Test func `a message that grows while it is read is told`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.write("cur/1:2,", "abc")
        let message = try Maildir(path: directory.path).open(rawName: []).message(bytes("1:2,"), in: .cur)
        directory.write("cur/1:2,", "abcdef")
        var buffer: [UInt8] = []
        #expect(throws: MaildirError.changedWhileRead(name: bytes("1:2,"))) { try message.read(into: &buffer) }
    }
}

/// Runs `work` on a thread of its own while `body` runs.
func withThread(_ work: @escaping @Sendable () -> Void, whileRunning body: () throws -> Void) throws {
    final class Box: Sendable {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(work))
    let result = pthread_create(
        &thread, nil,
        { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().work() }
            return nil
        }, box.toOpaque())
    precondition(result == 0)
    defer { pthread_join(thread, nil) }
    try body()
}
