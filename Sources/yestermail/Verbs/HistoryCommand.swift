internal import ArgumentParser
internal import Events
internal import Journal
internal import MIME
internal import Presentation
internal import Projections
internal import Vault

struct HistoryCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "The item's JSON history: every state it ever had.",
        discussion: """
            An array of all its states, oldest first, the same with and without --json. Of a <message-id> that several \
            items carry: one array a line. A state behind which others were thinned out says so (thinned), an item that was \
            purged says when and why (purged). The same to read for a person: yestermail log ACCOUNT ITEM

            Examples:
              yestermail history anna m1042
              yestermail history anna m1042 | jq '.[-1].folder_path'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The account.") var account: String
    @Argument(help: ArgumentHelp("The item: m1042, or <message-id>.", valueName: "item")) var item: String

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let account = try vault.account(account)
        let head = try vault.journal.head()
        let view = try AccountView(
            vault, projections, account,
            ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true))
        for item in try view.items(item) {
            if let purged = try view.purged(item) {
                try context.output.json { json in
                    json.beginArray()
                    json.purged(purged)
                    json.endArray()
                }
                continue
            }
            guard try !projections.states(account.number, item).isEmpty else {
                throw Failure(
                    .notFound, "there is no item \(item) in \(account.state.address)",
                    hint: "Ids are printed by ls, find and log")
            }
            let thinned = try view.purges().thinned(item, account.number)
            let history =
                thinned.isEmpty
                ? try projections.history(account.number, item) : try self.history(item, thinned, view)
            try context.output.write(history)
            try context.output.write([10])
        }
    }

    /// The states, each with those behind it that were thinned out.
    private func history(_ item: ItemID, _ thinned: [ThinnedStates], _ view: AccountView) throws -> [UInt8] {
        let states = try view.projections.states(view.account.number, item).map(\.transaction)
        var json = JSONWriter()
        json.beginArray()
        for (index, id) in states.enumerated() {
            var object = try view.json(item, id)
            let next = index + 1 < states.count ? states[index + 1] : TransactionID(rawValue: .max)
            let gone = thinned.filter { id < $0.range.lowerBound && $0.range.lowerBound < next }
            if !gone.isEmpty {
                var more = JSONWriter(capacity: 256)
                more.beginArray()
                for states in gone { more.thinned(states) }
                more.endArray()
                object.removeLast()
                object += Array(",\"thinned\":".utf8) + more.bytes + Array("}".utf8)
            }
            json.appendJSON(object)
        }
        json.endArray()
        return json.bytes
    }
}

/// An item in one line, for the head of a page about it.
struct ItemTitle {
    private let view: AccountView
    private let reading: MessageReading

    init(_ view: AccountView, _ reading: MessageReading) { (self.view, self.reading) = (view, reading) }

    func text(_ recorded: RecordedState) throws -> String {
        var text = recorded.item.description
        switch recorded.state.content {
        case .message(let message):
            // A title without a subject, where the bytes cannot be read.
            if let digest = message.digest, let headers = try? reading.headers(digest, size: message.size) {
                text += "  \"" + TerminalText.safe(headers.subject ?? "", maxColumns: 100) + "\""
                if let from = headers.from { text += "  from \(TerminalText.safe(from, maxColumns: 60))" }
                text += ", \(Quantity.bytes(message.size))"
            }
        case .folder(let folder): text += "  \(TerminalText.safe(folder.joinedPath))"
        case .account(let account): text += "  \(TerminalText.safe(account.address))"
        case .other(let bytes): text += "  \(recorded.item.kind.name), \(Quantity.bytes(bytes.count))"
        }
        return text
    }
}
