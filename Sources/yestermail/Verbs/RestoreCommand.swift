internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Restore
internal import TimeLanguage
internal import Vault

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Brings back an account, single items, or what was deleted.",
        discussion: """
            A restore is a plan first: --dry-run prints it and writes nothing. Nothing that is there is overwritten or \
            removed unless --on-conflict replace or --exact says so. --save-plan puts the plan into a file, and \
            restore --plan runs it later. It can be interrupted and run again: what is done is skipped. Every restore is an operation in the journal and can be taken back with undo.

            Examples:
              yestermail restore account anna --at 'yesterday 14:00' \\
                --to maildir:/tmp/anna --dry-run
              yestermail restore undelete anna --from '3 days ago' --to now
              yestermail restore item anna m1042 --at before:m1042
              yestermail restore --plan FILE
            """,
        subcommands: [
            RestoreAccountCommand.self, RestoreItemCommand.self, RestoreUndeleteCommand.self,
            RestoreDeletedAccountCommand.self, RestoreExternalCommand.self, RestoreBlobsCommand.self,
            RestoreRawCommand.self, RestorePlanCommand.self,
        ], defaultSubcommand: RestorePlanCommand.self)
}

/// The flags that every kind of restore has.
struct RestoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Another account of the vault, maildir:PATH or imap[s]://[USER@]HOST. Default: where the account lives.",
            valueName: "target"))
    var to: String?

    @Flag(help: "Print the plan; write nothing.") var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Put the plan into this file and do nothing else; run it with restore --plan.", valueName: "file"),
        completion: .file())
    var savePlan: String?

    @Option(help: ArgumentHelp("missing, changed, flags, folders, shares or all.", valueName: "scope"))
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
              yestermail restore account anna --to maildir:/tmp/all \\
                --include-deleted --since 2026-01-01
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
        let doing = try Restoring(context, account, .init(options))
        let point = try doing.point(at)
        let range = try since.map { try doing.range(from: $0, to: nil) }
        let deletedSince = includeDeleted ? range?.first ?? .beginning : nil
        var request = RestoreRequest(
            account: doing.account, point: point.transaction, selection: .account(deletedSince: deletedSince),
            target: doing.target)
        try doing.apply(options, to: &request)
        try doing.run(request, point, range: range)
    }
}

struct RestoreItemCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "item", abstract: "Single items as of any time, still there or long gone.",
        discussion: """
            Without --at, an item as it is now; one that is deleted, as it was just before. A folder comes with the mail \
            that was in it, and without the folders below.

            Examples:
              yestermail restore item anna m1042
              yestermail restore item anna m7 m8 --at 2026-03-03 --into 'Restored/March'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String
    @Argument(help: ArgumentHelp("The items: m1042, f7, or <message-id>.", valueName: "item")) var items: [String]
    @Option(
        help: ArgumentHelp(
            "As of when. Default: last; of what is deleted, just before its deletion.", valueName: "time")) var at:
        String?
    @Option(help: ArgumentHelp("Into this folder.", valueName: "folder")) var into: String?
    @OptionGroup var options: RestoreOptions

    func run(_ context: CommandContext) throws {
        let doing = try Restoring(context, account, .init(options))
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
              yestermail restore undelete anna --from 'yesterday 16:00'
              yestermail restore undelete anna --from 2026-03-01 --to 2026-03-03 \\
                --into 'Undeleted'
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
    @Option(
        help: ArgumentHelp(
            "Put the plan into this file and do nothing else; run it with restore --plan.", valueName: "file"),
        completion: .file())
    var savePlan: String?
    @OptionGroup(title: "Of a mail server") var server: ServerOptions

    func run(_ context: CommandContext) throws {
        let doing = try Restoring(
            context, account, .init(to: target, server: server, dryRun: dryRun, savePlan: savePlan))
        let range = try doing.range(from: from, to: end)
        let head = try doing.vault.journal.head()
        let point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        try range.refuseEmpty(context)
        let today = context.now.civil(offsetSeconds: Int64(context.zone.offset(at: context.now)))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let keyword = "undelete_\(two(today.day))_\(two(today.month))_\(two(Int(today.year % 100)))"
        var request = RestoreRequest(
            account: doing.account, point: point.transaction,
            selection: .deleted(range.first...range.last, keyword: Array(keyword.utf8)), target: doing.target)
        request.into = into.map(Restoring.path)
        let plan = try RestorePlanner.plan(doing.vault, request)
        guard !plan.steps.isEmpty || plan.skipped > 0 || !plan.unrestored.isEmpty else {
            throw Failure(
                .notFound,
                "nothing that is still gone was deleted from \(doing.account.state.address) between \(range.first) and \(range.last)",
                hint: range.gaps.first.map { context.wording(ofEndIn: $0) }
                    ?? "See when something was: yestermail log \(doing.account.state.address)")
        }
        try doing.run(plan, point, range: range, kind: "restore")
    }
}
