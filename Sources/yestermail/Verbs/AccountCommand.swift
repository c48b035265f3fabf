internal import ArgumentParser
internal import Events
internal import Presentation
internal import Projections
internal import Vault

struct AccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Adds, shows and changes the accounts of the vault.",
        discussion: """
            Examples:
              yestermail account add anna@example.org --source maildir:/var/mail/anna
              yestermail account add '*@example.org' --source maildir:/var/mail/%d/%n
              yestermail account list
              yestermail account hold anna@example.org
            """,
        subcommands: [
            AccountAddCommand.self, AccountListCommand.self, AccountShowCommand.self, AccountRemoveCommand.self,
            AccountEnableCommand.self, AccountDisableCommand.self, AccountHoldCommand.self, AccountUnholdCommand.self,
        ])
}

struct AccountListCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the accounts.",
        discussion: """
            Removed accounts are left out unless --deleted is given. With --json: one object a line.

            Example:
              yestermail account list --json | jq -r .account
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Flag(help: "Only accounts that have been removed.") var deleted = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        try AccountListing(context: context, projections: projections)
            .print(try vault.accounts().filter { $0.isDeleted == deleted })
    }
}

struct AccountShowCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one account: where it lives and how much is kept of it.",
        discussion: """
            Example:
              yestermail account show anna
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The account.") var account: String

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let found = try vault.account(account)
        let listing = AccountListing(context: context, projections: projections)
        if context.isJSON { return try listing.print([found]) }
        let totals = try projections.statistics(found.number)
        func row(_ name: String, _ text: String) throws {
            try context.output.line(
                name + String(repeating: " ", count: max(1, 12 - name.utf8.count)) + TerminalText.safe(text))
        }
        try row("account", found.state.address)
        try row("id", "\(found.state.id) (a\(found.number.rawValue))")
        for source in found.state.sources { try row("source", source) }
        try row("state", listing.state(found))
        try row(
            "holds",
            "\(Quantity.count(totals.liveMessages, "message")) in \(Quantity.count(totals.liveFolders, "folder")), \(Quantity.bytes(totals.liveBytes))"
        )
        try row("deleted", Quantity.count(totals.deletedItems, "item"))
        if totals.transactions > 0 {
            try row("since", "\(context.text(totals.firstTime)) (\(totals.firstTransaction))")
            try row("newest", "\(context.text(totals.lastTime)) (\(totals.lastTransaction))")
        }
    }
}

/// Accounts as a table, or as JSON Lines.
struct AccountListing {
    let context: CommandContext
    /// Without them nothing is said of what the accounts hold (that is told as of now only).
    let projections: OpenProjections?

    func print(_ accounts: [Account]) throws {
        guard !context.isJSON else {
            for account in accounts {
                let totals = try projections?.statistics(account.number)
                try context.output.json { $0.account(account, totals) }
            }
            return
        }
        guard !accounts.isEmpty else {
            return context.remark(
                "There are no accounts. Add one with: yestermail account add ADDRESS --source maildir:PATH")
        }
        guard let projections else {
            var table = TextTable([.init("ACCOUNT"), .init("STATE"), .init("SOURCE")])
            for account in accounts {
                table.addRow([
                    account.state.address, state(account), account.state.sources.joined(separator: " "),
                ])
            }
            for line in table.lines() { try context.output.line(line) }
            return
        }
        var table = TextTable([
            .init("ACCOUNT"), .init("MESSAGES", .right), .init("FOLDERS", .right), .init("SIZE", .right),
            .init("NEWEST"), .init("STATE"), .init("SOURCE"),
        ])
        for account in accounts {
            let totals = try projections.statistics(account.number)
            table.addRow([
                account.state.address, Quantity.count(totals.liveMessages), Quantity.count(totals.liveFolders),
                Quantity.bytes(totals.liveBytes),
                totals.transactions > 0 ? Quantity.relative(totals.lastTime, now: context.now) : "never scanned",
                state(account), account.state.sources.joined(separator: " "),
            ])
        }
        for line in table.lines() { try context.output.line(line) }
    }

    func state(_ account: Account) -> String {
        var words = [account.isDeleted ? "removed" : account.state.isEnabled ? "enabled" : "disabled"]
        if account.state.isHeld { words.append("held") }
        return words.joined(separator: ", ")
    }
}

extension JSONWriter {
    /// An account as an object.
    mutating func account(_ account: Account, _ totals: AccountStatistics?) {
        beginObject()
        accountNames(account)
        key("item")
        value(ItemID(.account, account.number.rawValue))
        texts("sources", account.state.sources)
        key("enabled")
        value(account.state.isEnabled)
        key("held")
        value(account.state.isHeld)
        key("deleted")
        value(account.isDeleted)
        if let totals { totalMembers(totals) }
        endObject()
    }

    mutating func totalMembers(_ totals: AccountStatistics) {
        key("messages")
        value(totals.liveMessages)
        key("folders")
        value(totals.liveFolders)
        key("bytes")
        value(totals.liveBytes)
        key("deleted_items")
        value(totals.deletedItems)
        key("states")
        value(totals.states)
        key("transactions")
        value(totals.transactions)
        point("first", totals.transactions > 0 ? (totals.firstTransaction, totals.firstTime) : nil)
        point("last", totals.transactions > 0 ? (totals.lastTransaction, totals.lastTime) : nil)
    }
}
