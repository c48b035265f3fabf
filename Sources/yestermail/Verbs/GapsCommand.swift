internal import ArgumentParser
internal import Events
internal import Presentation
internal import Vault

struct GapsCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "gaps", abstract: "Shows when nothing was watching, so that states may be missing.",
        discussion: """
            What came and went within a gap was not seen; what was still there at its end was. The last gap is open: \
            it ends with the next scan or watch.

            Examples:
              yestermail gaps anna
              yestermail gaps --json | jq 'select(.to == null)'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "Only this account.") var account: String?

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        _ = try context.projections(vault)
        let accounts = try account.map { [try vault.account($0)] } ?? vault.accounts().filter { !$0.isDeleted }
        var table = TextTable([
            .init("ACCOUNT"), .init("FROM"), .init("TO"), .init("LASTED", .right), .init("RECORDED"),
        ])
        for account in accounts {
            for gap in try vault.gaps(of: account.number) {
                if context.isJSON {
                    try context.output.json { json in
                        json.beginObject()
                        json.accountNames(account)
                        json.key("from")
                        json.optional(gap.from)
                        json.key("to")
                        json.optional(gap.to)
                        json.key("txid")
                        json.optional(gap.transaction)
                        json.endObject()
                    }
                } else {
                    let lasted = gap.from.map { (gap.to ?? context.now).rawValue - $0.rawValue }
                    table.addRow([
                        account.state.address,
                        gap.from.map { context.text($0) } ?? (gap.to == nil ? "never scanned" : "the beginning"),
                        gap.to.map { context.text($0) } ?? "open",
                        lasted.map { Quantity.duration(microseconds: $0) } ?? "",
                        gap.transaction.map { "\($0)" } ?? "",
                    ])
                }
            }
        }
        if context.isJSON { return }
        if table.isEmpty { return context.remark("No gaps.") }
        for line in table.lines() { try context.output.line(line) }
    }
}
