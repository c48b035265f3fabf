internal import ArgumentParser
internal import Capture
internal import Connectors
internal import Events
internal import Presentation
internal import Vault

struct ScanCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "SmartScan: brings the vault up to date with the mailboxes.",
        discussion: """
            Finds out what is new, moved, changed or gone since the last scan or watch, and records it. Without an \
            ACCOUNT, all accounts that are enabled. With --deep every message is read again and compared byte for byte.

            It can be interrupted and run again at any time. When something could not be read, it says what, goes on \
            with the rest and ends with 3; a folder that could not be listed is never taken for empty.

            Examples:
              yestermail scan
              yestermail scan anna@example.org --deep
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The accounts; default: all that are enabled.") var accounts: [String] = []

    @Flag(help: "Read every message again and compare its bytes.") var deep = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault(.writing)
        Relaunch.allow()
        let wanted: [Account]
        if accounts.isEmpty {
            wanted = try vault.accounts().filter { !$0.isDeleted && $0.state.isEnabled }
            guard !wanted.isEmpty else {
                throw Failure(
                    .notFound, "there is no account to scan",
                    hint: "Add one with: yestermail account add ADDRESS --source maildir:PATH")
            }
        } else {
            let all = try vault.accounts()
            wanted = try accounts.map { name in
                let account = try OpenVault.account(name, among: all)
                guard account.state.isEnabled, !account.isDeleted else {
                    throw Failure(
                        .refused, "\(account.state.address) is \(account.isDeleted ? "removed" : "disabled")",
                        hint: account.isDeleted
                            ? "Add it again with: yestermail account add \(account.state.address) --source URL"
                            : "Enable it with: yestermail account enable \(account.state.address)")
                }
                return account
            }
        }
        // One account is scanned after the other; the next ones are signed in to meanwhile.
        var next = wanted.makeIterator()
        var opened: [(account: Account, source: Result<any Source, any Error>)] = []
        func openAhead() {
            while opened.count < ScanCommand.signInsAhead, let account = next.next() {
                let source = Result { try Location(of: account).openSource() }
                if case .success(let source) = source { source.prepare() }
                opened.append((account, source))
            }
        }
        openAhead()
        _ = try context.projections(vault)
        var failures: [Failure] = []
        var isComplete = true
        while !opened.isEmpty {
            let (account, source) = opened.removeFirst()
            openAhead()
            do {
                let report = try scan(account, try source.get(), vault, context)
                if !report.isComplete { isComplete = false }
            } catch {
                // What the vault's own disk does not take, it takes of no other account either.
                if wanted.count == 1 || StorageTrouble(error, vault: vault.directory) != nil { throw error }
                let failure = Failure(error)
                ErrorReport.print(
                    Failure(failure.code, "\(account.state.address): \(failure.message)", hint: failure.hint),
                    isJSON: context.isJSON)
                failures.append(failure)
            }
        }
        if failures.count == wanted.count, Set(failures.map(\.code)).count == 1 { throw ExitStatus(failures[0].code) }
        if !failures.isEmpty || !isComplete { throw ExitStatus(.partial) }
    }

    private static let signInsAhead = 4

    private func scan(
        _ account: Account, _ source: any Source, _ vault: OpenVault, _ context: CommandContext
    ) throws -> PassReport {
        let began = ProgressLine.now()
        let line = ProgressLine("scan \(account.state.address)", unit: "messages", options: context.options)
        let scan = SmartScan(
            vault, account, source, deep: deep,
            lossPercent: try context.configuration.lossPercent ?? AccountCapture.usualLossPercent)
        let report = try scan.run { line.update($0.messages, of: $0.totalMessages, bytes: $0.bytes) }
        line.finish()
        let took = ProgressLine.now() - began
        if context.isJSON {
            try context.output.json { writeJSON(&$0, account, report, took) }
        } else {
            try print(account, report, took, context)
        }
        // Each account is told of when it is done.
        try context.output.flush()
        return report
    }

    private func print(_ account: Account, _ report: PassReport, _ took: Int64, _ context: CommandContext) throws {
        var parts: [String] = []
        func count(_ number: Int, _ what: String) {
            if number > 0 { parts.append("\(Quantity.count(number)) \(what)") }
        }
        count(report.created, "new")
        count(report.moved, "moved")
        count(report.changed, "changed")
        count(report.deleted, "deleted")
        count(report.returned, "came back")
        count(report.foldersCreated, report.foldersCreated == 1 ? "folder new" : "folders new")
        count(report.foldersChanged, report.foldersChanged == 1 ? "folder changed" : "folders changed")
        count(report.foldersDeleted, report.foldersDeleted == 1 ? "folder deleted" : "folders deleted")
        if parts.isEmpty { parts = ["nothing new"] }
        let size = report.bytes > 0 ? ", \(Quantity.bytes(report.bytes)) read" : ""
        try context.output.line(
            "\(TerminalText.safe(account.state.address)): \(parts.joined(separator: ", ")) "
                + "(\(Quantity.count(report.messages, "message")) in \(Quantity.count(report.folders, "folder"))\(size), "
                + "\(Quantity.duration(microseconds: took)))")
        for what in report.unlistable { try context.output.line("  not listed: \(TerminalText.safe(what))") }
        for what in report.unreadable { try context.output.line("  not read: \(TerminalText.safe(what))") }
        if context.options.verbose {
            for what in report.passedOver { try context.output.line("  no message: \(TerminalText.safe(what))") }
        } else if !report.passedOver.isEmpty {
            try context.output.line(
                "  \(Quantity.count(report.passedOver.count, "entry", "entries")) that are no messages were passed over (--verbose names them)"
            )
        }
    }

    private func writeJSON(_ json: inout JSONWriter, _ account: Account, _ report: PassReport, _ took: Int64) {
        json.beginObject()
        json.accountNames(account)
        json.key("complete")
        json.value(report.isComplete)
        json.key("folders")
        json.value(report.folders)
        json.key("messages")
        json.value(report.messages)
        json.key("created")
        json.value(report.created)
        json.key("moved")
        json.value(report.moved)
        json.key("changed")
        json.value(report.changed)
        json.key("deleted")
        json.value(report.deleted)
        json.key("returned")
        json.value(report.returned)
        json.key("folders_created")
        json.value(report.foldersCreated)
        json.key("folders_changed")
        json.value(report.foldersChanged)
        json.key("folders_deleted")
        json.value(report.foldersDeleted)
        json.key("bytes")
        json.value(report.bytes)
        json.key("vanished")
        json.value(report.vanished)
        json.texts("unreadable", report.unreadable)
        json.texts("unlistable", report.unlistable)
        json.texts("passed_over", report.passedOver)
        json.key("first_txid")
        json.optional(report.firstTransaction)
        json.key("last_txid")
        json.optional(report.lastTransaction)
        json.key("seconds")
        json.seconds(took)
        json.endObject()
    }
}
