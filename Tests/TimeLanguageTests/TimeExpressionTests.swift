import Events
import Testing

@testable import TimeLanguage

let rome = Zone(name: "Europe/Rome", posixRule: "CET-1CEST,M3.5.0,M10.5.0/3")!

/// Tuesday 3 March 2026, 14:31:58.250 in Rome.
let now = Timestamp(CivilTime(year: 2026, month: 3, day: 3, hour: 13, minute: 31, second: 58, microsecond: 250_000))

func parse(
    _ text: String, _ role: TimeExpression.Role = .at, now: Timestamp = now, zone: Zone = rome
) throws(TimeLanguageError) -> TimeExpression {
    try TimeExpression.parse(text, role: role, now: now, zone: zone)
}

/// The instant in UTC, as RFC 3339 writes it.
func utc(_ text: String, _ role: TimeExpression.Role = .at, now: Timestamp = now, zone: Zone = rome) throws -> String {
    guard case .instant(let time) = try parse(text, role, now: now, zone: zone) else { return "no instant" }
    return time.description
}

@Suite struct TimeExpressionTests {
    @Test(arguments: [
        ("now", "2026-03-03T13:31:58.250000Z"),
        ("  NOW\t", "2026-03-03T13:31:58.250000Z"),
        ("today", "2026-03-03T22:59:59.999999Z"),
        ("yesterday", "2026-03-02T22:59:59.999999Z"),
        ("yesterday 14:00", "2026-03-02T13:00:00.000000Z"),
        ("Yesterday   9:05", "2026-03-02T08:05:00.000000Z"),
        ("monday 09:30", "2026-03-02T08:30:00.000000Z"),
        ("Wed 09:30", "2026-02-25T08:30:00.000000Z"),
        ("monday", "2026-03-02T22:59:59.999999Z"),
        ("14:00", "2026-03-03T13:00:00.000000Z"),
        ("2h ago", "2026-03-03T11:31:58.250000Z"),
        ("90m ago", "2026-03-03T12:01:58.250000Z"),
        ("45s ago", "2026-03-03T13:31:13.250000Z"),
        ("1h30m ago", "2026-03-03T12:01:58.250000Z"),
        ("1 hour 30 minutes ago", "2026-03-03T12:01:58.250000Z"),
        ("-90m", "2026-03-03T12:01:58.250000Z"),
        ("3 days ago", "2026-02-28T13:31:58.250000Z"),
        ("3 days ago 14:00", "2026-02-28T13:00:00.000000Z"),
        ("2 weeks ago", "2026-02-17T13:31:58.250000Z"),
        ("1 month ago", "2026-02-03T13:31:58.250000Z"),
        ("2 years ago 00:00", "2024-03-02T23:00:00.000000Z"),
        ("2026-03-03", "2026-03-03T22:59:59.999999Z"),
        ("2026-03-03 14:00", "2026-03-03T13:00:00.000000Z"),
        ("2026-03-03 14:00:05", "2026-03-03T13:00:05.000000Z"),
        ("2026-03-03 14:00:05.250", "2026-03-03T13:00:05.250000Z"),
        ("2026-03-03T14:00:05.123456789012345678Z", "2026-03-03T14:00:05.123456Z"),
        ("2026-03-03t14:00:05.9999999z", "2026-03-03T14:00:05.999999Z"),
        ("2026-03-03T14:00:05-05:30", "2026-03-03T19:30:05.000000Z"),
        ("2026-03-03T14:00:05.1+0100", "2026-03-03T13:00:05.100000Z"),
        ("2026-03-03 14:00 Z", "2026-03-03T14:00:00.000000Z"),
        ("2026-03-03 14:00 america/new_york", "2026-03-03T19:00:00.000000Z"),
        ("2026-03-03T14:00:00[Europe/Rome]", "2026-03-03T13:00:00.000000Z"),
        ("2026-03-03 Z", "2026-03-03T23:59:59.999999Z"),
        ("2026-03-03+01:00", "2026-03-03T22:59:59.999999Z"),
        ("14:00 +02:00", "2026-03-03T12:00:00.000000Z"),
        ("14:00Asia/Tokyo", "2026-03-03T05:00:00.000000Z"),
        ("yesterday Pacific/Kiritimati", "2026-03-03T09:59:59.999999Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("0001-01-01 00:00 Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31 Z", "9999-12-31T23:59:59.999999Z"),
    ])
    func `a time is understood`(text: String, expected: String) throws {
        #expect(try utc(text) == expected)
    }

    @Test func `a bare day begins a range with its first microsecond and ends it with its last`() throws {
        for text in ["2026-03-02", "yesterday", "monday"] {
            #expect(try utc(text, .from) == "2026-03-01T23:00:00.000000Z")
            #expect(try utc(text, .to) == "2026-03-02T22:59:59.999999Z")
            #expect(try utc(text, .at) == "2026-03-02T22:59:59.999999Z")
        }
    }

    @Test func `days of 23 and 25 hours begin and end where they do`() throws {
        #expect(try utc("2026-03-29", .from) == "2026-03-28T23:00:00.000000Z")
        #expect(try utc("2026-03-29", .to) == "2026-03-29T21:59:59.999999Z")
        #expect(try utc("2026-10-25", .from) == "2026-10-24T22:00:00.000000Z")
        #expect(try utc("2026-10-25", .to) == "2026-10-25T22:59:59.999999Z")
    }

    @Test func `a day whose midnight is skipped or shown twice begins with its first instant`() throws {
        let beirut = Zone(name: "Asia/Beirut", posixRule: "EET-2EEST,M3.5.0/0,M10.5.0/0")!
        #expect(try utc("2026-03-29", .from, zone: beirut) == "2026-03-28T22:00:00.000000Z")
        #expect(try utc("2026-03-28", .to, zone: beirut) == "2026-03-28T21:59:59.999999Z")
        let havana = Zone(name: "America/Havana", posixRule: "CST5CDT,M3.2.0/0,M11.1.0/1")!
        #expect(try utc("2026-11-01", .from, zone: havana) == "2026-11-01T04:00:00.000000Z")
        #expect(try utc("2026-10-31", .to, zone: havana) == "2026-11-01T03:59:59.999999Z")
    }

    @Test func `a weekday that is today is today once its time has come, until then a week ago`() throws {
        #expect(try utc("tuesday 14:31") == "2026-03-03T13:31:00.000000Z")
        #expect(try utc("tuesday 14:32") == "2026-02-24T13:32:00.000000Z")
        #expect(try utc("tuesday") == "2026-02-24T22:59:59.999999Z")
        #expect(try utc("tuesday", .from) == "2026-02-23T23:00:00.000000Z")
    }

    @Test func `a time of day alone is today's, also when it is still to come`() throws {
        #expect(try utc("23:00") == "2026-03-03T22:00:00.000000Z")
    }

    @Test func `a time that clocks showed twice is refused, and both readings are named`() throws {
        let error = #expect(throws: TimeLanguageError.self) { try parse("2026-10-25 02:30") }
        #expect(error?.problem == .ambiguous)
        #expect(error?.readings.map(\.description) == ["2026-10-25T00:30:00.000000Z", "2026-10-25T01:30:00.000000Z"])
        #expect(error?.examples == ["2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00"])
        for (example, reading) in zip(error?.examples ?? [], error?.readings ?? []) {
            #expect(try parse(example) == .instant(reading))
        }
        #expect(try utc("2026-10-25 03:00") == "2026-10-25T02:00:00.000000Z")
        #expect(try utc("2026-10-25 01:59:59") == "2026-10-24T23:59:59.000000Z")
    }

    @Test func `a time that clocks skipped is refused, and both readings are named`() throws {
        let error = #expect(throws: TimeLanguageError.self) { try parse("2026-03-29 02:30") }
        #expect(error?.problem == .skipped)
        #expect(error?.examples == ["2026-03-29 01:30:00 +01:00", "2026-03-29 03:30:00 +02:00"])
        #expect(error?.description.contains("Europe/Rome") == true)
        for (example, reading) in zip(error?.examples ?? [], error?.readings ?? []) {
            #expect(try parse(example) == .instant(reading))
        }
        #expect(try utc("2026-03-29 03:00") == "2026-03-29T01:00:00.000000Z")
        #expect(try utc("2026-03-29 01:59:59") == "2026-03-29T00:59:59.000000Z")
    }

    @Test func `a day that a zone left out is refused`() throws {
        let apia = try #require(ZoneDatabase.system.zone(named: "Pacific/Apia"))
        let error = #expect(throws: TimeLanguageError.self) { try parse("2011-12-30", zone: apia) }
        #expect(error?.problem == .skipped)
        #expect(try utc("2011-12-31", .from, zone: apia) == "2011-12-30T10:00:00.000000Z")
    }

    @Test func `days ago keep the time of day across a clock change, hours ago are exact`() throws {
        let later = Timestamp(CivilTime(year: 2026, month: 3, day: 30, hour: 0, minute: 30))
        #expect(try utc("2 days ago", now: later) == "2026-03-28T01:30:00.000000Z")
        #expect(try utc("48h ago", now: later) == "2026-03-28T00:30:00.000000Z")
        #expect(try utc("1 day ago", now: later) == "2026-03-29T01:30:00.000000Z")
        let end = Timestamp(CivilTime(year: 2026, month: 3, day: 31, hour: 12))
        #expect(try utc("1 month ago", now: end) == "2026-02-28T13:00:00.000000Z")
        #expect(try utc("1 month ago 12:00", now: end) == "2026-02-28T11:00:00.000000Z")
    }

    @Test func `places in the journal are understood`() throws {
        #expect(try parse("@184467") == .transaction(TransactionID(rawValue: 184_467)))
        #expect(try parse(" FIRST ") == .first)
        #expect(try parse("last") == .last)
        #expect(try parse("before:m7") == .before(ItemID(.message, 7)))
        let uuid = "0198c5a2-7d3e-7b11-9c60-2f4de1a0b7c3"
        #expect(try parse("op:\(uuid.uppercased())") == .operation(uuid, .after))
        #expect(try parse("op:\(uuid)^") == .operation(uuid, .before))
    }

    @Test func `what is shown can be written again`() throws {
        var generator = SplitMix(state: 2_026)
        for _ in 0..<2_000 {
            let seconds = Int64.random(in: -2_000_000_000...4_000_000_000, using: &generator)
            let time = Timestamp(seconds: seconds)
            #expect(try parse(time.described(in: rome)) == .instant(time), "\(seconds)")
            #expect(try parse(time.rfc3339(in: rome, microseconds: true)) == .instant(time), "\(seconds)")
        }
        for extreme in [Timestamp(rawValue: .min), Timestamp(rawValue: .max)] {
            #expect(!extreme.described(in: rome, .weekday).isEmpty)
        }
        #expect(now.described(in: rome, .weekday) == "Tue 2026-03-03 14:31:58 +01:00")
        #expect(now.described(in: rome, [.microseconds, .noZone]) == "2026-03-03 14:31:58.250000")
    }
}
