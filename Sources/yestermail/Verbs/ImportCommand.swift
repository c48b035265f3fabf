internal import ArgumentParser
internal import Capture
internal import Connectors
internal import Events
internal import Presentation
internal import Vault

struct ImportCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Takes old archives in as items of an account; never writes to a server.",
        discussion: """
            PATH is an mbox file (mboxo, mboxrd, mboxcl, mboxcl2; LF or CRLF), a Maildir, one message, or a directory of \
            .eml files. Its messages go to folders below Imported (or --into), which no scan can miss. Taken in twice, a \
            message is there once.

            Examples:
              yestermail import anna ~/old/inbox.mbox
              yestermail import anna ~/export --format eml --into 'Imported/2019'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String
    @Argument(help: "The archive.", completion: .file()) var path: String
    @Option(help: ArgumentHelp("mbox, maildir or eml. Default: found out.", valueName: "format")) var format:
        Choice<ArchiveFormat>?
    @Option(help: ArgumentHelp("Below this folder.", valueName: "folder")) var into: String?

    func run(_ context: CommandContext) throws {
        let archive = try ArchiveFormat.open(path: path, format: format?.value)
        let vault = try context.vault(.writing)
        _ = try context.projections(vault)
        let account = try vault.account(account)
        let line = ProgressLine("import \(path)", unit: "messages", options: context.options)
        let began = ProgressLine.now()
        let report = try ArchiveImport(vault, account).run(
            archive, into: into.map(Restoring.path) ?? ArchiveImport.defaultFolder,
            progress: { line.update($0.messages, of: $0.totalMessages, bytes: $0.bytes) })
        line.finish()
        let took = ProgressLine.now() - began
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.accountNames(account)
                for (name, count) in [
                    ("folders", report.folders), ("messages", report.messages), ("imported", report.imported),
                    ("skipped", report.skipped),
                ] {
                    json.key(text: name)
                    json.value(count)
                }
                json.key("bytes")
                json.value(report.bytes)
                json.texts("unreadable", report.unreadable)
                json.key("seconds")
                json.seconds(took)
                json.endObject()
            }
        } else {
            try context.output.line(
                "\(TerminalText.safe(account.state.address)): \(Quantity.count(report.imported, "message")) imported into "
                    + "\(Quantity.count(report.folders, "folder")), \(Quantity.count(report.skipped)) there already "
                    + "(\(Quantity.bytes(report.bytes)), \(Quantity.duration(microseconds: took)))")
            for what in report.unreadable { try context.output.line("  not read: \(TerminalText.safe(what))") }
        }
        if !report.unreadable.isEmpty { throw ExitStatus(.partial) }
        if report.messages == 0 { throw Failure(.notFound, "there is no message in \(path)") }
    }
}
