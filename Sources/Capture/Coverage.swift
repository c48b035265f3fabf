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
        if let end = try vault.coverageEnd(of: account.number), end < now {
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

    private var heartbeatPath: FilePath { vault.heartbeatPath(account.number) }

    /// Says that the account is being watched now. Not durable, and not in the journal: it matters only after a crash.
    func touchHeartbeat() throws { try Directory.touch(heartbeatPath) }

    func note(_ kind: Note.Kind, _ fields: [Note.Field]) -> JournalEntry {
        JournalEntry(account: account.number, origin: .scan, changes: [], note: Note(kind, fields))
    }
}

extension OpenVault {
    /// Until when an account is known to have been watched; nil when it never was.
    public func coverageEnd(of account: AccountNumber) throws -> Timestamp? {
        for (id, kind) in try projections().notes(account).reversed() {
            switch kind {
            case .scanCompleted, .watchEnded: return try journal.withRecord(id) { $0.time }
            case .watchBegan:
                // Never ended: the process died. Its heartbeat says until when it lived.
                return try Directory.modificationTime(heartbeatPath(account)) ?? journal.withRecord(id) { $0.time }
            case .scanInterrupted, .gap, .operationBegan, .operationStep, .operationEnded, .vaultCreated, .unreadable,
                .lost, .sourceCheckpoint, .missed, .purgeBegan, .purgeStep, .purgeEnded, .retention, .holdPlaced,
                .holdLifted:
                continue
            }
        }
        return nil
    }

    func heartbeatPath(_ account: AccountNumber) -> FilePath { directory.appending("state/watch-\(account.rawValue)") }
}
