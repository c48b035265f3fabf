public import Events

/// Numbers, sizes and durations as people read them, in English, the same on every machine.
public enum Quantity {
    /// `12,431`.
    public static func count(_ number: some BinaryInteger) -> String {
        let digits = Array(String(number.magnitude).utf8)
        var text: [UInt8] = number < 0 ? [UInt8(ascii: "-")] : []
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(UInt8(ascii: ",")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `1 message`, `12,431 messages`.
    public static func count(_ number: some BinaryInteger, _ singular: String, _ plural: String? = nil) -> String {
        count(number) + " " + (number == 1 ? singular : plural ?? singular + "s")
    }

    /// A size in bytes with the units of IEC 80000-13: `812 B`, `47 KiB`, `3.1 GiB`.
    public static func bytes(_ number: some BinaryInteger) -> String {
        let magnitude = UInt64(clamping: number.magnitude)
        let sign = number < 0 ? "-" : ""
        if magnitude < 1024 { return sign + "\(magnitude) B" }
        var unit = 0
        // In tenths of the unit, rounded half up. The next unit begins where 1024 of this one would be shown.
        var tenths = tenthsOfUnit(magnitude, unit: 0)
        while tenths >= 10_235, unit < 5 {
            unit += 1
            tenths = tenthsOfUnit(magnitude, unit: unit)
        }
        let name = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit]
        if tenths < 100 { return sign + "\(tenths / 10).\(tenths % 10) \(name)" }
        return sign + count((tenths + 5) / 10) + " " + name
    }

    private static func tenthsOfUnit(_ magnitude: UInt64, unit: Int) -> UInt64 {
        let shift = UInt64(10 * (unit + 1))
        let whole = magnitude >> shift
        let rest = magnitude & ((1 << shift) - 1)
        // The rest in tenths; of large units only its upper bits count, and ten times the rest would overflow.
        let dropped = shift > 50 ? shift - 50 : 0
        let scaled = ((rest >> dropped) * 10 + (1 << (shift - dropped - 1))) >> (shift - dropped)
        return whole * 10 + scaled
    }

    /// A duration by its two largest units: `320 ms`, `4.2 s`, `1 min 20 s`, `3 h 5 min`, `12 d 4 h`.
    ///
    /// - Parameter microseconds: how long; less than nothing is shown as nothing.
    public static func duration(microseconds: Int64) -> String {
        let value = max(0, microseconds)
        if value < 1_000 { return "\(value) µs" }
        if value < 1_000_000 { return "\(value / 1_000) ms" }
        if value < 10_000_000 { return "\(value / 1_000_000).\(value / 100_000 % 10) s" }
        let seconds = value / 1_000_000
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3_600 { return pair(seconds / 60, "min", seconds % 60, "s") }
        if seconds < 86_400 { return pair(seconds / 3_600, "h", seconds / 60 % 60, "min") }
        return pair(seconds / 86_400, "d", seconds / 3_600 % 24, "h")
    }

    /// A duration by its two largest units (``duration(microseconds:)``).
    public static func duration(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return self.duration(microseconds: seconds < 0 ? 0 : .max) }
        let (sum, beyond) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return self.duration(microseconds: beyond ? .max : sum)
    }

    private static func pair(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
        let text = count(large) + " " + unit
        return small == 0 ? text : text + " \(small) \(smallUnit)"
    }

    /// How far an instant is from now, by its largest unit: `just now`, `3 days ago`, `in 2 hours`.
    public static func relative(_ time: Timestamp, now: Timestamp) -> String {
        let (difference, overflow) = now.rawValue.subtractingReportingOverflow(time.rawValue)
        let past = now >= time
        let seconds = (overflow ? UInt64.max : difference.magnitude) / 1_000_000
        if seconds < 1 { return "just now" }
        let units: [(UInt64, String)] = [
            (365 * 86_400, "year"), (30 * 86_400, "month"), (7 * 86_400, "week"), (86_400, "day"), (3_600, "hour"),
            (60, "minute"), (1, "second"),
        ]
        for (length, name) in units where seconds >= length {
            // Weeks are spoken of from the second one on: "9 days ago" says more than "1 week ago".
            if name == "week", seconds < 14 * 86_400 { continue }
            let text = count(seconds / length, name)
            return past ? text + " ago" : "in " + text
        }
        return "just now"
    }
}
