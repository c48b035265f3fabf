internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import Query
internal import Vault

struct HoldCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Legal holds: what must not be purged, whatever retention says.",
        discussion: """
            A hold covers an account, or all of them; with a query, the items that match it by any state they ever had, also \
            those that come later. Several may cover the same; each is lifted by itself. All of it is in the journal.

            Examples:
              yestermail hold add anna@example.org --reason 'case 4711'
              yestermail hold add --query 'from:piero contract' --reason 'case 4712'
              yestermail hold list
              yestermail hold remove h1
            """,
        subcommands: [HoldListCommand.self, HoldAddCommand.self, HoldRemoveCommand.self])
}

struct HoldListCommand: Verb {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the holds.")

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Flag(help: "Those that have been lifted too.") var all = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        _ = try context.projections(vault)
        let holds = try vault.holds().filter { all || $0.lifted == nil }
        let accounts = try vault.accounts()
        if context.isJSON {
            for hold in holds { try context.output.json { try write(hold, accounts, vault, &$0) } }
            for account in accounts where account.state.isHeld && !account.isDeleted {
                try context.output.json { json in
                    json.beginObject()
                    json.key("hold")
                    json.null()
                    json.accountNames(account)
                    for name in ["query", "reason", "placed", "lifted"] {
                        json.key(text: name)
                        json.null()
                    }
                    json.endObject()
                }
            }
            return
        }
        var table = TextTable([.init("HOLD"), .init("ACCOUNT"), .init("COVERS"), .init("PLACED"), .init("REASON")])
        for hold in holds {
            let placed = try vault.journal.withRecord(hold.placed) { $0.time }
            let name = hold.lifted == nil ? hold.name : "\(hold.name) (lifted)"
            table.addRow([
                name, hold.account.map { address($0, accounts) } ?? "all", hold.query ?? "everything",
                placed.map { context.text($0) } ?? "", hold.reason ?? "",
            ])
        }
        for account in accounts where account.state.isHeld && !account.isDeleted {
            table.addRow(["account hold", account.state.address, "everything", "", ""])
        }
        for line in table.lines() { try context.output.line(line) }
    }

    private func address(_ number: AccountNumber, _ accounts: [Account]) -> String {
        accounts.first { $0.number == number }?.state.address ?? "a\(number.rawValue) (purged)"
    }

    private func write(
        _ hold: LegalHold, _ accounts: [Account], _ vault: OpenVault, _ json: inout JSONWriter
    ) throws {
        json.beginObject()
        json.key("hold")
        json.value(hold.name)
        json.key("account")
        json.optional(hold.account.map { address($0, accounts) })
        json.key("account_id")
        json.optional(accounts.first { $0.number == hold.account }?.state.id.description)
        json.key("query")
        json.optional(hold.query)
        json.key("reason")
        json.optional(hold.reason)
        for (name, id) in [("placed", hold.placed), ("lifted", hold.lifted)] as [(StaticString, TransactionID?)] {
            let time = try id.flatMap { try vault.journal.withRecord($0) { $0.time } }
            json.point(name, id.flatMap { id in time.map { (id, $0) } })
        }
        json.endObject()
    }
}

struct HoldAddCommand: Verb {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Places a hold.")

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account; left out: all accounts.") var account: String?
    @Option(help: "Only what matches this.") var query: String?
    @Option(help: "Why.") var reason: String?

    func run(_ context: CommandContext) throws {
        // What cannot be understood must not protect nothing.
        if let query { _ = try Query.parse(query, now: context.now, zone: context.zone) }
        let vault = try context.vault(.writing)
        let lock = try vault.lockDirectory()
        defer { withExtendedLifetime(lock) {} }
        let hold = try vault.placeHold(
            on: try account.map { try vault.account($0).number }, query: query, reason: reason)
        guard context.isJSON else { return try context.output.line("Hold \(hold.name) is placed.") }
        try context.output.json { json in
            json.beginObject()
            json.key("hold")
            json.value(hold.name)
            json.endObject()
        }
    }
}

struct HoldRemoveCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Lifts a hold: retention applies again, unless another covers the same.")

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The hold, as hold list names it.") var hold: String

    func run(_ context: CommandContext) throws {
        let vault = try context.vault(.writing)
        let lock = try vault.lockDirectory()
        defer { withExtendedLifetime(lock) {} }
        guard let found = try vault.holds().first(where: { $0.name == hold }) else {
            throw Failure(
                .notFound, "there is no hold \(TerminalText.safe(hold, maxColumns: 40))",
                hint: "See: yestermail hold list")
        }
        if found.lifted == nil { try vault.liftHold(found.number) }
        guard context.isJSON else {
            return try context.output.line("Hold \(found.name) is lifted\(found.lifted == nil ? "" : " already").")
        }
        try context.output.json { json in
            json.beginObject()
            json.key("hold")
            json.value(found.name)
            json.endObject()
        }
    }
}
