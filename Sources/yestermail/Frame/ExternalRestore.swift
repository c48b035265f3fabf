internal import Connectors
internal import Events
internal import Journal
internal import Presentation
internal import Restore
internal import Vault

/// Restores accounts of another vault: first all accounts and folders, then all messages.
struct ExternalRestore {
    let context: CommandContext
    let ours: OpenVault
    let foreign: OpenVault
    let point: ResolvedTime
    let to: String?
    let server: ServerOptions?
    let skipsProvisioning: Bool
    let isOnlyPlanned: Bool
    /// Hears what is to be done for each account, when it is only planned.
    private let save: ((RestorePlan) throws -> Void)?
    /// What may be done, by the account's number in the other vault; nil: everything.
    private let allowed: [AccountNumber: SavedPlan]?
    private var outcomes: [Outcome] = []

    /// What became of one account.
    struct Outcome {
        var foreign: Account
        /// Nil: it is not here, and was not made.
        var own: Account?
        var isNew = false
        var target: Location?
        var operation: UniqueID?
        var restored = 0
        var merged = 0
        var skipped = 0
        var foldersCreated = 0
        var rights = 0
        var bytes: UInt64 = 0
        var unrestored: [Unrestored] = []
        var warnings: [String] = []
        var losses: [String] = []
    }

    init(
        context: CommandContext, ours: OpenVault, foreign: OpenVault, point: ResolvedTime, to: String?,
        server: ServerOptions?, skipsProvisioning: Bool, isOnlyPlanned: Bool,
        allowed: [SavedPlan]? = nil, save: ((RestorePlan) throws -> Void)? = nil
    ) {
        self.allowed = allowed.map { plans in
            Dictionary(plans.map { ($0.request.account.number, $0) }, uniquingKeysWith: { first, _ in first })
        }
        self.save = save
        (self.context, self.ours, self.foreign, self.point) = (context, ours, foreign, point)
        (self.to, self.server) = (to, server)
        (self.skipsProvisioning, self.isOnlyPlanned) = (skipsProvisioning, isOnlyPlanned)
    }

    mutating func run(_ accounts: [Account], onlyProvisioning: Bool, savedAs file: String? = nil) throws {
        let began = ProgressLine.now()
        outcomes = try accounts.map { try prepared($0) }
        let targets = outcomes.compactMap(\.target)
        guard Set(targets).count == targets.count else {
            throw Failure(
                .usage, "several accounts would live in the same mailbox",
                hint: "Put %d, %n or %u into the path: maildir:/var/mail/%d/%n")
        }
        // Nobody's folder is made before it is known that everybody has a place.
        for index in outcomes.indices { try attempt(index) { try $0.provision(index) } }
        for index in outcomes.indices { try attempt(index) { try $0.fill(index, onlyProvisioning: onlyProvisioning) } }
        // Last: rights and mount points are about accounts and folders of others, which must all be there.
        let identities = try identities()
        for index in outcomes.indices { try attempt(index) { try $0.share(index, identities) } }
        try answer(took: ProgressLine.now() - began, savedAs: file)
    }

    /// One account that cannot be reached does not keep the others from coming.
    private mutating func attempt(_ index: Int, _ body: (inout ExternalRestore) throws -> Void) throws {
        guard outcomes[index].target != nil else { return }
        do { try body(&self) } catch let failure as Failure {
            switch failure.code {
            case .unreachable, .signIn, .refused, .notEmpty:
                let cause: Unrestored.Cause = failure.code == .unreachable ? .readError : .refused
                let lost = Unrestored(nil, cause, failure.message)
                if !outcomes[index].unrestored.contains(lost) { outcomes[index].unrestored.append(lost) }
            default: throw failure
            }
        }
    }

    /// Where an account of the other vault goes.
    private func prepared(_ account: Account) throws -> Outcome {
        let own = try ours.accounts().first { !$0.isDeleted && $0.state.address == account.state.address }
        var outcome = Outcome(foreign: account, own: own)
        let saved = allowed?[account.number]
        if let own {
            outcome.target = try Location(of: own)
            if let saved, saved.request.target != outcome.target {
                throw Failure(
                    .refused,
                    "\(account.state.address) lives elsewhere than when the plan was made: \(own.state.sources)",
                    hint: "Plan again")
            }
            return outcome
        }
        if let saved {
            outcome.isNew = true
            outcome.target = saved.request.target
            return outcome
        }
        guard !skipsProvisioning else {
            outcome.unrestored = [Unrestored(nil, .refused, "there is no account \(account.state.address) here")]
            return outcome
        }
        guard let to else {
            throw Failure(
                .usage, "\(account.state.address) is not in this vault, and it is not said where it is to live",
                hint: "Add --to 'maildir:/var/mail/%d/%n', or leave it out with --skip-provisioning")
        }
        outcome.isNew = true
        let address = try AccountAddCommand.address(account.state.address)
        if let server, ServerOptions.isServer(to) {
            outcome.target = .server(try server.location(to, address))
            return outcome
        }
        let path = try Location.maildirPath(to)
        guard let template = try MailboxTemplate(path) else {
            outcome.target = .maildir(path: path)
            return outcome
        }
        guard let place = template.path(address) else {
            outcome.unrestored = [Unrestored(nil, .refused, "\(account.state.address) cannot be part of a path")]
            return outcome
        }
        outcome.target = .maildir(path: place)
        return outcome
    }

    private func request(_ outcome: Outcome, _ target: Location) -> RestoreRequest {
        RestoreRequest(
            account: outcome.foreign, point: point.transaction, selection: .account(deletedSince: nil), target: target)
    }

    /// The account, and its folders.
    private mutating func provision(_ index: Int) throws {
        guard let target = outcomes[index].target else { return }
        var request = request(outcomes[index], target)
        request.only = .folders
        request.rights = .left
        let plan = narrowed(try RestorePlanner.plan(foreign, request, known: [:]))
        outcomes[index].warnings = plan.warnings
        outcomes[index].foldersCreated = plan.newFolders
        outcomes[index].unrestored += plan.unrestored
        guard !isOnlyPlanned else { return }
        if case .maildir(let path) = target { try ExternalRestore.makeParents(of: path) }
        if outcomes[index].own == nil {
            var generator = SystemRandomNumberGenerator()
            var account = try ours.addAccount(
                outcomes[index].foreign.state.address, sources: [target.description], using: &generator)
            if outcomes[index].foreign.state.isHeld {
                account.state.isHeld = true
                try ours.record(account, .metadata)
            }
            outcomes[index].own = account
        }
        if plan.newFolders > 0 || plan.subscriptions != nil { _ = try carryOut(plan, index) }
    }

    /// What of a plan may be done; what is left out is said once, by ``fill(_:onlyProvisioning:)``.
    private func narrowed(_ plan: RestorePlan) -> RestorePlan {
        guard let allowed else { return plan }
        guard let saved = allowed[plan.request.account.number] else { return RestorePlan(nothing: plan.request) }
        return saved.narrowed(plan)
    }

    /// The messages.
    private mutating func fill(_ index: Int, onlyProvisioning: Bool) throws {
        guard let target = outcomes[index].target, !onlyProvisioning || save != nil else { return }
        var request = request(outcomes[index], target)
        if onlyProvisioning { request.only = .folders }
        var names: [ItemID: [[[UInt8]]]] = [:]
        if let own = outcomes[index].own {
            let map = try ForeignMap(
                ours, of: foreign.id, account: outcomes[index].foreign.state.id, into: own.number,
                target: target.description)
            request.restoredBefore = map.items
            names = map.names
        }
        request.rights = .left
        var plan = narrowed(try RestorePlanner.plan(foreign, request, known: names))
        if let gap = try foreign.gap(of: request.account.number, at: point) {
            plan.unwatched = [Unwatched(from: gap.from, to: gap.to)]
        }
        plan.warnings += plan.unwatched.map { context.wording(of: Gap(from: $0.from, to: $0.to)) }
        outcomes[index].warnings = plan.warnings
        guard !isOnlyPlanned else {
            if let save {
                let shares = try sharesPlan(index, try identities())
                try save(plan.with(shares.attributes, of: shares.folders))
            }
            guard !onlyProvisioning else { return }
            outcomes[index].restored = plan.count(.deliver)
            outcomes[index].skipped = plan.skipped
            outcomes[index].bytes = plan.bytes
            outcomes[index].unrestored = plan.unrestored
            return
        }
        let done = try carryOut(plan, index)
        outcomes[index].operation = done.operation
        outcomes[index].restored = done.restored
        outcomes[index].merged = done.merged
        outcomes[index].skipped = done.skipped
        outcomes[index].bytes = done.bytes
        outcomes[index].unrestored = done.unrestored
        outcomes[index].losses = done.losses
    }

    /// Who is who: all that has come out of the other vault, before or now.
    private func identities() throws -> IdentityMap {
        var pairs = try IdentityMap.pairs(ours, of: foreign).map { foreign, own in
            (foreign: foreign, own: own.map { (address: $0.state.address, target: $0.state.sources.first ?? "") })
        }
        for outcome in outcomes {
            guard let target = outcome.target,
                let place = pairs.firstIndex(where: { $0.foreign.number == outcome.foreign.number })
            else { continue }
            pairs[place].own = (outcome.foreign.state.address, target.description)
        }
        return IdentityMap(pairs)
    }

    /// Rights of others, and mount points, that are still to be given.
    private func sharesPlan(_ index: Int, _ identities: IdentityMap) throws -> RestorePlan {
        guard let target = outcomes[index].target else { preconditionFailure("nobody's mailbox has no shares") }
        var request = request(outcomes[index], target)
        request.only = .folders
        request.rights = .remapped(identities)
        var plan = try RestorePlanner.plan(foreign, request, known: [:])
        if let own = outcomes[index].own {
            // What was given once and taken away here stays away.
            let map = try ForeignMap(
                ours, of: foreign.id, account: outcomes[index].foreign.state.id, into: own.number,
                target: target.description)
            let folders = plan.folders
            plan.attributes.removeAll { map.attributes.contains([folders[$0.folder].name, $0.name]) }
        }
        return narrowed(plan)
    }

    private mutating func share(_ index: Int, _ identities: IdentityMap) throws {
        guard outcomes[index].target != nil else { return }
        let plan = try sharesPlan(index, identities)
        outcomes[index].rights = plan.attributes.count
        outcomes[index].unrestored += plan.unrestored
        outcomes[index].warnings += plan.warnings.filter { !outcomes[index].warnings.contains($0) }
        guard !isOnlyPlanned, !plan.attributes.isEmpty || plan.subscriptions != nil else { return }
        let done = try carryOut(plan, index)
        outcomes[index].unrestored += done.unrestored.filter { !outcomes[index].unrestored.contains($0) }
        outcomes[index].losses += done.losses
    }

    private func carryOut(_ plan: RestorePlan, _ index: Int) throws -> RestoreReport {
        guard let own = outcomes[index].own else { preconditionFailure("nothing is restored without an account") }
        let origin = [
            Note.Field("source_vault", .text(Array(foreign.id.description.utf8))),
            Note.Field("source_account", .text(Array(outcomes[index].foreign.state.id.description.utf8))),
        ]
        return try Restoring.execute(
            context, plan, from: foreign, kind: "external", ledger: .other(ours, own.number), origin: origin
        ).report
    }

    /// Directories above a mailbox that a template names.
    private static func makeParents(of path: String) throws {
        var made = ""
        for part in path.split(separator: "/").dropLast() {
            made += "/" + part
            if !FileArgument.isThere(made) { try FileArgument.makeDirectory(made) }
        }
    }

    // MARK: Saying

    private func answer(took: Int64, savedAs file: String?) throws {
        let lost = outcomes.flatMap(\.unrestored)
        if context.isJSON { try answerJSON(took, file) } else { try answerText(took, file) }
        if !lost.isEmpty { throw ExitStatus(.partial) }
    }

    private func answerText(_ took: Int64, _ file: String?) throws {
        var table = TextTable([
            .init("ACCOUNT", maxColumns: 40), .init("TARGET", maxColumns: 60),
            .init(isOnlyPlanned ? "TO RESTORE" : "RESTORED", .right), .init("SKIPPED", .right),
            .init("RIGHTS", .right), .init("UNRESTORED", .right), .init("SIZE", .right), .init("OPERATION"),
        ])
        for outcome in outcomes {
            table.addRow([
                outcome.foreign.state.address + (outcome.isNew ? " (new)" : ""),
                outcome.target.map { "\($0)" } ?? "", Quantity.count(outcome.restored), Quantity.count(outcome.skipped),
                Quantity.count(outcome.rights), Quantity.count(outcome.unrestored.count), Quantity.bytes(outcome.bytes),
                outcome.operation.map { String($0.description.prefix(8)) } ?? "",
            ])
        }
        for line in table.lines() { try context.output.line(line) }
        for outcome in outcomes {
            let address = TerminalText.safe(outcome.foreign.state.address)
            for warning in outcome.warnings {
                try context.output.line("  \(address): warning: \(TerminalText.safe(warning))")
            }
            for lost in outcome.unrestored {
                try context.output.line(
                    "  \(address): not restored: \(lost.item?.description ?? "-") \(lost.cause.rawValue): \(TerminalText.safe(lost.detail))"
                )
            }
            for loss in outcome.losses { try context.output.line("  \(address): not kept: \(TerminalText.safe(loss))") }
        }
        if let file {
            try context.output.line("Saved. Do it with: yestermail restore --plan \(TerminalText.safe(file))")
        } else if isOnlyPlanned {
            try context.output.line("Nothing was written. Run it without --dry-run to do it.")
        }
    }

    private func answerJSON(_ took: Int64, _ file: String?) throws {
        try context.output.json { json in
            json.beginObject()
            json.key("dry_run")
            json.value(isOnlyPlanned)
            json.key("source_vault_id")
            json.value(foreign.id.description)
            json.resolved(point)
            for (name, sum) in [
                ("restored", outcomes.reduce(0) { $0 + $1.restored }),
                ("merged", outcomes.reduce(0) { $0 + $1.merged }),
                ("skipped", outcomes.reduce(0) { $0 + $1.skipped }),
            ] {
                json.key(text: name)
                json.value(sum)
            }
            json.key("unrestored")
            json.beginArray()
            for outcome in outcomes {
                for lost in outcome.unrestored { json.unrestored(lost, account: outcome.foreign.state.address) }
            }
            json.endArray()
            json.key("bytes")
            json.value(outcomes.reduce(0) { $0 + $1.bytes })
            json.key("seconds")
            json.seconds(took)
            json.key("accounts")
            json.beginArray()
            for outcome in outcomes {
                json.beginObject()
                json.key("account")
                json.value(outcome.foreign.state.address)
                json.key("source_account_id")
                json.value(outcome.foreign.state.id.description)
                json.key("account_id")
                json.optional(outcome.own?.state.id.description)
                json.key("new")
                json.value(outcome.isNew)
                json.key("target")
                json.optional(outcome.target?.description)
                json.key("operation")
                json.optional(outcome.operation?.description)
                for (name, count) in [
                    ("restored", outcome.restored), ("merged", outcome.merged), ("skipped", outcome.skipped),
                    ("unrestored", outcome.unrestored.count), ("folders_created", outcome.foldersCreated),
                    ("rights", outcome.rights),
                ] {
                    json.key(text: name)
                    json.value(count)
                }
                json.texts("warnings", outcome.warnings)
                json.texts("losses", outcome.losses)
                json.endObject()
            }
            json.endArray()
            json.key("saved_as")
            json.optional(file)
            json.endObject()
        }
    }
}
