internal import ArgumentParser
internal import Events
internal import Journal
internal import MIME
internal import Presentation
internal import Restore
internal import SystemPackage
internal import Vault

struct RestoreRawCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "raw", abstract: "Saves what is left of a damaged vault into a new one.",
        discussion: """
            The damaged vault is only read. Its packs and both copies of its journal are copied, as far as the disk gives \
            them, and the copy is healed; projections and indexes are made anew. Every transaction that either copy still \
            has and every message whose bytes are what its name says are in the new vault, under the same ids. Messages \
            that no transaction names any more go to the account recovered@vault.invalid, into folders below recovered/ \
            that are called after the recipient in their headers. Then restore from the new vault as from any other. It \
            ends with 3 when anything is lost for good, and names it.

            Examples:
              yestermail restore raw /srv/vault --to /srv/salvaged --dry-run
              yestermail restore raw /srv/vault --to /srv/salvaged
              yestermail --vault /srv/salvaged restore account anna --to maildir:/tmp/anna
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The damaged vault.", completion: .directory) var source: String
    @Option(help: ArgumentHelp("A new directory.", valueName: "dir"), completion: .directory) var to: String
    @Flag(help: "Say what would be copied; write nothing.") var dryRun = false
    @Option(
        help: ArgumentHelp(
            "Put the plan into this file and do nothing else; run it with restore --plan.", valueName: "file"),
        completion: .file())
    var savePlan: String?

    func run(_ context: CommandContext) throws {
        try RestoreRawCommand.run(
            VaultPlace.absolute(source), to: VaultPlace.absolute(to), only: nil, dryRun: dryRun, savePlan: savePlan,
            context)
    }

    /// `only`: a plan that was saved; another one is not carried out.
    static func run(
        _ source: String, to: String, only saved: SavedSalvage?, dryRun: Bool, savePlan: String?,
        _ context: CommandContext
    ) throws {
        let damaged = FilePath(source)
        let directory = FilePath(to)
        let parts = try VaultSalvage.parts(of: damaged)
        try saved?.check(parts)
        let bytes = parts.reduce(0) { $0 + $1.bytes }
        if let savePlan { try FileArgument(savePlan).write(SavedSalvage.encoded(parts, from: source, to: to)) }
        if dryRun || savePlan != nil {
            guard context.isJSON else {
                try context.output.line(
                    "Plan: copy \(Quantity.count(parts.count, "file")) (\(Quantity.bytes(bytes))) to \(TerminalText.safe(directory.string)) and heal the copy. Nothing was written."
                )
                guard let savePlan else { return }
                return try context.output.line(
                    "Saved. Do it with: yestermail restore --plan \(TerminalText.safe(savePlan))")
            }
            return try context.output.json { json in
                json.beginObject()
                json.key("dry_run")
                json.value(true)
                json.key("files")
                json.value(parts.count)
                json.key("bytes")
                json.value(bytes)
                json.key("saved_as")
                json.optional(savePlan)
                json.endObject()
            }
        }
        let began = ProgressLine.now()
        let line = ProgressLine("salvage", unit: "MB", options: context.options)
        var notes: [RepairNote] = []
        try VaultSalvage.run(
            damaged, to: directory, progress: { line.update(Int($0 >> 20), of: Int(bytes >> 20)) },
            report: { notes.append($0) })
        line.finish()
        let vault = try OpenVault(directory)
        var generator = SystemRandomNumberGenerator()
        let found = try Recovery.run(vault, place: RestoreRawCommand.placing, using: &generator)
        let head = try vault.journal.head()
        _ = try vault.projections()
        try answer(vault, found, notes, transactions: head.transaction.rawValue, began, context)
        if notes.contains(where: \.isLoss) || !found.damaged.isEmpty || !found.missing.isEmpty {
            throw ExitStatus(.partial)
        }
    }

    /// Where the headers of a message put it: to its recipient.
    static func placing(_ message: RawSpan) -> Recovery.Placing {
        let headers = MIMEHeaders.parse(message)
        for name in ["Delivered-To", "X-Original-To", "Envelope-To", "To"] as [StaticString] {
            guard let text = headers.text(name) else { continue }
            let words = text.split { " <>,;\t\"".contains($0) }
            if let address = words.lazy.compactMap({ Address(String($0)) }).first {
                return Recovery.Placing(
                    folder: Array(address.text.lowercased().utf8), date: headers.date ?? Timestamp(rawValue: 0))
            }
        }
        return Recovery.Placing(folder: Array("unknown".utf8), date: headers.date ?? Timestamp(rawValue: 0))
    }

    private static func answer(
        _ vault: OpenVault, _ found: Recovery.Report, _ notes: [RepairNote], transactions: UInt64, _ began: Int64,
        _ context: CommandContext
    ) throws {
        let took = ProgressLine.now() - began
        let accounts = Dictionary(uniqueKeysWithValues: try vault.accounts().map { ($0.number, $0.state.address) })
        guard !context.isJSON else {
            return try context.output.json { json in
                json.beginObject()
                json.key("vault")
                json.value(vault.directory.string)
                json.key("vault_id")
                json.value(vault.id.description)
                json.key("transactions")
                json.value(transactions)
                json.key("recovered")
                json.value(found.recovered)
                json.key("recovered_account")
                json.optional(found.account)
                json.key("damaged")
                json.beginArray()
                for digest in found.damaged { json.value(digest) }
                json.endArray()
                json.key("missing")
                json.beginArray()
                for lost in found.missing {
                    json.beginObject()
                    json.key("account")
                    json.optional(accounts[lost.account])
                    json.key("item")
                    json.value(lost.item)
                    json.key("txid")
                    json.value(lost.transaction.rawValue)
                    json.key("digest")
                    json.value(lost.digest)
                    json.endObject()
                }
                json.endArray()
                json.key("repairs")
                json.beginArray()
                for note in notes {
                    json.beginObject()
                    json.key("file")
                    json.value(note.file)
                    json.key("txid")
                    json.optional(note.transaction)
                    json.key("detail")
                    json.value(note.detail)
                    json.key("loss")
                    json.value(note.isLoss)
                    json.endObject()
                }
                json.endArray()
                json.key("seconds")
                json.seconds(took)
                json.endObject()
            }
        }
        for note in notes {
            try context.output.line(
                "  \(note.isLoss ? "lost: " : "")\(TerminalText.safe(note.file))\(note.transaction.map { ", \($0)" } ?? ""): \(TerminalText.safe(note.detail))"
            )
        }
        for digest in found.damaged {
            try context.output.line("  lost: message sha256:\(digest.hex): its bytes are damaged")
        }
        for lost in found.missing {
            try context.output.line(
                "  lost: \(TerminalText.safe(accounts[lost.account] ?? "-")) \(lost.item), \(lost.transaction): its bytes are missing (\(lost.digest))"
            )
        }
        if let account = found.account {
            try context.output.line(
                "\(Quantity.count(found.recovered, "message")) that no transaction names are in \(account), below recovered/"
            )
        }
        try context.output.line(
            "\(Quantity.count(transactions, "transaction")) saved into \(TerminalText.safe(vault.directory.string)) (\(Quantity.duration(microseconds: took))). Check it: yestermail --vault \(TerminalText.safe(vault.directory.string)) check --read-data"
        )
    }
}
