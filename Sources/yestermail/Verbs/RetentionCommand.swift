internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

struct RetentionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retention", abstract: "How long what was deleted is kept.",
        discussion: """
            Days from the deletion: of items, and of accounts that were removed or disabled, with all in them. The narrowest rule \
            counts: of the folder (and those below it), the account, the domain, the vault. Without any it is 30 days each. \
            0 keeps for ever. All rules, past ones too, are in the journal.

            --history thins old states of messages that are there (off, unless it is set): of all:30,daily:90,monthly, all states are \
            kept for 30 days, then the newest of each day for 90 days, then the newest of each month. The words are all, daily, weekly, \
            monthly, yearly and none; days, weeks, months and years are those of UTC. The first state, the present one, deletions and \
            returns are kept always. purge --dry-run says how many states would go.

            Examples:
              yestermail retention show
              yestermail retention set --items 90 --accounts 365
              yestermail retention set --account anna --folder INBOX/Contracts --items 0
              yestermail retention set --domain example.org --items default
              yestermail retention set --history all:30,daily:90,monthly
            """,
        subcommands: [RetentionShowCommand.self, RetentionSetCommand.self], defaultSubcommand: RetentionShowCommand.self
    )
}

struct RetentionShowCommand: Verb {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows the rules.")

    @OptionGroup(title: "Global options") var global: GlobalOptions

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        _ = try context.projections(vault)
        let rules = try vault.retentionRules()
        let accounts = try vault.accounts()
        if context.isJSON {
            for rule in rules.rules {
                try context.output.json { json in
                    json.beginObject()
                    json.key("scope")
                    json.value(name(rule.scope, accounts))
                    for (key, days) in [("items", rule.days.data), ("accounts", rule.days.account)]
                        as [(StaticString, Int?)]
                    {
                        json.key(key)
                        json.optional(days)
                    }
                    json.key("history")
                    json.optional(rule.days.history?.description)
                    json.key("since_txid")
                    json.value(rule.since.rawValue)
                    json.endObject()
                }
            }
            return
        }
        var table = TextTable([
            .init("SCOPE"), .init("ITEMS", .right), .init("ACCOUNTS", .right), .init("HISTORY"), .init("SINCE"),
        ])
        for rule in rules.rules {
            let since = try vault.journal.withRecord(rule.since) { $0.time }
            table.addRow([
                name(rule.scope, accounts), text(rule.days.data), text(rule.days.account),
                rule.days.history?.description ?? "inherited",
                since.map { context.text($0) } ?? "",
            ])
        }
        if rules[.vault] == RetentionDays() {
            table.addRow(["vault (standard)", text(RetentionDays.standard), text(RetentionDays.standard), "off", ""])
        }
        for line in table.lines() { try context.output.line(line) }
    }

    private func text(_ days: Int?) -> String {
        switch days {
        case nil: "inherited"
        case 0?: "for ever"
        case let days?: Quantity.count(days, "day")
        }
    }

    private func name(_ scope: RetentionScope, _ accounts: [Account]) -> String {
        func address(_ number: AccountNumber) -> String {
            accounts.first { $0.number == number }?.state.address ?? "a\(number.rawValue)"
        }
        return switch scope {
        case .vault: "vault"
        case .domain(let name): "domain \(name)"
        case .account(let number): address(number)
        case .folder(let account, let folder): "\(address(account)):f\(folder)"
        }
    }
}

struct RetentionSetCommand: Verb {
    static let configuration = CommandConfiguration(commandName: "set", abstract: "Sets a rule.")

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Option(help: "For the accounts of this domain.") var domain: String?
    @Option(help: "For this account.") var account: String?
    @Option(help: "For what is deleted from this folder of the account, and from those below it.") var folder: String?
    @Option(
        help: ArgumentHelp("Days that items are kept; 0: for ever; default: as the wider rule says.", valueName: "days")
    )
    var items: String?
    @Option(
        help: ArgumentHelp(
            "Days that removed accounts are kept; 0: for ever; default: as the wider rule says.", valueName: "days"))
    var accounts: String?
    @Option(
        help: ArgumentHelp(
            "How old states of messages are thinned: all:30,daily:90,monthly, or off; default: as the wider rule says.",
            valueName: "rule"))
    var history: String?

    func validate() throws {
        if domain != nil, account != nil { throw ValidationError("--domain and --account exclude each other.") }
        if folder != nil, account == nil { throw ValidationError("--folder needs --account.") }
        if folder != nil, accounts != nil { throw ValidationError("A folder has no retention of accounts.") }
        if items == nil, accounts == nil, history == nil {
            throw ValidationError("Say --items DAYS, --accounts DAYS or --history RULE, or several of them.")
        }
    }

    func run(_ context: CommandContext) throws {
        let vault = try context.vault(.writing)
        let projections = try context.projections(vault)
        let scope: RetentionScope
        if let domain {
            scope = .domain(domain)
        } else if let account {
            let found = try vault.account(account)
            if let folder {
                let wanted = Array(folder.utf8)
                let number = try projections.newestPaths(found.number).last {
                    $0.path == wanted || "f\($0.folder)" == folder
                }
                guard let number else {
                    throw Failure(.notFound, "there is no folder \(TerminalText.safe(folder, maxColumns: 60))")
                }
                scope = .folder(found.number, number.folder)
            } else {
                scope = .account(found.number)
            }
        } else {
            scope = .vault
        }
        var days = try vault.retentionRules()[scope]
        if let items { days.data = try number(items) }
        if let accounts { days.account = try number(accounts) }
        if let history { days.history = history == "default" ? nil : try HistoryRule(history) }
        try vault.setRetention(scope, days)
        guard context.isJSON else { return try context.output.line("Recorded. See: yestermail retention show") }
        try context.output.json { json in
            json.beginObject()
            for (key, days) in [("items", days.data), ("accounts", days.account)] as [(StaticString, Int?)] {
                json.key(key)
                json.optional(days)
            }
            json.key("history")
            json.optional(days.history?.description)
            json.endObject()
        }
    }

    private func number(_ text: String) throws -> Int? {
        if text == "default" { return nil }
        guard let days = Int(text), days >= 0 else {
            throw Failure(
                .usage, "\(TerminalText.safe(text, maxColumns: 30)) is no number of days",
                hint: "0 keeps for ever; else 1 to \(OpenVault.mostRetentionDays); default: as the wider rule says")
        }
        return days
    }
}
