internal import Blobs
internal import Connectors
internal import Events
internal import Vault

/// What became of some steps.
struct StepOutcome: Sendable {
    var steps = 0
    var restored = 0
    var merged = 0
    var removed = 0
    var foldersRemoved = 0
    var skipped = 0
    var altered = 0
    var bytes: UInt64 = 0
    var unrestored: [Unrestored] = []
    var losses: [String] = []
    /// Where the target gives the names: what it called the messages of these steps.
    var named: [(step: RestoreStep, name: [UInt8])] = []
}

/// One worker of a restore: its own reader of blobs and its own hold on the target.
final class RestoreWorker {
    private let vault: OpenVault
    private let plan: RestorePlan
    private let target: any Target
    private let reader: BlobReader
    private var folders: [Int: any TargetFolder] = [:]
    private var outcome = StepOutcome()

    init(_ vault: OpenVault, _ plan: RestorePlan) throws {
        (self.vault, self.plan) = (vault, plan)
        target = try plan.request.target.openTarget()
        reader = vault.blobs.reader()
    }

    /// In the order of the packs, so that each frame is decoded once; what is not stored comes last.
    func inPackOrder(_ steps: [RestoreStep]) throws -> [RestoreStep] {
        guard steps.count > 1, steps[0].action == .deliver else { return steps }
        let places = try vault.blobs.locations(of: steps.map(\.digest))
        return steps.indices.sorted { left, right in
            switch (places[left], places[right]) {
            case (let one?, let other?): one < other || one == other && left < right
            case (nil, nil): left < right
            case (let one, _): one != nil
            }
        }.map { steps[$0] }
    }

    /// Does all of `steps`: deliveries together, so that their bytes are verified side by side.
    func perform(_ steps: [RestoreStep]) throws -> StepOutcome {
        outcome = StepOutcome()
        let small = steps.filter { $0.action == .deliver && $0.size <= UInt64(BlobReader.bufferedMessageBytes) }
        try reader.readMany(small.map(\.digest)) { position, found in
            try perform(small[position], bytes: found)
        }
        for step in steps where step.action != .deliver || step.size > UInt64(BlobReader.bufferedMessageBytes) {
            try perform(step, bytes: nil)
        }
        for folder in folders.values {
            do { try folder.flush() } catch let failure as TargetFailure {
                throw Failure(targetFailure: failure, "\(plan.request.target) cannot be written")
            }
        }
        return outcome
    }

    private func perform(_ step: RestoreStep, bytes: Result<BorrowedBlob, BlobError>?) throws {
        do {
            switch step.action {
            case .deliver: try deliver(step, try bytes?.get())
            case .setFlags:
                let lost = try folder(step.folder).setFlags(step.name, step.flags, step.keywords)
                report(lost, of: step)
                outcome.merged += 1
            case .remove:
                try folder(step.folder).remove(step.name)
                outcome.removed += 1
            case .removeFolder:
                try target.removeFolder(plan.folders[step.folder].name)
                outcome.foldersRemoved += 1
            }
        } catch let failure as TargetFailure {
            try note(failure, of: step)
        } catch let error as BlobError {
            switch error {
            case .damaged: outcome.unrestored.append(Unrestored(step.item, .broken, "\(error)"))
            default: outcome.unrestored.append(Unrestored(step.item, .readError, "\(error)"))
            }
        }
    }

    private func note(_ failure: TargetFailure, of step: RestoreStep) throws {
        switch failure {
        case .refused(let why): outcome.unrestored.append(Unrestored(step.item, .invalid, why))
        // Someone else put it there, or took it away, since the plan was made.
        case .exists: outcome.skipped += 1
        case .vanished: outcome.unrestored.append(Unrestored(step.item, .refused, "\(failure)"))
        case .unavailable: throw Failure(targetFailure: failure, "\(plan.request.target) cannot be written")
        }
    }

    private func deliver(_ step: RestoreStep, _ bytes: BorrowedBlob?) throws {
        let message = Delivery(
            name: plan.takesNames ? step.name : nil, flags: step.flags, keywords: step.keywords,
            internalDate: step.internalDate, size: step.size)
        try folder(step.folder).deliver(message) { sink in
            if let bytes { try bytes.withBytes(sink) } else { try self.reader.stream(step.digest) { try sink($0) } }
        } done: { [self] result in
            switch result {
            case .success(let delivered):
                outcome.restored += 1
                outcome.bytes += step.size
                if delivered.isAltered { outcome.altered += 1 }
                report(delivered.lostKeywords, of: step)
                if !plan.takesNames, !delivered.name.isEmpty { outcome.named.append((step, delivered.name)) }
            case .failure(let failure): try note(failure, of: step)
            }
        }
    }

    private func folder(_ index: Int) throws -> any TargetFolder {
        if let open = folders[index] { return open }
        let open = try target.folder(plan.folders[index].state)
        folders[index] = open
        return open
    }

    private func report(_ lost: [[UInt8]], of step: RestoreStep) {
        guard !lost.isEmpty else { return }
        let names = lost.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        outcome.losses.append("\(step.item?.description ?? "-"): keywords the target has no room for: \(names)")
    }
}
