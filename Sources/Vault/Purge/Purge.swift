public import Blobs
internal import Events
internal import Files
internal import Glibc
public import Journal
internal import Projections
internal import SystemPackage

/// What a purge is doing.
public struct PurgeProgress: Sendable {
    public enum Phase: String, Sendable { case reading, deciding, journal, blobs }
    public var phase: Phase
    public var done: UInt64
    public var total: UInt64
}

/// What a purge has done.
public struct PurgeReport: Sendable {
    public internal(set) var plan: PurgePlan
    public internal(set) var journal = JournalRedaction()
    public internal(set) var blobs = BlobSweepReport()
    /// Captures went on all the while: what is condemned of the blobs is swept by the next purge.
    public internal(set) var isSweepDeferred = false
    /// Records of the journal are lost: blobs that only they may have named are kept.
    public internal(set) var keepsUnknown = false
    /// On the disk, in segments and packs.
    public internal(set) var bytes = 0
}

/// Erases what retention does not keep any more (`Specs/Decisions/0013-purge.md`).
///
/// What it erases is decided in the journal, in one append; everything after that can be done again from there, so that a purge that was
/// killed at any moment is finished by the next one.
public struct Purge {
    private let vault: OpenVault
    private let request: PurgeRequest
    /// Seconds to wait for captures that may know of a blob that was condemned.
    public var patience: Double = 60

    public init(_ vault: OpenVault, _ request: PurgeRequest) { (self.vault, self.request) = (vault, request) }

    // MARK: Looking

    /// What would go, and the bytes that would come back; changes nothing.
    public func plan(progress: (PurgeProgress) throws -> Void = { _ in }) throws -> PurgePlan {
        var plan = try PurgePlanner(vault, request).run()
        let survey = try survey(&plan, progress: progress)
        let dead = try dead(survey)
        plan.blobs = try vault.blobs.sweepEstimate(dead, everything: request.erasing != nil)
        plan.journalBytes = try vault.journal.redactionEstimate(survey.purged)
        return plan
    }

    /// What of the journal stays refers to.
    private struct Survey {
        var purged = PurgedItems()
        var referenced = ReferencedDigests()
        /// Named by changes that go.
        var candidates = ReferencedDigests()
        var hasLost = false
        var end = TransactionID.beginning
    }

    /// Reads the journal to its head: notes in the plan's steps which records are concerned.
    private func survey(_ plan: inout PurgePlan, progress: (PurgeProgress) throws -> Void) throws -> Survey {
        var survey = Survey()
        var finished: Set<[UInt8]> = []
        var begun: [[UInt8]] = []
        try vault.eachNote(.purgeBegan) { if let name = $0.entry.note?.text("operation") { begun.append(name) } }
        try vault.eachNote(.purgeEnded) { if let name = $0.entry.note?.text("operation") { finished.insert(name) } }
        plan.isUnfinished = try begun.contains { !finished.contains($0) } || vault.blobs.hasCondemned()
        try vault.eachNote(.purgeStep) { transaction in
            guard let note = transaction.entry.note, let step = PurgeStep(note) else { return }
            survey.purged.add(step, at: transaction.id)
        }
        let head = try vault.journal.head().transaction
        for step in plan.steps { survey.purged.add(step, at: head.next) }
        let byAccount = Dictionary(
            plan.steps.enumerated().map { ($0.element.account, $0.offset) }, uniquingKeysWith: { first, _ in first })
        try vault.journal.scan(from: TransactionID(rawValue: 1), through: head) { record in
            if record.isLost { survey.hasLost = true }
            if let index = byAccount[record.account],
                let result = try RedactedRecord.make(record, without: survey.purged)
            {
                if result.isStub {
                    plan.stubs += 1
                    plan.steps[index].stubs.append(record.id.rawValue)
                } else {
                    plan.redacted += 1
                    plan.steps[index].redacted[record.id.rawValue] = result.ownLeaf
                }
            }
            try Purge.digests(record) { digest, item in
                if survey.purged.contains(record.account, item, at: record.id) {
                    survey.candidates.insert(digest)
                } else {
                    survey.referenced.insert(digest)
                }
            }
            if record.id.rawValue & 0xFFF == 0 {
                try progress(PurgeProgress(phase: .reading, done: record.id.rawValue, total: head.rawValue))
            }
            return true
        }
        survey.end = head
        survey.referenced.settle()
        survey.candidates.settle()
        return survey
    }

    private static func digests(_ record: RecordView, _ body: (Digest, ItemID) throws -> Void) throws {
        var changes = try ChangeReader(record.body)
        while try changes.next() {
            guard changes.item.kind == .message else { continue }
            if let digest = try ItemState(.message, decoding: changes.state).message?.digest {
                try body(digest, changes.item)
            }
        }
    }

    private func dead(_ survey: Survey) throws -> [Digest] {
        let dead = try vault.blobs.unreferenced(survey.referenced)
        // What is lost may have named any of them.
        return survey.hasLost ? dead.filter { survey.candidates.contains($0) } : dead
    }

    // MARK: Doing

    /// Purges. What an earlier run has decided and not finished is finished too.
    public func run(progress: (PurgeProgress) throws -> Void = { _ in }) throws -> PurgeReport {
        let lock = try LockFile(vault.directory.appending("locks/purge"))
        guard try lock.tryLock() else {
            throw Failure(.locked, "another purge of this vault is going on", hint: "Wait until it has ended")
        }
        defer { lock.unlock() }
        try vault.blobs.finishSweep()
        let before = try storedBytes()
        var (plan, survey) = try decide(progress)
        var report = PurgeReport(plan: plan)
        let isIdle = try plan.steps.isEmpty && !plan.isUnfinished && dead(survey).isEmpty
        guard !isIdle else { return report }
        _ = try vault.projections()
        report.keepsUnknown = survey.hasLost
        let ends = try condemn(&survey)
        report.journal = try vault.journal.redact(survey.purged) {
            try progress(PurgeProgress(phase: .journal, done: $0, total: $1))
        }
        if try vault.blobs.hasCondemned() {
            if try vault.awaitCaptures(seconds: patience) {
                try rescue(behind: survey.end, ends)
                report.blobs = try vault.blobs.sweep(
                    everything: request.erasing != nil, exclusively: { try vault.appendBlobs($0) },
                    progress: { try progress(PurgeProgress(phase: .blobs, done: UInt64($0), total: UInt64($1))) })
            } else {
                report.isSweepDeferred = true
            }
        }
        report.bytes = before - (try storedBytes())
        plan = report.plan
        try end(plan, report)
        return report
    }

    private struct Conflict: Error {}

    /// Decides and records it, when nothing has come between.
    private func decide(_ progress: (PurgeProgress) throws -> Void) throws -> (PurgePlan, Survey) {
        for attempt in 1... {
            var plan = try PurgePlanner(vault, request).run()
            var captures: [CaptureLock] = []
            for part in plan.parts where part.isWhole {
                guard let lock = try vault.captureLock(part.account.number) else {
                    throw Failure(
                        .captured, "\(part.account.state.address) is being captured by another process",
                        hint: "Stop it first (yestermail account disable, or the watch)")
                }
                captures.append(lock)
            }
            defer { withExtendedLifetime(captures) {} }
            var survey = try survey(&plan, progress: progress)
            guard !plan.steps.isEmpty else { return (plan, survey) }
            do {
                try progress(PurgeProgress(phase: .deciding, done: 0, total: 1))
                let seen = survey.end
                try vault.journal.append(deciding: { head in
                    try refuseConflicts(plan, seen, head)
                    return entries(plan)
                })
                survey.purged = PurgedItems()
                _ = try vault.projections()
                try vault.eachNote(.purgeStep) { transaction in
                    guard let note = transaction.entry.note, let step = PurgeStep(note) else { return }
                    survey.purged.add(step, at: transaction.id)
                }
                return (plan, survey)
            } catch is Conflict {
                guard attempt < 20 else {
                    throw Failure(
                        .locked, "what was to be purged changed again and again while it was decided on",
                        hint: "Try again")
                }
            }
        }
        preconditionFailure("the loop ends by itself")
    }

    private func entries(_ plan: PurgePlan) -> [JournalEntry] {
        var fields: [Note.Field] = [
            .init("operation", .text(Array(plan.operation.description.utf8))),
            .init("messages", .number(Int64(plan.messages))), .init("folders", .number(Int64(plan.folders))),
            .init("states", .number(Int64(plan.states))),
            .init("accounts", .number(Int64(plan.parts.filter(\.isWhole).count))),
            .init("erasure", .flag(request.erasing != nil)),
        ]
        if let days = request.days.data { fields.append(.init("data", .number(Int64(days)))) }
        if let days = request.days.account { fields.append(.init("account_days", .number(Int64(days)))) }
        if let rule = request.days.history { fields.append(.init("history", .text(Array("\(rule)".utf8)))) }
        return ([Note(.purgeBegan, fields)] + plan.steps.map(\.note)).map {
            JournalEntry(account: .directory, origin: .admin, changes: [], note: $0)
        }
    }

    /// Since the plan was made, nobody may have changed what it takes, where it is, or what decides on it.
    private func refuseConflicts(_ plan: PurgePlan, _ seen: TransactionID, _ head: JournalHead) throws {
        let start = min(plan.position, seen)
        guard start < head.transaction else { return }
        try vault.journal.scan(from: start.next, through: head.transaction) { record in
            if record.account == .directory { throw Conflict() }
            guard let part = plan.parts.first(where: { $0.account.number == record.account }) else { return true }
            if part.isWhole { throw Conflict() }
            var changes = try ChangeReader(record.body)
            while try changes.next() {
                if part.items[changes.item.kind]?.contains(UInt64(changes.item.number)) ?? false { throw Conflict() }
                if changes.item.kind == .message, let folders = part.items[.folder],
                    let folder = try ItemState(.message, decoding: changes.state).message?.folder,
                    folders.contains(UInt64(folder))
                {
                    throw Conflict()
                }
            }
            return true
        }
    }

    /// Takes the blobs that nothing refers to out of the index; returns how far the packs went then.
    private func condemn(_ survey: inout Survey) throws -> [UInt32: UInt32] {
        let blobs = vault.blobs
        // What an earlier purge has condemned, and something refers to since.
        if try blobs.hasCondemned() {
            try blobs.rescue(try blobs.condemned(in: survey.referenced), since: [:])
        }
        let head = try vault.journal.head().transaction
        try addReferences(behind: survey.end, through: head, to: &survey)
        let ends = try blobs.packEnds()
        try blobs.condemn(try dead(survey))
        return ends
    }

    private func addReferences(
        behind start: TransactionID, through end: TransactionID, to survey: inout Survey
    ) throws {
        guard start < end else { return }
        try vault.journal.scan(from: start.next, through: end) { record in
            try Purge.digests(record) { digest, _ in survey.referenced.insert(digest) }
            return true
        }
        survey.referenced.settle()
        survey.end = end
    }

    /// Brings back what captures that looked for a blob before it was condemned have recorded since.
    private func rescue(behind start: TransactionID, _ ends: [UInt32: UInt32]) throws {
        var named: [Digest] = []
        let head = try vault.journal.head().transaction
        if start < head {
            try vault.journal.scan(from: start.next, through: head) { record in
                try Purge.digests(record) { digest, _ in named.append(digest) }
                return true
            }
        }
        try vault.blobs.rescue(try vault.blobs.condemned(among: named), since: ends)
    }

    private func end(_ plan: PurgePlan, _ report: PurgeReport) throws {
        var open: [[UInt8]] = []
        var finished: Set<[UInt8]> = []
        try vault.eachNote(.purgeBegan) { if let name = $0.entry.note?.text("operation") { open.append(name) } }
        try vault.eachNote(.purgeEnded) { if let name = $0.entry.note?.text("operation") { finished.insert(name) } }
        open.removeAll { finished.contains($0) }
        guard !report.isSweepDeferred else { return }
        try vault.commit(
            open.map { name in
                JournalEntry(
                    account: .directory, origin: .admin, changes: [],
                    note: Note(
                        .purgeEnded,
                        [
                            .init("operation", .text(name)), .init("blobs", .number(Int64(report.blobs.messages))),
                            .init("bytes", .number(Int64(report.bytes))),
                        ]))
            })
    }

    /// Of segments and packs.
    private func storedBytes() throws -> Int {
        try vault.journal.storedBytes().segments + Int(vault.blobs.statistics().packBytes)
    }
}

/// While it lives, blobs that were found in the store may be named in the journal: no sweep takes them away.
public final class BlobUse: Sendable {
    private let file: LockFile

    init(_ file: LockFile) { self.file = file }

    deinit { file.unlock() }
}

extension OpenVault {
    /// To be held from before blobs are looked up or stored until what names them is recorded.
    public func useBlobs() throws -> BlobUse {
        let file = try LockFile(directory.appending("locks/ingest"))
        try file.lockShared()
        return BlobUse(file)
    }

    /// Waits until nobody uses blobs that were looked up before this call; false when that takes longer.
    func awaitCaptures(seconds: Double) throws -> Bool {
        let file = try LockFile(directory.appending("locks/ingest"))
        for _ in 0...Int(seconds * 50) {
            if try file.tryLock() {
                file.unlock()
                return true
            }
            usleep(20_000)
        }
        return false
    }
}
