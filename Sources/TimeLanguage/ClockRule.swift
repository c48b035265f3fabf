import Events

/// When clocks change, year after year, as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX.1-2024, 8.3, `TZ`, with
/// the wider hours of RFC 9636, section 3.3.2).
struct ClockRule: Sendable, Equatable {
    /// Seconds east of UTC, and those of daylight saving time.
    let standard: Int32
    private let daylight: Daylight?

    private struct Daylight: Equatable {
        let offset: Int32
        let begin, end: Day
    }

    /// A day of a year and the second of it (may be before or after that day).
    private struct Day: Equatable {
        enum Kind: Equatable {
            /// Day 1 ... 365, 29 February never counted.
            case julian(Int64)
            /// Day 0 ... 365.
            case ordinal(Int64)
            /// The n-th (5: the last) of a weekday (0: Sunday) in a month.
            case weekday(month: Int, week: Int64, day: Int64)
        }
        let kind: Kind
        let second: Int64

        /// Seconds since 1970 of a local clock that knows no zone.
        func local(year: Int64) -> Int64 {
            let newYear = Timestamp(CivilTime(year: year, month: 1, day: 1)).seconds / 86_400
            let day: Int64
            switch kind {
            case .julian(let number):
                let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
                day = newYear + number - 1 + (isLeap && number >= 60 ? 1 : 0)
            case .ordinal(let number):
                day = newYear + number
            case .weekday(let month, let week, let weekday):
                let first = Timestamp(CivilTime(year: year, month: month, day: 1)).seconds / 86_400
                let next = CivilTime(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
                let length = Timestamp(next).seconds / 86_400 - first
                // 1 January 1970 was a Thursday.
                let firstWeekday = ((first + 4) % 7 + 7) % 7
                var offset = (weekday - firstWeekday + 7) % 7 + 7 * (week - 1)
                if offset >= length { offset -= 7 }
                day = first + offset
            }
            return day * 86_400 + second
        }
    }

    func offset(atSecond second: Int64) -> Int64 {
        guard let daylight else { return Int64(standard) }
        // Clocks of far years change as in the last that has four digits: the sums below stay far from overflow.
        let second = min(max(second, Timestamp.firstWritten.seconds), Timestamp.lastWritten.seconds)
        let year = Timestamp(seconds: second).civil(offsetSeconds: Int64(standard)).year
        let begin = daylight.begin.local(year: year) - Int64(standard)
        let end = daylight.end.local(year: year) - Int64(daylight.offset)
        let isDaylight = begin < end ? begin <= second && second < end : !(end <= second && second < begin)
        return Int64(isDaylight ? daylight.offset : standard)
    }

    init?(_ text: [UInt8]) {
        guard text.count <= 128 else { return nil }
        var reader = Reader(text: text)
        guard reader.name(), let west = reader.clock(limit: 24) else { return nil }
        standard = Int32(-west)
        if reader.isAtEnd {
            daylight = nil
            return
        }
        guard reader.name() else { return nil }
        var offset = standard + 3_600
        if let next = reader.peek, next != UInt8(ascii: ",") {
            guard let west = reader.clock(limit: 24) else { return nil }
            offset = Int32(-west)
        }
        guard reader.take(","), let begin = reader.day(), reader.take(","), let end = reader.day(), reader.isAtEnd
        else {
            return nil
        }
        daylight = Daylight(offset: offset, begin: begin, end: end)
    }

    private struct Reader {
        let text: [UInt8]
        var index = 0

        init(text: [UInt8]) { self.text = text }

        var isAtEnd: Bool { index == text.count }
        var peek: UInt8? { index < text.count ? text[index] : nil }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard peek == UInt8(ascii: character) else { return false }
            index += 1
            return true
        }

        /// At least three letters, or anything of letters, digits and signs between `<` and `>`.
        mutating func name() -> Bool {
            let isQuoted = take("<")
            let start = index
            while let character = peek {
                let isLetter = (65...90).contains(character & 0xDF)
                let isOther = (48...57).contains(character) || character == 43 || character == 45
                guard isLetter || (isQuoted && isOther) else { break }
                index += 1
            }
            return index - start >= 3 && (!isQuoted || take(">"))
        }

        mutating func number(limit: Int64) -> Int64? {
            var value: Int64 = 0
            let start = index
            while let character = peek, (48...57).contains(character), index - start < 4 {
                value = value * 10 + Int64(character - 48)
                index += 1
            }
            return index > start && value <= limit ? value : nil
        }

        /// `[+-]h[h[h]][:mm[:ss]]` in seconds.
        mutating func clock(limit: Int64) -> Int64? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard var seconds = number(limit: limit) else { return nil }
            seconds *= 3_600
            if take(":") {
                guard let minutes = number(limit: 59) else { return nil }
                seconds += 60 * minutes
                if take(":") {
                    guard let rest = number(limit: 59) else { return nil }
                    seconds += rest
                }
            }
            return isNegative ? -seconds : seconds
        }

        mutating func day() -> Day? {
            let kind: Day.Kind
            if take("M") {
                guard let month = number(limit: 12), month > 0, take("."), let week = number(limit: 5), week > 0,
                    take("."), let day = number(limit: 6)
                else { return nil }
                kind = .weekday(month: Int(month), week: week, day: day)
            } else if take("J") {
                guard let day = number(limit: 365), day > 0 else { return nil }
                kind = .julian(day)
            } else {
                guard let day = number(limit: 365) else { return nil }
                kind = .ordinal(day)
            }
            var second: Int64 = 7_200
            if take("/") {
                guard let clock = clock(limit: 167) else { return nil }
                second = clock
            }
            return Day(kind: kind, second: second)
        }
    }
}
