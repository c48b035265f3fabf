internal import Events
internal import IMAP
internal import Maildir

/// How a server spells the names of mailboxes.
struct IMAPNaming {
    /// What the user's own mailboxes begin with; mostly empty.
    private let prefix: [UInt8]
    private let delimiter: UInt8?
    private let isUTF8: Bool

    /// Asks the server.
    init(_ session: IMAPSession) throws {
        var found = session.namespaces?.personal.first.map { (prefix: $0.prefix, delimiter: $0.delimiter) }
        if found == nil {
            // A pattern of nothing asks for the delimiter alone.
            try session.run(.list(ListRequest(pattern: []))) { response in
                if case .list(let entry) = response { found = ([], entry.delimiter) }
            }
        }
        prefix = found?.prefix ?? []
        delimiter = found?.delimiter
        isUTF8 = session.enabled.has("UTF8=ACCEPT") || session.enabled.has("IMAP4REV2")
    }

    init(prefix: [UInt8] = [], delimiter: UInt8?, isUTF8: Bool = false) {
        (self.prefix, self.delimiter, self.isUTF8) = (prefix, delimiter, isUTF8)
    }

    /// The name of a folder. Throws ``TargetFailure/refused(_:)`` for one that can have none here.
    func name(of state: FolderState) throws(TargetFailure) -> MailboxName {
        let path = state.path
        guard !path.isEmpty else { throw .refused("a folder without a name") }
        if path.count == 1, MailboxName(path[0]) == .inbox { return .inbox }
        var parts: [[UInt8]] = []
        for component in path {
            guard let part = isUTF8 ? component : ModifiedUTF7.encode(component) else {
                throw .refused("a name that is no UTF-8")
            }
            guard !part.isEmpty, !part.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
                throw .refused("a name that is empty or has control characters")
            }
            if let delimiter, part.contains(delimiter) {
                throw .refused("the server parts the levels of folders with a character of that name")
            }
            // What stands for any name in a pattern is refused by servers, or worse.
            guard !part.contains(where: { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "%") }) else {
                throw .refused("a name with * or %, which stand for any name")
            }
            parts.append(part)
        }
        guard let delimiter else {
            guard parts.count == 1 else { throw .refused("the server has no folders within folders") }
            return MailboxName(prefix + parts[0])
        }
        let joined = Array(parts.joined(separator: [delimiter]))
        // Under INBOX, and what was captured with the prefix, has it already.
        let hasPrefix =
            joined.starts(with: prefix) || joined.prefix(6).map({ $0 & 0xDF }) == IMAPNaming.inboxPrefix(delimiter)
        return MailboxName(hasPrefix ? joined : prefix + joined)
    }

    private static func inboxPrefix(_ delimiter: UInt8) -> [UInt8] {
        MailboxName.inbox.bytes + [delimiter & 0xDF]
    }
}
