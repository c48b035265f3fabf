import Events
import Foundation
import TestKit
import Testing

struct TimestampTests {
    @Test("Civil times agree with Foundation's Gregorian calendar from 1583 to 9999")
    func foundation() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        var generator = SeededGenerator.announced()
        for _ in 0..<3_000 {
            let seconds = Int64.random(in: -12_212_553_600..<253_402_300_800, using: &generator)
            let civil = Timestamp(seconds: seconds).civil()
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second], from: Date(timeIntervalSince1970: Double(seconds)))
            #expect(
                [Int(civil.year), civil.month, civil.day, civil.hour, civil.minute, civil.second]
                    == [parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second])
        }
    }

    @Test("Every day of 800 years has its civil date, which leads back to it")
    func days() {
        var expected = (year: Int64(1600), month: 1, day: 1)
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        for day in Int64(-135_140)..<(-135_140 + 292_194) {
            let time = Timestamp(seconds: day * 86_400)
            let civil = time.civil()
            guard civil.year == expected.year, civil.month == expected.month, civil.day == expected.day,
                Timestamp(civil) == time
            else {
                Issue.record("day \(day) is \(civil), not \(expected)")
                return
            }
            let isLeap = expected.year % 4 == 0 && (expected.year % 100 != 0 || expected.year % 400 == 0)
            let length = lengths[expected.month - 1] + (expected.month == 2 && isLeap ? 1 : 0)
            expected.day += 1
            if expected.day > length { (expected.month, expected.day) = (expected.month + 1, 1) }
            if expected.month > 12 { (expected.year, expected.month) = (expected.year + 1, 1) }
        }
    }

    @Test("Any instant there can be has a civil time that leads back to it")
    func extremes() {
        var generator = SeededGenerator.announced()
        let raw = [Int64.min, .min + 1, -1, 0, 1, .max - 1, .max, -62_135_596_800_000_000]
        for value in raw + (0..<2_000).map({ _ in Int64(bitPattern: generator.next()) }) {
            let time = Timestamp(rawValue: value)
            #expect(Timestamp(time.civil()) == time)
            #expect(!time.description.isEmpty)
            for offset in [Int64(-50_400), 19_800, 50_400] {
                #expect(Timestamp(time.civil(offsetSeconds: offset), offsetSeconds: offset) == time)
            }
        }
    }

    @Test("Seconds and years beyond what can be kept become the first or the last instant")
    func saturating() {
        #expect(Timestamp(seconds: .max).rawValue == .max)
        #expect(Timestamp(seconds: .min).rawValue == .min)
        #expect(Timestamp(seconds: 9_223_372_036_854, nanoseconds: 999_999_999).rawValue == .max)
        #expect(Timestamp(CivilTime(year: .max, month: 1, day: 1)).rawValue == .max)
        #expect(Timestamp(CivilTime(year: .min, month: 1, day: 1)).rawValue == .min)
        #expect(Timestamp(CivilTime(year: 400_000, month: 1, day: 1)).rawValue == .max)
    }

    @Test("Times are written as RFC 3339 in UTC with microseconds")
    func text() {
        #expect(Timestamp(rawValue: 1_772_456_318_123_456).description == "2026-03-02T12:58:38.123456Z")
        #expect(Timestamp(rawValue: -1).description == "1969-12-31T23:59:59.999999Z")
        #expect(Timestamp(seconds: -62_135_596_800).description == "0001-01-01T00:00:00.000000Z")
        #expect(Timestamp(seconds: 951_782_400).description == "2000-02-29T00:00:00.000000Z")
    }

    @Test("Seconds are rounded down, before 1970 too")
    func rounding() {
        let time = Timestamp(rawValue: -1_500_001)
        #expect(time.seconds == -2)
        #expect(time.microsecondsOfSecond == 499_999)
    }
}
