internal import Connectors
internal import Events
internal import Journal
internal import Projections
internal import Restore
internal import Vault

/// What the kinds of restore share: from the arguments to the report.
struct Restoring {
    /// Where to, and whether it is done or only planned.
    struct Way {
        var to: String?
        /// How to get into a mail server that is no account of the vault.
        var server: ServerOptions?
        var dryRun: Bool
        var savePlan: String?

        var isOnlyPlanned: Bool { dryRun || savePlan != nil }

        init(to: String? = nil, server: ServerOptions? = nil, dryRun: Bool, savePlan: String? = nil) {
            (self.to, self.server, self.dryRun, self.savePlan) = (to, server, dryRun, savePlan)
        }

        init(_ options: RestoreOptions) {
            self.init(to: options.to, server: options.server, dryRun: options.dryRun, savePlan: options.savePlan)
        }
    }

    let context: CommandContext
    let vault: OpenVault
    let account: Account
    let target: Location
    private let way: Way

    init(_ context: CommandContext, _ account: String, _ way: Way) throws {
        let vault = try context.vault(way.isOnlyPlanned ? .reading : .writing)
        _ = try context.projections(vault)
        try self.init(context, vault, try vault.account(account), way)
    }

    /// Of an account that is known already.
    init(_ context: CommandContext, _ vault: OpenVault, _ account: Account, _ way: Way) throws {
        let target = try Restoring.target(way.to, way.server, account, vault)
        self.init(context, vault, account, at: target, way)
    }

    /// All of it known already.
    init(_ context: CommandContext, _ vault: OpenVault, _ account: Account, at target: Location, _ way: Way) {
        (self.context, self.vault, self.account, self.target, self.way) = (context, vault, account, target, way)
    }

    static func target(
        _ text: String?, _ server: ServerOptions?, _ account: Account, _ vault: OpenVault
    ) throws -> Location {
        if let text, let server, ServerOptions.isServer(text) {
            return .server(try server.location(text, Address(account.state.address)))
        }
        guard server?.isEmpty ?? true else {
            throw Failure(
                .usage, "the options of a mail server need one", hint: "Write --to imaps://USER@HOST, or leave them out"
            )
        }
        guard let text else { return try Location(of: account) }
        for kind in ["mbox", "eml"] where text.hasPrefix(kind + ":") {
            return try Location("\(kind):\(VaultPlace.absolute(String(text.dropFirst(kind.utf8.count + 1))))")
        }
        if text.contains("/") || text.hasPrefix("maildir:") { return try Location(argument: text) }
        return try Location(of: try vault.account(text))
    }

    static func path(_ text: String) -> [[UInt8]] {
        text.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    private var landmarks: ProjectedLandmarks {
        get throws { ProjectedLandmarks(vault: vault, projections: try vault.projections(), account: account) }
    }

    func point(_ text: String?) throws -> ResolvedTime { try context.point(text, try landmarks, vault) }

    func range(from: String?, to: String?) throws -> ResolvedRange {
        try context.range(from: from, to: to, try landmarks, vault)
    }

    func apply(_ options: RestoreOptions, to request: inout RestoreRequest) throws {
        request.only = options.only.value
        request.onConflict = options.onConflict.value
        request.isExact = options.exact
        if options.exact, !options.yes, !way.isOnlyPlanned {
            throw Failure(
                .refused, "--exact removes from \(target) what was not there then",
                hint: "Look first with --dry-run, then add --yes")
        }
    }

    /// Plans, and does it unless it is only to be planned.
    func run(
        _ request: RestoreRequest, _ point: ResolvedTime, range: ResolvedRange? = nil, kind: String = "restore",
        before: (RestorePlan) throws -> Void = { _ in }
    ) throws {
        try run(try RestorePlanner.plan(vault, request), point, range: range, kind: kind, before: before)
    }

    /// What the plan cannot have any more, or not as it was then.
    private func purged(_ plan: RestorePlan) throws -> [String] {
        let purges = try vault.purges(of: account.number)
        guard purges.touches(account.number) else { return [] }
        let (number, point) = (account.number, plan.request.point)
        var missing: [PurgedShare] = []
        var asks: (ItemID) -> Bool = { _ in true }
        switch plan.request.selection {
        case .account(let deletedSince):
            missing = purges.missing(number, asOf: point)
            if deletedSince != nil { missing += purges.missing(number, asOf: point, deleted: true) }
        case .items(let items): asks = { items.contains($0) }
        // Taking something back, or bringing back what was deleted, is about what is in the journal now.
        case .deleted: missing = purges.missing(number, asOf: point, deleted: true)
        case .changes: return []
        }
        let projections = try vault.projections()
        let thinned = try purges.thinned(number, asOf: point) { item in
            guard asks(item), let found = try projections.pointer(number, item, asOf: point), !found.isDeleted else {
                return nil
            }
            return found.transaction
        }
        return missing.map { context.wording(of: $0) } + thinned.map { context.wording(thinned: $0) }
    }

    /// Shows, saves or carries out a plan. `before`: what must be done just before anything is written.
    func run(
        _ plan: RestorePlan, _ point: ResolvedTime, range: ResolvedRange? = nil, kind: String,
        newAddress: String? = nil,
        ledger: RestoreLedger = .own,
        origin: [Note.Field] = [],
        before: (RestorePlan) throws -> Void = { _ in }, after: (RestoreReport) throws -> Void = { _ in }
    ) throws {
        var plan = plan
        plan.warnings += try purged(plan)
        plan.warnings += (range?.gaps ?? []).map { context.wording(ofEndIn: $0) }
        for warning in plan.warnings { context.remark("warning: \(warning)") }
        // Said already when the time was read; here for the report and for the journal.
        if let gap = point.gap { plan.warnings.append(context.wording(of: gap)) }
        plan.unwatched = ((point.gap.map { [$0] } ?? []) + (range?.gaps ?? [])).map {
            Unwatched(from: $0.from, to: $0.to)
        }
        let answer = RestoreAnswer(context, point)
        if let file = way.savePlan {
            try FileArgument(file).write {
                try SavedPlan.encode(plan, kind: kind, in: vault, newAddress: newAddress, $0)
            }
        }
        if way.isOnlyPlanned { return try answer.plan(plan, savedAs: way.savePlan) }
        try before(plan)
        let done = try Restoring.execute(context, plan, from: vault, kind: kind, ledger: ledger, origin: origin)
        try after(done.report)
        try answer.report(plan, done)
    }

    /// Carries out a plan, with a line of progress, until it is done or a signal comes.
    static func execute(
        _ context: CommandContext, _ plan: RestorePlan, from vault: OpenVault, kind: String,
        ledger: RestoreLedger = .own, origin: [Note.Field] = []
    ) throws -> (report: RestoreReport, took: Int64) {
        let began = ProgressLine.now()
        let line = ProgressLine("restore to \(plan.request.target)", unit: "messages", options: context.options)
        let stop = StopRequest()
        Termination.whenRequested { stop.request() }
        let run = RestoreRun(
            vault, plan, operation: .random(), kind: kind, ledger: ledger, origin: origin,
            isStopped: { stop.isRequested })
        defer { line.finish() }
        do {
            let report = try run.run { line.update($0.items, of: $0.totalItems, bytes: $0.bytes) }
            return (report, ProgressLine.now() - began)
        } catch var failure as Failure where failure.code == .interrupted && Termination.requestedSignal == 15 {
            failure.code = .terminated
            throw failure
        }
    }
}

extension UniqueID {
    static func random() -> UniqueID {
        var generator = SystemRandomNumberGenerator()
        return UniqueID(using: &generator)
    }
}
