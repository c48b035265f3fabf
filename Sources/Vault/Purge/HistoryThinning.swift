internal import Events

/// How old states of what is still there are thinned: all of them are kept for some days, then one a day for some more, and so on
/// (`Specs/Interfaces/CommandLine.md`, "Thinning of histories").
public struct HistoryRule: Hashable, Sendable, CustomStringConvertible {
    /// How many are kept: the newest of each day, week, month or year, of UTC.
    public enum Pace: String, Hashable, Sendable, CaseIterable {
        case all, daily, weekly, monthly, yearly, none
    }

    struct Part: Hashable, Sendable {
        var pace: Pace
        /// Nil: for ever.
        var days: Int?
    }

    let parts: [Part]

    /// All states, for ever.
    public static let off = HistoryRule(parts: [Part(pace: .all, days: nil)])

    public var isOff: Bool { self == .off }

    private init(parts: [Part]) { self.parts = parts }

    /// `all:30,daily:90,monthly`; `off`.
    public init(_ text: String) throws {
        if text == "off" {
            self = .off
            return
        }
        func refused(_ why: String) -> Failure {
            Failure(
                .usage, "'\(text)' does not say how a history is thinned: \(why)",
                hint:
                    "Write for example all:30,daily:90,monthly (all states for 30 days, then one a day for 90 days, then one a month), or off"
            )
        }
        var parts: [Part] = []
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        for (index, word) in words.enumerated() {
            let sides = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let pace = Pace(rawValue: String(sides[0])) else {
                throw refused("'\(sides[0])' is none of all, daily, weekly, monthly, yearly, none")
            }
            var days: Int?
            if sides.count > 1 {
                guard let number = Int(sides[1]), (1...OpenVault.mostRetentionDays).contains(number) else {
                    throw refused("'\(sides[1])' is no number of days from 1 to \(OpenVault.mostRetentionDays)")
                }
                days = number
            }
            guard (days == nil) == (index == words.count - 1) else {
                throw refused("every part but the last has a number of days, and the last has none")
            }
            if let before = parts.last, pace.coarseness <= before.pace.coarseness {
                throw refused("\(pace.rawValue) does not keep less than \(before.pace.rawValue)")
            }
            parts.append(Part(pace: pace, days: days))
        }
        guard parts.first?.pace == .all else { throw refused("it does not begin with all") }
        self.parts = parts
    }

    public var description: String {
        isOff
            ? "off"
            : parts.map { part in part.pace.rawValue + (part.days.map { ":\($0)" } ?? "") }.joined(separator: ",")
    }

    /// Where each part but the last ends, in days of age.
    var ends: [Int] {
        var sum = 0
        return parts.dropLast().map { part in
            sum += part.days ?? 0
            return sum
        }
    }
}

extension HistoryRule.Pace {
    fileprivate var coarseness: Int { HistoryRule.Pace.allCases.firstIndex(of: self) ?? 0 }

    /// The period an instant is in; nil where no period has one that is kept.
    fileprivate func period(of time: Timestamp) -> Int64? {
        let day = time.rawValue.flooredQuotient(86_400_000_000)
        switch self {
        case .all, .none: return nil
        case .daily: return day
        // The first of January 1970 was a Thursday.
        case .weekly: return (day + 3).flooredQuotient(7)
        case .monthly:
            let civil = time.civil(offsetSeconds: 0)
            return civil.year * 12 + Int64(civil.month)
        case .yearly: return time.civil(offsetSeconds: 0).year
        }
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

/// A state as thinning looks at it.
struct ThinnableState {
    var transaction: TransactionID
    var time: Timestamp
    var kinds: ChangeKinds
}

/// Decides which states of a live item go.
struct HistoryThinning {
    let rule: HistoryRule
    /// The newest transaction that is older than each part's end.
    private let cuts: [TransactionID]

    init(_ rule: HistoryRule, _ clock: DeletionClock) throws {
        self.rule = rule
        cuts = try rule.ends.map { try clock.newest(olderThan: $0) }
    }

    /// Whether a state that old may go at all.
    func concerns(_ transaction: TransactionID) -> Bool { cuts.first.map { transaction <= $0 } ?? false }

    private func part(of transaction: TransactionID) -> Int { cuts.count { transaction <= $0 } }

    /// The transactions whose states go, of a history of an item that is live, oldest first. What is kept whatever the rule says: the first state,
    /// the one that holds, deletions and returns, so that it is known exactly when the item was there; and of the contents the newest one that
    /// the next state kept goes on having.
    func thin(_ states: [ThinnableState]) -> NumberRanges {
        var ranges = NumberRanges()
        guard states.count > 2 else { return ranges }
        func place(_ index: Int) -> (part: Int, period: Int64?) {
            let part = part(of: states[index].transaction)
            return (part, rule.parts[part].pace.period(of: states[index].time))
        }
        var keeps = [Bool](repeating: true, count: states.count)
        for index in 1..<states.count - 1 where states[index].kinds.isDisjoint(with: [.created, .deleted, .returned]) {
            let (part, period) = place(index)
            switch rule.parts[part].pace {
            case .all: continue
            case .none: keeps[index] = false
            default: keeps[index] = place(index + 1) != (part, period)
            }
        }
        var hasContentAhead = false
        for index in states.indices.reversed() {
            let hasContent = states[index].kinds.contains(.content)
            if !keeps[index], hasContent, !hasContentAhead { keeps[index] = true }
            if keeps[index] { hasContentAhead = hasContent }
        }
        var first: Int?
        for index in states.indices {
            if !keeps[index] {
                first = first ?? index
            } else if let begun = first {
                ranges.append(
                    range: states[begun].transaction.rawValue...states[index - 1].transaction.rawValue)
                first = nil
            }
        }
        return ranges
    }
}
