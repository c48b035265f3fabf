internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Query
internal import Restore
internal import Vault

struct UndoCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Takes a restore back, or what happened in a mailbox in some time.",
        discussion: """
            Of an operation: what it delivered goes, if it is still as it was delivered; flags it set are as they were; \
            what it removed comes back. What somebody changed since is kept and named.

            With --account, --from and --to: what people and programs did in that time is taken back, and everything that \
            was done later stays: what was deleted comes back, what was moved goes back, flags and keywords are set back \
            one by one, each only if it is still as it was left then. --where says which changes: a query as of find, \
            which must match the item as it was or as it became, and change:KIND (deleted, moved, flags, tags, created; \
            several: any of them). What came (change:created) is removed only if that is asked for, with --yes. Names of \
            folders are not taken back. Scan first: an item that is not as the vault knows it is left alone.

            Examples:
              yestermail operation list
              yestermail undo 5e21c0de --dry-run
              yestermail undo --account anna --from 'monday 09:00' --to 'monday 09:30' \\
                --where 'change:deleted folder:INBOX'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The operation's id, or the beginning of it.") var operation: String?
    @Option(help: ArgumentHelp("Instead of an operation: in this account.", valueName: "account")) var account: String?
    @Option(help: ArgumentHelp("What happened from then on.", valueName: "time")) var from: String?
    @Option(name: .customLong("to"), help: ArgumentHelp("What happened until then.", valueName: "time")) var end:
        String?
    @Option(name: .customLong("where"), help: ArgumentHelp("Only such changes.", valueName: "query")) var condition:
        String?
    @Flag(help: "Print the plan; write nothing.") var dryRun = false
    @Flag(help: "Also remove what came, where that is asked for.") var yes = false
    @Option(
        help: ArgumentHelp(
            "Put the plan into this file and do nothing else; run it with restore --plan.", valueName: "file"),
        completion: .file())
    var savePlan: String?

    func run(_ context: CommandContext) throws {
        if let operation {
            guard account == nil, from == nil, end == nil, condition == nil, savePlan == nil else {
                throw Failure(.usage, "an operation is taken back as a whole", hint: "Name it alone, or use --account")
            }
            return try takeBack(operation, context)
        }
        guard let account, let from, let end else {
            throw Failure(.usage, "name an operation, or --account with --from and --to")
        }
        let way = Restoring.Way(dryRun: dryRun, savePlan: savePlan)
        let doing = try Restoring(context, account, way)
        let range = try doing.range(from: from, to: end)
        try range.refuseEmpty(context)
        let filter = try ChangeFilter(condition ?? "", context)
        if filter.kinds.contains(.created), !yes, !way.isOnlyPlanned {
            throw Failure(
                .refused, "change:created removes from \(doing.target) what came in that time",
                hint: "Look first with --dry-run, then add --yes")
        }
        let wanted = try filter.changes(of: doing.account, in: range.first...range.last, doing.vault)
        let head = try doing.vault.journal.head()
        let point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        guard !wanted.isEmpty else {
            throw Failure(
                .notFound, "no change in that time is meant",
                hint: range.gaps.first.map { context.wording(ofEndIn: $0) })
        }
        let request = RestoreRequest(
            account: doing.account, point: head.transaction, selection: .changes(range.first...range.last, wanted),
            target: doing.target)
        try doing.run(request, point, range: range, kind: "undo-changes")
    }

    private func takeBack(_ operation: String, _ context: CommandContext) throws {
        let vault = try context.vault(dryRun ? .reading : .writing)
        _ = try context.projections(vault)
        let found = try vault.operation(operation)
        guard let account = try vault.accounts().first(where: { $0.number == found.account }) else {
            throw Failure(.notFound, "the account of operation \(found.id) is not in this vault")
        }
        let plan = try Undo.plan(vault, found, account: account)
        let head = try vault.journal.head()
        let point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        let way = Restoring.Way(dryRun: dryRun)
        try Restoring(context, vault, account, at: plan.request.target, way).run(
            plan, point, kind: "undo", origin: [Note.Field("undoes", .text(Array(found.id.description.utf8)))])
    }
}

/// Which changes are meant: `change:deleted change:moved folder:INBOX from:piero`.
struct ChangeFilter {
    let kinds: ChangeKinds
    private let query: Query?

    private static let words: [(word: String, kinds: ChangeKinds)] = [
        ("deleted", .deleted), ("moved", .moved), ("flags", .flags), ("tags", .tags),
        ("created", [.created, .returned]),
    ]

    init(_ text: String, _ context: CommandContext) throws {
        var (kinds, rest): (ChangeKinds, [String]) = ([], [])
        var isQuoted = false
        // Words in quotes are the query's; change: stands between them.
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if !isQuoted, word.hasPrefix("change:") {
                let name = word.dropFirst(7)
                guard let found = ChangeFilter.words.first(where: { $0.word == name }) else {
                    throw Failure(
                        .usage,
                        "change:\(TerminalText.safe(String(name), maxColumns: 40)) is no change that is taken back",
                        hint: "There are: " + ChangeFilter.words.map { "change:\($0.word)" }.joined(separator: ", "))
                }
                kinds.formUnion(found.kinds)
            } else {
                rest.append(String(word))
                if !word.count(where: { $0 == "\"" }).isMultiple(of: 2) { isQuoted.toggle() }
            }
        }
        self.kinds = kinds.isEmpty ? [.deleted, .moved, .flags, .tags] : kinds
        let remaining = rest.joined(separator: " ")
        query =
            remaining.allSatisfy { $0 == " " }
            ? nil : try Query.parse(remaining, now: context.now, zone: context.zone)
    }

    /// The messages with such changes in the range, and which of their changes are meant.
    func changes(
        of account: Account, in range: ClosedRange<TransactionID>, _ vault: OpenVault
    ) throws -> [RestoreRequest.WantedChange] {
        var found: [ItemID: ChangeKinds] = [:]
        let projections = try vault.projections()
        let subjects = SubjectReading(MessageReading(vault))
        func matches(_ state: RecordedState) throws -> Bool {
            guard let query else { return true }
            let path = try state.state.message.flatMap {
                try projections.folderPath(account.number, $0.folder, asOf: state.transaction, vault.journal)
            }
            return query.matches(StateSubject(state, path, subjects))
        }
        var changed: [(item: ItemID, kinds: ChangeKinds, transaction: TransactionID)] = []
        try vault.journal.scan(from: range.lowerBound, through: range.upperBound) { record in
            guard record.account == account.number, !record.isLost else { return true }
            for change in try record.transaction().entry.changes where change.item.kind == .message {
                let meant = change.kinds.intersection(kinds)
                if !meant.isEmpty { changed.append((change.item, meant, record.id)) }
            }
            return true
        }
        for change in changed {
            let states = try projections.states(account.number, change.item)
            guard let place = states.firstIndex(where: { $0.transaction == change.transaction }) else { continue }
            // As it became, and as it was.
            let candidates = [place] + (place > 0 ? [place - 1] : [])
            for candidate in candidates
            where try matches(try vault.journal.state(change.item, at: states[candidate])) {
                found[change.item, default: []].formUnion(change.kinds)
                break
            }
        }
        return found.map { .init(item: $0.key, kinds: $0.value) }.sorted { $0.item < $1.item }
    }
}
