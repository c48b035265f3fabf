import IMAP
import TestKit
import Testing

/// A second reader of commands, from RFC 9051's grammar, that shares nothing with the encoders: the words and strings of each
/// command, or nil where the bytes are no whole commands.
private struct CommandReader {
    indirect enum Token: Hashable {
        case word([UInt8])
        case string([UInt8])
        case list([Token])
    }

    let text: [UInt8]
    var position = 0

    static func commands(_ text: [UInt8]) -> [[Token]]? {
        var reader = CommandReader(text: text)
        var found: [[Token]] = []
        while reader.position < text.count {
            guard let command = reader.command() else { return nil }
            found.append(command)
        }
        return found
    }

    private mutating func command() -> [Token]? {
        var tokens: [Token] = []
        while true {
            guard let token = token() else { return nil }
            tokens.append(token)
            if text[position...].starts(with: [13, 10]) {
                position += 2
                return tokens
            }
            guard position < text.count, text[position] == 32 else { return nil }
            position += 1
        }
    }

    private mutating func token() -> Token? {
        guard position < text.count else { return nil }
        switch text[position] {
        case 34:
            var result: [UInt8] = []
            position += 1
            while position < text.count, text[position] != 34 {
                if text[position] == 92 { position += 1 }
                guard position < text.count, text[position] != 13, text[position] != 10, text[position] != 0 else {
                    return nil
                }
                result.append(text[position])
                position += 1
            }
            position += 1
            return .string(result)
        case 123:
            let digits = text[(position + 1)...].prefix { (48...57).contains($0) }
            position += 1 + digits.count
            if text[position...].first == 43 { position += 1 }
            guard text[position...].starts(with: [125, 13, 10]),
                let size = Int(String(decoding: digits, as: UTF8.self)),
                position + 3 + size <= text.count
            else { return nil }
            position += 3 + size
            return .string(Array(text[position - size..<position]))
        case 40:
            position += 1
            var tokens: [Token] = []
            while position < text.count, text[position] != 41 {
                guard let token = token() else { return nil }
                tokens.append(token)
                if position < text.count, text[position] == 32 { position += 1 }
            }
            position += 1
            return .list(tokens)
        default:
            let word = text[position...].prefix { $0 > 32 && $0 < 127 && $0 != 40 && $0 != 41 && $0 != 34 && $0 != 123 }
            guard !word.isEmpty else { return nil }
            position += word.count
            return .word(Array(word))
        }
    }

    /// Every string of every level.
    static func strings(_ tokens: [Token]) -> [[UInt8]] {
        tokens.flatMap { token -> [[UInt8]] in
            switch token {
            case .word: []
            case .string(let bytes): [bytes]
            case .list(let inner): strings(inner)
            }
        }
    }
}

private func said(_ command: Command, _ capabilities: String = "IMAP4REV1") throws -> [[UInt8]] {
    var dialogue = try greeted(capabilities)
    return try dialogue.begin(command).parts
}

private func greeted(_ capabilities: String = "IMAP4REV1") throws -> Dialogue {
    var dialogue = Dialogue()
    _ = try dialogue.receive(try parse("* OK [CAPABILITY \(capabilities)] hello"))
    return dialogue
}

private func text(_ command: Command, _ capabilities: String = "LITERAL+") throws -> String {
    String(decoding: try said(command, capabilities).joined(), as: UTF8.self)
}

@Suite struct CommandTests {
    @Test func `commands are said as the RFCs say them`() throws {
        let box = MailboxName(bytes("Work/\"x\""))
        let request = ListRequest(
            wantsSubscribed: true, wantsSpecialUse: true, status: [.messages, .highestModSequence])
        let expected: [(Command, String)] = [
            (.capability, "CAPABILITY"), (.login(user: bytes("a b"), password: bytes("p\\w")), #"LOGIN "a b" "p\\w""#),
            (.enable([.qresync, .utf8]), "ENABLE QRESYNC UTF8=ACCEPT"),
            (.list(request), #"LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES HIGHESTMODSEQ))"#),
            (.list(ListRequest(pattern: bytes("%"))), #"LIST "" "%""#),
            (
                .select(box, isReadOnly: true, .qresync(uidValidity: 7, modSequence: 9)),
                #"EXAMINE "Work/\"x\"" (QRESYNC (7 9))"#
            ),
            (.select(.inbox, isReadOnly: false, nil), #"SELECT "INBOX""#),
            (
                .fetch(.all, [.uid, .flags, .modSequence], changedSince: 5, wantsVanished: true),
                "UID FETCH 1:* (UID FLAGS MODSEQ) (CHANGEDSINCE 5 VANISHED)"
            ),
            (.fetch(.set(UIDSet([1, 2, 3, 9])), [.uid, .body]), "UID FETCH 1:3,9 (UID BODY.PEEK[])"),
            (
                .store(UIDSet([4]), .set, [.seen, FlagName(keyword: bytes("$Work"))!], unchangedSince: 3),
                "UID STORE 4 (UNCHANGEDSINCE 3) FLAGS.SILENT (\\Seen $Work)"
            ),
            (.create(MailboxName(bytes("S")), use: [.sent]), #"CREATE "S" (USE (\Sent))"#),
            (.rename(box, to: .inbox), #"RENAME "Work/\"x\"" "INBOX""#),
            (
                .setMetadata(.inbox, [MetadataEntry(name: bytes("/private/comment"), value: nil)]),
                #"SETMETADATA "INBOX" ("/private/comment" NIL)"#
            ),
            (.searchAll(isExtended: true), "UID SEARCH RETURN (ALL) ALL"),
            (
                .authenticate(
                    try .plain(authorization: bytes("u"), user: bytes("m"), password: bytes("p")), isInitial: true),
                "AUTHENTICATE PLAIN dQBtAHA="
            ),
            (
                .authenticate(try .xoauth2(user: bytes("u"), token: bytes("t")), isInitial: false),
                "AUTHENTICATE XOAUTH2"
            ),
        ]
        for (command, line) in expected { #expect(try text(command) == "y1 \(line)\r\n") }
    }

    @Test func `literals wait where the server has not said that they need not`() throws {
        let name = MailboxName([0x45, 0xC3, 0xA4, 0x0D, 0x0A])
        #expect(try said(.delete(name)) == [bytes("y1 DELETE {5}\r\n"), name.bytes + [13, 10]])
        #expect(try said(.delete(name), "LITERAL-") == [bytes("y1 DELETE {5+}\r\n") + name.bytes + [13, 10]])
        let long = MailboxName([UInt8](repeating: 0xE4, count: 5000))
        #expect(try said(.delete(long), "LITERAL-").count == 2)
        #expect(try said(.delete(long), "LITERAL+").count == 1)
        #expect(try said(.rename(name, to: name)).count == 3)
    }

    @Test func `nothing in a name or a text becomes a command`() throws {
        var random = SeededGenerator.announced()
        let alphabet = Array("ab \"\\{}()*%+~\r\n5&".utf8) + [0x80, 0xFF, 1]
        for _ in 0..<2_000 {
            func name() -> [UInt8] { (0..<random.number(0..<12)).map { _ in random.element(alphabet) } }
            let (one, other) = (name(), name())
            let commands: [(Command, [[UInt8]])] = [
                (.login(user: one, password: other), [one, other]),
                (.rename(MailboxName(one), to: MailboxName(other)), [one, other]),
                (.setACL(.inbox, identifier: one, rights: other), [bytes("INBOX"), one, other]),
                (.setMetadata(MailboxName(one), [MetadataEntry(name: other, value: one)]), [one, other, one]),
                (.id([MetadataEntry(name: one, value: other)]), [one, other]),
                (.status(MailboxName(one), [.messages]), [one]),
                (.select(MailboxName(one), isReadOnly: true, .condstore), [one]),
                (.copy(UIDSet([1]), MailboxName(one)), [one]),
                (.subscribedList(pattern: one), [[], one]),
            ]
            for (command, strings) in commands {
                let all = Array(try said(command, random.chance(50) ? "LITERAL+" : "X").joined())
                guard let read = CommandReader.commands(all), read.count == 1 else {
                    Issue.record("\(all)")
                    continue
                }
                #expect(CommandReader.strings(read[0]) == strings)
            }
            let keyword = name()
            if let flag = FlagName(keyword: keyword) {
                let all = Array(try said(.store(UIDSet([1]), .add, [flag])).joined())
                #expect(CommandReader.commands(all)?.first?.last == .list([.word(keyword)]))
            }
        }
        #expect(throws: EncodingRefusal.self) { try said(.delete(MailboxName([65, 0]))) }
        #expect(
            FlagName(keyword: bytes("a\r\nb")) == nil && FlagName(keyword: []) == nil
                && FlagName(keyword: bytes("\\Seen")) == nil)
    }

    @Test func `a token that cannot be sent is refused`() {
        #expect(throws: EncodingRefusal.self) { try SASLResponse.xoauth2(user: bytes("u"), token: bytes("a\u{1}b")) }
        #expect(throws: EncodingRefusal.self) {
            try SASLResponse.plain(authorization: [], user: [1, 0], password: [2])
        }
        #expect(throws: EncodingRefusal.self) {
            try SASLResponse.oauthBearer(user: bytes("u"), host: [], port: 1, token: [])
        }
    }

    @Test func `messages are appended one behind the other in one command`() throws {
        var dialogue = try greeted("LITERAL-")
        let (_, writer) = dialogue.beginAppend()
        var sent = try writer.begin(mailbox: .inbox).parts.flatMap { $0 }
        for size in [3, 5000] {
            let piece = writer.message(flags: [.seen], internalDate: 0, size: UInt64(size))
            #expect(piece.waits == (size > 4096) && piece.parts.count == 1)
            sent += piece.parts.flatMap { $0 } + [UInt8](repeating: 0x78, count: size)
        }
        sent += writer.end().parts.flatMap { $0 }
        let read = CommandReader.commands(sent)
        #expect(read?.count == 1)
        #expect(CommandReader.strings(read?.first ?? []).map(\.count) == [5, 26, 3, 26, 5000])
    }
}

@Suite struct DialogueTests {
    @Test func `it knows the state, the capabilities and the commands under way`() throws {
        var dialogue = Dialogue()
        #expect(
            try dialogue.receive(try parse("* OK [CAPABILITY IMAP4rev1 LITERAL+] hi"))
                == .greeted(isAuthenticated: false))
        #expect(dialogue.state == .notAuthenticated && dialogue.literals == .nonSynchronizing)
        let login = try dialogue.begin(.login(user: bytes("u"), password: bytes("p")))
        #expect(dialogue.isBusy)
        let failed = try dialogue.receive(try parse("y1 NO [AUTHENTICATIONFAILED] no"))
        #expect(failed == .completed(login.tag, StatusLine(.no, .word(.authenticationFailed), text: bytes("no"))))
        #expect(dialogue.state == .notAuthenticated)
        _ = try dialogue.begin(.login(user: bytes("u"), password: bytes("p")))
        _ = try dialogue.receive(try parse("y2 OK [CAPABILITY IMAP4rev1 QRESYNC] in"))
        #expect(dialogue.state == .authenticated && dialogue.knowsCapabilities && dialogue.capabilities.has("QRESYNC"))
        let one = try dialogue.begin(.select(.inbox, isReadOnly: true, nil))
        let two = try dialogue.begin(.fetch(.all, [.flags]))
        #expect(try dialogue.receive(try parse("* 3 EXISTS")) == .data(.exists(3)))
        #expect(try dialogue.receive(try parse("y3 OK")) == .completed(one.tag, StatusLine(.ok, text: [])))
        #expect(dialogue.state == .selected(.inbox))
        #expect(try dialogue.receive(try parse("y4 OK x")) == .completed(two.tag, StatusLine(.ok, text: bytes("x"))))
        #expect(throws: ProtocolViolation.self) { try dialogue.receive(try parse("y4 OK x")) }
        #expect(throws: ProtocolViolation.self) { try dialogue.receive(try parse("+ more")) }
        _ = try dialogue.begin(.select(MailboxName(bytes("gone")), isReadOnly: true, nil))
        _ = try dialogue.receive(try parse("y5 NO [NONEXISTENT] gone"))
        #expect(dialogue.state == .authenticated)
        guard case .farewell = try dialogue.receive(try parse("* BYE")) else { return #expect(Bool(false)) }
        #expect(dialogue.state == .loggedOut)
    }

    @Test func `what was said before TLS is void`() throws {
        var dialogue = try greeted("STARTTLS LITERAL+")
        _ = try dialogue.begin(.startTLS)
        _ = try dialogue.receive(try parse("y1 OK go"))
        dialogue.protected()
        #expect(!dialogue.knowsCapabilities && dialogue.literals == .synchronizing)
    }

    @Test func `nothing that signs in is shown`() throws {
        let response = try SASLResponse.plain(authorization: [], user: bytes("u"), password: bytes("secret"))
        #expect(!"\(response) \(String(reflecting: response))".contains("secret"))
    }

    @Test func `only a greeting can be first`() {
        for text in ["* 1 EXISTS", "+ x", "y1 OK", "* NO x"] {
            var dialogue = Dialogue()
            #expect(throws: ProtocolViolation.self) { try dialogue.receive(try parse(text)) }
        }
    }
}
