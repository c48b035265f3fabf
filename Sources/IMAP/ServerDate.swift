/// `date-time` of RFC 9051: `" 1-Feb-2020 09:00:00 +0000"`.
public enum ServerDate {
    private static let months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]

    /// Seconds since 1970; nil for what is no date.
    public static func seconds(_ text: [UInt8]) -> Int64? {
        let words = text.split(separator: UInt8(ascii: " "))
        guard words.count == 3 else { return nil }
        let date = words[0].split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        let time = words[1].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard date.count == 3, time.count == 3, words[2].count == 5,
            let day = number(date[0], 1...2), let month = months.firstIndex(where: { isSameWord(date[1], $0) }),
            let year = number(date[2], 4...4), let hour = number(time[0], 1...2), let minute = number(time[1], 2...2),
            let second = number(time[2], 2...2), let zone = number(words[2].dropFirst(), 4...4),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        let sign: Int64
        switch words[2].first {
        case UInt8(ascii: "+"): sign = 1
        case UInt8(ascii: "-"): sign = -1
        default: return nil
        }
        let seconds = days(year, Int64(month + 1), day) * 86_400 + hour * 3_600 + minute * 60 + second
        return seconds - sign * (zone / 100 * 3_600 + zone % 100 * 60)
    }

    /// In UTC, as a client says it, without the quotes.
    public static func text(seconds: Int64) -> [UInt8] {
        // Years a server can be told: four digits.
        let clamped = min(max(seconds, -62_167_219_200), 253_402_300_799)
        let dayNumber = clamped >= 0 ? clamped / 86_400 : (clamped - 86_399) / 86_400
        let rest = clamped - dayNumber * 86_400
        let (year, month, day) = civil(dayNumber)
        let name = months[Int(month - 1)]
        let shown = name.prefix(1) + name.dropFirst().lowercased()
        return Array(
            "\(padded(day, 2))-\(shown)-\(padded(year, 4)) \(padded(rest / 3_600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2)) +0000"
                .utf8)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private static func number(_ text: some Collection<UInt8>, _ width: ClosedRange<Int>) -> Int64? {
        guard width.contains(text.count), text.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return text.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    /// Days since 1970 of a day of the Gregorian calendar, by Howard Hinnant's method.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
