internal import Capture
internal import Events
internal import Files
internal import Journal
internal import Projections
internal import SystemPackage
internal import Vault

/// A time in which nobody was watching an account.
struct Gap {
    /// Nil: it had never been looked at.
    var from: Timestamp?
    /// Nil: it goes on.
    var to: Timestamp?
    /// What recorded it.
    var transaction: TransactionID?

    /// Its ends are known: a scan saw what was there then.
    func contains(_ time: Timestamp) -> Bool {
        from.map { $0 < time } ?? true && to.map { time < $0 } ?? true
    }
}

extension Note.Kind {
    /// Whether the first note of this kind says that an account has been looked at as a whole.
    var isFirstLook: Bool { self == .scanCompleted || self == .watchBegan }
}

extension OpenVault {
    /// When nobody watched the account, oldest first; the last one may go on.
    func gaps(of account: AccountNumber) throws -> [Gap] {
        let notes = try projections().notes(account)
        var found: [Gap] = []
        if let first = notes.first(where: { $0.kind.isFirstLook }) {
            let end = try journal.withRecord(first.transaction) { $0.time }
            found.append(Gap(to: end, transaction: first.transaction))
        }
        for note in notes where note.kind == .gap {
            guard let recorded = try journal.transaction(note.transaction)?.entry.note else { continue }
            found.append(Gap(from: recorded.time("from"), to: recorded.time("to"), transaction: note.transaction))
        }
        // A watch that is going on covers everything from its beginning.
        let coverage = notes.last { [.scanCompleted, .watchBegan, .watchEnded].contains($0.kind) }
        let isWatched = try coverage?.kind == .watchBegan && isCaptured(account)
        if !isWatched { found.append(Gap(from: try coverageEnd(of: account))) }
        return found
    }

    /// The gap of the account in which a time lies that was asked for.
    func gap(of account: AccountNumber, at point: ResolvedTime) throws -> Gap? {
        guard let time = point.asked else { return nil }
        return try gaps(of: account).first { $0.contains(time) }
    }

    /// Whether another process captures the account just now.
    private func isCaptured(_ account: AccountNumber) throws -> Bool {
        guard Directory.isWritable(directory.appending("locks")) else { return false }
        return try captureLock(account) == nil
    }
}
