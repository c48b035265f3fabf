public import Events

/// Why a text is not a time, said so that the next try can be right.
public struct TimeLanguageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What sort of thing is wrong.
    public enum Problem: Sendable {
        /// There is nothing.
        case empty
        /// Longer than any time is.
        case tooLong
        /// A word, sign or form that means nothing here.
        case notUnderstood
        /// A number that no clock, calendar or count shows.
        case outOfRange
        /// A zone that is not in the database.
        case unknownZone
        /// Clocks went back: the local time was shown twice (``TimeLanguageError/readings``).
        case ambiguous
        /// Clocks went forward: the local time (or day) was never shown (``TimeLanguageError/readings``).
        case skipped
    }

    public let problem: Problem
    /// Where in the text, in bytes of its UTF-8 from its beginning.
    public let offset: Int
    /// What is wrong and why: one sentence, safe for a terminal.
    public let message: String
    /// What to write instead: texts that would be understood.
    public let examples: [String]
    /// The two instants that may be meant, the earlier first; empty unless the text is ambiguous or skipped.
    public let readings: [Timestamp]

    init(_ problem: Problem, at offset: Int, _ message: String, examples: [String], readings: [Timestamp] = []) {
        (self.problem, self.offset, self.message) = (problem, offset, message)
        (self.examples, self.readings) = (examples, readings)
    }

    /// The message and the examples: `… Write for example: yesterday 14:00, 2h ago.`
    public var description: String {
        guard !examples.isEmpty else { return message }
        return message + " Write " + (readings.isEmpty ? "for example: " : "")
            + examples.map { "'\($0)'" }.joined(
                separator: readings.isEmpty ? ", " : " or ") + "."
    }
}
