public import Events
internal import IMAP
public import Network
internal import Synchronization
internal import Threads

/// The mailboxes of one user on an IMAP server as a ``Source``. Mailboxes are only opened with `EXAMINE`, messages read with
/// `BODY.PEEK[]`: nothing on the server changes.
///
/// Where the server counts changes (CONDSTORE, QRESYNC), a folder in which nothing is new costs a line of one answer, and one in
/// which something is costs what is new.
public final class IMAPSource: Source {
    private let access: ServerAccess
    private let patience: IMAPPatience
    /// Connections that wait for work. Several threads use as many.
    private let idle = Mutex<[Parked]>([])
    /// Identities of mailboxes, for as long as their validity is the same.
    private let identities = Mutex<[MailboxName: KnownIdentity]>([:])

    private struct KnownIdentity {
        var uidValidity: UInt32?
        var identity: [UInt8]
        /// Whether the server has said it twice. What it said once is asked again.
        var isConfirmed: Bool
    }

    /// What mailboxes are for, as the last listing said.
    private let specialUses = Mutex<[MailboxName: [UInt8]]>([:])

    /// How the server tells of all its users at once, where it does; and what it calls this one.
    let hints: HintChannel?
    let hintedUser: [UInt8]

    /// `hintedUser`: where the one who signs in is called otherwise.
    public init(
        _ access: ServerAccess, patience: IMAPPatience = IMAPPatience(), hints: HintChannel? = nil,
        hintedUser: String? = nil
    ) {
        (self.access, self.patience, self.hints) = (access, patience, hints)
        self.hintedUser = Array((hintedUser ?? access.user).utf8)
    }

    public func identity() throws -> [UInt8] { Array("\(access.user) \(access.endpoint)".utf8) }

    /// What a server does to a mailbox it does to others afterwards, and a message is at its new place before it leaves the old one.
    public var showsWholeChanges: Bool { true }

    // MARK: Connections

    /// Signs in: that takes a server longer than to say that nothing is new.
    public func prepare() {
        // Whoever needs the connection tries again, and says why there is none.
        if let session = try? openSession() { park(session) }
    }

    /// Held by no thread, so by whoever takes it next.
    private struct Parked: @unchecked Sendable {
        // SAFETY: a session in ``idle`` is used by nobody; taking it out makes the taker its only user.
        let session: IMAPSession
    }

    /// Lends a connection to `body`. One that broke is not used again; one that broke while it waited is replaced once.
    func withSession<Result>(_ body: (IMAPSession) throws -> Result) throws -> Result {
        if let parked = idle.withLock({ $0.popLast() }) {
            do {
                if Deadline.now > parked.session.lastUse.later(milliseconds: 5_000) { try parked.session.run(.noop) }
                return try use(parked.session, body)
            } catch let failure as SourceFailure {
                // Servers close connections that say nothing for long.
                guard !parked.session.isUsable, !parked.session.hasWorked else { throw failure }
            }
        }
        return try use(try openSession(), body)
    }

    private func use<Result>(_ session: IMAPSession, _ body: (IMAPSession) throws -> Result) throws -> Result {
        session.hasWorked = true
        do {
            let result = try body(session)
            park(session)
            return result
        } catch {
            // What was asked for last may still be on its way: nobody could tell it from the next answer.
            session.close()
            throw error
        }
    }

    /// A connection that is nobody else's.
    func openSession() throws -> IMAPSession { try IMAPSession(access, patience: patience) }

    func park(_ session: IMAPSession) {
        guard session.isUsable else { return }
        session.hasWorked = false
        session.lastUse = .now
        idle.withLock { $0.append(Parked(session: session)) }
    }

    /// A pass begins with one connection: what the one before read with several is over.
    private func closeSpares() {
        let spares = idle.withLock { parked -> [Parked] in
            guard parked.count > 1 else { return [] }
            defer { parked.removeFirst(parked.count - 1) }
            return Array(parked.dropLast())
        }
        for spare in spares { spare.session.close() }
    }

    // MARK: Folders

    public func folders() throws -> [SourceFolder] {
        closeSpares()
        return try withSession { session in
            // Of the mailbox that is open a server says what this connection has seen of it, not what it is.
            try session.unselect()
            let listing = IMAPFolders(session: session)
            let rows = try listing.rows()
            let identities = try identities(of: rows, session, listing)
            specialUses.withLock { uses in
                uses = Dictionary(
                    rows.compactMap { row in IMAPFolders.specialUse(row.entry).map { (row.entry.name, $0) } },
                    uniquingKeysWith: { first, _ in first })
            }
            let isUTF8 = session.enabled.has("UTF8=ACCEPT") || session.enabled.has("IMAP4REV2")
            return rows.map { row in
                let name = row.entry.name
                let status = row.status
                var problem: SourceFailure?
                if status?.uidValidity == nil {
                    let why = row.refusal.map(IMAPSession.shown) ?? "the server does not say how it is"
                    problem = .unreadable(code: 13, "\(String(decoding: name.bytes, as: UTF8.self)): \(why)")
                }
                return SourceFolder(
                    name: name.bytes, path: IMAPFolders.path(row.entry, isUTF8: isUTF8),
                    identity: identities[name] ?? [], isSubscribed: row.isSubscribed,
                    uidValidity: UInt64(status?.uidValidity ?? 0), problem: problem,
                    checkpoint: status.flatMap(IMAPCheckpoint.init)?.bytes ?? [])
            }
        }
    }

    /// Whether the last listing said what that mailbox is for.
    func hasUse(_ name: MailboxName) -> Bool { specialUses.withLock { $0[name] != nil } }

    private func identities(
        of rows: [IMAPFolders.Row], _ session: IMAPSession, _ listing: IMAPFolders
    ) throws -> [MailboxName: [UInt8]] {
        if session.hasGUIDs {
            return Dictionary(
                rows.compactMap { row in row.status?.guid.map { (row.entry.name, $0) } },
                uniquingKeysWith: { one, _ in one })
        }
        guard session.capabilities.has("OBJECTID") else { return [:] }
        let known = identities.withLock { $0 }
        var found: [MailboxName: [UInt8]] = [:]
        var unknown: [IMAPFolders.Row] = []
        for row in rows {
            if let before = known[row.entry.name], before.isConfirmed,
                before.uidValidity == row.status?.uidValidity
            {
                found[row.entry.name] = before.identity
            } else {
                unknown.append(row)
            }
        }
        for (name, identity) in try listing.identities(unknown.map(\.entry.name)) { found[name] = identity }
        identities.withLock { known in
            let before = known
            known = [:]
            for row in rows {
                guard let identity = found[row.entry.name] else { continue }
                known[row.entry.name] = KnownIdentity(
                    uidValidity: row.status?.uidValidity, identity: identity,
                    isConfirmed: before[row.entry.name]?.identity == identity)
            }
        }
        return found
    }

    public func attributes(of folder: SourceFolder) throws -> [FolderAttribute]? {
        try withSession { session in
            let name = MailboxName(folder.name)
            var commands: [Command] = []
            if session.capabilities.has("ACL") { commands.append(.getACL(name)) }
            if session.capabilities.has("METADATA") { commands.append(.getMetadata(name)) }
            var found: [[UInt8]: [UInt8]] = [:]
            found[FolderAttribute.specialUse] = specialUses.withLock { $0[name] }
            var isRefused = false
            try session.pipeline(commands) { response in
                switch response {
                case .accessControl(name, let rights):
                    for right in rights { found[FolderAttribute.accessControl + right.identifier] = right.rights }
                case .metadata(name, let entries):
                    for entry in entries where !IMAPSource.isComputed(entry.name) {
                        found[FolderAttribute.metadata + entry.name] = entry.value
                    }
                default: break
                }
            } ended: { _, status in
                if status.condition != .ok { isRefused = true }
            }
            // Who may not see it does not know that there is nothing.
            if isRefused, found.count == 0 { return nil }
            return found.map { FolderAttribute(name: $0.key, value: $0.value) }
                .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        }
    }

    /// Whether the server makes up the value of a METADATA entry, so that it changes by itself. Of Cyrus's own entries only those
    /// are somebody's that are named here.
    private static func isComputed(_ entry: [UInt8]) -> Bool {
        guard String(decoding: entry, as: UTF8.self).contains("/vendor/cmu/cyrus-imapd/") else { return false }
        let set = [
            "archive", "color", "delete", "displayname", "duplicatedeliver", "expire", "news2mail", "pop3showafter",
            "sharedseen", "sieve", "sortorder", "squat",
        ]
        return !set.contains { entry.ends("/" + $0) }
    }

    // MARK: Messages

    public func list(_ folder: SourceFolder) throws -> any SourceListing {
        try withSession { session in
            try IMAPExamination(session, MailboxName(folder.name), folder).everything(source: self)
        }
    }

    public func changes(in folder: SourceFolder, since checkpoint: [UInt8]) throws -> SourceChanges? {
        guard let before = IMAPCheckpoint(checkpoint) else { return nil }
        return try withSession { session in
            let examination = IMAPExamination(session, MailboxName(folder.name), folder)
            if session.enabled.has("QRESYNC") { return try examination.changes(since: before, source: self) }
            guard session.capabilities.has("CONDSTORE") else { return nil }
            return try examination.changesBySearch(since: before, source: self)
        }
    }
}

extension [UInt8] {
    fileprivate func ends(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
