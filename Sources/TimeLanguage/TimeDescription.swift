public import Events

extension Timestamp {
    /// How much of an instant is shown.
    public struct Detail: OptionSet, Sendable {
        public let rawValue: Int

        public init(rawValue: Int) { self.rawValue = rawValue }

        /// `Mon ` before the date.
        public static let weekday = Detail(rawValue: 1)
        /// The microseconds too: without them an instant is shown as the second it is in.
        public static let microseconds = Detail(rawValue: 2)
        /// No zone after it: for columns below one that says it.
        public static let noZone = Detail(rawValue: 4)
    }

    /// The instant on the clocks of a zone, for people: `2026-03-02 13:58:38 +01:00`. What it gives (without the
    /// weekday) can be given back to ``TimeExpression/parse(_:role:now:zone:zones:)``.
    public func described(in zone: Zone, _ detail: Detail = []) -> String {
        let offset = zone.offset(at: self)
        let civil = civil(offsetSeconds: Int64(offset))
        var text = ""
        if detail.contains(.weekday) {
            let (days, rest) = (seconds + Int64(offset)).quotientAndRemainder(dividingBy: 86_400)
            let day = CivilDay(number: rest < 0 ? days - 1 : days)
            text = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][Int(day.weekday)] + " "
        }
        text += dateText(civil) + " " + clockText(civil, microseconds: detail.contains(.microseconds))
        return detail.contains(.noZone) ? text : text + " " + Zone.offsetText(offset)
    }

    /// The instant on the clocks of a zone as RFC 3339 writes it: `2026-03-02T14:00:00+01:00`.
    public func rfc3339(in zone: Zone, microseconds: Bool = false) -> String {
        let offset = zone.offset(at: self)
        let civil = civil(offsetSeconds: Int64(offset))
        return dateText(civil) + "T" + clockText(civil, microseconds: microseconds) + Zone.offsetText(offset)
    }
}

func dateText(_ civil: CivilTime) -> String {
    let year = String(civil.year.magnitude)
    let padded = String(repeating: "0", count: max(0, 4 - year.utf8.count)) + year
    return (civil.year < 0 ? "-" : "") + "\(padded)-\(twoDigits(UInt(civil.month)))-\(twoDigits(UInt(civil.day)))"
}

func clockText(_ civil: CivilTime, microseconds: Bool) -> String {
    let text = [civil.hour, civil.minute, civil.second].map { twoDigits(UInt($0)) }.joined(separator: ":")
    guard microseconds else { return text }
    let fraction = String(civil.microsecond)
    return text + "." + String(repeating: "0", count: max(0, 6 - fraction.utf8.count)) + fraction
}
