import Events
import Presentation

/// A time told by calendar and clock: a day, a time of day, a distance from now, and a zone, as far as they are said.
struct TimePhrase {
    enum Day {
        /// `today`, `yesterday`.
        case relative(Int64)
        /// 0: Sunday.
        case weekday(Int64)
        case date(CivilDay)
    }

    /// A time of day, with the microseconds that are left of its fraction.
    struct Clock {
        var hour = 0
        var minute = 0
        var second = 0
        var microsecond = 0
        /// 23:59:60: the second that clocks of computers do not have. It is the one after.
        var isLeapSecond = false
    }

    enum Base {
        case now
        case day(Day)
        case distance(TimeDistance)
        case clockOnly
    }

    private let tokens: TimeTokens
    private var index = 0
    private var base = Base.now
    private var clock: Clock?
    private var clockOffset = 0
    private var zone = Zone.utc
    private var now = Timestamp(rawValue: 0)
    /// Whether the text names a zone by an offset.
    private var hasZone = false

    init(_ tokens: TimeTokens) { self.tokens = tokens }

    private var token: TimeTokens.Token? { index < tokens.all.count ? tokens.all[index] : nil }

    // MARK: Reading

    mutating func parse(now: Timestamp, zone: Zone, zones: ZoneDatabase) throws(TimeLanguageError) {
        (self.now, self.zone) = (now, zone)
        try parseBase(zones)
        if clock == nil, !hasZone, let token, token.bytes.contains(UInt8(ascii: ":")), isDigit(token.bytes[0]) {
            index += 1
            if case .now = base {
                throw notUnderstood(token, "'now' is an instant already: no time of day can stand after it.")
            }
            try parseClock(token, from: 0, zones)
        }
        if let token {
            index += 1
            // The zone may be said once.
            if hasZone { throw notUnderstood(token, "The zone has been said already.") }
            try parseZone(token, from: 0, zones)
        }
        if let token { throw notUnderstood(token, "Nothing can stand after the zone.") }
    }

    private mutating func parseBase(_ zones: ZoneDatabase) throws(TimeLanguageError) {
        let token = tokens.all[0]
        let bytes = token.bytes
        index = 1
        if isDigit(bytes[0]) || (bytes[0] == UInt8(ascii: "-") && bytes.count > 1 && isDigit(bytes[1])) {
            if bytes.count >= 5, bytes[..<4].allSatisfy(isDigit), bytes[4] == UInt8(ascii: "-") {
                return try parseDate(token, zones)
            }
            if bytes.contains(UInt8(ascii: ":")), bytes[0] != UInt8(ascii: "-") {
                base = .clockOnly
                return try parseClock(token, from: 0, zones)
            }
            var reader = DistanceReader(tokens)
            base = .distance(try reader.read())
            index = reader.index
            return
        }
        switch token.text {
        case "now": base = .now
        case "today": base = .day(.relative(0))
        case "yesterday": base = .day(.relative(-1))
        case let word:
            guard let weekday = TimePhrase.weekdays.firstIndex(where: { $0.contains(word) }) else {
                throw unknownWord(token)
            }
            base = .day(.weekday(Int64(weekday)))
        }
    }

    private static let weekdays = [
        ["sunday", "sun"], ["monday", "mon"], ["tuesday", "tue", "tues"], ["wednesday", "wed"],
        ["thursday", "thu", "thur", "thurs"], ["friday", "fri"], ["saturday", "sat"],
    ]

    /// `2026-03-03`, and what is attached to it: `T14:00…`, a zone.
    private mutating func parseDate(_ token: TimeTokens.Token, _ zones: ZoneDatabase) throws(TimeLanguageError) {
        let bytes = token.bytes
        let shape = bytes.count >= 10 && bytes[7] == UInt8(ascii: "-")
        guard shape, let year = digits(bytes[0..<4]), let month = digits(bytes[5..<7]), let day = digits(bytes[8..<10])
        else {
            throw TimeLanguageError(
                .notUnderstood, at: token.offset,
                "'\(shown(token))' is not a date: one is YYYY-MM-DD, with both zeros.",
                examples: ["2026-03-03", "2026-03-03 14:00"])
        }
        guard (1...12).contains(month) else {
            throw outOfRange(token, 5, "There is no month \(month): a date is YYYY-MM-DD.", "2026-03-03")
        }
        let length = CivilDay.daysInMonth(Int64(year), month)
        guard (1...length).contains(day) else {
            throw outOfRange(
                token, 8, "There is no day \(day) in that month: it has \(length).",
                "\(String(decoding: bytes[..<7], as: UTF8.self))-\(length)")
        }
        guard year > 0 else { throw outOfRange(token, 0, "There is no year 0.", "2026-03-03") }
        base = .day(.date(CivilDay(year: Int64(year), month: month, day: day)))
        if bytes.count == 10 { return }
        if bytes[10] == UInt8(ascii: "t") {
            try parseClock(token, from: 11, zones)
        } else {
            try parseZone(token, from: 10, zones)
        }
    }

    /// `14:00[:05[.250]]`, and a zone attached to it.
    private mutating func parseClock(_ token: TimeTokens.Token, from start: Int, _ zones: ZoneDatabase)
        throws(TimeLanguageError)
    {
        let bytes = token.bytes
        var position = start
        func field(_ counts: ClosedRange<Int>, _ position: inout Int) -> Int? {
            let first = position
            while position < bytes.count, position - first < counts.upperBound, isDigit(bytes[position]) {
                position += 1
            }
            return position - first >= counts.lowerBound ? digits(bytes[first..<position]) : nil
        }
        func take(_ character: Unicode.Scalar, _ position: inout Int) -> Bool {
            guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }
        func malformed(_ position: Int) -> TimeLanguageError {
            TimeLanguageError(
                .notUnderstood, at: token.offset + min(position, bytes.count),
                "'\(shown(token))' is not a time of day: one is HH:MM, HH:MM:SS or HH:MM:SS.fraction, of 24 hours.",
                examples: ["14:00", "14:00:05.250"])
        }
        var clock = Clock()
        guard let hour = field(1...2, &position), take(":", &position), let minute = field(2...2, &position) else {
            throw malformed(position)
        }
        (clock.hour, clock.minute) = (hour, minute)
        let secondStart = position + 1
        if take(":", &position) {
            guard let second = field(2...2, &position) else { throw malformed(position) }
            clock.second = second
            if take(".", &position) || take(",", &position) {
                let first = position
                // Digits below the microsecond are dropped, not rounded: a time is never later than was written.
                while position < bytes.count, isDigit(bytes[position]) {
                    if position - first < 6 { clock.microsecond = clock.microsecond * 10 + Int(bytes[position] - 48) }
                    position += 1
                }
                guard position > first else { throw malformed(position) }
                for _ in (position - first)..<max(6, position - first) { clock.microsecond *= 10 }
            }
        }
        guard clock.hour <= 23 else {
            throw outOfRange(
                token, start, "There is no hour \(clock.hour): hours go from 00 to 23.", "00:\(twoDigits(UInt(minute)))"
            )
        }
        guard clock.minute <= 59 else { throw outOfRange(token, start, "There is no minute \(clock.minute).", "14:59") }
        if clock.second == 60, clock.minute == 59 { clock.isLeapSecond = true }
        guard clock.second <= 59 || clock.isLeapSecond else {
            throw outOfRange(token, secondStart, "There is no second \(clock.second).", "14:00:59")
        }
        self.clock = clock
        clockOffset = token.offset + start
        if position < bytes.count {
            guard let next = Optional(bytes[position]), !isDigit(next), next != UInt8(ascii: ":"),
                next != UInt8(ascii: ".")
            else { throw malformed(position) }
            try parseZone(token, from: position, zones)
        }
    }

    /// `Z`, `+01:00`, `+0100`, `+01`, `Europe/Rome`; in brackets too, as RFC 9557 writes it.
    private mutating func parseZone(_ token: TimeTokens.Token, from start: Int, _ zones: ZoneDatabase)
        throws(TimeLanguageError)
    {
        var bytes = token.bytes[start...]
        if bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]"), bytes.count > 2 {
            bytes = bytes.dropFirst().dropLast()
        }
        let text = String(decoding: bytes, as: UTF8.self)
        if let first = bytes.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
            guard let seconds = offsetSeconds(Array(bytes.dropFirst())) else {
                throw TimeLanguageError(
                    .unknownZone, at: token.offset + start,
                    "'\(TerminalText.safe(text, maxColumns: 40))' is not an offset from UTC: one is +HH:MM or -HH:MM.",
                    examples: ["14:00 +01:00"])
            }
            zone = Zone(offset: first == UInt8(ascii: "-") ? -seconds : seconds)
        } else {
            guard let found = zones.zone(named: text) else { throw unknownZone(token, start, text) }
            zone = found
        }
        hasZone = true
    }

    private func offsetSeconds(_ bytes: [UInt8]) -> Int? {
        let fields: [Int?]
        switch bytes.count {
        case 2: fields = [digits(bytes[0..<2])]
        case 4: fields = [digits(bytes[0..<2]), digits(bytes[2..<4])]
        case 5 where bytes[2] == 58: fields = [digits(bytes[0..<2]), digits(bytes[3..<5])]
        case 8 where bytes[2] == 58 && bytes[5] == 58:
            fields = [digits(bytes[0..<2]), digits(bytes[3..<5]), digits(bytes[6..<8])]
        default: return nil
        }
        var seconds = 0
        for (index, field) in fields.enumerated() {
            guard let field, field <= (index == 0 ? 23 : 59) else { return nil }
            seconds += field * [3_600, 60, 1][index]
        }
        return seconds
    }

    // MARK: Meaning

    /// The instant that is meant.
    func instant(role: TimeExpression.Role) throws(TimeLanguageError) -> Timestamp {
        let time: Timestamp
        switch base {
        case .now: time = now
        case .clockOnly: time = try resolve(zone.day(at: now), clock ?? Clock())
        case .day(let day): time = try instant(of: day, role)
        case .distance(let distance):
            guard let clock else {
                guard let instant = distance.before(now, in: zone) else { throw tooFar() }
                time = instant
                break
            }
            guard distance.microseconds == 0 else {
                throw TimeLanguageError(
                    .notUnderstood, at: clockOffset,
                    "A time of day can stand after days, weeks, months and years ago, not after hours ago.",
                    examples: ["3 days ago 14:00", "2h ago"])
            }
            guard let day = distance.day(before: zone.day(at: now)) else { throw tooFar() }
            time = try resolve(day, clock)
        }
        guard (Timestamp.firstWritten...Timestamp.lastWritten).contains(time) else { throw tooFar() }
        return time
    }

    private func instant(of day: Day, _ role: TimeExpression.Role) throws(TimeLanguageError) -> Timestamp {
        let today = zone.day(at: now)
        switch day {
        case .relative(let days): return try resolve(today.advanced(by: days), role)
        case .date(let date): return try resolve(date, role)
        case .weekday(let weekday):
            let daysAgo = (today.weekday - weekday + 7) % 7
            guard let clock else { return try resolve(today.advanced(by: daysAgo == 0 ? -7 : -daysAgo), role) }
            // Today's own weekday: today as soon as the time has come, until then a week ago.
            if daysAgo == 0 {
                let time = try? resolve(today, clock)
                if let time, time <= now { return time }
                return try resolve(today.advanced(by: -7), clock)
            }
            return try resolve(today.advanced(by: -daysAgo), clock)
        }
    }

    private func resolve(_ day: CivilDay, _ role: TimeExpression.Role) throws(TimeLanguageError) -> Timestamp {
        if let clock { return try resolve(day, clock) }
        let (begin, next) = (zone.startOfDay(day), zone.startOfDay(day.advanced(by: 1)))
        guard begin < next else {
            throw TimeLanguageError(
                .skipped, at: tokens.all[0].offset,
                "\(dateText(day.midnight)) was skipped in \(shownZone): no clock there ever showed that day.",
                examples: [dateText(day.advanced(by: -1).midnight), dateText(day.advanced(by: 1).midnight)],
                readings: [Timestamp(rawValue: begin.rawValue - 1), begin])
        }
        return role == .from ? begin : Timestamp(rawValue: next.rawValue - 1)
    }

    private func resolve(_ day: CivilDay, _ clock: Clock) throws(TimeLanguageError) -> Timestamp {
        var civil = day.midnight
        (civil.hour, civil.minute, civil.microsecond) = (clock.hour, clock.minute, clock.microsecond)
        civil.second = clock.isLeapSecond ? 59 : clock.second
        let written = dateText(civil) + " " + clockText(civil, microseconds: false)
        switch zone.reading(of: civil) {
        case .once(let time):
            return clock.isLeapSecond ? Timestamp(rawValue: time.rawValue + 1_000_000) : time
        case .twice(let early, let late):
            throw TimeLanguageError(
                .ambiguous, at: clockOffset, "\(written) happened twice in \(shownZone), because clocks went back.",
                examples: examples(early, late), readings: [early, late])
        case .never(let early, let late):
            throw TimeLanguageError(
                .skipped, at: clockOffset, "\(written) never happened in \(shownZone), because clocks went forward.",
                examples: examples(early, late), readings: [early, late])
        }
    }

    private func examples(_ times: Timestamp...) -> [String] { times.map { $0.described(in: zone) } }

    private var shownZone: String { TerminalText.safe(zone.name, maxColumns: 64) }

    // MARK: Errors

    private func shown(_ token: TimeTokens.Token) -> String { TerminalText.safe(token.text, maxColumns: 40) }

    private func notUnderstood(_ token: TimeTokens.Token, _ message: String) -> TimeLanguageError {
        TimeLanguageError(.notUnderstood, at: token.offset, message, examples: TimeTokens.examples)
    }

    private func outOfRange(_ token: TimeTokens.Token, _ position: Int, _ message: String, _ example: String)
        -> TimeLanguageError
    {
        TimeLanguageError(.outOfRange, at: token.offset + position, message, examples: [example])
    }

    private func tooFar() -> TimeLanguageError {
        TimeLanguageError(
            .outOfRange, at: tokens.all[0].offset, "That is not in the years 1 to 9999.",
            examples: ["2 weeks ago", "first"])
    }

    private func unknownZone(_ token: TimeTokens.Token, _ start: Int, _ text: String) -> TimeLanguageError {
        // A word after a time is taken for a zone; say so, for it may have been meant as something else.
        TimeLanguageError(
            .unknownZone, at: token.offset + start,
            "'\(TerminalText.safe(text, maxColumns: 40))' is not a zone of the time zone database.",
            examples: ["14:00 Europe/Rome", "14:00 +01:00", "14:00Z"])
    }

    private func unknownWord(_ token: TimeTokens.Token) -> TimeLanguageError {
        if ["tomorrow", "next", "in"].contains(token.text) {
            return notUnderstood(token, "'\(shown(token))' is in the future: there is nothing to go back to yet.")
        }
        let known = ["now", "today", "yesterday", "first", "last"] + TimePhrase.weekdays.map { $0[0] }
        if let meant = Spelling.nearest(to: token.text, among: known) {
            return TimeLanguageError(
                .notUnderstood, at: token.offset, "'\(shown(token))' is not a time; did you mean '\(meant)'?",
                examples: [meant])
        }
        return notUnderstood(token, "'\(shown(token))' is not a time.")
    }
}

func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

/// The number that some (at most 9) digits are; nil if there is anything else.
func digits(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard !bytes.isEmpty, bytes.count <= 9, bytes.allSatisfy(isDigit) else { return nil }
    return bytes.reduce(0) { $0 * 10 + Int($1 - 48) }
}
