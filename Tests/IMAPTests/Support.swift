import IMAP

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// All a parser has said, with the bodies in pieces put together.
final class Heard: ResponseHandler {
    enum Said: Hashable {
        case response(Response)
        case body(section: [UInt8], uid: UInt32?, size: UInt64, [UInt8])
        case cutBody
    }

    var said: [Said] = []
    private var current: (section: [UInt8], uid: UInt32?, size: UInt64, bytes: [UInt8])?

    func response(_ response: Response) { said.append(.response(response)) }
    func bodyBegins(_ row: FetchedAttributes, section: [UInt8], size: UInt64) { current = (section, row.uid, size, []) }
    func bodyBytes(_ bytes: UnsafeRawBufferPointer) { current?.bytes.append(contentsOf: bytes) }
    func bodyEnds() {
        guard let now = current else { return said.append(.cutBody) }
        said.append(.body(section: now.section, uid: now.uid, size: now.size, now.bytes))
        current = nil
    }

    var responses: [Response] {
        said.compactMap { if case .response(let response) = $0 { response } else { nil } }
    }
}

/// Parses `text` in pieces of the given lengths, the last one repeated.
func hear(_ text: [UInt8], pieces: [Int] = [.max], limits: ResponseParser.Limits = .init()) throws -> Heard {
    let heard = Heard()
    var parser = ResponseParser(limits: limits)
    var position = 0
    var index = 0
    while position < text.count {
        let count = min(pieces[min(index, pieces.count - 1)], text.count - position)
        try text[position..<position + count].withUnsafeBytes { try parser.receive($0, heard) }
        position += count
        index += 1
    }
    return heard
}

func parse(_ text: String) throws -> Response {
    let heard = try hear(bytes(text + "\r\n"))
    guard heard.responses.count == 1 else { throw ProtocolViolation("\(heard.responses.count) responses") }
    return heard.responses[0]
}

/// A session in which everything happens.
let transcript = """
    * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE AUTH=PLAIN] Dovecot (Debian) ready {3}.
    y1 OK [CAPABILITY IMAP4rev1 QRESYNC CONDSTORE] Logged in
    * ENABLED QRESYNC CONDSTORE
    * NAMESPACE (("" "/")) (("shared/" "/")) NIL
    * LIST (\\HasNoChildren \\Sent \\Subscribed) "/" "Sent Items"
    * STATUS "Sent Items" (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1795214564 HIGHESTMODSEQ 12 X-GUID 423b9013e2cc006be474)
    * LIST () "/" {7}
    Entw"rf ("OLDNAME" ("Draft"))
    * LSUB () "." INBOX
    y2 OK List completed (0.001 + 0.000 secs).
    * OK [CLOSED] Previous mailbox closed.
    * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $x)
    * OK [PERMANENTFLAGS (\\Answered \\*)] Flags permitted.
    * 6 EXISTS
    * 0 RECENT
    * OK [UIDVALIDITY 1795216695] UIDs valid
    * OK [HIGHESTMODSEQ 15] Highest
    * OK [MAILBOXID (nqlwh9ke4d1xxui2v9rt9hop)] Ok
    * VANISHED (EARLIER) 4,8,41:43
    * 2 FETCH (UID 2 FLAGS (\\Flagged $x) MODSEQ (9))
    y3 OK [READ-WRITE] Select completed.
    * 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {12}
    A: 1\r\n\r\nbody)
    * 2 FETCH (FLAGS () BODY[HEADER.FIELDS (MESSAGE-ID)] {0}
     BODY[TEXT]<0> "small" UID 2)
    * 3 FETCH (UID 3 BODY[] NIL)
    * 4 FETCH (UID 4 BODYSTRUCTURE (("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 2 1)("A" "B" NIL NIL NIL "X" 3) "MIXED") BODY[] {3}
    abc)
    * 5 EXPUNGE
    * SEARCH 2 84 882 (MODSEQ 917162500)
    * ESEARCH (TAG "y9") UID COUNT 2 ALL 4,7:9 MODSEQ 12
    * QUOTA "" (STORAGE 10 512)
    * QUOTAROOT INBOX ""
    * ACL INBOX anna lrswipkxtecda "bob b" lr
    * MYRIGHTS INBOX lrs
    * METADATA INBOX (/private/comment "My" /shared/x NIL)
    * METADATA "" /shared/comment /private/y
    * ID ("name" "Cyrus" "version" NIL)
    + idling
    * XSOMETHING new "that nobody" (knows)
    y4 NO [OVERQUOTA] Quota exceeded
    y5 OK [APPENDUID 38505 3955:3957] APPEND completed
    y6 OK [COPYUID 38505 304,319:320 3956:3958] Done
    y7 OK [MODIFIED 7,9] Conditional STORE failed
    y8 BAD
    * BYE Autologout; idle for too long

    """
    .split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
