/// A way in which a server lies, breaks or fails at one of its responses. What cannot be done to a response (a size in one that
/// has none) leaves it as it is.
public enum Misbehaviour: String, Sendable, CaseIterable {
    // The connection.
    case closeBefore, closeAfter, closeInMiddle, resetInMiddle, byeBefore, byeAfter, byeInstead, silence, slowBytes
    // Lines.
    case lineMissing, lineTwice, lineFeedOnly, carriageReturnOnly, noLineEnd, extraBlanks, zeroByte, garbageBefore
    case unknownDataBefore, alertBefore, emptyLineBefore, lowerCase, unaskedContinuation, endlessLines, endlessLine,
        deepLists
    // Literals.
    case literalHuge, literalNegative, literalOverflowing, literalTooLong, literalTooShort, literalUnfinished
    // The ends of commands.
    case refused, calledBad, wrongTag, endTwice, endEarly
    // Mailboxes.
    case existsZero, existsHuge, existsOverflowing, existsNegative, expungeUnasked, expungeOutOfRange, vanishedAll
    case vanishedHugeSet, recentOnly, listEmpty, listTwice, listOtherDelimiter, listNoDelimiter, listNotSelectable
    case listHostileName, listLongName, listBrokenUTF7, statusOfOther, statusMissing, statusNegative
    // Numbers that must not change, and do.
    case uidValidityFlips, uidValidityZero, uidValidityMissing, uidNextLow, uidNextMissing, modSequenceBackwards
    case modSequenceHuge, modSequenceMissing, mailboxIDFlips
    // Messages.
    case uidZero, uidHuge, uidTwice, uidMissing, uidShifted, sizeTooSmall, sizeHuge, dateNonsense, flagNonsense
    case flagsMissing, bodyMissing, bodyNIL, bodyEmpty, bodyOther, bodyTwice, fetchOfOther, searchEmpty, searchForeign
    case emailIDSame
    // Appending.
    case appendUIDMissing, appendUIDOfOtherMailbox, appendUIDTooFew, appendUIDNonsense, capabilitiesLost

    /// What is done to the connection instead of sending a response.
    enum Action: Sendable {
        case send([UInt8])
        case slowly([UInt8])
        /// Again and again until the client has gone, or 64 MiB.
        case repeating([UInt8])
        case close, reset
        /// Nothing more, ever.
        case silence
    }

    func actions(_ reply: ModelSession.Reply) -> [Action] {
        let line = reply.bytes
        let half = Array(line.prefix(line.count / 2))
        func before(_ text: String) -> [Action] { [.send(Array("\(text)\r\n".utf8) + line)] }
        func edited(_ pattern: String, _ other: String) -> [Action] {
            [.send(Misbehaviour.replace(line, pattern, other))]
        }
        func number(_ key: String, _ other: String) -> [Action] {
            [.send(Misbehaviour.number(line, after: key, other))]
        }
        let isEnd = !line.starts(with: Array("* ".utf8)) && !line.starts(with: Array("+".utf8))
        func end(_ text: String) -> [Action] {
            guard isEnd else { return [.send(line)] }
            let tag = line.prefix { $0 != 32 }
            return [.send(Array(tag) + Array(" \(text)\r\n".utf8))]
        }
        switch self {
        case .closeBefore: return [.close]
        case .closeAfter: return [.send(line), .close]
        case .closeInMiddle: return [.send(half), .close]
        case .resetInMiddle: return [.send(half), .reset]
        case .byeBefore: return [.send(Array("* BYE going down\r\n".utf8) + line), .close]
        case .byeAfter: return [.send(line + Array("* BYE going down\r\n".utf8)), .close]
        case .byeInstead: return [.send(Array("* BYE going down\r\n".utf8)), .close]
        case .silence: return [.silence]
        case .slowBytes: return [.slowly(line)]
        case .lineMissing: return []
        case .lineTwice: return [.send(line + line)]
        case .lineFeedOnly: return [.send(Array(line.dropLast(2)) + [10])]
        case .carriageReturnOnly: return [.send(Array(line.dropLast(2)) + [13])]
        case .noLineEnd: return [.send(Array(line.dropLast(2)))]
        case .extraBlanks: return edited(" ", "  ")
        case .zeroByte: return [.send(half + [0] + line.dropFirst(half.count))]
        case .garbageBefore: return [.send([0xFF, 0xFE, 0x1B, 0x5B, 0x32, 0x4A, 13, 10] + line)]
        case .unknownDataBefore: return before("* XWHATEVER (1 \"two\" NIL)")
        case .alertBefore: return before("* OK [ALERT] \u{1B}[2Jnothing to see")
        case .emptyLineBefore: return before("")
        case .lowerCase: return [.send(line.map { (65...90).contains($0) ? $0 | 0x20 : $0 })]
        case .unaskedContinuation: return before("+ go ahead")
        case .endlessLines: return [.repeating(Array("* OK still here\r\n".utf8))]
        case .endlessLine: return [.send(Array("* OK ".utf8)), .repeating(Array(repeating: 0x78, count: 1 << 14))]
        case .deepLists: return before("* LIST " + String(repeating: "(", count: 100_000))
        case .literalHuge: return before("* LIST () \"/\" {4294967295}")
        case .literalNegative: return before("* LIST () \"/\" {-1}")
        case .literalOverflowing: return before("* LIST () \"/\" {99999999999999999999999}")
        case .literalTooLong: return [.send(Misbehaviour.literal(line, by: 5))]
        case .literalTooShort: return [.send(Misbehaviour.literal(line, by: -1))]
        case .literalUnfinished: return [.send(Array(line.prefix(line.count - 3))), .close]
        case .refused: return end("NO [UNAVAILABLE] not now")
        case .calledBad: return end("BAD what was that")
        case .wrongTag: return isEnd ? [.send(Array("zz99 OK\r\n".utf8))] : [.send(line)]
        case .endTwice: return isEnd ? [.send(line + line)] : [.send(line)]
        case .endEarly: return [.send(line)]
        case .existsZero: return before("* 0 EXISTS")
        case .existsHuge: return before("* 4294967295 EXISTS")
        case .existsOverflowing: return before("* 99999999999999999999 EXISTS")
        case .existsNegative: return before("* -1 EXISTS")
        case .expungeUnasked: return before("* 1 EXPUNGE")
        case .expungeOutOfRange: return before("* 4294967295 EXPUNGE")
        case .vanishedAll: return before("* VANISHED 1:4294967295")
        case .vanishedHugeSet:
            return before("* VANISHED " + (0..<20_000).map { "\($0 * 2 + 1)" }.joined(separator: ","))
        case .recentOnly: return before("* 3 RECENT")
        case .listEmpty: return reply.kind == "LIST" ? [] : [.send(line)]
        case .listTwice: return reply.kind == "LIST" ? [.send(line + line)] : [.send(line)]
        case .listOtherDelimiter: return edited(") \"/\" ", ") \".\" ")
        case .listNoDelimiter: return edited(") \"/\" ", ") NIL ")
        case .listNotSelectable: return reply.kind == "LIST" ? edited("(", "(\\Noselect ") : [.send(line)]
        case .listHostileName: return before("* LIST () \"/\" \"../../../etc/\u{1B}[2Jpasswd\"")
        case .listLongName: return before("* LIST () \"/\" \"\(String(repeating: "x/", count: 5_000))\"")
        case .listBrokenUTF7: return before("* LIST () \"/\" \"&&&-&AA&ZZZZ\"")
        case .statusOfOther:
            return before("* STATUS \"somewhere else\" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1 HIGHESTMODSEQ 1)")
        case .statusMissing: return reply.kind == "STATUS" ? [] : [.send(line)]
        case .statusNegative: return number("MESSAGES ", "-1")
        case .uidValidityFlips: return number("UIDVALIDITY ", "1234567890")
        case .uidValidityZero: return number("UIDVALIDITY ", "0")
        case .uidValidityMissing: return edited("[UIDVALIDITY ", "[X-NOTHING ")
        case .uidNextLow: return number("UIDNEXT ", "1")
        case .uidNextMissing: return edited("[UIDNEXT ", "[X-NOTHING ")
        case .modSequenceBackwards: return number("HIGHESTMODSEQ ", "1")
        case .modSequenceHuge: return number("MODSEQ ", "18446744073709551615")
        case .modSequenceMissing: return edited("[HIGHESTMODSEQ ", "[X-NOTHING ")
        case .mailboxIDFlips: return edited("MAILBOXID (M", "MAILBOXID (other")
        case .uidZero: return number("(UID ", "0")
        case .uidHuge: return number("(UID ", "4294967295")
        case .uidTwice: return number("(UID ", "1")
        case .uidMissing: return edited("(UID ", "(X-UID ")
        case .uidShifted: return number("(UID ", "77")
        case .sizeTooSmall: return number("RFC822.SIZE ", "1")
        case .sizeHuge: return number("RFC822.SIZE ", "18446744073709551615")
        case .dateNonsense: return edited("INTERNALDATE \"", "INTERNALDATE \"99-Foo-")
        case .flagNonsense: return edited("FLAGS (", "FLAGS (\\\\\\ \"x\" ")
        case .flagsMissing: return edited("FLAGS (", "X-FLAGS (")
        case .bodyMissing: return reply.kind == "FETCH" ? [.send(Misbehaviour.withoutLiteral(line, ""))] : [.send(line)]
        case .bodyNIL:
            return reply.kind == "FETCH" ? [.send(Misbehaviour.withoutLiteral(line, " BODY[] NIL"))] : [.send(line)]
        case .bodyEmpty:
            return reply.kind == "FETCH" ? [.send(Misbehaviour.withoutLiteral(line, " BODY[] {0}\r\n"))] : [.send(line)]
        case .bodyOther:
            return reply.kind == "FETCH"
                ? [.send(Misbehaviour.withoutLiteral(line, " BODY[] {5}\r\nother"))] : [.send(line)]
        case .bodyTwice: return edited(" BODY[] ", " BODY[] {3}\r\nabc BODY[] ")
        case .fetchOfOther: return before("* 999 FETCH (UID 999999 FLAGS (\\Deleted) MODSEQ (999999))")
        case .searchEmpty: return reply.kind.hasSuffix("SEARCH") ? [] : [.send(line)]
        case .searchForeign: return before("* SEARCH 1 2 3 4 5 6 7 8 9 4294967295")
        case .emailIDSame: return edited("EMAILID (M", "EMAILID (Msame) X-OLD (")
        case .appendUIDMissing: return edited("[APPENDUID", "[X-NOTHING")
        case .appendUIDOfOtherMailbox: return number("APPENDUID ", "42")
        case .appendUIDTooFew: return edited("] stored", "0] stored")
        case .appendUIDNonsense: return edited("[APPENDUID ", "[APPENDUID x")
        case .capabilitiesLost:
            return reply.kind == "CAPABILITY" ? [.send(Array("* CAPABILITY IMAP4rev1\r\n".utf8))] : [.send(line)]
        }
    }

    /// The pieces it sends in the place of a response, for tests without a connection.
    public func sends(_ reply: ModelSession.Reply) -> [[UInt8]] {
        actions(reply).compactMap { action in
            switch action {
            case .send(let bytes), .slowly(let bytes), .repeating(let bytes): bytes
            case .close, .reset, .silence: nil
            }
        }
    }

    // MARK: Edits

    private static func find(_ line: [UInt8], _ pattern: String) -> Int? {
        let pattern = Array(pattern.utf8)
        guard line.count >= pattern.count else { return nil }
        return (0...(line.count - pattern.count)).first { line[$0..<$0 + pattern.count].elementsEqual(pattern) }
    }

    private static func replace(_ line: [UInt8], _ pattern: String, _ other: String) -> [UInt8] {
        guard let index = find(line, pattern) else { return line }
        return Array(line[..<index]) + Array(other.utf8) + Array(line[(index + pattern.utf8.count)...])
    }

    /// Puts another number in the place of the one behind `key`; an opening parenthesis may stand between.
    private static func number(_ line: [UInt8], after key: String, _ other: String) -> [UInt8] {
        guard let index = find(line, key) else { return line }
        var begin = index + key.utf8.count
        if begin < line.count, line[begin] == UInt8(ascii: "(") { begin += 1 }
        let end = line[begin...].firstIndex { !(48...57).contains($0) } ?? line.endIndex
        guard end > begin else { return line }
        return Array(line[..<begin]) + Array(other.utf8) + Array(line[end...])
    }

    /// Announces more or less than there is.
    private static func literal(_ line: [UInt8], by difference: Int) -> [UInt8] {
        guard let end = find(line, "}\r\n"), let begin = line[..<end].lastIndex(of: UInt8(ascii: "{")),
            let size = Int(String(decoding: line[(begin + 1)..<end], as: UTF8.self)), size + difference >= 0
        else { return line }
        return Array(line[...begin]) + Array("\(size + difference)".utf8) + Array(line[end...])
    }

    /// Puts something else in the place of a message's text.
    private static func withoutLiteral(_ line: [UInt8], _ other: String) -> [UInt8] {
        guard let begin = find(line, " BODY[] {"), let end = find(Array(line[begin...]), "}\r\n").map({ $0 + begin }),
            let size = Int(String(decoding: line[(begin + 9)..<end], as: UTF8.self)), end + 3 + size <= line.count
        else { return line }
        return Array(line[..<begin]) + Array(other.utf8) + Array(line[(end + 3 + size)...])
    }
}
