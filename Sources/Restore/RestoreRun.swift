internal import Blobs
internal import Connectors
public import Events
internal import Journal
internal import Threads
public import Vault

/// How far a restore has come.
public struct RestoreProgress: Sendable {
    public var items: Int
    public var totalItems: Int
    public var bytes: UInt64
    public var totalBytes: UInt64
}

/// Carries out a plan against its target, and records it in the journal as an operation that can be taken back.
///
/// It can be stopped at any moment and planned again: what is done is then there, and skipped.
public struct RestoreRun {
    private let vault: OpenVault
    private let plan: RestorePlan
    private let operation: UniqueID
    private let kind: String
    private let ledger: RestoreLedger
    private let origin: [Note.Field]
    private let isStopped: @Sendable () -> Bool

    /// Steps of one job: written into the journal together before they are done.
    private static let jobSteps = 512

    /// `origin`: what the journal is to say besides: which operation is taken back, which vault it comes from.
    public init(
        _ vault: OpenVault, _ plan: RestorePlan, operation: UniqueID, kind: String = "restore",
        ledger: RestoreLedger = .own, origin: [Note.Field] = [], isStopped: @escaping @Sendable () -> Bool = { false }
    ) {
        (self.vault, self.plan, self.operation) = (vault, plan, operation)
        (self.kind, self.ledger, self.origin, self.isStopped) = (kind, ledger, origin, isStopped)
    }

    /// Does it. Throws ``Failure`` when the target or the vault cannot be used any more; what was done stays, and is
    /// recorded.
    public func run(progress: (RestoreProgress) -> Void = { _ in }) throws -> RestoreReport {
        if let room = plan.room, room < plan.bytes {
            throw Failure(
                .noSpace, "it needs \(plan.bytes) bytes, and the target has room for \(room)",
                hint: "Raise the quota, or restore less. Nothing was written")
        }
        var report = RestoreReport(operation)
        report.unrestored = plan.unrestored
        report.skipped = plan.skipped
        report.foldersCreated = plan.newFolders
        try record(
            .operationBegan,
            [
                .init("kind", .text(Array(kind.utf8))),
                .init("target", .text(Array(plan.request.target.description.utf8))),
                .init("point", .number(Int64(plan.request.point.rawValue))),
                .init("steps", .number(Int64(plan.steps.count))),
                .init("folders", .number(Int64(plan.newFolders))), .init("skipped", .number(Int64(plan.skipped))),
            ] + origin)
        do {
            try perform(&report, progress)
        } catch {
            // The vault itself may be what failed: then the operation has no end in the journal, which says as much.
            try? finish(report, outcome: "\(error)")
            throw error
        }
        try finish(report, outcome: isStopped() ? "interrupted" : "done")
        if isStopped() {
            throw Failure(
                .interrupted, "stopped after \(report.restored + report.merged) of \(plan.steps.count) items",
                hint: "Run the same command again: what is done is skipped. To take it back: undo \(operation)")
        }
        return report
    }

    private func perform(_ report: inout RestoreReport, _ progress: (RestoreProgress) -> Void) throws {
        let target = try plan.request.target.openTarget()
        do {
            // Also those that are there: their places may be missing.
            for folder in plan.folders { _ = try target.folder(folder.state) }
            if let wanted = plan.subscriptions {
                for lost in try target.setSubscriptions(wanted) {
                    report.losses.append(
                        "subscription of \(String(decoding: Array(lost.joined(separator: [47])), as: UTF8.self))")
                }
            }
        } catch let failure as TargetFailure {
            throw Failure(targetFailure: failure, "\(plan.request.target) cannot be written")
        }
        // Removals last: nothing goes before what it makes room for is there; but what is to be replaced goes first,
        // and folders when they are empty. Places in the plan, not copies of its steps.
        var places: [[Int32]] = [[], [], [], []]
        var replaced: Set<Place> = []
        if plan.steps.contains(where: { $0.action == .remove }) {
            for step in plan.steps where step.action == .deliver { replaced.insert(Place(step)) }
        }
        for (index, step) in plan.steps.enumerated() {
            let stage =
                switch step.action {
                case .remove: replaced.contains(Place(step)) ? 0 : 2
                case .deliver, .setFlags: 1
                case .removeFolder: 3
                }
            places[stage].append(Int32(index))
        }
        replaced = []
        var done = 0
        var bytes: UInt64 = 0
        for stage in places where !stage.isEmpty {
            try perform(stage, &report) { output in
                done += output.steps
                bytes += output.bytes
                progress(
                    RestoreProgress(items: done, totalItems: plan.steps.count, bytes: bytes, totalBytes: plan.bytes))
            }
        }
        if !isStopped() { try setAttributes(target, &report) }
        do { try target.sync() } catch let failure as TargetFailure {
            throw Failure(targetFailure: failure, "\(plan.request.target) cannot be synced")
        }
    }

    /// A name in a folder.
    private struct Place: Hashable {
        var folder: Int
        var name: [UInt8]

        init(_ step: RestoreStep) { (folder, name) = (step.folder, step.name) }
    }

    /// Gives rights and annotations, when all that is in the folders is there: a right less may be in the way.
    private func setAttributes(_ target: any Target, _ report: inout RestoreReport) throws {
        let byFolder = Dictionary(grouping: plan.attributes, by: \.folder)
        for (index, attributes) in byFolder.sorted(by: { $0.key < $1.key }) {
            let folder = plan.folders[index]
            try record(.operationStep, attributes.map { $0.field(folder) })
            let refused: [RefusedAttribute]
            do {
                refused = try target.folder(folder.state).setAttributes(
                    attributes.compactMap { attribute in
                        attribute.value.map { FolderAttribute(name: attribute.name, value: $0) }
                    }, removing: attributes.filter { $0.value == nil }.map(\.name))
            } catch let failure as TargetFailure {
                guard case .unavailable = failure else {
                    refused = attributes.map { RefusedAttribute(name: $0.name, why: "\(failure)") }
                    self.report(refused, of: folder, attributes, in: &report)
                    continue
                }
                throw Failure(targetFailure: failure, "\(plan.request.target) cannot be written")
            }
            report.attributes += attributes.count - refused.count
            self.report(refused, of: folder, attributes, in: &report)
        }
    }

    private func report(
        _ refused: [RefusedAttribute], of folder: PlannedFolder, _ attributes: [PlannedAttribute],
        in report: inout RestoreReport
    ) {
        for lost in refused {
            let detail =
                "\(String(decoding: lost.name, as: UTF8.self)) of \(String(decoding: folder.state.joinedPath, as: UTF8.self)): \(lost.why)"
            // What a folder is for, servers decide themselves.
            if !lost.name.starts(with: FolderAttribute.metadata + Array("/private/specialuse".utf8)) {
                let item = attributes.first { $0.name == lost.name }?.item
                report.unrestored.append(Unrestored(item, .refused, detail))
            } else {
                report.losses.append(detail)
            }
        }
    }

    private func perform(_ places: [Int32], _ report: inout RestoreReport, _ done: (StepOutcome) -> Void) throws {
        var next = 0
        let plan = plan
        let vault = vault
        let workers = places.count <= 16 || plan.request.target.wantsOneWriter ? 1 : WorkerThread.processors
        try OrderedPipeline.run(
            workers: workers, ahead: workers + 1,
            makeContext: { try RestoreWorker(vault, plan) },
            next: {
                guard next < places.count, !isStopped() else { return nil }
                let job = places[next..<min(places.count, next + RestoreRun.jobSteps)].map { plan.steps[Int($0)] }
                next += job.count
                try record(.operationStep, job.map { $0.field(plan.folders[$0.folder]) })
                return job
            },
            work: { (worker: RestoreWorker, job: [RestoreStep], handOn: (StepOutcome) throws -> Void) in
                var outcome = try worker.perform(try worker.inPackOrder(job))
                outcome.steps = job.count
                try handOn(outcome)
            },
            consume: { output in
                // From now on the messages can be taken back by the names they were given.
                if !output.named.isEmpty {
                    try record(
                        .operationStep, output.named.map { $0.step.result(plan.folders[$0.step.folder], $0.name) })
                }
                report.altered += output.altered
                report.restored += output.restored
                report.merged += output.merged
                report.removed += output.removed
                report.foldersRemoved += output.foldersRemoved
                report.skipped += output.skipped
                report.bytes += output.bytes
                report.unrestored += output.unrestored
                report.losses += output.losses
                done(output)
            })
    }

    private func record(_ kind: Note.Kind, _ fields: [Note.Field]) throws {
        let (book, account): (OpenVault, AccountNumber)
        switch ledger {
        case .own: (book, account) = (vault, plan.request.account.number)
        case .other(let other, let number): (book, account) = (other, number)
        case .none: return
        }
        let id = Note.Field("operation", .text(Array(operation.description.utf8)))
        try book.commit([
            JournalEntry(account: account, origin: .restore, changes: [], note: Note(kind, [id] + fields))
        ])
    }

    private func finish(_ report: RestoreReport, outcome: String) throws {
        let details = OperationDetails(
            unrestored: report.unrestored, passedOver: plan.conflicts.map { .init(item: $0.item, why: $0.why) },
            losses: report.losses, warnings: plan.warnings)
        for fields in details.fields(at: RestoreRun.jobSteps) { try record(.operationStep, fields) }
        try record(
            .operationEnded,
            [
                .init("outcome", .text(Array(outcome.utf8))), .init("restored", .number(Int64(report.restored))),
                .init("merged", .number(Int64(report.merged))), .init("skipped", .number(Int64(report.skipped))),
                .init("removed", .number(Int64(report.removed))),
                .init("unrestored", .number(Int64(report.unrestored.count))),
                .init("attributes", .number(Int64(report.attributes))),
                .init("bytes", .number(Int64(report.bytes))),
            ])
    }
}
