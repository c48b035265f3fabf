import IMAP
import Testing

@Suite struct ResponseTests {
    @Test func `status responses and their codes`() throws {
        #expect(try parse("* OK hello {3}") == .status(StatusLine(.ok, text: bytes("hello {3}"))))
        #expect(try parse("* PREAUTH") == .status(StatusLine(.preauth, text: [])))
        #expect(
            try parse("a1 no [NoPerm] x")
                == .tagged(bytes("a1"), StatusLine(.no, .word(.noPermission), text: bytes("x"))))
        #expect(
            try parse("* OK [COPYUID 38505 304,319:320 3956:3958] Done")
                == .status(
                    StatusLine(
                        .ok,
                        .copyUID(
                            validity: 38505, from: UIDSet([304, 319, 320]), to: UIDSet(3956...3958)),
                        text: bytes("Done"))))
        #expect(
            try parse("* NO [BADCHARSET (UTF-8)] no")
                == .status(StatusLine(.no, .other(bytes("BADCHARSET")), text: bytes("no"))))
        #expect(try parse("* OK [] x") == .status(StatusLine(.ok, text: bytes("[] x"))))
        for word in ResponseCode.Word.allCases {
            #expect(try parse("* NO [\(word.rawValue)]") == .status(StatusLine(.no, .word(word), text: [])))
        }
        #expect(throws: ProtocolViolation.self) { try parse("a1 BYE x") }
        #expect(throws: ProtocolViolation.self) { try parse("a1 DONE") }
        #expect(throws: ProtocolViolation.self) { try parse("* OK [UIDVALIDITY x] y") }
        #expect(throws: ProtocolViolation.self) { try parse("* OK [UIDVALIDITY 99999999999] y") }
    }

    @Test func `rows of LIST`() throws {
        #expect(
            try parse(#"* LIST (\Noselect) "\\" "a\"b\\c""#)
                == .list(
                    MailboxEntry(
                        attributes: [bytes("\\Noselect")], delimiter: UInt8(ascii: "\\"),
                        name: MailboxName(bytes("a\"b\\c")))))
        #expect(
            try parse("* list () nil inBox") == .list(MailboxEntry(attributes: [], delimiter: nil, name: .inbox)))
        #expect(
            try parse("* LIST () \"/\" [Gmail]/All  ")
                == .list(
                    MailboxEntry(attributes: [], delimiter: UInt8(ascii: "/"), name: MailboxName(bytes("[Gmail]/All"))))
        )
        guard
            case .list(let renamed) = try parse(
                #"* LIST () "/" Other ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" (Work/Sub))"#)
        else { return #expect(Bool(false)) }
        #expect(renamed.oldName == MailboxName(bytes("Work/Sub")))
        #expect(renamed.has("\\SENT") == false)
        #expect(throws: ProtocolViolation.self) { try parse(#"* LIST () "//" x"#) }
        #expect(throws: ProtocolViolation.self) { try parse("* LIST () \"/\"") }
        #expect(throws: ProtocolViolation.self) { try parse("* LIST () \"/\" \"x") }
    }

    @Test func `rows of FETCH`() throws {
        guard
            case .fetch(let row) = try parse(
                #"* 12 FETCH (FLAGS (\Seen $Work) INTERNALDATE " 1-Feb-2020 09:00:00 +0100" RFC822.SIZE 44827 UID 5 "#
                    + #"MODSEQ (624140003) EMAILID (M6d99ac3275bb4e) THREADID NIL SAVEDATE NIL X-GUID 17.M1P2.vm,S=9 X-NEW ((1 2) "x"))"#
            )
        else { return #expect(Bool(false)) }
        var expected = FetchedAttributes(sequence: 12)
        expected.flags = [bytes("\\Seen"), bytes("$Work")]
        expected.internalDate = 1_580_544_000
        expected.size = 44827
        expected.uid = 5
        expected.modSequence = 624_140_003
        expected.emailID = bytes("M6d99ac3275bb4e")
        expected.guid = bytes("17.M1P2.vm,S=9")
        #expect(row == expected)
        for bad in [
            "* 0 FETCH (UID 1)", "* 1 FETCH (UID 0)", "* 1 FETCH (UID)", "* 1 FETCH (UID 1", "* 1 FETCH UID 1",
            "* 4294967296 EXISTS",
        ] {
            #expect(throws: ProtocolViolation.self) { try parse(bad) }
        }
    }

    @Test func `bodies are handed on with what is known, wherever the UID stands`() throws {
        let heard = try hear(bytes(transcript))
        let bodies = heard.said.filter { if case .body = $0 { true } else { false } }
        #expect(
            bodies == [
                .body(section: bytes("BODY[]"), uid: 1, size: 12, bytes("A: 1\r\n\r\nbody")),
                .body(section: bytes("BODY[HEADER.FIELDS (MESSAGE-ID)]"), uid: nil, size: 0, []),
                .body(section: bytes("BODY[]"), uid: 4, size: 3, bytes("abc")),
            ])
        let rows = heard.responses.compactMap { if case .fetch(let row) = $0 { row } else { nil } }
        #expect(rows.map(\.uid) == [2, 1, 2, 3, 4])
        #expect(rows[1].internalDate == 837_596_665)
        #expect(
            rows[2].bodies.map(\.content) == [.streamed(0), .whole(bytes("small"))])
        #expect(rows[3].bodies.map(\.content) == [.none])
    }

    @Test func `a transcript cut anywhere says the same`() throws {
        let text = bytes(transcript)
        let whole = try hear(text).said
        #expect(whole.count == 45)
        for cut in 1..<text.count where try hear(text, pieces: [cut, .max]).said != whole {
            Issue.record("cut at byte \(cut)")
        }
        #expect(try hear(text, pieces: [1]).said == whole)
        #expect(try hear(text, pieces: [3]).said == whole)
    }

    @Test func `lines that end without a carriage return are understood`() throws {
        let whole = try hear(bytes(transcript)).responses
        let bare = bytes(transcript.replacing("\r\n", with: "\n").replacing("A: 1\n\nbody", with: "A: 1\r\n\r\nbody"))
        #expect(try hear(bare).responses == whole)
    }

    @Test func `a literal of any length is handed on and not kept`() throws {
        let size = 50_000_000
        let heard = Counter()
        var parser = ResponseParser(
            limits: {
                var limits = ResponseParser.Limits()
                limits.responseBytes = 1000
                return limits
            }())
        let head = bytes("* 1 FETCH (UID 7 BODY[] {\(size)}\r\n")
        try head.withUnsafeBytes { try parser.receive($0, heard) }
        let piece = [UInt8](repeating: 0x0A, count: 1 << 20)
        var left = size
        while left > 0 {
            let count = min(left, piece.count)
            try piece[..<count].withUnsafeBytes { try parser.receive($0, heard) }
            left -= count
        }
        #expect(!parser.isBetweenResponses)
        try bytes(")\r\n").withUnsafeBytes { try parser.receive($0, heard) }
        #expect(parser.isBetweenResponses && heard.bytes == size && heard.ended == 1)
    }

    @Test func `what is too long or too deep is refused, not held`() {
        var limits = ResponseParser.Limits()
        limits.responseBytes = 1000
        for text in [
            "* SEARCH " + String(repeating: "1 ", count: 600), "* LIST () \"/\" {1001}\r\n",
            "* LIST () \"/\" {99999999999999999999}\r\n",
            "* 1 FETCH (X " + String(repeating: "(", count: 100) + String(repeating: ")", count: 101) + "\r\n",
            "* 1 FETCH (UID 1 X {2000}\r\n",
        ] {
            #expect(throws: ProtocolViolation.self, "\(text.prefix(40))") {
                _ = try hear(bytes(text), limits: limits)
            }
        }
    }

    @Test func `dates go there and back`() {
        #expect(ServerDate.seconds(bytes("17-Jul-1996 02:44:25 -0700")) == 837_596_665)
        #expect(ServerDate.seconds(bytes(" 1-jan-1970 00:00:00 +0000")) == 0)
        #expect(ServerDate.seconds(bytes("31-Dec-1969 23:59:59 +0000")) == -1)
        for wrong in [
            "", "1-Jan-1970", "1-Xyz-1970 00:00:00 +0000", "1-Jan-1970 25:00:00 +0000", "1-Jan-70 00:00:00 +0000",
            "1-Jan-1970 00:00:00 0000",
        ] {
            #expect(ServerDate.seconds(bytes(wrong)) == nil)
        }
        for seconds in stride(from: Int64(-2_000_000_000), to: 40_000_000_000, by: 86_399_999) {
            #expect(ServerDate.seconds(ServerDate.text(seconds: seconds)) == seconds)
        }
    }

    @Test func `sets are compact and say where they are cut`() {
        let set = UIDSet([9, 1, 2, 3, 3, 7, 8, 4_294_967_295])
        #expect(set.ranges == [1...3, 7...9, 4_294_967_295...4_294_967_295])
        #expect(set.count == 7 && set.contains(8) && !set.contains(6) && !UIDSet().contains(1))
        let many = UIDSet((1...500).map { UInt32($0 * 2) })
        let parts = many.parts(ofAtMost: 100)
        #expect(parts.count > 10)
        var again = UIDSet()
        for part in parts { again.formUnion(part) }
        #expect(again == many)
    }
}

private final class Counter: ResponseHandler {
    var bytes = 0
    var ended = 0
    func response(_ response: Response) {}
    func bodyBegins(_ row: FetchedAttributes, section: [UInt8], size: UInt64) {}
    func bodyBytes(_ bytes: UnsafeRawBufferPointer) { self.bytes += bytes.count }
    func bodyEnds() { ended += 1 }
}
