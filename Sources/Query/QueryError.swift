/// Why a text is not a query.
public struct QueryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where in the text, in bytes of its UTF-8 from its beginning.
    public let offset: Int
    /// What is wrong and why: one sentence, safe for a terminal.
    public let message: String
    /// What to write instead, where that is known: a text that would be understood.
    public let suggestion: String?

    init(at offset: Int, _ message: String, suggestion: String? = nil) {
        (self.offset, self.message, self.suggestion) = (offset, message, suggestion)
    }

    public var description: String { suggestion.map { "\(message) Write for example '\($0)'." } ?? message }
}
