import Events
import MIME
import Testing
import TimeLanguage

@testable import Query

/// A message that counts how often its blob is read.
final class Message: QuerySubject {
    var folderPath: String? = "INBOX/Contracts"
    var flags: [[UInt8]] = [Array("\\Seen".utf8), Array("$Forwarded".utf8), Array("urgent".utf8)]
    var kind = ItemKind.message
    var byteCount: UInt64 = 5 << 20
    var digest = Digest("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
    var isDeleted = false
    var internalDate: Timestamp? = Timestamp(CivilTime(year: 2026, month: 3, day: 2, hour: 12))
    var headerReads = 0
    var bodyReads = 0
    let content = """
        From: =?utf-8?q?J=C3=B6rg?= Rossi <joerg@example.org>
        To: Anna <anna@example.org>
        Cc: legal@example.org
        Subject: Contract 2026 signed =?utf-8?q?=CE=A3=CE=8A=CE=A3=CE=A5=CE=A6=CE=9F=CE=A3?=
        Message-ID: <abc@example.org>
        Content-Type: multipart/mixed; boundary=b

        --b

        The Quick brown fox. Straße.
        --b
        Content-Disposition: attachment; filename=a.pdf

        x
        --b--
        """

    func headers() -> MIMEHeaders? {
        headerReads += 1
        return .parse(Array(content.utf8))
    }

    func preview() -> MIMEPreview? {
        bodyReads += 1
        return MIMEPreview(Array(content.utf8))
    }
}

let now = Timestamp(CivilTime(year: 2026, month: 3, day: 3, hour: 12))

func query(_ text: String) throws(QueryError) -> Query { try Query.parse(text, now: now, zone: .utc) }

@Suite struct QueryTests {
    @Test(
        arguments: [
            "", "contract", "CONTRACT signed", "jörg", "JÖRG", "anna@example.org", "\"contract 2026\"", "σίσυφος",
            "from:rossi",
            "FROM:Rossi", "from:\"jörg rossi\"", "to:anna", "to:legal", "cc:legal", "subject:signed", "body:quick",
            "body:STRASSE",
            "folder:INBOX", "folder:inbox/contracts", "folder:INBOX/Contracts/", "flag:seen", "flag:\\Seen",
            "flag:read",
            "flag:forwarded", "flag:$Forwarded", "flag:URGENT", "kind:message", "kind:mail", "larger:4M",
            "larger:5242879",
            "smaller:6MiB", "smaller:1G", "before:2026-03-03", "before:today", "after:2026-03-02",
            "after:\"2 days ago\"",
            "has:attachment", "deleted:no", "digest:9f86d081", "digest:sha256:9F86", "message-id:<abc@example.org>",
            "message-id:abc@example.org", "<abc@example.org>", "-from:anna", "-flag:flagged", "-(from:anna to:anna)",
            "from:anna OR from:rossi", "from:nobody OR (to:anna cc:legal)", "nobody OR contract signed", "--contract",
            "or",
        ].filter { $0 != "or" })
    func `what is asked for is found`(text: String) throws {
        #expect(try query(text).matches(Message()))
    }

    @Test(arguments: [
        "nobody", "contract nobody", "\"contract signed\"", "from:anna", "cc:anna", "subject:rossi", "body:contract",
        "folder:INBOX/Contract", "folder:Contracts", "flag:flagged", "flag:unseen", "kind:contact", "larger:5M",
        "smaller:5M",
        "before:2026-03-02", "after:2026-03-03", "deleted:yes", "digest:9f87", "message-id:abc@example.or", "-contract",
        "-has:attachment", "nobody OR -contract", "contract -(from:rossi)", "nobody OR (to:anna cc:nobody)",
    ])
    func `what is not asked for is not found`(text: String) throws {
        #expect(try !query(text).matches(Message()))
    }

    @Test func `what the projections know is found without reading a blob`() throws {
        let text = "folder:INBOX flag:seen kind:message larger:1K before:today deleted:no digest:9f86 -flag:draft"
        let metadata = try query(text)
        let message = Message()
        #expect(metadata.matches(message))
        #expect(!metadata.needsHeaders && !metadata.needsBody)
        #expect(message.headerReads == 0 && message.bodyReads == 0)
    }

    @Test func `blobs are read only when nothing else has decided, and once`() throws {
        let message = Message()
        let both = try query("body:fox has:attachment contract from:rossi subject:signed folder:Trash")
        #expect(both.needsHeaders && both.needsBody && !both.mentionsDeleted)
        #expect(!both.matches(message))
        #expect(message.headerReads == 0 && message.bodyReads == 0)
        #expect(try query("body:fox has:attachment body:quick contract from:rossi subject:signed").matches(message))
        #expect(message.headerReads == 1 && message.bodyReads == 1)
        #expect(try query("has:attachment OR folder:INBOX").matches(message))
        #expect(message.bodyReads == 1)
    }

    @Test func `a query that is one message ID says so`() throws {
        #expect(try query("<a@b>").messageIDOnly == Array("a@b".utf8))
        #expect(try query("<a@b> x").messageIDOnly == nil)
        #expect(try query("deleted:yes").mentionsDeleted)
    }

    @Test(arguments: [
        ("form:anna", 0, "from:anna@example.org"), ("x subjct:y", 2, "subject:\"contract 2026\""),
        ("http://x", 0, "\"http:\""),
        ("from:", 5, "from:anna@example.org"), ("larger:abc", 7, "larger:5M"), ("larger:99999999999T", 7, "larger:5M"),
        ("before:yesteday", 7, "before:\"yesterday\""), ("before:@7", 7, "before:2026-03-03"),
        ("has:legs", 4, "has:attachment"), ("deleted:maybe", 8, "deleted:yes"), ("kind:mesage", 5, "kind:message"),
        ("digest:xyz", 7, "digest:sha256:9f86d081"), ("message-id:<>", 11, "message-id:<abc@example.org>"),
        ("- x", 0, "-folder:Trash"), ("OR x", 0, "from:anna OR from:ben"), ("x OR", 2, "from:anna OR from:ben"),
        ("x OR OR y", 2, "from:anna OR from:ben"),
    ])
    func `what cannot be asked is refused, with its place and what to write`(
        text: String, offset: Int, suggestion: String
    ) {
        let error = #expect(throws: QueryError.self) { try query(text) }
        #expect(error?.offset == offset)
        #expect(error?.suggestion == suggestion)
        #expect(throws: Never.self) { try query(suggestion) }
    }

    @Test(arguments: [("\"open", 0), ("a (b", 2), ("a) b", 1), ("from:\"x", 5)])
    func `quotes and brackets must be closed`(text: String, offset: Int) {
        let error = #expect(throws: QueryError.self) { try query(text) }
        #expect(error?.offset == offset)
    }

    @Test func `no text traps`() {
        for text in [
            String(repeating: "(", count: 4_000), String(repeating: "-", count: 4_000),
            String(repeating: "x", count: 1 << 20),
        ] {
            #expect(throws: QueryError.self) { try query(text) }
        }
        var state: UInt64 = 20_260_303
        let pieces = [
            "from:", "(", ")", "-", "\"", "OR", " ", "x", "larger:", "9999999999999999999999", "before:", "now", "<",
            ">",
            "\\", "é", "\u{0}", "has:attachment", "digest:", "abcd", "flag:", ":",
        ]
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0..<8 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += pieces[Int(state >> 33) % pieces.count]
            }
            _ = try? query(text)
        }
    }
}
