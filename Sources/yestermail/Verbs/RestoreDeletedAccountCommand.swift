internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Restore
internal import Vault

struct RestoreDeletedAccountCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "deleted-account", abstract: "An account that was removed: its mail, and the account itself.",
        discussion: """
            The mailbox is made again where the account lived, or at --to, as it was when the account was removed, or as \
            of --at. The account is then one of the vault again, with the same id, lives there, and its history goes on. \
            Where there is another account of that address meanwhile, say with --as under which it comes back: as a new \
            account, with an id and a history of its own. Several removed accounts of one address are told apart by their id.

            Examples:
              yestermail account list --deleted
              yestermail restore deleted-account anna@example.org --dry-run
              yestermail restore deleted-account anna@example.org \\
                --as anna.old@example.org --to maildir:/var/mail/anna.old
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String
    @Option(help: ArgumentHelp("As of when. Default: when it was removed.", valueName: "time")) var at: String?
    @Option(name: .customLong("as"), help: ArgumentHelp("As a new account of this address.", valueName: "address"))
    var address: String?
    @OptionGroup var options: RestoreOptions

    func run(_ context: CommandContext) throws {
        let vault = try context.vault(options.dryRun || options.savePlan != nil ? .reading : .writing)
        _ = try context.projections(vault)
        let removed = try deleted(among: try vault.accounts())
        let revival = try Revival(removed, as: address, in: vault)
        let doing = try Restoring(context, vault, removed, .init(options))
        let ended = try vault.projections().states(.directory, ItemID(.account, removed.number.rawValue))
            .last { $0.isDeleted }?.transaction
        let point = try at == nil ? doing.point(ended.map { "@\($0.rawValue)" }) : doing.point(at)
        var request = RestoreRequest(
            account: removed, point: point.transaction, selection: .account(deletedSince: nil), target: doing.target)
        try doing.apply(options, to: &request)
        try doing.run(
            try RestorePlanner.plan(vault, request), point, kind: Revival.kind, newAddress: revival.newAddress
        ) { _ in
        } after: { _ in
            try revival.finish(at: doing.target, context)
        }
    }

    /// The removed account that is meant: of several of one address, only an id says which.
    private func deleted(among all: [Account]) throws -> Account {
        let removed = all.filter(\.isDeleted)
        if let id = UniqueID(account), let found = removed.first(where: { $0.state.id == id }) { return found }
        let same = removed.filter { Array($0.state.address.utf8) == Array(account.utf8) }
        let begun = same.isEmpty ? removed.filter { $0.state.address.utf8.starts(with: account.utf8) } : same
        switch begun.count {
        case 1 where !account.isEmpty: return begun[0]
        case 0, 1:
            throw Failure(
                .notFound, "there is no removed account \(TerminalText.safe(account, maxColumns: 80))",
                hint: "See them with: yestermail account list --deleted")
        default:
            throw Failure(
                .ambiguous,
                "\(begun.count) removed accounts are meant by \(TerminalText.safe(account, maxColumns: 80))",
                hint: "Name one by its id: "
                    + begun.map { "\($0.state.id) (\($0.state.address))" }.joined(separator: ", "))
        }
    }
}
