import Events
import Presentation
import TimeLanguage

/// Reads the language of `Specs/Interfaces/Query.md`:
///
///     query  = term*                          all of them
///     term   = factor ("OR" factor)*          binds closer than "and"
///     factor = "-" factor | "(" query ")" | [field ":"] text
struct QueryParser {
    static let maxByteCount = 4_096
    private static let maxDepth = 64

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    private let now: Timestamp
    private let zone: Zone
    private let zones: ZoneDatabase

    init(_ text: String, now: Timestamp, zone: Zone, zones: ZoneDatabase) throws(QueryError) {
        guard text.utf8.count <= QueryParser.maxByteCount else {
            throw QueryError(at: QueryParser.maxByteCount, "A query has at most \(QueryParser.maxByteCount) bytes.")
        }
        bytes = Array(text.utf8)
        (self.now, self.zone, self.zones) = (now, zone, zones)
    }

    mutating func parse() throws(QueryError) -> Query.Term {
        let term = try parseAll()
        if position < bytes.count {
            throw QueryError(at: position, "There is a ')' without a '(' before it.")
        }
        return term
    }

    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte, isBlank(byte) { position += 1 }
    }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }

    private mutating func parseAll() throws(QueryError) -> Query.Term {
        var terms: [Query.Term] = []
        skipBlanks()
        while let byte, byte != UInt8(ascii: ")") {
            terms.append(try parseAny())
            skipBlanks()
        }
        if terms.count == 1 { return terms[0] }
        // What needs no blob is asked first; among equals the order stays.
        let ordered = [0, 1, 2].flatMap { cost in terms.filter { $0.cost == cost } }
        return .all(ordered)
    }

    private mutating func parseAny() throws(QueryError) -> Query.Term {
        if isOr {
            throw QueryError(at: position, "'OR' stands between two terms.", suggestion: "from:anna OR from:ben")
        }
        var terms = [try parseFactor()]
        skipBlanks()
        while isOr {
            let place = position
            position += 2
            skipBlanks()
            guard let byte, byte != UInt8(ascii: ")"), !isOr else {
                throw QueryError(at: place, "'OR' stands between two terms.", suggestion: "from:anna OR from:ben")
            }
            terms.append(try parseFactor())
            skipBlanks()
        }
        if terms.count == 1 { return terms[0] }
        return .any([0, 1, 2].flatMap { cost in terms.filter { $0.cost == cost } })
    }

    /// Whether the word here is `OR`, in capitals.
    private var isOr: Bool {
        guard bytes[position...].starts(with: "OR".utf8) else { return false }
        return position + 2 == bytes.count || isBlank(bytes[position + 2]) || bytes[position + 2] == UInt8(ascii: "(")
    }

    private mutating func parseFactor() throws(QueryError) -> Query.Term {
        depth += 1
        defer { depth -= 1 }
        guard depth <= QueryParser.maxDepth else { throw QueryError(at: position, "That is nested too deep.") }
        if byte == UInt8(ascii: "-") {
            let place = position
            position += 1
            guard let byte, !isBlank(byte), byte != UInt8(ascii: ")") else {
                throw QueryError(
                    at: place, "A '-' stands directly before what is not wanted.", suggestion: "-folder:Trash")
            }
            return .not(try parseFactor())
        }
        if byte == UInt8(ascii: "(") {
            let place = position
            position += 1
            let term = try parseAll()
            guard byte == UInt8(ascii: ")") else { throw QueryError(at: place, "This '(' is never closed.") }
            position += 1
            return term
        }
        return try parseText()
    }

    private mutating func parseText() throws(QueryError) -> Query.Term {
        let start = position
        if byte == UInt8(ascii: "\"") { return .word(FoldedText(try quoted())) }
        while let byte, !isBlank(byte), byte != UInt8(ascii: ":"), byte != UInt8(ascii: ")"), byte != UInt8(ascii: "\"")
        {
            position += 1
        }
        let word = String(decoding: bytes[start..<position], as: UTF8.self)
        // A message ID is what it is: `<…@…>`.
        if bytes[start] == UInt8(ascii: "<") {
            while let byte, !isBlank(byte) { position += 1 }
            return try messageID(String(decoding: bytes[start..<position], as: UTF8.self), at: start)
        }
        guard byte == UInt8(ascii: ":") else { return .word(FoldedText(word)) }
        position += 1
        let valueStart = position
        let field = word.lowercased()
        guard QueryParser.fields.contains(field) else { throw unknownField(word, at: start) }
        let value = try value()
        guard !value.isEmpty else {
            throw QueryError(
                at: valueStart, "Nothing stands after '\(field):'.", suggestion: QueryParser.example(field))
        }
        return try term(field, value, at: valueStart)
    }

    private func unknownField(_ word: String, at start: Int) -> QueryError {
        let shown = TerminalText.safe(word, maxColumns: 40)
        if let meant = Spelling.nearest(to: word, among: QueryParser.fields) {
            return QueryError(
                at: start, "There is no field '\(shown):'; did you mean '\(meant):'?",
                suggestion: QueryParser.example(meant))
        }
        return QueryError(
            at: start,
            "There is no field '\(shown):'; there are " + QueryParser.fields.map { $0 + ":" }.joined(separator: " ")
                + ". A text with a colon goes between quotes.", suggestion: "\"\(shown):\"")
    }

    /// Text between quotes, or up to the next blank or closing bracket.
    private mutating func value() throws(QueryError) -> String {
        if byte == UInt8(ascii: "\"") { return try quoted() }
        let start = position
        while let byte, !isBlank(byte), byte != UInt8(ascii: ")") { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// A backslash makes a quote or a backslash one that is looked for.
    private mutating func quoted() throws(QueryError) -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        while let byte {
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), let next = self.byte, next == UInt8(ascii: "\"") || next == byte {
                position += 1
                text.append(next)
            } else {
                text.append(byte)
            }
        }
        throw QueryError(at: start, "This quote is never closed.")
    }

    // MARK: Fields

    static let fields = [
        "from", "to", "cc", "subject", "body", "folder", "flag", "kind", "larger", "smaller", "before", "after", "has",
        "deleted", "digest", "message-id",
    ]

    private static func example(_ field: String) -> String {
        switch field {
        case "folder": "folder:INBOX/Contracts"
        case "flag": "flag:seen"
        case "kind": "kind:message"
        case "larger", "smaller": field + ":5M"
        case "before", "after": field + ":2026-03-03"
        case "has": "has:attachment"
        case "deleted": "deleted:yes"
        case "digest": "digest:sha256:9f86d081"
        case "message-id": "message-id:<abc@example.org>"
        case "subject", "body": field + ":\"contract 2026\""
        default: field + ":anna@example.org"
        }
    }

    private func term(_ field: String, _ value: String, at offset: Int) throws(QueryError) -> Query.Term {
        switch field {
        case "from": return .from(FoldedText(value))
        case "to": return .to(FoldedText(value))
        case "cc": return .cc(FoldedText(value))
        case "subject": return .subject(FoldedText(value))
        case "body": return .body(FoldedText(value))
        case "folder": return .folder(folder(value))
        case "flag": return flag(value)
        case "kind": return .kind(try kind(value, offset))
        case "larger": return .larger(try size(field, value, offset))
        case "smaller": return .smaller(try size(field, value, offset))
        // A bare day is its beginning for both: before:2026-03-03 leaves that day out, after: takes it in.
        case "before": return .before(try time(value, offset))
        case "after": return .after(try time(value, offset))
        case "digest": return .digest(try digest(value, offset))
        case "message-id": return try messageID(value, at: offset)
        case "has":
            guard ["attachment", "attachments"].contains(value.lowercased()) else {
                throw QueryError(
                    at: offset, "Nothing is known of '\(shown(value))': 'has:' goes with 'attachment'.",
                    suggestion: "has:attachment")
            }
            return .hasAttachment
        default:
            switch value.lowercased() {
            case "yes", "true", "1": return .deleted(true)
            case "no", "false", "0": return .deleted(false)
            default:
                throw QueryError(
                    at: offset, "'\(shown(value))' is neither 'yes' nor 'no'.", suggestion: "deleted:yes")
            }
        }
    }

    private func shown(_ value: String) -> String { TerminalText.safe(value, maxColumns: 40) }

    private func folder(_ value: String) -> FoldedText {
        var path = value
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return FoldedText(path)
    }

    private func flag(_ value: String) -> Query.Term {
        let name = value.lowercased()
        switch name {
        case "unseen", "unread": return .unseen
        case "read": return .flag("seen")
        case "starred": return .flag("flagged")
        case "replied": return .flag("answered")
        case "forwarded": return .any([.flag("forwarded"), .flag("$forwarded")])
        default: return .flag(name.hasPrefix("\\") ? String(name.dropFirst()) : name)
        }
    }

    private func kind(_ value: String, _ offset: Int) throws(QueryError) -> ItemKind {
        let name = value.lowercased().replacing("-", with: "_")
        let synonyms: [String: ItemKind] = [
            "mail": .message, "event": .appointment, "file": .document, "group": .contactGroup,
        ]
        let kinds = ItemKind.allCases
        if let kind = kinds.first(where: { $0.name == name || $0.name + "s" == name }) ?? synonyms[name] { return kind }
        let meant = Spelling.nearest(to: name, among: kinds.map(\.name))
        throw QueryError(
            at: offset,
            "There is no kind '\(shown(value))'; there are " + kinds.map(\.name).joined(separator: ", ") + ".",
            suggestion: "kind:" + (meant ?? "message"))
    }

    /// A number and nothing, `K`, `M`, `G` or `T`: powers of 1,024. `5M`, `5MB` and `5MiB` are the same.
    private func size(_ field: String, _ value: String, _ offset: Int) throws(QueryError) -> UInt64 {
        let text = value.lowercased()
        let digits = text.prefix { ("0"..."9").contains($0) }
        let unit = text.dropFirst(digits.count)
        let shifts: [Substring: UInt64] = [
            "": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30,
            "t": 40,
            "tb": 40, "tib": 40,
        ]
        guard let shift = shifts[unit], let number = UInt64(digits), number <= UInt64.max >> shift else {
            throw QueryError(
                at: offset, "'\(shown(value))' is not a size: one is a whole number and K, M or G.",
                suggestion: QueryParser.example(field))
        }
        return number << shift
    }

    private func time(_ value: String, _ offset: Int) throws(QueryError) -> Timestamp {
        let expression: TimeExpression
        do {
            expression = try TimeExpression.parse(value, role: .from, now: now, zone: zone, zones: zones)
        } catch {
            throw QueryError(at: offset, error.message, suggestion: "before:\"\(error.examples.first ?? "yesterday")\"")
        }
        guard case .instant(let time) = expression else {
            throw QueryError(
                at: offset, "'\(shown(value))' is a place in the journal; mail is received at an instant.",
                suggestion: "before:2026-03-03")
        }
        return time
    }

    private func digest(_ value: String, _ offset: Int) throws(QueryError) -> String {
        let text = value.lowercased()
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        let isHexadecimal = digits.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        guard isHexadecimal, (4...64).contains(digits.utf8.count) else {
            throw QueryError(
                at: offset, "'\(shown(value))' is not (the beginning of) a digest: 4 to 64 hexadecimal digits.",
                suggestion: QueryParser.example("digest"))
        }
        return digits
    }

    private func messageID(_ value: String, at offset: Int) throws(QueryError) -> Query.Term {
        var id = Array(value.utf8)
        if id.first == UInt8(ascii: "<"), id.last == UInt8(ascii: ">") { id = Array(id.dropFirst().dropLast()) }
        guard !id.isEmpty else {
            throw QueryError(at: offset, "There is no empty message ID.", suggestion: QueryParser.example("message-id"))
        }
        return .messageID(id)
    }
}
