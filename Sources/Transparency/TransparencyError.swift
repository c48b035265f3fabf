/// Why a note, a key, a checkpoint or a proof is refused.
public enum TransparencyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not the text of such a thing, and which line is wrong, from 1.
    case malformed(String, line: Int)
    /// A key that cannot be read.
    case key(String)
    /// Nobody whose key was given has signed it.
    case unsigned(by: String)
    /// It bears the name of the key, but the signature is not of this text.
    case forged(String)
    /// The checkpoint is of another log.
    case otherLog(found: String, expected: String)
    /// The path does not lead from the record to the root.
    case notIncluded

    public var description: String {
        switch self {
        case .malformed(let what, let line): "line \(line): \(what)"
        case .key(let why): why
        case .unsigned(let name): "it bears no signature of the key \(name)"
        case .forged(let name): "the signature of \(name) is not of this text: one of the two was changed"
        case .otherLog(let found, let expected): "it is of the log \(found), not of \(expected)"
        case .notIncluded: "the hashes do not lead from the record to the root of the checkpoint"
        }
    }
}
