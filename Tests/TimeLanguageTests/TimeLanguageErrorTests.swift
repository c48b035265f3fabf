import Events
import Testing

@testable import TimeLanguage

@Suite struct TimeLanguageErrorTests {
    @Test(arguments: [
        ("", TimeLanguageError.Problem.empty, 0), ("  ", .empty, 0), ("yesteday", .notUnderstood, 0),
        ("tomorrow", .notUnderstood, 0), ("yesterday 25:00", .outOfRange, 10), ("2026-13-01", .outOfRange, 5),
        ("2026-02-29", .outOfRange, 8), ("2026-3-2", .notUnderstood, 0), ("03/02/2026", .notUnderstood, 2),
        ("14:00 Europe/Rom", .unknownZone, 6), ("14:00 +25:00", .unknownZone, 6), ("14:00 Z Z", .notUnderstood, 8),
        ("2h", .notUnderstood, 2), ("2 ago", .notUnderstood, 2), ("2 fortnights ago", .notUnderstood, 2),
        ("2h ago 14:00", .notUnderstood, 7), ("now 14:00", .notUnderstood, 4), ("last monday", .notUnderstood, 5),
        ("@", .notUnderstood, 1), ("@-1", .notUnderstood, 1), ("@99999999999999999999", .outOfRange, 1),
        ("before:x7", .notUnderstood, 7), ("before:m99999999999", .notUnderstood, 7), ("op:31", .notUnderstood, 3),
        ("14:0", .notUnderstood, 4), ("14:00:", .notUnderstood, 6), ("14:00:60", .outOfRange, 6),
        ("99999999999999999999 days ago", .outOfRange, 0), ("999999999999 years ago", .outOfRange, 0),
        ("999999999999h ago", .outOfRange, 0), ("0000-01-01", .outOfRange, 0),
        ("14:00 ../../etc/passwd", .unknownZone, 6),
        ("14:00 /etc/localtime", .unknownZone, 6), ("yesterday\u{0}", .notUnderstood, 9),
        ("\u{202E}now", .notUnderstood, 0), ("2026-03-03T", .notUnderstood, 11), ("-", .notUnderstood, 0),
        ("1 day ago 2 days ago", .unknownZone, 10),
    ])
    func `what is no time is refused, with its place and what to write`(
        text: String, problem: TimeLanguageError.Problem, offset: Int
    ) {
        let error = #expect(throws: TimeLanguageError.self) { try parse(text) }
        #expect(error?.problem == problem)
        #expect(error?.offset == offset)
        #expect(error?.examples.isEmpty == false)
        for example in error?.examples ?? [] {
            #expect(throws: Never.self, "an example must itself be a time: \(example)") { try parse(example) }
        }
        #expect(error?.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E } == true)
    }

    @Test func `a misspelt word is recognised`() {
        let error = #expect(throws: TimeLanguageError.self) { try parse("yesteday 14:00") }
        #expect(error?.message == "'yesteday' is not a time; did you mean 'yesterday'?")
    }

    @Test func `a text of a mebibyte is refused at once`() {
        for text in ["9", "\u{0}", " ", "a", "-", "+", "é", ":"] {
            #expect(throws: TimeLanguageError.self) { try parse(String(repeating: text, count: 1 << 20)) }
        }
    }

    @Test func `no text traps`() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        let pieces = [
            "now", "today", "yesterday", "monday", "14:00", ":", "-", "+", "2026-03-03", "T", "Z", "ago", "9999999999",
            "h",
            " ", "  ", "@", "before:", "op:", "^", "m7", "Europe/Rome", ".", "999", "[", "]", "days", "0", "\u{0}", "é",
            "/",
        ]
        for _ in 0..<4_000 {
            let text = (0..<Int.random(in: 0..<8, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }.joined()
            for role in [TimeExpression.Role.at, .from] {
                for instant in [now, Timestamp(rawValue: .min), Timestamp(rawValue: .max)] {
                    do { _ = try parse(text, role, now: instant) } catch {
                        if error.offset > text.utf8.count { Issue.record("\(text) with seed \(seed)") }
                    }
                }
            }
        }
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
