internal import ArgumentParser
internal import Events
internal import Journal
internal import Restore
internal import Vault

struct UndoCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Takes a restore back.",
        discussion: """
            What it delivered goes, if it is still as it was delivered; flags it set are as they were; what it removed \
            comes back. What somebody changed since is kept and named.

            Examples:
              yestermail operation list
              yestermail undo 5e21c0de --dry-run
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The operation's id, or the beginning of it.") var operation: String
    @Flag(help: "Print the plan; write nothing.") var dryRun = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault(dryRun ? .reading : .writing)
        _ = try context.projections(vault)
        let found = try vault.operation(operation)
        guard let account = try vault.accounts().first(where: { $0.number == found.account }) else {
            throw Failure(.notFound, "the account of operation \(found.id) is not in this vault")
        }
        let plan = try Undo.plan(vault, found, account: account)
        let head = try vault.journal.head()
        let point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        let answer = RestoreAnswer(context, point)
        if dryRun { return try answer.plan(plan) }
        let doing = try Restoring(context, vault: vault, account: account, target: plan.request.target)
        try answer.report(plan, try doing.execute(plan, .random(), "undo"))
    }
}
