import Events
import TestKit
import Testing

@testable import MIME

func headers(_ text: String) -> MIMEHeaders { MIMEHeaders.parse(Array(text.utf8)) }

@Suite struct MIMEHeadersTests {
    @Test func `fields come in order, byte for byte, until the empty line`() {
        let message = "From: a@b\r\nX-Odd :  v \r\n\tfolded\r\nSubject: s\r\n\r\nBody: no\r\n"
        let parsed = headers(message)
        #expect(
            (0..<parsed.count).map { String(decoding: parsed[$0].name, as: UTF8.self) } == ["From", "X-Odd", "Subject"])
        #expect(parsed[1].rawValue == Array("  v \r\n\tfolded".utf8))
        #expect(parsed[1].text == "v  folded")
        #expect(parsed.bodyOffset == message.utf8.count - "Body: no\r\n".utf8.count)
        #expect(!parsed.isTruncated)
    }

    @Test(arguments: [
        ("", 0, 0), ("\n", 0, 1), ("\r\n", 0, 2), ("a", 0, 0), ("no header here\n", 0, 0), ("A: b", 1, 4),
        ("A:b\nC:d\n", 2, 8),
        ("A: b\nbody without an empty line\n", 1, 5), (" leading\n", 0, 0), ("From a@b Mon\nA: b\n\nx", 1, 19),
        (">From a@b\nA: b\n\n", 1, 16), ("\u{FEFF}A: b\n\n", 1, 9), (":empty\n", 0, 0), ("A:\n\n", 1, 4),
        ("\u{0}", 0, 0),
    ])
    func `whatever is there is taken for what it is`(message: String, count: Int, body: Int) {
        let parsed = headers(message)
        #expect(parsed.count == count)
        #expect(parsed.bodyOffset == body)
    }

    @Test(arguments: [
        ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"), ("=?iso-8859-1?Q?caf=E9?= =?utf-8?q?_au_lait?=", "café au lait"),
        ("plain", "plain"), ("  spaced\r\n  out  ", "spaced  out"), ("=?broken", "=?broken"),
        ("=?utf-8?Q?un", "=?utf-8?Q?un"),
        ("=?windows-1252?Q?=80?=", "€"), ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("a\u{0}b =?utf-8?q?c?=", "a?b c"), ("Grüße", "Grüße"), ("", ""),
    ])
    func `values are decoded for people`(raw: String, text: String) {
        #expect(headers("Subject: \(raw)\n\n").subject == text)
    }

    @Test func `raw bytes are UTF-8 if they are, else ISO 8859-1`() {
        #expect(MIMEHeaders.parse(Array("Subject: ".utf8) + [0x63, 0xE9, 10, 10]).subject == "cé")
        let mixed = Array("Subject: =?utf-8?q?=C3=A9?= ".utf8) + [0xE9, 10, 10]
        #expect(MIMEHeaders.parse(mixed).subject == "é é")
    }

    @Test func `addresses, message IDs and dates are found`() {
        let parsed = headers(
            "to: a@b\nTO: =?utf-8?q?J=C3=B6rg?= <j@b>\nMessage-Id: <1@x> <2@x>\nMessage-ID:  bare@x \n"
                + "Date: Tue, 03 Mar 2026 10:00:00 +0100 (CET)\n\n")
        #expect(parsed.to == "a@b, Jörg <j@b>")
        #expect(parsed.from == nil)
        #expect(parsed.messageID == Array("<1@x> <2@x>".utf8))
        #expect(parsed.messageIDs.map { String(decoding: $0, as: UTF8.self) } == ["<1@x>", "<2@x>", "bare@x"])
        #expect(parsed.date?.description == "2026-03-03T09:00:00.000000Z")
        #expect(headers("Date: yesterday-ish\n\n").date == nil)
        #expect(headers("Date:\n\n").date == nil)
    }

    @Test func `limits end the header and say so`() {
        let many = String(repeating: "A: b\n", count: 100) + "\n"
        let parsed = MIMEHeaders.parse(Array(many.utf8), limits: .init(fieldCount: 10))
        #expect(parsed.count == 10)
        #expect(parsed.isTruncated)
        #expect(parsed.bodyOffset == nil)
        let long = MIMEHeaders.parse(
            Array("A: b\nC: ".utf8) + [UInt8](repeating: 120, count: 1_000), limits: .init(byteCount: 50))
        #expect(long.isTruncated)
        #expect(long.count == 2)
    }

    @Test(.enabled(if: TestData.hasMail, Comment(rawValue: TestData.absence)))
    func `every message of the corpus is read, and known ones say what they should`() throws {
        #expect(Corpus.messages.count == 1_957)
        for (name, message) in Corpus.messages {
            let parsed = MIMEHeaders.parse(message)
            for index in 0..<parsed.count { _ = parsed[index].text }
            _ = (parsed.subject, parsed.from, parsed.to, parsed.cc, parsed.messageIDs, parsed.date)
            #expect(!parsed.isTruncated, "\(name)")
        }
        func parsed(_ name: String) throws -> MIMEHeaders { .parse(try Corpus.message("nasty-synth/" + name)) }
        #expect(try parsed("headers-5000.eml").count >= 5_000)
        #expect(try (parsed("header-1m-folded.eml").bytes.count) > 1_000_000)
        #expect(try parsed("encoded-word-torture.eml").subject?.hasPrefix("✓") == true)
        #expect(try parsed("body-only.eml").count == 0)
        #expect(try parsed("no-message-id.eml").messageIDs == [])
        #expect(try parsed("date-two-digit.eml").date?.description == "2026-03-03T15:00:00.000000Z")
        #expect(try parsed("message-id-no-brackets.eml").messageIDs.count == 1)
    }

    @Test(.enabled(if: TestData.hasMail, Comment(rawValue: TestData.absence)))
    func `many threads may decode at once`() async {
        let messages = Array(Corpus.messages.filter { $0.key.contains("nasty") }.values)
        func subjects() -> [String?] { messages.map { MIMEHeaders.parse($0).subject } }
        let expected = subjects()
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 { group.addTask { messages.map { MIMEHeaders.parse($0).subject } == expected } }
            for await same in group { #expect(same) }
        }
    }
}
