internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import Restore
internal import Vault

struct OperationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operation", abstract: "Restores and undos, as the journal has them.",
        subcommands: [OperationListCommand.self, OperationShowCommand.self])
}

struct OperationListCommand: Verb {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "All operations, oldest first.")

    @OptionGroup(title: "Global options") var global: GlobalOptions

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        _ = try context.projections(vault)
        let names = Dictionary(try vault.accounts().map { ($0.number, $0.state.address) }, uniquingKeysWith: { $1 })
        let operations = try vault.operations()
        if context.isJSON {
            for operation in operations {
                try context.output.json { $0.operation(operation, names[operation.account] ?? "") }
            }
            return
        }
        var table = TextTable([
            .init("OPERATION"), .init("BEGAN"), .init("KIND"), .init("ACCOUNT", maxColumns: 40),
            .init("TARGET", maxColumns: 60), .init("OUTCOME"),
        ])
        for operation in operations {
            table.addRow([
                String(operation.id.description.prefix(8)), context.text(operation.beganTime), operation.kind,
                names[operation.account] ?? "", operation.target, operation.outcomeText,
            ])
        }
        if operations.isEmpty { context.remark("There are no operations yet.") }
        for line in operations.isEmpty ? [] : table.lines() { try context.output.line(line) }
    }
}

struct OperationShowCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "One operation: its counts, and every item that was not restored, with its cause.")

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The operation's id, or the beginning of it.") var operation: String

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        _ = try context.projections(vault)
        let found = try vault.operation(operation)
        let name = try vault.accounts().first { $0.number == found.account }?.state.address ?? ""
        let details = try vault.details(of: found)
        if context.isJSON { return try context.output.json { $0.operation(found, name, details) } }
        let output = context.output
        try output.line("operation  \(found.id)")
        try output.line("kind       \(TerminalText.safe(found.kind))")
        try output.line("account    \(TerminalText.safe(name))")
        try output.line("target     \(TerminalText.safe(found.target))")
        if let source = found.source {
            try output.line(
                "source     vault \(TerminalText.safe(source.vault)), account \(TerminalText.safe(source.account))")
        }
        if let point = found.point {
            try output.line("as of      \(point)\(found.source == nil ? "" : " of the other vault")")
        }
        if let undone = found.undoes { try output.line("undoes     \(undone)") }
        try output.line("began      \(context.text(found.beganTime)) (\(found.began))")
        if let ended = found.ended, let time = try vault.journal.withRecord(ended, { $0.time }) {
            try output.line("ended      \(context.text(time)) (\(ended))")
        }
        try output.line("outcome    \(TerminalText.safe(found.outcomeText))")
        for (field, word) in [
            ("restored", "restored"), ("merged", "merged"), ("skipped", "skipped"), ("removed", "removed"),
            ("attributes", "rights"), ("unrestored", "unrestored"),
        ] {
            // That nothing came is worth saying, that nothing was removed is not.
            guard let number = found.outcome?.number(field), number > 0 || field == "restored" else { continue }
            try output.line("\(word)\(String(repeating: " ", count: 11 - word.count))\(Quantity.count(Int(number)))")
        }
        if let bytes = found.outcome?.number("bytes"), bytes > 0 {
            try output.line("size       \(Quantity.bytes(UInt64(bytes)))")
        }
        for warning in details.warnings { try output.line("warning: \(TerminalText.safe(warning))") }
        for lost in details.unrestored {
            try output.line(
                "not restored: \(lost.item?.description ?? "-") \(lost.cause.rawValue): \(TerminalText.safe(lost.detail))"
            )
        }
        for passed in details.passedOver { try output.line("\(passed.item) \(TerminalText.safe(passed.why))") }
        for loss in details.losses { try output.line("not kept: \(TerminalText.safe(loss))") }
    }
}

extension RecordedOperation {
    /// How it ended; one that never did was killed.
    var outcomeText: String {
        guard let outcome else { return "never ended: run it again" }
        return String(decoding: outcome.text("outcome") ?? [], as: UTF8.self)
    }
}

extension JSONWriter {
    mutating func operation(_ operation: RecordedOperation, _ account: String, _ details: OperationDetails? = nil) {
        beginObject()
        key("operation")
        value(operation.id.description)
        key("kind")
        value(operation.kind)
        key("account")
        value(account)
        key("target")
        value(operation.target)
        key("began")
        value(operation.beganTime)
        key("txid")
        value(operation.began.rawValue)
        key("ended_txid")
        if let ended = operation.ended { value(ended.rawValue) } else { null() }
        key("point")
        if let point = operation.point { value(point.rawValue) } else { null() }
        key("outcome")
        if operation.outcome == nil { null() } else { value(operation.outcomeText) }
        for name in ["restored", "merged", "skipped", "removed", "unrestored", "attributes", "bytes"] {
            key(text: name)
            if let number = operation.outcome?.number(name) { value(number) } else { null() }
        }
        key("source_vault_id")
        if let source = operation.source { value(source.vault) } else { null() }
        if let details {
            unrestored(details.unrestored, key: "unrestored_items")
            passedOver(details.passedOver.map { ($0.item, $0.why) })
            texts("losses", details.losses)
            texts("warnings", details.warnings)
        }
        endObject()
    }
}
