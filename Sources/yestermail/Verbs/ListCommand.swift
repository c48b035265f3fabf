internal import ArgumentParser
internal import Events
internal import Presentation
internal import Projections
internal import TimeLanguage
internal import Vault

struct ListCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "Lists accounts, folders or items as of any time.",
        discussion: """
            Without an argument: the accounts. With an ACCOUNT: its folders. With ACCOUNT:FOLDER: what is in it. \
            --kind lists all items of a kind; --deleted lists what had been deleted by then.

            Flags: S seen, A answered, F flagged, D draft, T marked deleted, P passed on, X gone.

            Examples:
              yestermail ls anna
              yestermail ls anna:INBOX/Contracts --at 'yesterday 14:00'
              yestermail ls anna --deleted --json
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: ArgumentHelp("The account, or a folder of it.", valueName: "account[:folder]"))
    var place: String?

    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?

    @Option(help: ArgumentHelp("Only items of a kind: message, folder, ….", valueName: "kind")) var kind: Kind?

    @Flag(help: "What had been deleted, instead of what was there.") var deleted = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        guard let place else {
            if let at {
                let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: nil)
                let point = try context.point(at, landmarks, vault, echo: .lines)
                let accounts = try DirectoryAt(vault.journal, point.transaction).accounts
                context.remark(
                    try vault.purges(of: .directory).missing(.directory, asOf: point.transaction, deleted: deleted))
                return try AccountListing(context: context, projections: nil)
                    .print(accounts.filter { $0.isDeleted == deleted })
            }
            return try AccountListing(context: context, projections: projections)
                .print(try vault.accounts().filter { $0.isDeleted == deleted })
        }
        let name = AccountAndFolder(place)
        let account = try vault.account(name.account)
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: account)
        let view = try AccountView(
            vault, projections, account, try context.point(at, landmarks, vault, echo: .lines))
        let purges = try view.purges()
        context.remark(purges.missing(account.number, asOf: view.point.transaction, deleted: deleted))
        if name.folder == nil, !deleted, kind == nil || kind?.value == .folder { return try folders(view, context) }
        let folder = try name.folder.map { try number(ofFolder: $0, view) }
        let pointers = try view.pointers { pointer in
            guard pointer.pointer.isDeleted == deleted else { return false }
            guard let kind else { return true }
            return pointer.item.kind == kind.value
        }
        if at != nil {
            let kept = Dictionary(
                pointers.map { ($0.item, $0.pointer.transaction) }, uniquingKeysWith: { first, _ in first })
            context.remark(
                thinned: purges.thinned(account.number, asOf: view.point.transaction) { kept[$0] })
        }
        try items(pointers, in: folder, view, context)
    }

    /// With `--deleted`, a folder that is gone itself can be named too.
    private func number(ofFolder name: String, _ view: AccountView) throws -> UInt32 {
        do { return try view.folder(name) } catch {
            let wanted = Array(name.utf8)
            guard deleted,
                let gone = view.folders.values.filter({ $0.state.folder?.joinedPath == wanted })
                    .max(by: { $0.transaction < $1.transaction })
            else { throw error }
            return gone.item.number
        }
    }

    private func items(
        _ pointers: [ItemPointer], in folder: UInt32?, _ view: AccountView, _ context: CommandContext
    ) throws {
        let reading = MessageReading(view.vault)
        let table = MessageTable(context: context, showsFolder: folder == nil)
        var rows: [[String]] = []
        try view.inBlocks(pointers) { states in
            let states = folder.map { folder in states.filter { $0.state.message?.folder == folder } } ?? states
            if context.isJSON {
                for state in states {
                    try context.output.json { $0.appendJSON(try view.json(state.item, state.transaction)) }
                }
                return
            }
            let messages = states.filter { $0.item.kind != .folder }
            rows += table.rows(
                messages, try reading.headers(of: messages.map(\.state.message)), path: { view.path($0) })
            for state in states where state.item.kind == .folder {
                rows.append(
                    [state.item.description, context.text(state.time, .noZone), "", "X"]
                        + (folder == nil ? [TerminalText.safe(state.state.folder?.joinedPath ?? [])] : []) + [
                            "", "(folder)",
                        ])
            }
        }
        if context.isJSON { return }
        if rows.isEmpty { return context.remark("Nothing.") }
        try table.print(rows)
    }

    private func folders(_ view: AccountView, _ context: CommandContext) throws {
        var totals: [UInt32: (messages: Int, unseen: Int, bytes: UInt64)] = [:]
        try view.inBlocks(try view.pointers { !$0.pointer.isDeleted && $0.item.kind == .message }) { states in
            for case let message? in states.map(\.state.message) {
                totals[message.folder, default: (0, 0, 0)].messages += 1
                totals[message.folder, default: (0, 0, 0)].bytes += message.size
                if !message.flags.contains(.seen) { totals[message.folder, default: (0, 0, 0)].unseen += 1 }
            }
        }
        let live = view.folders.values.filter { !$0.state.isDeleted }
            .sorted { ($0.state.folder?.joinedPath ?? []).lexicographicallyPrecedes($1.state.folder?.joinedPath ?? []) }
        var table = TextTable([
            .init("ITEM"), .init("FOLDER"), .init("MESSAGES", .right), .init("UNSEEN", .right), .init("SIZE", .right),
        ])
        for folder in live {
            let sum = totals[folder.item.number] ?? (0, 0, 0)
            if context.isJSON {
                var object = try view.json(folder.item, folder.transaction)
                object.removeLast()
                object += Array(
                    ",\"messages\":\(sum.messages),\"unseen\":\(sum.unseen),\"bytes\":\(sum.bytes)}".utf8)
                try context.output.json { $0.appendJSON(object) }
            } else {
                table.addRow([
                    folder.item.description, TerminalText.safe(folder.state.folder?.joinedPath ?? []),
                    Quantity.count(sum.messages), Quantity.count(sum.unseen), Quantity.bytes(sum.bytes),
                ])
            }
        }
        if context.isJSON { return }
        if table.isEmpty { return context.remark("There are no folders.") }
        for line in table.lines() { try context.output.line(line) }
    }

    /// A kind as `--kind` names it: its word or its letter.
    struct Kind: ExpressibleByArgument {
        let value: ItemKind

        init?(argument: String) {
            let word = argument.lowercased()
            let found = ItemKind.allCases.first {
                $0.name == word || $0.name + "s" == word || String($0.letter) == word
            }
            guard let found = found ?? (word == "mail" ? .message : nil) else { return nil }
            value = found
        }

        static var allValueStrings: [String] { ItemKind.allCases.map(\.name) }
    }
}
