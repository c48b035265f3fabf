internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Restore
internal import Vault

struct RestorePlanCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Runs a plan that was saved with --save-plan: restore --plan FILE.",
        discussion: """
            The plan is made again from what it asked for, and of what is to be done now, that is done which the file \
            lists: never more than was looked at. What has been done meanwhile is skipped. A plan of another vault, one \
            that was changed, and one as of a transaction that is not there any more are refused.

            Examples:
              yestermail restore account anna --at monday --exact --save-plan monday.plan
              yestermail restore --plan monday.plan --dry-run
              yestermail restore --plan monday.plan --yes
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Option(help: ArgumentHelp("The file.", valueName: "file"), completion: .file()) var plan: String?
    @Flag(help: "Print the plan; write nothing.") var dryRun = false
    @Flag(help: "Do it without being asked again.") var yes = false

    func run(_ context: CommandContext) throws {
        guard let plan else { throw CleanExit.helpRequest(RestoreCommand.self) }
        let bytes = try FileArgument(plan).read(limit: SavedPlan.largestFile)
        if SavedSalvage.isMeant(by: bytes) {
            let saved = try SavedSalvage(bytes)
            return try RestoreRawCommand.run(
                saved.source, to: saved.goal, only: saved, dryRun: dryRun, savePlan: nil, context)
        }
        let vault = try context.vault(dryRun ? .reading : .writing)
        _ = try context.projections(vault)
        if SavedPlans.isMeant(by: bytes) { return try external(try SavedPlans(bytes, for: vault), vault, context) }
        let saved = try SavedPlan(bytes, for: vault)
        if saved.request.isExact, !yes, !dryRun {
            throw Failure(
                .refused, "the plan removes from \(saved.request.target) what was not there then",
                hint: "Look first with --dry-run, then add --yes")
        }
        var point = ResolvedTime(
            transaction: saved.request.point,
            time: try vault.journal.withRecord(saved.request.point) { $0.time } ?? context.now,
            isNewest: saved.request.point == (try vault.journal.head().transaction))
        let gaps = saved.unwatched.map { Gap(from: $0.from, to: $0.to) }
        var range: ResolvedRange?
        switch saved.request.selection {
        case .deleted(let meant, _), .changes(let meant, _):
            range = ResolvedRange(first: meant.lowerBound, last: meant.upperBound, gaps: gaps)
        case .account, .items:
            point.gap = gaps.first
            if let gap = gaps.first { context.remark("warning: \(context.wording(of: gap))") }
        }
        let doing = Restoring(
            context, vault, saved.request.account, at: saved.request.target, Restoring.Way(dryRun: dryRun))
        var revival: Revival?
        if saved.kind == Revival.kind {
            guard saved.request.account.isDeleted else {
                throw Failure(.refused, "\(saved.request.account.state.address) is an account again already")
            }
            revival = try Revival(saved.request.account, as: saved.newAddress, in: vault)
        }
        let narrowed = saved.narrowed(try RestorePlanner.plan(vault, saved.request))
        try doing.run(narrowed, point, range: range, kind: saved.kind) {
            if saved.request.verifiesBytes { try BlobRestore.keepDamaged($0, in: vault) }
        } after: { _ in
            try revival?.finish(at: saved.request.target, context)
        }
    }

    /// Of accounts of another vault.
    private func external(_ saved: SavedPlans, _ vault: OpenVault, _ context: CommandContext) throws {
        let foreign = try ForeignVault.open(saved.source, beside: vault)
        _ = try context.projections(foreign)
        let plans = try saved.plans(for: foreign)
        guard let first = plans.first else { throw Failure(.notFound, "the plan is of no account") }
        let point = ResolvedTime(
            transaction: first.request.point,
            time: try foreign.journal.withRecord(first.request.point) { $0.time } ?? context.now,
            isNewest: first.request.point == (try foreign.journal.head().transaction))
        var restore = ExternalRestore(
            context: context, ours: vault, foreign: foreign, point: point, to: nil, server: nil,
            skipsProvisioning: false, isOnlyPlanned: dryRun, allowed: plans)
        try restore.run(plans.map(\.request.account), onlyProvisioning: first.request.only == .folders)
    }
}
