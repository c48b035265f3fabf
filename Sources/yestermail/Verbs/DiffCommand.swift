internal import ArgumentParser
internal import Capture
internal import Connectors
internal import Events
internal import Journal
internal import MIME
internal import Presentation
internal import Projections
internal import TimeLanguage
internal import Vault

struct DiffCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Shows what is different in an account between two times, or between vault and mailbox.",
        discussion: """
            Ends with 5 when there are differences, with 0 when there are none. The two states are folded from the \
            journal.

            With --live the vault's newest state is held against the mailbox as it is now, and nothing is recorded: \
            what is named is what a scan would record. With --deep as well, every message is read and its bytes are \
            compared. It ends with 3 when something could not be looked at, whatever else was found.

            Examples:
              yestermail diff anna --from 'yesterday 14:00'
              yestermail diff anna --from 2026-03-01 --to 2026-03-03 --json
              yestermail diff anna --live
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The account.") var account: String

    @Option(help: ArgumentHelp("The earlier time.", valueName: "time")) var from: String?

    @Option(help: ArgumentHelp("The later time; default: now.", valueName: "time")) var to: String?

    @Flag(help: "Compare the vault with the mailbox as it is now.") var live = false

    @Flag(help: "With --live: read every message and compare its bytes.") var deep = false

    func validate() throws {
        if live {
            guard from == nil, to == nil else {
                throw ValidationError("--live compares what is newest in the vault: it goes without --from and --to.")
            }
        } else {
            guard from != nil else { throw ValidationError("Say since when, by --from; or --live.") }
            guard !deep else { throw ValidationError("--deep goes with --live.") }
        }
    }

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let account = try vault.account(account)
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: account)
        guard let from else {
            let view = try AccountView(vault, projections, account, try context.point(nil, role: .to, landmarks, vault))
            let found = try LiveComparison(vault, account, try Location(of: account).openSource(), deep: deep)
            return try LiveAnswer(found, view, context).write()
        }
        let first = try context.point(from, role: .from, landmarks, vault)
        let last = try context.point(to, role: .to, landmarks, vault)
        guard first.transaction <= last.transaction else {
            throw Failure(.usage, "--from is later than --to", hint: "Give the earlier time as --from")
        }
        let purges = try vault.purges(of: account.number)
        let comparison = try AccountComparison(
            vault, account.number, first.transaction, last.transaction, without: purges.items)
        let before = try AccountView(vault, projections, account, first)
        let after = try AccountView(vault, projections, account, last)
        // What was there at either end and was purged since is no difference any more that could be told.
        var missing: [PurgedShare] = []
        for point in [first, last] {
            for share in purges.missing(account.number, asOf: point.transaction) where !missing.contains(share) {
                missing.append(share)
            }
        }
        if !context.isJSON { context.remark(missing) }
        if context.isJSON {
            try json(comparison, before, after, missing, context)
        } else {
            try print(comparison, before, after, context)
        }
        if !comparison.changes.isEmpty { throw ExitStatus(.differences) }
    }

    private func print(
        _ comparison: AccountComparison, _ before: AccountView, _ after: AccountView, _ context: CommandContext
    ) throws {
        guard !comparison.changes.isEmpty else { return context.remark("No differences.") }
        let sums = comparison.sums
        for (name, kind) in [("mail", ItemKind.message), ("folders", .folder)] {
            guard let sum = sums[kind] else { continue }
            let words = sum.words(of: kind)
            try context.output.line(
                name + String(repeating: " ", count: 9 - name.utf8.count) + words.joined(separator: "  "))
        }
        let reading = MessageReading(after.vault)
        for block in comparison.changes.blocks(of: 1024) {
            let headers = try reading.headers(of: block.map { ($0.after ?? $0.before)?.state.message })
            for (change, headers) in zip(block, headers) {
                var line = change.sign + " " + change.item.description
                if let folder = (change.after ?? change.before)?.state.folder {
                    line += "  " + TerminalText.safe(folder.joinedPath)
                } else {
                    line += "  " + change.place(before, after)
                }
                line += "  " + change.words.joined(separator: ", ")
                if let headers {
                    line += "  \"" + TerminalText.safe(headers.subject ?? "(no subject)", maxColumns: 60) + "\""
                }
                try context.output.line(line)
            }
        }
    }

    private func json(
        _ comparison: AccountComparison, _ before: AccountView, _ after: AccountView, _ missing: [PurgedShare],
        _ context: CommandContext
    ) throws {
        try context.output.json { json in
            json.beginObject()
            json.accountNames(after.account)
            json.resolved(before.point, key: "from")
            json.resolved(after.point, key: "to")
            json.purged(missing)
            json.summary(comparison.sums)
            json.key("changes")
            json.beginArray()
            for change in comparison.changes {
                json.beginObject()
                json.key("item")
                json.value(change.item)
                json.key("type")
                json.value(change.item.kind.name)
                json.key("change")
                json.beginArray()
                for word in change.words { json.value(word) }
                json.endArray()
                json.key("before")
                if let state = change.before {
                    json.appendJSON(try before.json(state.item, state.transaction))
                } else {
                    json.null()
                }
                json.key("after")
                if let state = change.after {
                    json.appendJSON(try after.json(state.item, state.transaction))
                } else {
                    json.null()
                }
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }
}
