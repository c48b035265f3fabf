public import Connectors
internal import Events
internal import Files
internal import Journal
internal import Projections
public import Vault

/// Reconciles an account with its source once, and records in the journal that it was done: from when to when, what was
/// seen, and since when nobody had been watching.
public struct SmartScan {
    private let vault: OpenVault
    private let account: Account
    private let source: any Source
    private let deep: Bool
    private let lossPercent: Int

    /// A scan of `account`, which lives in `source`. With `deep`, every message is read again and compared. What `lossPercent` is:
    /// ``AccountCapture/confirmedLossPercent``.
    public init(
        _ vault: OpenVault, _ account: Account, _ source: any Source, deep: Bool = false,
        lossPercent: Int = AccountCapture.usualLossPercent
    ) {
        (self.vault, self.account, self.source, self.deep) = (vault, account, source, deep)
        self.lossPercent = lossPercent
    }

    /// Runs the scan. Throws when another process captures the account, or when the scan could not be finished: then what
    /// was recorded stays, and a note says that it was interrupted.
    public func run(progress: @escaping (PassProgress) -> Void = { _ in }) throws -> PassReport {
        let capture = try AccountCapture(vault, account, source)
        capture.confirmedLossPercent = lossPercent
        let began = vault.clock.now()
        let seen = try vault.coverageEnd(of: account.number)
        let report: PassReport
        do {
            report = try capture.pass(.all, origin: .scan, deep: deep, progress: progress)
        } catch {
            // The gap goes on: the next scan that ends well names all of it.
            let ended = vault.clock.now()
            _ = try? vault.commit([
                entry(
                    Note(
                        .scanInterrupted,
                        [
                            .init("began", .time(began)), .init("ended", .time(ended)),
                            .init("reason", .text(Array("\(error)".utf8))),
                        ]))
            ])
            throw error
        }
        // Until all of it was looked at: what was recorded meanwhile is half of what was there.
        let gap = seen.map { note(.gap, from: $0, to: vault.clock.now()) }
        try vault.commit(
            ([gap, unlisted(report), completed(report, began)] as [Note?]).compactMap { $0 }.map { entry($0) })
        try vault.journal.sealFullSegments()
        // Who looks next finds the projections at the journal's head. The header index follows when it is asked.
        _ = try vault.projections()
        return report
    }

    private func entry(_ note: Note) -> JournalEntry {
        JournalEntry(account: account.number, origin: .scan, changes: [], note: note)
    }

    /// Folders that could not be listed are named in the journal too (`Specs/Invariants.md`, 6); unreadable messages are
    /// items.
    private func unlisted(_ report: PassReport) -> Note? {
        guard !report.unlistable.isEmpty else { return nil }
        return Note(.unreadable, report.unlistable.map { .init("folder", .text(Array($0.utf8))) })
    }

    private func note(_ kind: Note.Kind, from: Timestamp, to: Timestamp) -> Note {
        Note(kind, [.init("from", .time(from)), .init("to", .time(to))])
    }

    private func completed(_ report: PassReport, _ began: Timestamp) -> Note {
        let counts = [
            ("folders", report.folders), ("messages", report.messages), ("created", report.created),
            ("moved", report.moved), ("changed", report.changed), ("deleted", report.deleted),
            ("returned", report.returned),
            ("unreadable", report.unreadable.count), ("unlistable", report.unlistable.count),
        ]
        return Note(
            .scanCompleted,
            [
                .init("began", .time(began)), .init("ended", .time(vault.clock.now())),
                .init("complete", .flag(report.isComplete)),
            ] + counts.map { .init($0.0, .number(Int64($0.1))) })
    }
}
