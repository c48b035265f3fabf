internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Shows what happened, newest first; 'log dump' is the whole audit.",
        discussion: """
            yestermail log [ACCOUNT] [ITEM] [--from TIME] [--to TIME] [--kind KIND]
                           [--change CHANGE] [--limit N] [--follow]
            yestermail log dump [--from TIME] [--to TIME] [--account ACCOUNT]

            Examples:
              yestermail log anna --from yesterday --change deleted
              yestermail log anna m1042
              yestermail log --follow
              yestermail log dump > audit.jsonl
            """,
        subcommands: [LogShowCommand.self, LogDumpCommand.self], defaultSubcommand: LogShowCommand.self)
}

struct LogShowCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Readable, newest first (what 'log' without a word does).",
        discussion: """
            With --json: the objects of 'log dump', one a line, newest first.
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "Only this account.") var account: String?
    @Argument(help: ArgumentHelp("Only this item: m1042, or <message-id>.", valueName: "item")) var item: String?

    @Option(help: ArgumentHelp("Nothing before.", valueName: "time")) var from: String?
    @Option(help: ArgumentHelp("Nothing after.", valueName: "time")) var to: String?
    @Option(help: ArgumentHelp("Only items of a kind.", valueName: "kind")) var kind: ListCommand.Kind?
    @Option(
        help: ArgumentHelp(
            "Only changes of a sort: created, content, flags, tags, moved, renamed, deleted, returned, subscription, metadata, or note.",
            valueName: "change"))
    var change: ChangeSort?
    @Option(name: [.long, .customShort("n")], help: ArgumentHelp("At most so many lines.", valueName: "n"))
    var limit: Int?
    @Flag(name: [.long, .customShort("f")], help: "Go on with what happens, oldest first, until interrupted.")
    var follow = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let account = try account.map { try vault.account($0) }
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: account)
        let range = try context.range(from: from, to: to, landmarks, vault)
        var items: Set<ItemID>?
        if let item, let account {
            let head = try vault.journal.head()
            let point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
            let view = try AccountView(vault, projections, account, point)
            let found = try view.items(item)
            for item in found where try view.purged(item) == nil { _ = try view.state(item, context) }
            items = Set(found)
        }
        let filter = LogFilter(account: account?.number, items: items, kind: kind?.value, change: change)
        let printer = try LogPrinter(context, vault, projections, filter)
        if follow { try printer.follow(range.first, last: min(limit ?? 10, 1_000_000), from: from != nil) }
        guard range.first <= range.last else { return }
        try printer.newestFirst(range.first, range.last, limit: limit ?? .max)
        if printer.printed == 0, !context.isJSON { context.remark("Nothing.") }
        if items == nil, printer.passedOver > 0 {
            context.remark(
                context.isJSON
                    ? "{\"purged_transactions\":\(printer.passedOver)}"
                    : "\(Quantity.count(printer.passedOver, "transaction")) of which something was purged may have had more of that: see them with yestermail log, without --kind and --change"
            )
        }
    }

    /// What `--change` names.
    struct ChangeSort: ExpressibleByArgument {
        let kinds: ChangeKinds
        let notes: Bool

        init?(argument: String) {
            let word = argument.lowercased()
            if word == "note" || word == "event" {
                (kinds, notes) = ([], true)
                return
            }
            guard let found = ChangeKinds.names.first(where: { "\($0.name)" == word }) else { return nil }
            (kinds, notes) = (found.kind, false)
        }

        static var allValueStrings: [String] { ChangeKinds.names.map { "\($0.name)" } + ["note"] }
    }
}
