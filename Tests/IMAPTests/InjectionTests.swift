import Glibc
import IMAP
import TestKit
import Testing

/// Everything that says a name or a text, with what hostile mail would have in it.
@Suite struct InjectionTests {
    /// As many as `YESTERMAIL_FUZZ_CASES` says, of each command.
    private let cases = getenv("YESTERMAIL_FUZZ_CASES").flatMap { Int(String(cString: $0)) } ?? 400

    private static let pieces: [[UInt8]] = [
        bytes("\r\n"), bytes("\r\ny2 DELETE INBOX\r\n"), bytes("\""), bytes("\" y \""), bytes("\\"), bytes("\\\""),
        bytes("{3}\r\n"),
        bytes("{3+}\r\nabc"), bytes("~{1}\r\n"), bytes(")"), bytes("("), bytes("NIL"), bytes("*"), bytes("%"),
        bytes("&AOQ-"),
        bytes("INBOX"), bytes(" "), bytes("a"), bytes("Entw\u{FC}rfe"), [0x7F], [0x80], [0xFF], [1], [0x0D], [0x0A],
        bytes("+"),
        bytes("]"), bytes("[]"), bytes("\u{2028}"), [0x1B, 0x5B], [0],
    ]

    private static func text(_ random: inout SeededGenerator) -> [UInt8] {
        switch random.number(0..<20) {
        case 0:
            return [UInt8](
                repeating: random.element([0x61, 0x22, 0x5C, 0xE4]), count: random.element([1000, 1001, 4096, 4097]))
        case 1: return random.bytes(random.number(0..<40))
        default: return (0..<random.number(0..<7)).flatMap { _ in random.element(pieces) }
        }
    }

    private static func uids(_ random: inout SeededGenerator) -> UIDSet {
        UIDSet((0..<random.number(1..<6)).map { _ in random.element([1, 2, 3, 9, 4_294_967_295]) })
    }

    private typealias Case = (command: Command, verb: String, strings: [[UInt8]], atoms: [[UInt8]])

    /// Each command that says anything that is not ours.
    private static func commands(_ random: inout SeededGenerator) -> [Case] {
        let (one, other, third) = (text(&random), text(&random), text(&random))
        let name = MailboxName(one)
        // INBOX in any case is INBOX.
        let box = name.bytes
        let keyword = FlagName(keyword: other)
        let flags = [FlagName.seen] + (keyword.map { [$0] } ?? [])
        let list = ListRequest(
            pattern: one, wantsSubscribed: random.chance(50), wantsSpecialUse: random.chance(50),
            status: random.chance(50) ? [.messages, .guid] : [])
        return [
            (.login(user: one, password: other), "LOGIN", [one, other], []),
            (
                .id([MetadataEntry(name: one, value: other), MetadataEntry(name: third, value: nil)]), "ID",
                [one, other, third], []
            ),
            (.list(list), "LIST", [[], one], []),
            (.subscribedList(pattern: one), "LSUB", [[], one], []),
            (.status(name, [.messages, .uidNext]), "STATUS", [box], []),
            (
                .select(name, isReadOnly: true, .qresync(uidValidity: 1, modSequence: random.next() >> 1)), "EXAMINE",
                [box], []
            ),
            (.select(name, isReadOnly: false, nil), "SELECT", [box], []),
            (
                .store(uids(&random), random.element([.set, .add, .remove]), flags, unchangedSince: 3), "UID STORE", [],
                keyword.map { [$0.bytes] } ?? []
            ),
            (.copy(uids(&random), name), "UID COPY", [box], []),
            (.move(uids(&random), name), "UID MOVE", [box], []),
            (.create(name, use: random.chance(50) ? [.junk, .sent] : []), "CREATE", [box], []),
            (.delete(name), "DELETE", [box], []),
            (.rename(name, to: MailboxName(other)), "RENAME", [box, MailboxName(other).bytes], []),
            (.subscribe(name), "SUBSCRIBE", [box], []), (.unsubscribe(name), "UNSUBSCRIBE", [box], []),
            (.getACL(name), "GETACL", [box], []),
            (.setACL(name, identifier: other, rights: third), "SETACL", [box, other, third], []),
            (.deleteACL(name, identifier: other), "DELETEACL", [box, other], []),
            (.myRights(name), "MYRIGHTS", [box], []),
            (.getMetadata(name), "GETMETADATA", [box], []),
            (
                .setMetadata(name, [MetadataEntry(name: other, value: third), MetadataEntry(name: third, value: nil)]),
                "SETMETADATA", [box, other, third, third], []
            ),
            (.getQuotaRoot(name), "GETQUOTAROOT", [box], []),
        ]
    }

    private func greeted(_ capabilities: String) throws -> Dialogue {
        var dialogue = Dialogue()
        _ = try dialogue.receive(try parse("* OK [CAPABILITY \(capabilities)] hello"))
        return dialogue
    }

    /// Where the server has to ask, and only there, a part ends.
    private func checkParts(_ parts: [[UInt8]]) {
        for part in parts.dropLast() {
            #expect(part.suffix(3) == bytes("}\r\n")[...] && part.dropLast(3).last != UInt8(ascii: "+"))
        }
    }

    @Test func `whatever is in a name or a text, each command is one command with exactly that in it`() throws {
        var random = SeededGenerator.announced("injection")
        for _ in 0..<cases {
            for (command, verb, strings, atoms) in InjectionTests.commands(&random) {
                let dialogue = try greeted(random.element(["IMAP4rev1", "IMAP4rev1 LITERAL+", "IMAP4rev1 LITERAL-"]))
                var begun = dialogue
                let said: [[UInt8]]
                do { said = try begun.begin(command).parts } catch {
                    #expect(strings.contains { $0.contains(0) }, "\(error)")
                    continue
                }
                checkParts(said)
                let read = Result { () throws(StrictCommand.Broken) in try StrictCommand.read(Array(said.joined())) }
                if read != .success(StrictCommand(verb: verb, strings: strings, atoms: atoms)) {
                    Issue.record("\(command): \(read) of \(Array(said.joined()))")
                }
            }
        }
    }

    @Test func `what has nothing of anybody's in it is what the grammar has`() throws {
        let others: [(Command, String)] = [
            (.capability, "CAPABILITY"), (.noop, "NOOP"), (.logout, "LOGOUT"), (.startTLS, "STARTTLS"),
            (.namespace, "NAMESPACE"),
            (.unselect, "UNSELECT"), (.close, "CLOSE"), (.idle, "IDLE"),
            (.enable([.condstore, .qresync, .utf8]), "ENABLE"),
            (.id([]), "ID"),
            (
                .fetch(
                    .all,
                    [
                        .uid, .flags, .internalDate, .size, .modSequence, .emailID, .threadID, .saveDate, .guid, .body,
                        .binary, .messageID,
                    ]), "UID FETCH"
            ),
            (.fetch(.from(7), [.uid], changedSince: 3, wantsVanished: true), "UID FETCH"),
            (.fetch(.set(UIDSet([1, 2, 9])), [.flags], changedSince: 3), "UID FETCH"),
            (.searchAll(isExtended: true), "UID SEARCH"), (.searchAll(isExtended: false), "UID SEARCH"),
            (.expunge(UIDSet([4])), "UID EXPUNGE"), (.notifyPersonal, "NOTIFY"), (.notifyNone, "NOTIFY"),
        ]
        for (command, verb) in others {
            var dialogue = try greeted("IMAP4rev1")
            let said = try dialogue.begin(command).parts.joined()
            #expect(try StrictCommand.read(Array(said)).verb == verb)
        }
    }

    @Test func `whoever signs in, the response is base64 and nothing else`() throws {
        var random = SeededGenerator.announced("sasl")
        for _ in 0..<cases {
            let (one, other, third) = (
                InjectionTests.text(&random), InjectionTests.text(&random), InjectionTests.text(&random)
            )
            let responses = [
                try? SASLResponse.plain(authorization: one, user: other, password: third),
                try? SASLResponse.xoauth2(user: one, token: other),
                try? SASLResponse.oauthBearer(user: one, host: bytes("h"), port: 1, token: other),
            ].compactMap { $0 }
            for response in responses {
                var dialogue = try greeted("IMAP4rev1 SASL-IR")
                let said = try dialogue.begin(.authenticate(response, isInitial: true)).parts.joined()
                #expect(try StrictCommand.read(Array(said)).strings.isEmpty)
            }
        }
    }

    @Test func `messages to be appended have their flags, their date and their bytes, whatever these are`() throws {
        var random = SeededGenerator.announced("append")
        for _ in 0..<cases {
            let dialogue = try greeted(random.element(["IMAP4rev1", "IMAP4rev1 LITERAL+", "IMAP4rev1 LITERAL-"]))
            var begun = dialogue
            let (_, writer) = begun.beginAppend()
            let name = MailboxName(InjectionTests.text(&random))
            guard !name.bytes.contains(0) else {
                #expect(throws: EncodingRefusal.self) { try writer.begin(mailbox: name) }
                continue
            }
            var sent = Array(try writer.begin(mailbox: name).parts.joined())
            var strings = [name.bytes]
            var atoms: [[UInt8]] = []
            for _ in 0..<random.number(1..<4) {
                let message = InjectionTests.text(&random)
                let keyword = FlagName(keyword: InjectionTests.text(&random))
                let piece = writer.message(
                    flags: [.deleted] + (keyword.map { [$0] } ?? []),
                    internalDate: random.chance(20) ? nil : Int64(truncatingIfNeeded: random.next()),
                    size: UInt64(message.count),
                    isBinary: message.contains(0))
                sent += piece.parts.joined() + message
                strings.append(message)
                atoms += keyword.map { [$0.bytes] } ?? []
            }
            sent += writer.end().parts.joined()
            let read = Result { () throws(StrictCommand.Broken) in try StrictCommand.read(sent) }
            if read != .success(StrictCommand(verb: "APPEND", strings: strings, atoms: atoms)) {
                Issue.record("\(read) of \(sent)")
            }
        }
    }
}
