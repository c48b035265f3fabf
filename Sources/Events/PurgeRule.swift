/// Under which rule something was purged (`Specs/Format/Events.md`, "Purges").
public struct PurgeRule: Hashable, Sendable, CustomStringConvertible {
    public enum Ground: String, Hashable, Sendable, CaseIterable {
        /// It had been deleted.
        case items
        /// Its account had been removed, or left out.
        case accounts
        /// An old state of what is still there.
        case history
        /// A person wanted everything of the account to go.
        case erasure
    }

    public var ground: Ground
    /// How long such things are kept: days, or how a history is thinned. Empty of an erasure.
    public var setting: String
    /// Whose rule it was: `standard`, `run` (a person gave it for this purge), `vault`, `domain NAME`, `account`, `folder f3`.
    public var scope: String

    public init(_ ground: Ground, _ setting: String = "", scope: String = "") {
        (self.ground, self.setting, self.scope) = (ground, setting, scope)
    }

    /// As a note has it: the three, parted by spaces.
    public var description: String {
        [ground.rawValue, setting, scope].filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// Nil where the text is not what ``description`` gives.
    public init?(_ text: String) {
        let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard let first = parts.first, let ground = Ground(rawValue: first) else { return nil }
        guard ground == .erasure ? parts.count == 1 : parts.count == 3 && !parts.contains("") else { return nil }
        self.init(ground, parts.count > 1 ? parts[1] : "", scope: parts.count > 2 ? parts[2] : "")
    }
}
