public import Events

/// A time zone: how far local clocks are from UTC at any instant.
///
/// Made of the compiled rules of the IANA time zone database (RFC 9636), of a rule as POSIX writes it, or of one offset.
/// A value: it reads nothing after it is made, so what it answers does not change under a running program.
public struct Zone: Sendable, Equatable {
    /// What the zone is called: `Europe/Rome`, `UTC`, `+01:00`.
    public let name: String
    /// The instants at which clocks change, in seconds since 1970, ascending.
    private let changes: [Int64]
    /// The offsets in seconds east of UTC: before the first change, and after each.
    private let offsets: [Int32]
    /// What holds after the last change; nil where its offset stays.
    private let rule: ClockRule?

    /// Coordinated Universal Time.
    public static let utc = Zone(name: "UTC", offset: 0)

    /// A zone whose clocks never change, `offset` seconds east of UTC.
    public init(offset: Int) { self.init(name: Zone.offsetText(offset), offset: offset) }

    private init(name: String, offset: Int) {
        self.name = name
        changes = []
        offsets = [Int32(clamping: offset)]
        rule = nil
    }

    /// A zone by a rule as POSIX writes it in `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`. Nil if it is none.
    public init?(name: String, posixRule text: String) {
        guard let rule = ClockRule(Array(text.utf8)) else { return nil }
        self.name = name
        changes = []
        offsets = [rule.standard]
        self.rule = rule
    }

    /// A zone by the content of its file in the time zone database (RFC 9636, TZif). Nil if it is damaged, or counts
    /// leap seconds (what we call an instant does not).
    public init?(name: String, tzif bytes: [UInt8]) {
        guard let file = TZifFile(bytes) else { return nil }
        self.name = name
        (changes, offsets, rule) = (file.changes, file.offsets, file.rule)
    }

    /// Seconds east of UTC at an instant.
    public func offset(at time: Timestamp) -> Int { Int(offset(atSecond: time.seconds)) }

    func offset(atSecond second: Int64) -> Int64 {
        if let last = changes.last, second < last {
            var (low, high) = (0, changes.count)
            while low < high {
                let middle = (low + high) / 2
                if changes[middle] <= second { low = middle + 1 } else { high = middle }
            }
            return Int64(offsets[low])
        }
        if let rule { return rule.offset(atSecond: second) }
        return Int64(offsets[offsets.count - 1])
    }

    /// `+01:00`; with seconds (`+00:49:56`) where local mean time has them.
    public static func offsetText(_ seconds: Int) -> String {
        let value = seconds.magnitude
        let text = (seconds < 0 ? "-" : "+") + twoDigits(value / 3_600) + ":" + twoDigits(value / 60 % 60)
        return value % 60 == 0 ? text : text + ":" + twoDigits(value % 60)
    }
}

func twoDigits(_ value: UInt) -> String { value < 10 ? "0\(value)" : "\(value)" }
