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
    var bytes: UInt64 = 0
    var unrestored: [Unrestored] = []
    var losses: [String] = []
}

/// One worker of a restore: its own reader of blobs and its own hold on the target.
final class RestoreWorker {
    private let vault: OpenVault
    private let plan: RestorePlan
    private let target: any Target
    private let reader: BlobReader
    private var folders: [Int: any TargetFolder] = [:]

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
    func perform(_ steps: [RestoreStep], _ outcome: inout StepOutcome) throws {
        let small = steps.filter { $0.action == .deliver && $0.size <= UInt64(BlobReader.bufferedMessageBytes) }
        try reader.readMany(small.map(\.digest)) { position, found in
            try perform(small[position], &outcome, bytes: found)
        }
        for step in steps where step.action != .deliver || step.size > UInt64(BlobReader.bufferedMessageBytes) {
            try perform(step, &outcome, bytes: nil)
        }
    }

    private func perform(
        _ step: RestoreStep, _ outcome: inout StepOutcome, bytes: Result<BorrowedBlob, BlobError>?
    ) throws {
        do {
            switch step.action {
            case .deliver:
                try deliver(step, try bytes?.get(), &outcome)
                outcome.restored += 1
                outcome.bytes += step.size
            case .setFlags:
                let lost = try folder(step.folder).setFlags(step.name, step.flags, step.keywords)
                report(lost, of: step, &outcome)
                outcome.merged += 1
            case .remove:
                try folder(step.folder).remove(step.name)
                outcome.removed += 1
            case .removeFolder:
                try target.removeFolder(plan.folders[step.folder].name)
                outcome.foldersRemoved += 1
            }
        } catch let failure as TargetFailure {
            switch failure {
            case .refused(let why): outcome.unrestored.append(Unrestored(step.item, .invalid, why))
            // Someone else put it there, or took it away, since the plan was made.
            case .exists: outcome.skipped += 1
            case .vanished:
                outcome.unrestored.append(Unrestored(step.item, .refused, "\(failure)"))
            case .unavailable: throw Failure(targetFailure: failure, "\(plan.request.target) cannot be written")
            }
        } catch let error as BlobError {
            switch error {
            case .damaged: outcome.unrestored.append(Unrestored(step.item, .broken, "\(error)"))
            default: outcome.unrestored.append(Unrestored(step.item, .readError, "\(error)"))
            }
        }
    }

    private func deliver(_ step: RestoreStep, _ bytes: BorrowedBlob?, _ outcome: inout StepOutcome) throws {
        let message = Delivery(
            name: step.name, flags: step.flags, keywords: step.keywords, internalDate: step.internalDate,
            size: step.size)
        let folder = try folder(step.folder)
        let lost = try folder.deliver(message) { sink in
            if let bytes { try bytes.withBytes(sink) } else { try self.reader.stream(step.digest) { try sink($0) } }
        }.lostKeywords
        report(lost, of: step, &outcome)
    }

    private func folder(_ index: Int) throws -> any TargetFolder {
        if let open = folders[index] { return open }
        let open = try target.folder(plan.folders[index].state)
        folders[index] = open
        return open
    }

    private func report(_ lost: [[UInt8]], of step: RestoreStep, _ outcome: inout StepOutcome) {
        guard !lost.isEmpty else { return }
        let names = lost.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        outcome.losses.append("\(step.item?.description ?? "-"): keywords the target has no room for: \(names)")
    }
}
