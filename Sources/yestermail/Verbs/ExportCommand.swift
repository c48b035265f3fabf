internal import ArgumentParser
internal import Connectors
internal import Events
internal import Files
internal import Journal
internal import Presentation
internal import Restore
internal import SystemPackage
internal import Vault

struct ExportCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes accounts into a new directory, which needs nothing else.",
        discussion: """
            vault (the default): a whole vault of its own, with all the history of the accounts up to --at; it can be \
            looked at, checked and restored from as any other. maildir: a Maildir++ for each account, as of --at. mbox: a \
            directory for each account with a file for each folder. eml: a directory for each account and folder with a \
            file for each message. Every byte is held against its digest on the way; what cannot be read is named, and the \
            status is 3. mbox and eml have no room for flags and keywords. --all leaves out accounts that are removed or \
            disabled. The directory must be empty or missing; nothing is recorded in the vault.

            Examples:
              yestermail export anna /media/usb/anna
              yestermail export --all /media/usb/mail --format maildir --at 2026-03-03
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: ArgumentHelp("The account (not with --all), and the directory.", valueName: "account> <dir"))
    var words: [String]
    @Flag(help: "Every account that is not removed and not disabled.") var all = false
    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?
    @Option(help: ArgumentHelp("vault, maildir, mbox or eml.", valueName: "format")) var format = Choice(Format.vault)
    @Flag(help: "Print what would be written; write nothing.") var dryRun = false

    enum Format: String, CaseIterable, Sendable { case vault, maildir, mbox, eml }

    func run(_ context: CommandContext) throws {
        guard words.count == (all ? 1 : 2), let place = words.last, !place.isEmpty else {
            throw Failure(.usage, all ? "--all wants one directory" : "name one account and one directory")
        }
        let directory = FilePath(VaultPlace.absolute(place))
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let named = all ? nil : try vault.account(words[0])
        let accounts = try named.map { [$0] } ?? vault.accounts().filter { !$0.isDeleted && $0.state.isEnabled }
        guard !accounts.isEmpty else { throw Failure(.notFound, "there is no account to export") }
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: named)
        let point = try context.point(at, landmarks, vault)
        let existed = Directory.exists(directory)
        guard try !existed || Directory.names(directory).isEmpty else {
            throw Failure(
                .notEmpty, "\(TerminalText.safe(directory.string)) is not empty",
                hint: "Name a directory that does not exist yet")
        }
        var export = Exporting(context: context, vault: vault, point: point, directory: directory)
        for account in all ? accounts : [] {
            guard let gap = try vault.gap(of: account.number, at: point) else { continue }
            export.warn("\(account.state.address): \(context.wording(of: gap))")
        }
        if format.value == .vault {
            if !dryRun { try export.vault(accounts) }
        } else {
            if !existed, !dryRun { try Directory.create(directory) }
            for account in accounts { try export.files(account, format.value, isOnlyPlanned: dryRun) }
            if !dryRun { try Directory.sync(directory) }
        }
        try export.answer(accounts, format.value, isOnlyPlanned: dryRun)
    }
}

/// One export, from its plan to its report.
private struct Exporting {
    let context: CommandContext
    let vault: OpenVault
    let point: ResolvedTime
    let directory: FilePath
    private let began = ProgressLine.now()
    private var messages = 0
    private var transactions = 0
    private var bytes: UInt64 = 0
    private var unrestored: [(account: String, lost: Unrestored)] = []
    private var warnings: [String] = []

    init(context: CommandContext, vault: OpenVault, point: ResolvedTime, directory: FilePath) {
        (self.context, self.vault, self.point, self.directory) = (context, vault, point, directory)
        if let gap = point.gap { warnings.append(context.wording(of: gap)) }
    }

    mutating func warn(_ warning: String) {
        warnings.append(warning)
        context.remark("warning: \(warning)")
    }

    mutating func vault(_ accounts: [Account]) throws {
        let line = ProgressLine("export", unit: "transactions", options: context.options)
        defer { line.finish() }
        var generator = SystemRandomNumberGenerator()
        let last = Int(clamping: point.transaction.rawValue)
        let report = try VaultExport.run(
            vault, accounts: Set(accounts.map(\.number)), through: point.transaction, to: directory,
            progress: { line.update(Int(clamping: $0.rawValue), of: last) }, using: &generator)
        (transactions, messages, bytes) = (report.transactions, report.messages, report.bytes)
        unrestored = report.unrestored.map { (accounts.count == 1 ? accounts[0].state.address : "", $0) }
    }

    mutating func files(_ account: Account, _ format: ExportCommand.Format, isOnlyPlanned: Bool) throws {
        let name = String(decoding: PlainFileName.of([Array(account.state.address.utf8)]), as: UTF8.self)
        let target = try Location("\(format.rawValue):\(directory.appending(name).string)")
        let plan = try RestorePlanner.plan(
            vault,
            RestoreRequest(
                account: account, point: point.transaction, selection: .account(deletedSince: nil), target: target))
        for warning in plan.warnings {
            warnings.append("\(account.state.address): \(warning)")
            context.remark("warning: \(account.state.address): \(warning)")
        }
        guard !isOnlyPlanned else {
            messages += plan.count(.deliver)
            bytes += plan.bytes
            unrestored += plan.unrestored.map { (account.state.address, $0) }
            return
        }
        let report = try Restoring.execute(context, plan, from: vault, kind: "export", ledger: .none).report
        messages += report.restored
        bytes += report.bytes
        unrestored += report.unrestored.map { (account.state.address, $0) }
    }

    func answer(_ accounts: [Account], _ format: ExportCommand.Format, isOnlyPlanned: Bool) throws {
        let took = ProgressLine.now() - began
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("dry_run")
                json.value(isOnlyPlanned)
                json.resolved(point)
                json.key("format")
                json.value(format.rawValue)
                json.key("directory")
                json.value(directory.string)
                json.texts("accounts", accounts.map(\.state.address))
                json.key("restored")
                json.value(messages)
                json.key("transactions")
                json.value(transactions)
                json.key("bytes")
                json.value(bytes)
                json.key("unrestored")
                json.beginArray()
                for (account, lost) in unrestored { json.unrestored(lost, account: account) }
                json.endArray()
                json.texts("warnings", warnings)
                json.key("seconds")
                json.seconds(took)
                json.endObject()
            }
        } else {
            let what = "\(Quantity.count(messages, "message")) of \(Quantity.count(accounts.count, "account"))"
            if isOnlyPlanned {
                let size = format == .vault ? "" : ", \(what), \(Quantity.bytes(bytes))"
                try context.output.line(
                    "Plan: \(format.rawValue), as of \(context.text(point.time)) (\(point.transaction))\(size). Nothing was written."
                )
            } else {
                try context.output.line(
                    "\(what) exported to \(TerminalText.safe(directory.string)) (\(Quantity.bytes(bytes)), \(Quantity.duration(microseconds: took)))"
                )
            }
            for (account, lost) in unrestored {
                try context.output.line(
                    "  not exported: \(TerminalText.safe(account)) \(lost.item?.description ?? "-") \(lost.cause.rawValue): \(TerminalText.safe(lost.detail))"
                )
            }
        }
        if !unrestored.isEmpty { throw ExitStatus(.partial) }
    }
}
