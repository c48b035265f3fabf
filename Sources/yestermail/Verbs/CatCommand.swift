internal import ArgumentParser
internal import Events
internal import Presentation
internal import Projections
internal import Vault

struct CatCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Writes the raw bytes of an item to standard output, exactly as captured.",
        discussion: """
            Every byte is verified against the digest it is kept under before the first one is written (of messages \
            above 4 MiB: before it is written, part by part).

            Examples:
              yestermail cat anna m1042 > message.eml
              yestermail cat anna m1042 --at before:m1042 > message.eml
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The account.") var account: String
    @Argument(help: ArgumentHelp("The item: m1042, or <message-id>.", valueName: "item")) var item: String

    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let account = try vault.account(account)
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: account)
        let view = try AccountView(vault, projections, account, try context.point(at, landmarks, vault))
        let items = try view.items(item)
        let states = try items.map { try view.state($0, context) }
        guard Set(states.map(\.state.message?.digest)).count == 1, let recorded = states.first else {
            throw Failure(
                .ambiguous, "\(Quantity.count(items.count, "message")) with different bytes carry \(item)",
                hint: "Write one of their ids: \(items.map(\.description).joined(separator: ", "))")
        }
        guard !recorded.state.isDeleted else {
            throw Failure(
                .notFound, "\(recorded.item) was deleted at \(context.text(recorded.time)) (\(recorded.transaction))",
                hint:
                    "Its bytes are kept: yestermail cat \(account.state.address) \(recorded.item) --at before:\(recorded.item)"
            )
        }
        if let thinned = try view.thinned(recorded) { context.remark(thinned) }
        switch recorded.state.content {
        case .message(let message):
            switch message.content {
            case .blob(let digest, _):
                try MessageReading(vault).stream(digest) { try context.output.write($0) }
            case .unreadable(let code):
                throw Failure(
                    .notFound, "the bytes of \(recorded.item) could not be read when it was captured (error \(code))",
                    hint: "When its file can be read again, scan: yestermail scan \(account.state.address)")
            }
        case .folder, .account:
            throw Failure(
                .usage, "\(recorded.item) is a \(recorded.item.kind.name), which has no bytes of its own",
                hint: "See: yestermail show \(account.state.address) \(recorded.item)")
        case .other(let bytes): try context.output.write(bytes)
        }
    }
}
