internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Presentation
internal import Restore
internal import TimeLanguage
internal import Vault

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Brings back an account, single items, or what was deleted.",
        discussion: """
            A restore is a plan first: --dry-run prints it and writes nothing. Nothing that is there is overwritten or \
            removed unless --on-conflict replace or --exact says so. It can be interrupted and run again: what is done is \
            skipped. Every restore is an operation in the journal and can be taken back with undo.

            Examples:
              yestermail restore account anna --at 'yesterday 14:00' --to maildir:/tmp/anna --dry-run
              yestermail restore undelete anna --from '3 days ago' --to now
              yestermail restore item anna m1042 --at before:m1042
            """,
        subcommands: [RestoreAccountCommand.self, RestoreItemCommand.self, RestoreUndeleteCommand.self])
}

/// The flags that every kind of restore has.
struct RestoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Another account of the vault, maildir:PATH or imap[s]://[USER@]HOST. Default: where the account lives.",
            valueName: "target"))
    var to: String?

    @Flag(help: "Print the plan; write nothing.") var dryRun = false

    @Option(help: ArgumentHelp("missing, changed, flags, folders or all.", valueName: "scope"))
    var only = Choice(RestoreRequest.Scope.missing)

    @Option(help: ArgumentHelp("Where another message has the name: keep, both or replace.", valueName: "rule"))
    var onConflict = Choice(RestoreRequest.ConflictRule.keep)

    @Flag(help: "Make it as it was, removals included. Needs --yes.") var exact = false

    @Flag(help: "Do it without being asked again.") var yes = false

    @OptionGroup(title: "Of a mail server") var server: ServerOptions
}

/// A choice of the command line: a word that names one of `Value`.
struct Choice<Value: RawRepresentable & CaseIterable & Sendable>: ExpressibleByArgument
where Value.RawValue == String {
    let value: Value

    init(_ value: Value) { self.value = value }

    init?(argument: String) {
        guard let value = Value(rawValue: argument) else { return nil }
        self.value = value
    }

    var defaultValueDescription: String { value.rawValue }
    static var allValueStrings: [String] { Value.allCases.map(\.rawValue) }
}

struct RestoreAccountCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "A whole account as of any time.",
        discussion: """
            Examples:
              yestermail restore account anna --at 2026-03-03 --to maildir:/tmp/anna
              yestermail restore account anna --at 'monday 09:30' --exact --yes
              yestermail restore account anna --to maildir:/tmp/all --include-deleted --since 2026-01-01
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String
    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?
    @Flag(help: "Also what had been deleted by then.") var includeDeleted = false
    @Option(help: ArgumentHelp("With --include-deleted: only what was deleted from then on.", valueName: "time"))
    var since: String?
    @OptionGroup var options: RestoreOptions

    func run(_ context: CommandContext) throws {
        guard since == nil || includeDeleted else {
            throw Failure(.usage, "--since says since when deleted items are wanted", hint: "Add --include-deleted")
        }
        let doing = try Restoring(context, account, options)
        let point = try doing.point(at)
        var deletedSince: TransactionID?
        if includeDeleted { deletedSince = try since.map { try doing.range(from: $0, to: nil).first } ?? .beginning }
        var request = RestoreRequest(
            account: doing.account, point: point.transaction, selection: .account(deletedSince: deletedSince),
            target: doing.target)
        try doing.apply(options, to: &request)
        try doing.run(request, point)
    }
}

struct RestoreItemCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "item", abstract: "Single items as of any time, still there or long gone.",
        discussion: """
            Without --at, an item as it is now; one that is deleted, as it was just before.

            Examples:
              yestermail restore item anna m1042
              yestermail restore item anna m7 m8 --at 2026-03-03 --into 'Restored/March'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String
    @Argument(help: ArgumentHelp("The items: m1042, or <message-id>.", valueName: "item")) var items: [String]
    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?
    @Option(help: ArgumentHelp("Into this folder.", valueName: "folder")) var into: String?
    @OptionGroup var options: RestoreOptions

    func run(_ context: CommandContext) throws {
        let doing = try Restoring(context, account, options)
        let point = try doing.point(at)
        let view = try AccountView(doing.vault, context.projections(doing.vault), doing.account, point)
        let found = try items.flatMap { try view.items($0) }
        var request = RestoreRequest(
            account: doing.account, point: point.transaction, selection: .items(found), target: doing.target)
        request.into = into.map(Restoring.path)
        try doing.apply(options, to: &request)
        try doing.run(request, point)
    }
}

struct RestoreUndeleteCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "undelete", abstract: "What was deleted between two times, as it was before.",
        discussion: """
            Each message goes back to the folder it was deleted from, under the name the folder had then, without the \
            flag \\Deleted and with the keyword undelete_DD_MM_YY. What was deleted exactly at either end is included.

            Examples:
              yestermail restore undelete anna --from 'yesterday 16:00' --to 'yesterday 17:00'
              yestermail restore undelete anna --from 2026-03-01 --to 2026-03-03 --into 'Undeleted'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String
    @Option(help: ArgumentHelp("Deleted from then on.", valueName: "time")) var from: String
    @Option(
        name: .customLong("to"), help: ArgumentHelp("Deleted until then. Default: now.", valueName: "time"))
    var end: String?
    @Option(help: ArgumentHelp("Into this folder instead of the original ones.", valueName: "folder")) var into: String?
    @Option(
        help: ArgumentHelp(
            "Another account of the vault, maildir:PATH or imap[s]://[USER@]HOST.", valueName: "target"))
    var target: String?
    @Flag(help: "Print the plan; write nothing.") var dryRun = false
    @OptionGroup(title: "Of a mail server") var server: ServerOptions

    func run(_ context: CommandContext) throws {
        var options = RestoreOptions()
        options.to = target
        options.server = server
        options.dryRun = dryRun
        let doing = try Restoring(context, account, options)
        let range = try doing.range(from: from, to: end)
        let head = try doing.vault.journal.head()
        let point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        guard range.first <= range.last else {
            throw Failure(.notFound, "nothing was recorded between these two times")
        }
        let today = context.now.civil(offsetSeconds: Int64(context.zone.offset(at: context.now)))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let keyword = "undelete_\(two(today.day))_\(two(today.month))_\(two(Int(today.year % 100)))"
        var request = RestoreRequest(
            account: doing.account, point: point.transaction,
            selection: .deleted(range.first...range.last, keyword: Array(keyword.utf8)), target: doing.target)
        request.into = into.map(Restoring.path)
        try doing.run(request, point, dryRun: dryRun)
    }
}

/// What the kinds of restore share: from the arguments to the report.
struct Restoring {
    let context: CommandContext
    let vault: OpenVault
    let account: Account
    let target: Location
    private let options: RestoreOptions

    init(_ context: CommandContext, _ account: String, _ options: RestoreOptions) throws {
        (self.context, self.options) = (context, options)
        vault = try context.vault(options.dryRun ? .reading : .writing)
        _ = try context.projections(vault)
        self.account = try vault.account(account)
        target = try Restoring.target(options.to, options.server, self.account, vault)
    }

    /// Of what is known already.
    init(_ context: CommandContext, vault: OpenVault, account: Account, target: Location) throws {
        (self.context, self.vault, self.account, self.target) = (context, vault, account, target)
        options = RestoreOptions()
    }

    private static func target(
        _ text: String?, _ server: ServerOptions, _ account: Account, _ vault: OpenVault
    ) throws -> Location {
        if let text, ServerOptions.isServer(text) {
            return .server(try server.location(text, Address(account.state.address)))
        }
        guard server.isEmpty else {
            throw Failure(
                .usage, "the options of a mail server need one", hint: "Write --to imaps://USER@HOST, or leave them out"
            )
        }
        guard let text else { return try Location(of: account) }
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

    func range(from: String?, to: String?) throws -> (first: TransactionID, last: TransactionID) {
        try context.range(from: from, to: to, try landmarks, vault)
    }

    func apply(_ options: RestoreOptions, to request: inout RestoreRequest) throws {
        request.only = options.only.value
        request.onConflict = options.onConflict.value
        request.isExact = options.exact
        if options.exact, !options.yes, !options.dryRun {
            throw Failure(
                .refused, "--exact removes from \(target) what was not there then",
                hint: "Look first with --dry-run, then add --yes")
        }
    }

    func run(_ request: RestoreRequest, _ point: ResolvedTime, dryRun: Bool? = nil) throws {
        let operation = UniqueID.random()
        let plan = try RestorePlanner.plan(vault, request, operation: operation)
        for warning in plan.warnings { context.remark("warning: \(warning)") }
        let answer = RestoreAnswer(context, point)
        if dryRun ?? options.dryRun { return try answer.plan(plan) }
        try answer.report(plan, try execute(plan, operation, "restore"))
    }

    func execute(_ plan: RestorePlan, _ operation: UniqueID, _ kind: String) throws -> (RestoreReport, Int64) {
        let began = ProgressLine.now()
        let line = ProgressLine("restore to \(plan.request.target)", unit: "messages", options: context.options)
        let stop = StopRequest()
        Termination.whenRequested { stop.request() }
        let run = RestoreRun(vault, plan, operation: operation, kind: kind, isStopped: { stop.isRequested })
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

/// Plans and reports of restores, for people and for programs.
struct RestoreAnswer {
    private let context: CommandContext
    private let point: ResolvedTime

    init(_ context: CommandContext, _ point: ResolvedTime) { (self.context, self.point) = (context, point) }

    func plan(_ plan: RestorePlan) throws {
        if context.isJSON { return try planJSON(plan) }
        let output = context.output
        try output.line(
            "Plan: as of \(context.text(point.time)) (\(point.transaction)), to \(TerminalText.safe("\(plan.request.target)"))"
        )
        var table = TextTable([.init("", .left), .init("", .right), .init("", .left)])
        func row(_ what: String, _ count: Int, _ more: String = "") {
            if count > 0 { table.addRow([what, Quantity.count(count), more]) }
        }
        row("create folders", plan.newFolders, names(plan.folders.filter { !$0.exists }))
        row("deliver messages", plan.count(.deliver), Quantity.bytes(plan.bytes))
        row("set flags", plan.count(.setFlags))
        row("remove messages", plan.count(.remove), plan.count(.remove) > 0 ? "all of them are in the vault" : "")
        let leaving = plan.steps.filter { $0.action == .removeFolder }.map { plan.folders[$0.folder] }
        row("remove folders", leaving.count, names(leaving))
        row("subscribe", plan.subscriptions?.count ?? 0)
        row("already there", plan.skipped)
        row("cannot be restored", plan.unrestored.count)
        for line in table.lines() where !line.allSatisfy({ $0 == " " }) { try output.line("  " + line) }
        for step in plan.steps.prefix(context.options.verbose ? .max : 0) {
            try output.line(
                "  \(verb(step.action)) \(step.item?.description ?? "-") in \(TerminalText.safe(plan.folders[step.folder].state.joinedPath)): \(TerminalText.safe(step.name))"
            )
        }
        try details(plan.conflicts, plan.unrestored)
        let nothing = plan.steps.isEmpty && plan.newFolders == 0 && plan.subscriptions == nil
        try output.line(nothing ? "Nothing to do." : "Nothing was written. Run it without --dry-run to do it.")
        if !plan.unrestored.isEmpty { throw ExitStatus(.partial) }
    }

    private func verb(_ action: RestoreStep.Action) -> String {
        switch action {
        case .deliver: "deliver"
        case .setFlags: "flags  "
        case .remove: "remove "
        case .removeFolder: "remove the folder"
        }
    }

    private func names(_ folders: [PlannedFolder]) -> String {
        let shown = folders.prefix(6).map { TerminalText.safe($0.state.joinedPath) }.joined(separator: ", ")
        return folders.count > 6 ? shown + ", …" : shown
    }

    private func details(_ conflicts: [(item: ItemID, why: String)], _ unrestored: [Unrestored]) throws {
        let limit = context.options.verbose ? Int.max : 10
        for conflict in conflicts.prefix(limit) {
            try context.output.line("  \(conflict.item) \(TerminalText.safe(conflict.why))")
        }
        if conflicts.count > limit {
            try context.output.line("  … and \(Quantity.count(conflicts.count - limit)) more (--verbose names them)")
        }
        for lost in unrestored {
            try context.output.line(
                "  not restored: \(lost.item?.description ?? "-") \(lost.cause.rawValue): \(TerminalText.safe(lost.detail))"
            )
        }
    }

    private func planJSON(_ plan: RestorePlan) throws {
        try context.output.json { json in
            json.beginObject()
            json.key("dry_run")
            json.value(true)
            json.resolved(point)
            json.key("target")
            json.value(plan.request.target.description)
            for (name, count) in [
                ("folders_created", plan.newFolders), ("deliver", plan.count(.deliver)),
                ("flags", plan.count(.setFlags)),
                ("remove", plan.count(.remove)), ("folders_removed", plan.count(.removeFolder)),
                ("skipped", plan.skipped),
            ] {
                json.key(text: name)
                json.value(count)
            }
            json.key("bytes")
            json.value(plan.bytes)
            json.key("warnings")
            json.beginArray()
            for warning in plan.warnings { json.value(warning) }
            json.endArray()
            unrestored(plan.unrestored, &json)
            json.endObject()
        }
        if !plan.unrestored.isEmpty { throw ExitStatus(.partial) }
    }

    private func unrestored(_ list: [Unrestored], _ json: inout JSONWriter) {
        json.key("unrestored")
        json.beginArray()
        for lost in list {
            json.beginObject()
            json.key("item")
            if let item = lost.item { json.value(item) } else { json.null() }
            json.key("cause")
            json.value(lost.cause.rawValue)
            json.key("detail")
            json.value(lost.detail)
            json.endObject()
        }
        json.endArray()
    }

    func report(_ plan: RestorePlan, _ done: (report: RestoreReport, took: Int64)) throws {
        let report = done.report
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("operation")
                json.value(report.operation.description)
                json.resolved(point)
                for (name, count) in [
                    ("restored", report.restored), ("merged", report.merged), ("skipped", report.skipped),
                ] {
                    json.key(text: name)
                    json.value(count)
                }
                unrestored(report.unrestored, &json)
                json.key("removed")
                json.value(report.removed)
                json.key("folders_created")
                json.value(report.foldersCreated)
                json.key("folders_removed")
                json.value(report.foldersRemoved)
                json.key("bytes")
                json.value(report.bytes)
                json.key("seconds")
                json.seconds(done.took)
                json.key("target")
                json.value(plan.request.target.description)
                json.key("altered")
                json.value(report.altered)
                json.key("losses")
                json.beginArray()
                for loss in report.losses { json.value(loss) }
                json.endArray()
                json.endObject()
            }
        } else {
            let output = context.output
            var parts = [
                "\(Quantity.count(report.restored)) restored", "\(Quantity.count(report.merged)) merged",
                "\(Quantity.count(report.skipped)) skipped", "\(Quantity.count(report.unrestored.count)) unrestored",
            ]
            if report.removed > 0 { parts.append("\(Quantity.count(report.removed)) removed") }
            if report.foldersRemoved > 0 { parts.append("\(Quantity.count(report.foldersRemoved, "folder")) removed") }
            try output.line(
                "\(parts.joined(separator: ", ")) (\(Quantity.bytes(report.bytes)), \(Quantity.duration(microseconds: done.took)))"
            )
            try details(plan.conflicts, report.unrestored)
            if report.altered > 0 {
                try output.line(
                    "  \(Quantity.count(report.altered, "message")) had lines that ended in LF alone; on a mail server they end in CR LF"
                )
            }
            for loss in report.losses { try output.line("  not kept: \(TerminalText.safe(loss))") }
            try output.line("Operation \(report.operation). Take it back: yestermail undo \(report.operation)")
        }
        if !report.unrestored.isEmpty { throw ExitStatus(.partial) }
    }
}
