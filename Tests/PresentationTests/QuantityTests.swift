import Events
import Testing

@testable import Presentation

@Suite struct QuantityTests {
    @Test func `numbers have commas between their thousands`() {
        #expect(Quantity.count(0) == "0")
        #expect(Quantity.count(999) == "999")
        #expect(Quantity.count(1_000) == "1,000")
        #expect(Quantity.count(-12_431) == "-12,431")
        #expect(Quantity.count(Int64.min) == "-9,223,372,036,854,775,808")
        #expect(Quantity.count(UInt64.max) == "18,446,744,073,709,551,615")
        #expect(Quantity.count(1, "message") == "1 message")
        #expect(Quantity.count(0, "reply", "replies") == "0 replies")
    }

    @Test func `sizes have the units of IEC`() {
        let cases: [(UInt64, String)] = [
            (0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (1_536, "1.5 KiB"), (10 * 1_024, "10 KiB"),
            (48_211, "47 KiB"), (1_048_575, "1.0 MiB"), (1_048_576, "1.0 MiB"), (3_328_599_655, "3.1 GiB"),
            (1 << 60, "1.0 EiB"), (.max, "16 EiB"),
        ]
        for (number, text) in cases { #expect(Quantity.bytes(number) == text) }
        #expect(Quantity.bytes(-1_536) == "-1.5 KiB")
    }

    @Test func `durations are told by their two largest units`() {
        let cases: [(Int64, String)] = [
            (-1, "0 µs"), (320_000, "320 ms"), (4_250_000, "4.2 s"), (59_000_000, "59 s"), (80_000_000, "1 min 20 s"),
            (3_600_000_000, "1 h"), (11_100_000_000, "3 h 5 min"),
            (86_400_000_000 * 12 + 4 * 3_600_000_000, "12 d 4 h"),
        ]
        for (number, text) in cases { #expect(Quantity.duration(microseconds: number) == text) }
        #expect(Quantity.duration(.seconds(80)) == "1 min 20 s")
        #expect(Quantity.duration(.seconds(Int64.max)) == Quantity.duration(microseconds: .max))
    }

    @Test func `an instant is told by how far it is from now`() {
        let now = Timestamp(seconds: 1_772_546_400)
        func ago(_ seconds: Int64) -> String { Quantity.relative(Timestamp(seconds: now.seconds - seconds), now: now) }
        #expect(ago(0) == "just now")
        #expect(ago(1) == "1 second ago")
        #expect(ago(119) == "1 minute ago")
        #expect(ago(3 * 86_400) == "3 days ago")
        #expect(ago(9 * 86_400) == "9 days ago")
        #expect(ago(15 * 86_400) == "2 weeks ago")
        #expect(ago(-7_200) == "in 2 hours")
        #expect(Quantity.relative(Timestamp(rawValue: .min), now: Timestamp(rawValue: .max)).hasSuffix("years ago"))
    }

    @Test func `a misspelt word is recognised, a strange one is not`() {
        #expect(Spelling.nearest(to: "yesteday", among: ["today", "yesterday"]) == "yesterday")
        #expect(Spelling.nearest(to: "form", among: ["from", "to"]) == "from")
        #expect(Spelling.nearest(to: "banana", among: ["from", "to"]) == nil)
    }
}
