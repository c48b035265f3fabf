import Events

extension Timestamp {
    /// The first and the last instant that the language can write, in any zone: those of the years 0 to 10000.
    static let firstWritten = Timestamp(CivilTime(year: 0, month: 1, day: 1))
    static let lastWritten = Timestamp(CivilTime(year: 10_000, month: 12, day: 31))
}

/// What a reading of a wall clock stands for in a zone.
enum LocalReading: Equatable {
    case once(Timestamp)
    /// Clocks went back: it was shown twice. The earlier instant first.
    case twice(Timestamp, Timestamp)
    /// Clocks went forward: it was never shown. By the offset after the change, and by the one before: the first is
    /// before the change, the second after it.
    case never(Timestamp, Timestamp)
}

extension Zone {
    /// The instants at which clocks in this zone show `civil`.
    func reading(of civil: CivilTime) -> LocalReading {
        let local = Timestamp(civil).seconds
        // Every zone is within a day of UTC, so these see the offsets on both sides of a change near `civil`.
        let before = offset(atSecond: local - 86_400)
        let after = offset(atSecond: local + 86_400)
        var found: [Int64] = []
        for offset in [before, after, offset(atSecond: local), offset(atSecond: local - before)]
        where self.offset(atSecond: local - offset) == offset && !found.contains(local - offset) {
            found.append(local - offset)
        }
        found.sort()
        func instant(_ second: Int64) -> Timestamp {
            Timestamp(rawValue: second * 1_000_000 + Int64(civil.microsecond))
        }
        switch found.count {
        case 1: return .once(instant(found[0]))
        case 0: return .never(instant(local - max(before, after)), instant(local - min(before, after)))
        default: return .twice(instant(found[0]), instant(found[found.count - 1]))
        }
    }

    /// The first instant of a day. Where clocks skip midnight, the day begins with the change; where they show it twice,
    /// the first time.
    func startOfDay(_ day: CivilDay) -> Timestamp {
        switch reading(of: day.midnight) {
        case .once(let time), .twice(let time, _): return time
        case .never(let early, let late):
            // The change is after `early`, which has the offset from before it, and not after `late`.
            var (low, high) = (early.seconds, late.seconds)
            let offsetBefore = offset(atSecond: low)
            while high - low > 1 {
                let middle = low + (high - low) / 2
                if offset(atSecond: middle) == offsetBefore { low = middle } else { high = middle }
            }
            return Timestamp(seconds: high)
        }
    }

    /// The day that calendars in this zone show at an instant.
    func day(at time: Timestamp) -> CivilDay {
        let civil = time.civil(offsetSeconds: Int64(offset(at: time)))
        return CivilDay(year: civil.year, month: civil.month, day: civil.day)
    }
}

/// A day of the proleptic Gregorian calendar, as the number of days since 1970-01-01.
struct CivilDay: Hashable, Comparable {
    var number: Int64

    init(number: Int64) { self.number = number }

    init(year: Int64, month: Int, day: Int) {
        number = Timestamp(CivilTime(year: year, month: month, day: day)).seconds / 86_400
    }

    /// 0: Sunday.
    var weekday: Int64 { ((number + 4) % 7 + 7) % 7 }

    var midnight: CivilTime { Timestamp(seconds: number * 86_400).civil() }

    func advanced(by days: Int64) -> CivilDay { CivilDay(number: number + days) }

    /// The same day of a month `months` later, or that month's last day where it is shorter.
    func advanced(byMonths months: Int64) -> CivilDay {
        let civil = midnight
        let index = civil.year * 12 + Int64(civil.month - 1) + months
        let (year, month) = (index >= 0 ? index / 12 : (index - 11) / 12, Int((index % 12 + 12) % 12) + 1)
        return CivilDay(year: year, month: month, day: min(civil.day, CivilDay.daysInMonth(year, month)))
    }

    static func daysInMonth(_ year: Int64, _ month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    static func < (left: CivilDay, right: CivilDay) -> Bool { left.number < right.number }
}
