internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Restore
internal import Vault

struct RestoreBlobsCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "blobs", abstract: "Puts back what is missing or damaged in a mailbox, by digest.",
        discussion: """
            Every message the vault knows of is looked for where the account lives, and every byte of it compared. What is \
            missing is delivered; what has other bytes than it was captured with is kept in the vault and replaced. A plan \
            is printed and nothing is done unless --apply is given. Scan first: what people removed themselves since the \
            last scan is missing too.

            Examples:
              yestermail restore blobs anna
              yestermail restore blobs --all --apply
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String?
    @Flag(help: "Every account that is scanned.") var all = false
    @Flag(help: "Do it.") var apply = false
    @Flag(help: "Print the plan; write nothing: the default.") var dryRun = false
    @Option(
        help: ArgumentHelp(
            "Put the plan into this file and do nothing else; run it with restore --plan.", valueName: "file"),
        completion: .file())
    var savePlan: String?

    func run(_ context: CommandContext) throws {
        guard (account != nil) != all else { throw Failure(.usage, "name one account, or --all") }
        guard !(apply && (dryRun || savePlan != nil)) else {
            throw Failure(.usage, "--apply does it, the others do not")
        }
        guard !(all && savePlan != nil) else { throw Failure(.usage, "a plan is of one account", hint: "Name it") }
        let vault = try context.vault(apply ? .writing : .reading)
        _ = try context.projections(vault)
        let accounts =
            try account.map { [try vault.account($0)] }
            ?? vault.accounts().filter { !$0.isDeleted && $0.state.isEnabled }
        let head = try vault.journal.head()
        let point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        var isPartial = false
        for account in accounts {
            if all { context.remark("\(account.state.address):") }
            let way = Restoring.Way(dryRun: !apply, savePlan: savePlan)
            let doing = try Restoring(context, vault, account, way)
            do {
                try doing.run(
                    BlobRestore.request(account, as: head.transaction, at: doing.target), point, kind: "blobs"
                ) {
                    try BlobRestore.keepDamaged($0, in: vault)
                }
            } catch let status as ExitStatus where all && status.code == Failure.Code.partial.exitStatus {
                isPartial = true
            }
        }
        if isPartial { throw ExitStatus(.partial) }
    }
}
