public import Events

/// A point of an account's history as somebody wrote it, in the one language of the command line, the HTTP API, the
/// configuration and the console (`Specs/Interfaces/Time.md`).
public enum TimeExpression: Hashable, Sendable {
    /// An instant. It may be in the future: a restore point later than the newest transaction is the newest.
    case instant(Timestamp)
    /// Just after a transaction: `@184467`.
    case transaction(TransactionID)
    /// The last instant before an item's newest deletion: `before:m7`.
    case before(ItemID)
    /// Just after or just before an operation: `op:UUID`, `op:UUID^`. The UUID has lower-case digits (RFC 9562).
    case operation(String, OperationSide)
    /// The oldest reachable state.
    case first
    /// The newest.
    case last

    /// On which side of an operation.
    public enum OperationSide: Hashable, Sendable { case after, before }

    /// What a time is for. It decides which instant of a day a bare date is.
    public enum Role: Hashable, Sendable {
        /// A restore point: the last microsecond of the day.
        case at
        /// Where a range begins: the first microsecond of the day.
        case from
        /// Where a range ends: the last microsecond of the day.
        case to
    }

    /// Reads a time.
    ///
    /// - Parameters:
    ///   - text: what was written; at most 256 bytes.
    ///   - now: the instant that `now`, `today` and `2h ago` are told from.
    ///   - zone: the zone of local times that name none.
    ///   - zones: where a zone that is named comes from.
    public static func parse(
        _ text: String, role: Role, now: Timestamp, zone: Zone, zones: ZoneDatabase = .system
    ) throws(TimeLanguageError) -> TimeExpression {
        let tokens = try TimeTokens(text)
        if let reference = try TimeReference.parse(tokens) { return reference }
        var phrase = TimePhrase(tokens)
        let now = min(max(now, .firstWritten), .lastWritten)
        try phrase.parse(now: now, zone: zone, zones: zones)
        return .instant(try phrase.instant(role: role))
    }
}
