import Glibc
import Mbox
import SystemPackage
import TestKit
import Testing

@Suite struct RoundTripTests {
    /// Writes the messages into one file and reads them back.
    private func check(_ messages: [[UInt8]], _ variant: MboxVariant, auto: Bool = false, _ note: String = "") throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/m"
        let writer = try MboxWriter(path: path, variant: variant)
        for (number, message) in messages.enumerated() {
            try writer.append(message.span, sender: bytes("s\(number)"), date: Int64(number) * 86_461)
        }
        try writer.finish(durable: false)
        let all = try readAll(path, auto ? nil : variant)
        #expect(all.messages.count == messages.count, "\(variant) \(note)")
        var position: Int64 = 0
        for (number, (message, content)) in all.messages.enumerated() where number < messages.count {
            if content != messages[number] {
                Issue.record(
                    "\(variant) \(note): message \(number) of \(messages[number].count) octets came back as \(content.count)"
                )
            }
            #expect(message.postmark.date == Int64(number) * 86_461)
            #expect(text(message.postmark.sender) == "s\(number)")
            #expect(message.range.lowerBound == position)
            position = message.range.upperBound
        }
    }

    @Test(arguments: [MboxVariant.mboxrd, .mboxcl, .mboxcl2])
    func `every short message of a hostile alphabet comes back`(variant: MboxVariant) throws {
        let pieces = ["\n", "\r\n", "\r", "From ", ">", "a", "A: b\n", "From a@b Fri Feb 22 17:06:23 2008\n", "\u{0}"]
            .map { bytes($0) }
        var messages: [[UInt8]] = [[]]
        var level: [[UInt8]] = [[]]
        for _ in 0..<4 {
            level = level.flatMap { message in pieces.map { message + $0 } }
            messages += level
        }
        try check(messages, variant)
        try check(messages, variant, auto: variant != .mboxcl)
    }

    @Test func `random messages come back, in any order`() throws {
        let seed: UInt64 = 5
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "\n", "\r\n", "From ", ">From x\n", "Content-Length: 3\n", "\nFrom a@b Fri Feb 22 17:06:23 2008\n", " z",
        ].map { bytes($0) }
        for variant in [MboxVariant.mboxrd, .mboxcl, .mboxcl2] {
            let messages = (0..<2_000).map { _ in
                (0..<Int.random(in: 0...12, using: &random)).flatMap { _ in pieces.randomElement(using: &random) ?? [] }
            }
            try check(messages, variant, "seed \(seed)")
        }
    }

    @Test func `headers too large to be searched come back`() throws {
        let huge = Array(repeating: UInt8(ascii: "h"), count: 3_000_000)
        let messages = [huge, huge + bytes("\n\nbody"), bytes("a: b\n") + huge + bytes("\n"), bytes("x: y\n\n") + huge]
        for variant in [MboxVariant.mboxrd, .mboxcl, .mboxcl2] { try check(messages, variant) }
    }

    @Test func `mboxo refuses what it would change and writes the rest`() throws {
        let directory = TemporaryDirectory()
        let writer = try MboxWriter(path: directory.path + "/m", variant: .mboxo)
        let bad = bytes("a\n\nFrom b\n")
        #expect(throws: MboxError.notRepresentable) { try writer.append(bad.span, date: 0) }
        let good = bytes("a\n\n>From b\n")
        try writer.append(good.span, date: 0)
        try writer.finish(durable: false)
        #expect(try readAll(directory.path + "/m", .mboxo).messages.map { $0.1 } == [good])
    }

    @Test func `a sender or a date cannot break the From line`() throws {
        let directory = TemporaryDirectory()
        let writer = try MboxWriter(path: directory.path + "/m")
        let body = bytes("x\n")
        for (sender, date) in [("a\nFrom b", Int64.max), ("", .min), ("Fri Feb", -1), (" \r\n", 253_402_300_799)] {
            try writer.append(body.span, sender: bytes(sender), date: date)
        }
        try writer.finish()
        let messages = try readAll(directory.path + "/m").messages
        #expect(messages.map { text($0.1) } == ["x\n", "x\n", "x\n", "x\n"])
        #expect(messages.map { $0.0.postmark.date } == [0, 0, 0, 253_402_300_799])
        #expect(throws: MboxError.self) { _ = try MboxWriter(path: directory.path + "/m") }
    }

    @Test(.enabled(if: TestData.hasMail, Comment(rawValue: TestData.absence)))
    func `all real messages come back from every variant`() throws {
        let messages = TestData.mailSmall().map(\.bytes)
        #expect(messages.count == 1_957)
        try check(messages, .mboxrd, auto: true)
        try check(messages, .mboxcl2, auto: true)
        try check(messages, .mboxcl)
        let plain = messages.filter { message in
            !message.starts(with: "From ".utf8) && !text(message).contains("\nFrom ")
                && !text(message).contains("\r\nFrom ")
        }
        print("mboxo can say \(plain.count) of \(messages.count) messages")
        try check(plain, .mboxo)
    }

    @Test(.enabled(if: TestData.has("mbox.tar.zst"), Comment(rawValue: TestData.absence)))
    func `all real mbox files are read whole, and read again after they are written`() throws {
        let data = try #require(TestData.unpacked("mbox.tar.zst"))
        let files = TemporaryDirectory.files(data.path.string).filter { $0.hasSuffix(".mbox") }
        #expect(files.count == 44)
        var total = 0
        for file in files {
            let all = try readAll(file)
            total += all.messages.count
            #expect(all.variant == .mboxrd)
            let size = contents(file).count
            var position: Int64 = 0
            for (message, _) in all.messages {
                #expect(message.range.lowerBound == position)
                #expect(message.postmark.date != nil)
                position = message.range.upperBound
            }
            #expect(position == Int64(size))
            try check(all.messages.map { $0.1 }, .mboxrd, file)
            try check(all.messages.map { $0.1 }, .mboxcl2, auto: true, file)
        }
        // The list says 744 lines that begin with "From "; three of them do not follow an empty line.
        #expect(total == 741)
    }
}
