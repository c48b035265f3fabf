import Events
import Presentation

/// Times that are told by something in the journal: `first`, `last`, `@184467`, `before:m7`, `op:UUID`.
enum TimeReference {
    /// Nil if the words are none of these.
    static func parse(_ tokens: TimeTokens) throws(TimeLanguageError) -> TimeExpression? {
        let token = tokens.all[0]
        let expression: TimeExpression
        if token.bytes == Array("first".utf8) {
            expression = .first
        } else if token.bytes == Array("last".utf8) {
            expression = .last
        } else if token.bytes[0] == UInt8(ascii: "@") {
            expression = .transaction(try transaction(token))
        } else if token.bytes.starts(with: "before:".utf8) {
            expression = .before(try item(token))
        } else if token.bytes.starts(with: "op:".utf8) {
            expression = try operation(token)
        } else {
            return nil
        }
        guard tokens.all.count == 1 else {
            throw TimeLanguageError(
                .notUnderstood, at: tokens.all[1].offset,
                "Nothing can stand after '\(TerminalText.safe(token.text, maxColumns: 60))'.",
                examples: [token.bytes == Array("last".utf8) ? "monday 09:30" : token.text])
        }
        return expression
    }

    private static func transaction(_ token: TimeTokens.Token) throws(TimeLanguageError) -> TransactionID {
        let digits = token.bytes.dropFirst()
        guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else {
            throw TimeLanguageError(
                .notUnderstood, at: token.offset + 1, "A transaction ID is '@' and a whole number.",
                examples: ["@184467"])
        }
        // The greatest number is left out: what comes after it must be a number too.
        guard let number = UInt64(token.text.dropFirst()), number < .max else {
            throw TimeLanguageError(
                .outOfRange, at: token.offset + 1, "No transaction ID is that large.", examples: ["@184467", "last"])
        }
        return TransactionID(rawValue: number)
    }

    private static func item(_ token: TimeTokens.Token) throws(TimeLanguageError) -> ItemID {
        guard let item = ItemID(String(token.text.dropFirst(7))) else {
            throw TimeLanguageError(
                .notUnderstood, at: token.offset + 7,
                "'\(TerminalText.safe(String(token.text.dropFirst(7)), maxColumns: 40))' is not an item's ID: one is a "
                    + "letter for its kind and its number.", examples: ["before:m7"])
        }
        return item
    }

    private static func operation(_ token: TimeTokens.Token) throws(TimeLanguageError) -> TimeExpression {
        var digits = token.bytes.dropFirst(3)
        let side: TimeExpression.OperationSide = digits.last == UInt8(ascii: "^") ? .before : .after
        if side == .before { digits.removeLast() }
        let isUUID =
            digits.count == 36
            && zip(0..., digits).allSatisfy { index, byte in
                [8, 13, 18, 23].contains(index)
                    ? byte == UInt8(ascii: "-") : (48...57).contains(byte) || (97...102).contains(byte)
            }
        guard isUUID else {
            let example = "op:0198c5a2-7d3e-7b11-9c60-2f4de1a0b7c3"
            throw TimeLanguageError(
                .notUnderstood, at: token.offset + 3,
                "An operation is named by its UUID (see 'operation list'), with '^' for the state just before it.",
                examples: [example, example + "^"])
        }
        return .operation(String(decoding: digits, as: UTF8.self), side)
    }
}
