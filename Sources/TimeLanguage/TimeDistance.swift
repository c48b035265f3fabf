import Events
import Presentation

/// How long ago: exact time (hours, minutes, seconds) and time of the calendar (days, weeks, months, years).
struct TimeDistance {
    var microseconds: Int64 = 0
    var days: Int64 = 0
    var months: Int64 = 0

    /// The day that is so many days and months before another; nil where no calendar goes.
    func day(before day: CivilDay) -> CivilDay? {
        guard months <= 120_000, days <= 4_000_000 else { return nil }
        return day.advanced(byMonths: -months).advanced(by: -days)
    }

    /// The instant: days are those of the calendar, so `1 day ago` is the same time of day across a clock change. Where
    /// that day does not show it, it is the one a clock would show that did not follow the change; where it is shown
    /// twice, the first.
    func before(_ now: Timestamp, in zone: Zone) -> Timestamp? {
        var time = now
        if days > 0 || months > 0 {
            var civil = now.civil(offsetSeconds: Int64(zone.offset(at: now)))
            let today = CivilDay(year: civil.year, month: civil.month, day: civil.day)
            guard let day = day(before: today) else { return nil }
            let midnight = day.midnight
            (civil.year, civil.month, civil.day) = (midnight.year, midnight.month, midnight.day)
            switch zone.reading(of: civil) {
            case .once(let found), .twice(let found, _), .never(_, let found): time = found
            }
        }
        let (result, overflow) = time.rawValue.subtractingReportingOverflow(microseconds)
        return overflow ? nil : Timestamp(rawValue: result)
    }
}

/// Reads `2h ago`, `1h30m ago`, `3 days ago`, `-90m`.
struct DistanceReader {
    private let tokens: TimeTokens
    private(set) var index = 0
    private var position = 0
    private var distance = TimeDistance()

    init(_ tokens: TimeTokens) { self.tokens = tokens }

    private var here: Int { index < tokens.all.count ? tokens.all[index].offset + position : tokens.end }
    private var byte: UInt8? { index < tokens.all.count ? tokens.all[index].bytes[position] : nil }

    private mutating func advance() {
        position += 1
        if position == tokens.all[index].bytes.count { (index, position) = (index + 1, 0) }
    }

    /// Leaves ``index`` at the first word after the distance.
    mutating func read() throws(TimeLanguageError) -> TimeDistance {
        let isNegative = byte == UInt8(ascii: "-")
        if isNegative { advance() }
        var count = 0
        // `-90m` ends where its word ends; the other form with `ago`.
        while let next = byte, isDigit(next), !(isNegative && count > 0 && position == 0) {
            try readPart()
            count += 1
        }
        if isNegative, position == 0 { return distance }
        guard position == 0, index < tokens.all.count, tokens.all[index].bytes == Array("ago".utf8) else {
            throw notUnderstood("A distance from now ends with 'ago'.", at: here)
        }
        index += 1
        return distance
    }

    private mutating func readPart() throws(TimeLanguageError) {
        let start = here
        var number: Int64 = 0
        let numberIndex = index
        while let next = byte, isDigit(next), index == numberIndex {
            number = number * 10 + Int64(next - 48)
            guard number <= 1_000_000_000_000 else {
                throw TimeLanguageError(
                    .outOfRange, at: start, "That is longer ago than there is history.", examples: ["first"])
            }
            advance()
        }
        let unitStart = here
        var unit: [UInt8] = []
        let unitIndex = index
        while let next = byte, (97...122).contains(next), index == unitIndex {
            unit.append(next)
            advance()
        }
        let name = String(decoding: unit, as: UTF8.self)
        guard !name.isEmpty, name != "ago" else {
            throw notUnderstood(
                "The unit is missing: a number alone is not a time, and a time of day has minutes.", at: unitStart)
        }
        switch name {
        case "s", "sec", "secs", "second", "seconds": add(exact: number, 1_000_000)
        case "m", "min", "mins", "minute", "minutes": add(exact: number, 60_000_000)
        case "h", "hr", "hrs", "hour", "hours": add(exact: number, 3_600_000_000)
        case "d", "day", "days": distance.days += number
        case "w", "week", "weeks": distance.days += 7 * number
        case "mo", "month", "months": distance.months += number
        case "y", "year", "years": distance.months += 12 * number
        default:
            let units = ["seconds", "minutes", "hours", "days", "weeks", "months", "years"]
            let meant = Spelling.nearest(to: name, among: units).map { "; did you mean '\($0)'?" } ?? "."
            throw notUnderstood(
                "'\(TerminalText.safe(name, maxColumns: 40))' is not a unit of time\(meant)", at: unitStart)
        }
    }

    private mutating func add(exact number: Int64, _ unit: Int64) {
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        let (sum, beyond) = distance.microseconds.addingReportingOverflow(overflow ? .max : product)
        distance.microseconds = beyond ? .max : sum
    }

    private func notUnderstood(_ message: String, at offset: Int) -> TimeLanguageError {
        TimeLanguageError(
            .notUnderstood, at: offset, message, examples: ["2h ago", "90m ago", "3 days ago 14:00", "14:00"])
    }
}
