/// The date of a postmark: month, day, time and year in any order, the zone between or after them.
struct EnvelopeDate {
    /// nil when there is no such day or hour.
    let seconds: Int64?
    /// East of UTC; nil when none stood there.
    let zone: Int64?
    /// The first token that does not belong to it.
    let end: Int

    static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"].map { Array($0.utf8) }
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"].map {
        Array($0.utf8)
    }
    private static let zones: [(String, Int64)] = [
        ("UTC", 0), ("GMT", 0), ("UT", 0), ("Z", 0), ("WET", 0), ("WEST", 1), ("BST", 1), ("CET", 1), ("MET", 1),
        ("CEST", 2), ("MEST", 2), ("MESZ", 2), ("MEZ", 1), ("EET", 2), ("EEST", 3), ("MSK", 3), ("JST", 9), ("EST", -5),
        ("EDT", -4), ("CST", -6), ("CDT", -5), ("MST", -7), ("MDT", -6), ("PST", -8), ("PDT", -7),
    ]

    /// nil unless all four parts are among the first seven tokens.
    init?(_ tokens: ArraySlice<ArraySlice<UInt8>>) {
        var (month, day, year): (Int64?, Int64?, Int64?)
        var time: Int64??
        var zone: Int64?
        var position = tokens.startIndex
        while position < tokens.endIndex, position - tokens.startIndex < 7 {
            let token = tokens[position]
            let isComplete = month != nil && day != nil && year != nil && time != nil
            if zone == nil, let value = Self.zone(token) {
                zone = value
            } else if isComplete {
                break
            } else if month == nil, let index = Self.months.firstIndex(where: { token.elementsEqual($0) }) {
                month = Int64(index + 1)
            } else if time == nil, let value = Self.time(token) {
                time = .some(value)
            } else if day == nil, token.count <= 2, let value = Self.number(token) {
                day = value
            } else if year == nil, token.count == 4, let value = Self.number(token) {
                year = value
            } else {
                return nil
            }
            position += 1
        }
        guard let month, let day, let year, let time else { return nil }
        end = position
        self.zone = zone
        let isDay = day >= 1 && day <= Self.days(month, year)
        seconds =
            isDay ? time.map { Self.daysSince1970(year, month, day) * 86_400 + $0 - (zone ?? 0) } : nil
    }

    /// `Www Mmm dd hh:mm:ss yyyy` in UTC, of a moment in the years 1970 to 9999.
    static func bytes(_ seconds: Int64) -> [UInt8] {
        let (days, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
        var year: Int64 = 1970 + days / 366
        while daysSince1970(year + 1, 1, 1) <= days { year += 1 }
        var month: Int64 = 12
        while daysSince1970(year, month, 1) > days { month -= 1 }
        let day = days - daysSince1970(year, month, 1) + 1
        func two(_ number: Int64, _ pad: String = "0") -> String { (number < 10 ? pad : "") + String(number) }
        let name = String(decoding: weekdays[Int(days % 7)], as: UTF8.self)
        let monthName = String(decoding: months[Int(month - 1)], as: UTF8.self)
        let time = "\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))"
        return Array("\(name) \(monthName) \(two(day, " ")) \(time) \(year)".utf8)
    }

    /// Seconds of the day of `h:mm` or `h:mm:ss`; nil when it has not that form, nil in it when out of range.
    private static func time(_ token: ArraySlice<UInt8>) -> Int64?? {
        let parts = token.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, parts.allSatisfy({ $0.count <= 2 }), let hour = number(parts[0]),
            let minute = number(parts[1]), let second = parts.count == 3 ? number(parts[2]) : 0
        else { return nil }
        return hour < 24 && minute < 60 && second <= 60 ? .some(hour * 3_600 + minute * 60 + second) : .some(nil)
    }

    private static func zone(_ token: ArraySlice<UInt8>) -> Int64? {
        if token.count == 5, token.first == UInt8(ascii: "+") || token.first == UInt8(ascii: "-"),
            let value = number(token.dropFirst())
        {
            let offset = (value / 100 * 60 + value % 100) * 60
            return token.first == UInt8(ascii: "-") ? -offset : offset
        }
        return zones.first { token.elementsEqual($0.0.utf8) }.map { $0.1 * 3_600 }
    }

    /// The number that the digits make; nil if there is anything else, or nothing, or more than four.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty, digits.count <= 4 else { return nil }
        var result: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            result = result * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return result
    }

    private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func days(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        // Leap days before a year from 0 on: it has at most four digits.
        func leapDays(_ year: Int64) -> Int64 {
            year <= 0 ? 0 : (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1
        }
        var result = (year - 1970) * 365 + leapDays(year) - leapDays(1970)
        for earlier in 1..<month { result += days(earlier, year) }
        return result + day - 1
    }
}
