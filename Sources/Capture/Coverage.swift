public import Events
internal import Files
internal import Journal
internal import Projections
internal import SystemPackage
public import Vault

// When an account was watched, and when not (`Specs/Format/Events.md`, "Coverage"): a scan covers the moment at which it
// ends, a watch the time from its first pass to its end. Between them are gaps, which are journal records, so that every
// answer about a time inside one can say so.

extension AccountCapture {
    /// Records the gap since the account was last seen, when there is one, and `kind`.
    func beginCoverage(_ kind: Note.Kind) throws {
        var entries: [JournalEntry] = []
        let now = vault.clock.now()
        if let end = try coverageEnd(), end < now {
            entries.append(note(.gap, [.init("from", .time(end)), .init("to", .time(now))]))
        }
        entries.append(note(kind, []))
        try vault.commit(entries)
        try touchHeartbeat()
    }

    /// Records that the watch ends.
    func endCoverage() throws {
        try vault.commit([note(.watchEnded, [])])
        let path = heartbeatPath
        if Directory.exists(path) { try Directory.removeFile(path) }
    }

    /// Until when the account is known to have been watched; nil when it never was.
    func coverageEnd() throws -> Timestamp? { try Coverage.end(of: account.number, in: vault) }

    private var heartbeatPath: FilePath { Coverage.heartbeatPath(account.number, vault) }

    /// Says that the account is being watched now. Not durable, and not in the journal: it matters only after a crash.
    func touchHeartbeat() throws { try Directory.touch(heartbeatPath) }

    func note(_ kind: Note.Kind, _ fields: [Note.Field]) -> JournalEntry {
        JournalEntry(account: account.number, origin: .scan, changes: [], note: Note(kind, fields))
    }
}

/// When an account was watched.
public enum Coverage {
    /// Until when the account is known to have been watched; nil when it never was. While a watch is going on, that is
    /// its last heartbeat.
    public static func end(of account: AccountNumber, in vault: OpenVault) throws -> Timestamp? {
        let projections = try vault.projections()
        for (id, kind) in try projections.notes(account).reversed() {
            switch kind {
            case .scanCompleted, .watchEnded: return try vault.journal.withRecord(id) { $0.time }
            case .watchBegan:
                // Never ended: the process died. Its heartbeat says until when it lived.
                return try Directory.modificationTime(heartbeatPath(account, vault))
                    ?? vault.journal.withRecord(id) { $0.time }
            case .scanInterrupted, .gap, .operationBegan, .operationStep, .operationEnded, .vaultCreated, .unreadable:
                continue
            }
        }
        return nil
    }

    static func heartbeatPath(_ account: AccountNumber, _ vault: OpenVault) -> FilePath {
        vault.directory.appending("state/watch-\(account.rawValue)")
    }
}
