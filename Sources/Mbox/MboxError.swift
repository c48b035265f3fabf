internal import Glibc

/// What went wrong with an mbox file. Offsets are octets from the beginning of the file.
public enum MboxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system refused `during` at `path`.
    case system(errno: Int32, during: Step, path: [UInt8])
    /// What stands at `offset` is no `From ` line, as the first line must be.
    case notAnMbox(offset: Int64)
    /// A directory, FIFO or device.
    case notARegularFile(path: [UInt8])
    /// The file ended before `offset`, where it had content when it was opened.
    case truncated(offset: Int64)
    /// The message, at `offset`, has more octets than the caller allowed.
    case tooLarge(offset: Int64, size: Int64)
    /// The variant cannot say this message so that reading gives the same: mboxo, and a line begins with `From `.
    case notRepresentable

    public enum Step: String, Hashable, Sendable {
        case open, stat, read, write, sync
    }

    public var description: String {
        switch self {
        case .system(let code, let step, let path):
            let reason = strerror(code).map { String(cString: $0) } ?? "error"
            return "\(step.rawValue) \(String(decoding: path, as: UTF8.self)): \(reason) (\(code))"
        case .notAnMbox(let offset): return "no mbox: no From line at octet \(offset)"
        case .notARegularFile(let path): return "\(String(decoding: path, as: UTF8.self)) is not a regular file"
        case .truncated(let offset): return "the file ended before octet \(offset)"
        case .tooLarge(let offset, let size): return "the message at octet \(offset) has \(size) octets"
        case .notRepresentable: return "an mboxo file cannot say this message exactly"
        }
    }
}
