/// How a mail server tells of what has changed in the mailboxes of all its users at once.
public enum HintChannel: Hashable, Sendable, CustomStringConvertible {
    /// A file that our hook of Dovecot appends to.
    case dovecotSpool(path: String)
    /// The socket that Cyrus sends notifications to.
    case cyrusSocket(path: String)

    /// Reads `spool:PATH` or `cyrus:PATH`; nil for anything else, and for a relative path.
    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let path = String(text[text.index(after: colon)...])
        guard path.hasPrefix("/"), !path.utf8.contains(0) else { return nil }
        switch text[..<colon] {
        case "spool": self = .dovecotSpool(path: path)
        // Longer ones have no room in a socket's address.
        case "cyrus" where path.utf8.count < 108: self = .cyrusSocket(path: path)
        default: return nil
        }
    }

    public var description: String {
        switch self {
        case .dovecotSpool(let path): "spool:\(path)"
        case .cyrusSocket(let path): "cyrus:\(path)"
        }
    }

    /// Begins to hear. From the return on nothing is missed without an ``UserHint`` that says so.
    public func open() throws -> any HintReader {
        switch self {
        case .dovecotSpool(let path): try DovecotSpool(path)
        case .cyrusSocket(let path): try CyrusNotifications(path)
        }
    }
}

/// Where to look, on a server with many users.
public struct UserHint: Hashable, Sendable {
    /// As the server calls the user; nil: all of them.
    public var user: [UInt8]?
    public var hint: SourceHint

    public static let everything = UserHint(user: nil, hint: .everything)
}

/// What a ``HintChannel`` tells. One thread uses it; only ``wake`` is for others.
public protocol HintReader: AnyObject {
    /// Waits at most that long and returns what has come, each thing once; empty when nothing has, or when it was woken.
    func next(timeoutMilliseconds: Int?) throws -> [UserHint]
    var wake: @Sendable () -> Void { get }
}
