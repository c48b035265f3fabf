/// What reaches a person when something could not be done: what, where, why, and what to do.
///
/// The one register of codes and exit statuses is ``Code``; `Specs/Interfaces/ExitStatus.md` documents it.
public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// What could not be done and why, with the names of this case. One sentence, without a full stop.
    public var message: String
    /// What to do about it, when we know.
    public var hint: String?

    public init(_ code: Code, _ message: String, hint: String? = nil) {
        (self.code, self.message, self.hint) = (code, message, hint)
    }

    /// Names never change; a status is one of the documented numbers.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        case failed = "failed"
        case usage = "usage"
        case partial = "partial"
        case notFound = "not_found"
        case purged = "purged"
        case outOfRange = "time.out_of_range"
        case ambiguous = "ambiguous"
        case differences = "differences"
        case refused = "refused"
        case notEmpty = "not_empty"
        case locked = "vault.locked"
        case captured = "account.busy"
        case signIn = "source.sign_in"
        case unreachable = "source.unreachable"
        case sourceDamaged = "source.unreadable"
        case noVault = "vault.missing"
        case newerFormat = "vault.newer_format"
        case damaged = "vault.damaged"
        case unsuitable = "vault.unsuitable_file_system"
        case permission = "permission"
        case noSpace = "no_space"
        case interrupted = "interrupted"
        case terminated = "terminated"

        public var exitStatus: Int32 {
            switch self {
            case .failed, .unsuitable: 1
            case .usage, .ambiguous: 2
            case .partial: 3
            case .notFound, .outOfRange, .purged: 4
            case .differences: 5
            case .refused, .notEmpty: 6
            case .locked, .captured: 7
            case .signIn: 8
            case .unreachable, .sourceDamaged: 9
            case .noVault: 10
            case .damaged, .newerFormat: 11
            case .permission: 12
            case .noSpace: 13
            case .interrupted: 130
            case .terminated: 143
            }
        }
    }

    public var description: String { hint.map { "\(message). \($0)" } ?? message }
}
