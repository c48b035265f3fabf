internal import Events
internal import IMAP
internal import Maildir

/// The mailboxes of a user, as the server lists them, made into folders.
struct IMAPFolders {
    let session: IMAPSession

    /// Everything `LIST` says of one mailbox, and its `STATUS`.
    struct Row {
        var entry: MailboxEntry
        var status: MailboxStatus?
        var isSubscribed: Bool
        /// Why its status cannot be had.
        var refusal: [UInt8]?
    }

    /// All mailboxes with messages of the user's own, by name.
    func rows() throws -> [Row] {
        let foreign = foreignPrefixes
        let capabilities = session.capabilities
        let isRev2 = capabilities.has("IMAP4REV2")
        let isExtended = isRev2 || capabilities.has("LIST-EXTENDED")
        let hasStatus = isRev2 || (isExtended && capabilities.has("LIST-STATUS"))
        var rows: [MailboxName: Row] = [:]
        var order: [MailboxName] = []
        var statuses: [MailboxName: MailboxStatus] = [:]
        let request = ListRequest(
            wantsSubscribed: isExtended, wantsSpecialUse: isExtended && (isRev2 || capabilities.has("SPECIAL-USE")),
            status: hasStatus ? statusItems : [])
        try session.run(.list(request)) { response in
            switch response {
            case .list(let entry):
                // `\Noselect`: a name that only others stand below. It holds nothing.
                guard !entry.has("\\Noselect"), !entry.has("\\NonExistent"),
                    !foreign.contains(where: { entry.name.bytes.starts(with: $0) })
                else { return }
                if rows[entry.name] == nil { order.append(entry.name) }
                rows[entry.name] = Row(entry: entry, status: nil, isSubscribed: entry.has("\\Subscribed"))
            case .mailboxStatus(let status): statuses[status.name] = status
            default: break
            }
        }
        // Every account has one. A listing without it is of somebody who may see nothing, and says nothing about deletions.
        guard rows[.inbox] != nil else {
            throw SourceFailure.unavailable("its listing has no INBOX: nothing is concluded from what it does not show")
        }
        for (name, status) in statuses { rows[name]?.status = status }
        if !isExtended {
            try session.run(.subscribedList(pattern: [UInt8(ascii: "*")])) { response in
                if case .subscribed(let entry) = response { rows[entry.name]?.isSubscribed = true }
            }
        }
        let missing = order.filter { rows[$0]?.status?.uidValidity == nil }
        try session.pipeline(missing.map { .status($0, statusItems) }) { response in
            if case .mailboxStatus(let status) = response { rows[status.name]?.status = status }
        } ended: { place, status in
            if status.condition != .ok { rows[missing[place]]?.refusal = status.text }
        }
        return order.compactMap { rows[$0] }
    }

    /// The RFC 8474 identities of mailboxes. Asked one by one: a server in use (Cyrus 3.6) answers nonsense inside `LIST`.
    func identities(_ names: [MailboxName]) throws -> [MailboxName: [UInt8]] {
        var found: [MailboxName: [UInt8]] = [:]
        try session.pipeline(names.map { .status($0, [.mailboxID]) }) { response in
            if case .mailboxStatus(let status) = response { found[status.name] = status.mailboxID }
        } ended: { _, _ in
        }
        return found
    }

    private var statusItems: [Command.StatusItem] {
        var items: [Command.StatusItem] = [.messages, .uidNext, .uidValidity]
        if hasModSequences { items.append(.highestModSequence) }
        if session.hasGUIDs { items.append(.guid) }
        return items
    }

    private var hasModSequences: Bool {
        ["CONDSTORE", "QRESYNC"].contains { session.capabilities.has($0) || session.enabled.has($0) }
    }

    /// Mailboxes of others that this user may see belong to those others' accounts.
    private var foreignPrefixes: [[UInt8]] {
        guard let spaces = session.namespaces else { return [] }
        let own = Set(spaces.personal.map(\.prefix))
        return (spaces.otherUsers + spaces.shared).map(\.prefix).filter { !$0.isEmpty && !own.contains($0) }
    }

    /// What it is for, in the RFC's spelling; nil for nothing special.
    static func specialUse(_ entry: MailboxEntry) -> [UInt8]? {
        let uses = Command.SpecialUse.allCases.map(\.rawValue).filter { entry.has($0) }
        return uses.isEmpty ? nil : Array(uses.joined(separator: " ").utf8)
    }

    /// The names from the top down: UTF-8 where the server's spelling can be read exactly, else its bytes.
    static func path(_ entry: MailboxEntry, isUTF8: Bool) -> [[UInt8]] {
        let parts =
            entry.delimiter.map {
                entry.name.bytes.split(separator: $0, omittingEmptySubsequences: false).map(Array.init)
            } ?? [entry.name.bytes]
        return isUTF8 ? parts : parts.map { ModifiedUTF7.decode($0) ?? $0 }
    }
}
