/// An instant: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
public struct Timestamp: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }

    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        // Saturating: a file may carry any number as its time.
        rawValue = Int64(clamping: Int128(seconds) * 1_000_000 + Int128(nanoseconds / 1_000))
    }

    /// Whole seconds since 1970, rounded down.
    public var seconds: Int64 { Timestamp.floorDivide(rawValue, 1_000_000).quotient }
    /// The rest of the second, 0 ..< 1,000,000.
    public var microsecondsOfSecond: Int64 { Timestamp.floorDivide(rawValue, 1_000_000).remainder }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.rawValue < right.rawValue }

    static func floorDivide(_ value: Int64, _ by: Int64) -> (quotient: Int64, remainder: Int64) {
        var (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
        if remainder < 0 {
            quotient -= 1
            remainder += by
        }
        return (quotient, remainder)
    }
}

/// A day and a time of day of the proleptic Gregorian calendar, without a zone.
public struct CivilTime: Hashable, Sendable {
    public var year: Int64
    public var month, day, hour, minute, second: Int
    public var microsecond: Int

    public init(
        year: Int64, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0
    ) {
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second, self.microsecond) = (hour, minute, second, microsecond)
    }
}

extension Timestamp {
    /// The civil time at this instant, `offsetSeconds` east of UTC.
    public func civil(offsetSeconds: Int64 = 0) -> CivilTime {
        let shifted = seconds + offsetSeconds
        let (days, secondOfDay) = Timestamp.floorDivide(shifted, 86_400)
        // Days to date: the algorithm of the 400-year era (146,097 days), which begins on 1 March.
        let (era, dayOfEra) = Timestamp.floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return CivilTime(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: Int(month),
            day: Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1), hour: Int(secondOfDay / 3_600),
            minute: Int(secondOfDay / 60 % 60), second: Int(secondOfDay % 60), microsecond: Int(microsecondsOfSecond))
    }

    /// The instant of a civil time that is `offsetSeconds` east of UTC; the first or the last one there is when it lies
    /// beyond.
    public init(_ civil: CivilTime, offsetSeconds: Int64 = 0) {
        // Instants end 292,277 years from 1970: no greater year need be computed with.
        let bounded = min(max(civil.year, -400_000), 400_000)
        let year = civil.month <= 2 ? bounded - 1 : bounded
        let (era, yearOfEra) = Timestamp.floorDivide(year, 400)
        let month = Int64(civil.month)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + Int64(civil.day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let seconds = days * 86_400 + Int64(civil.hour * 3_600 + civil.minute * 60 + civil.second) - offsetSeconds
        self.init(rawValue: Int64(clamping: Int128(seconds) * 1_000_000 + Int128(civil.microsecond)))
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with microseconds: `2026-03-02T12:58:38.123456Z`.
    public var description: String {
        var writer = JSONWriter(capacity: 32)
        writer.appendTimestamp(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
