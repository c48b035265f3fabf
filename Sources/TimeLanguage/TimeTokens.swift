import Presentation

/// A text as its words: lower-case ASCII between blanks, each with where it was.
struct TimeTokens {
    struct Token {
        let bytes: [UInt8]
        /// Where it begins in the text.
        let offset: Int

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    static let maxByteCount = 256

    let all: [Token]
    /// Where the text ends.
    let end: Int

    init(_ text: String) throws(TimeLanguageError) {
        var tokens: [Token] = []
        var current: [UInt8] = []
        end = text.utf8.count
        guard end <= TimeTokens.maxByteCount else {
            throw TimeLanguageError(
                .tooLong, at: TimeTokens.maxByteCount, "A time has at most \(TimeTokens.maxByteCount) characters.",
                examples: TimeTokens.examples)
        }
        for (offset, byte) in text.utf8.enumerated() {
            if byte == 0x20 || (9...13).contains(byte) {
                if !current.isEmpty { tokens.append(Token(bytes: current, offset: offset - current.count)) }
                current = []
                continue
            }
            guard (0x21...0x7E).contains(byte) else {
                throw TimeLanguageError(
                    .notUnderstood, at: offset,
                    "'\(TerminalText.safe(text, maxColumns: 60))' is not a time: a time is written in ASCII letters.",
                    examples: TimeTokens.examples)
            }
            current.append((65...90).contains(byte) ? byte | 0x20 : byte)
        }
        if !current.isEmpty { tokens.append(Token(bytes: current, offset: end - current.count)) }
        guard !tokens.isEmpty else {
            throw TimeLanguageError(.empty, at: 0, "There is no time in an empty text.", examples: TimeTokens.examples)
        }
        all = tokens
    }

    static let examples = ["yesterday 14:00", "2h ago", "2026-03-02 14:00"]
}
