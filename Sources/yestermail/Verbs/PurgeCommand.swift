internal import ArgumentParser
internal import Blobs
internal import Events
internal import Files
internal import Journal
internal import Presentation
internal import Projections
internal import Query
internal import SystemPackage
internal import Vault

struct PurgeCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Erases what was deleted longer ago than its retention keeps it.",
        discussion: """
            Retention counts from the deletion, never from the creation: what is in the mailbox is never purged, however old. \
            An item goes with its whole history. Items of an account that was removed or disabled go with the account. \
            What a legal hold covers stays. Old states of what is there are thinned where a rule says so (yestermail help \
            retention); the newest one never goes. The journal keeps the place and the hash of what was erased, so that it can \
            still be verified.

            A purge that was killed is finished by the next one.

            Examples:
              yestermail purge --dry-run
              yestermail purge --retention 90
              yestermail purge --erase anna@example.org --yes
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Flag(name: .customLong("dry-run"), help: "Say what would go and what would come back; change nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("Days that items are kept, for this run; 0: for ever.", valueName: "days"))
    var retention: Int?

    @Option(
        help: ArgumentHelp("Days that removed accounts are kept, for this run; 0: for ever.", valueName: "days"))
    var accountRetention: Int?

    @Option(
        help: ArgumentHelp(
            "How histories are thinned, for this run: all:30,daily:90,monthly, or off.", valueName: "rule"))
    var history: String?

    @Option(help: ArgumentHelp("Erase everything of this account now.", valueName: "account")) var erase: String?

    @Flag(help: "Do erase.") var yes = false

    @Flag(help: "With --erase: also remove what repairs have put into quarantine/, whoever's it is.")
    var emptyQuarantine = false

    func validate() throws {
        for days in [retention, accountRetention] {
            guard let days else { continue }
            guard (0...OpenVault.mostRetentionDays).contains(days) else {
                throw ValidationError(
                    "\(days) is no number of days: 0 keeps for ever, else 1 to \(OpenVault.mostRetentionDays).")
            }
            if erase != nil { throw ValidationError("--erase takes everything; retention has no say in it.") }
        }
        if history != nil, erase != nil {
            throw ValidationError("--erase takes everything; retention has no say in it.")
        }
        if emptyQuarantine, erase == nil { throw ValidationError("--empty-quarantine belongs to --erase.") }
    }

    func run(_ context: CommandContext) throws {
        if dryRun { return try show(try plan(context), context) }
        let report = try purge(context)
        let isCompacted = try compact(report, context)
        try show(report, isCompacted, context)
    }

    private func request(_ vault: OpenVault, _ context: CommandContext) throws -> PurgeRequest {
        let queries = try HoldQueries(vault, context)
        var request = PurgeRequest(isHeld: { try queries.covers($0, $1, $2) })
        request.days = RetentionDays(
            data: retention, account: accountRetention, history: try history.map { try HistoryRule($0) })
        if let erase { request.erasing = try vault.account(erase).number }
        return request
    }

    private func plan(_ context: CommandContext) throws -> PurgePlan {
        let vault = try context.vault()
        let line = ProgressLine("purge", unit: "transactions", options: context.options)
        defer { line.finish() }
        return try Purge(vault, try request(vault, context)).plan { line.update(Int($0.done), of: Int($0.total)) }
    }

    /// The vault is closed when it returns: what is compacted must not be open.
    private func purge(_ context: CommandContext) throws -> PurgeReport {
        if erase != nil, try context.vault().hasOtherWriters() {
            throw Failure(
                .locked, "another process may be writing to the vault: an erasure makes its databases anew",
                hint: "Stop it first (a watch, for example)")
        }
        let vault = try context.vault(.writing)
        let request = try request(vault, context)
        if request.erasing != nil { try refuseErasure(vault, context) }
        var last = PurgeProgress.Phase.reading
        var line = ProgressLine("purge", unit: "transactions", options: context.options)
        defer { line.finish() }
        return try Purge(vault, request).run { progress in
            if progress.phase != last {
                line.finish()
                last = progress.phase
                line = ProgressLine(
                    "purge: \(last.rawValue)", unit: last == .blobs ? "packs" : "transactions", options: context.options
                )
            }
            line.update(Int(progress.done), of: Int(progress.total))
        }
    }

    private func refuseErasure(_ vault: OpenVault, _ context: CommandContext) throws {
        let account = try vault.account(erase ?? "")
        guard yes else {
            throw Failure(
                .refused, "everything of \(account.state.address) would be erased, for good",
                hint: "Look at it first: yestermail purge --erase \(account.state.address) --dry-run. Then add --yes")
        }
        let left = try vault.quarantined()
        guard left.isEmpty || emptyQuarantine else {
            throw Failure(
                .refused, "quarantine/ holds what repairs have put aside, and it may have data of the account in it",
                hint: "When the vault is sound (yestermail check), add --empty-quarantine")
        }
        if emptyQuarantine { try vault.emptyQuarantine() }
    }

    /// Whether the databases were made anew.
    private func compact(_ report: PurgeReport, _ context: CommandContext) throws -> Bool {
        guard !report.plan.isEmpty, !report.plan.parts.isEmpty || report.plan.isUnfinished else { return true }
        let directory = try VaultPlace(context.options).directory
        if erase != nil {
            // Projections of other vaults that were restored from: who was erased here may be in them. They are made again at will.
            let state = directory.appending("state")
            for name in try Directory.names(state) where name.string.hasPrefix("foreign-") {
                try Directory.removeFlat(state.appending(name))
            }
        }
        let done = try VaultCompaction.run(directory)
        if done { _ = try context.projections(try context.vault()) }
        if !done, erase == nil { return try context.vault(.writing).compactDatabases() }
        if !done, erase != nil {
            throw Failure(
                .partial,
                "the account is erased, but the databases still have pages with old data of it, since another process has the vault open",
                hint: "Stop it (a watch, for example); the next purge that has anything to do makes them anew")
        }
        return done
    }

    // MARK: Saying

    private func show(_ plan: PurgePlan, _ context: CommandContext) throws {
        guard !context.isJSON else { return try context.output.json { PurgeCommand.write(plan, nil, true, &$0) } }
        try lines(plan, "would go", context)
        if plan.isUnfinished { try context.output.line("An earlier purge was not finished; the next one finishes it.") }
        guard plan.bytes > 0 || !plan.parts.isEmpty else { return try context.output.line("Nothing would be purged.") }
        try context.output.line(
            "\(Quantity.bytes(plan.bytes)) would come back: \(Quantity.bytes(plan.blobs.bytes)) of \(Quantity.count(plan.blobs.messages, "blob")), \(Quantity.bytes(plan.journalBytes)) of the journal."
        )
        if plan.blobs.waitingBytes > 0 {
            try context.output.line(
                "\(Quantity.bytes(plan.blobs.waitingBytes)) more when more of the packs they are in is purged.")
        }
    }

    private func lines(_ plan: PurgePlan, _ verb: String, _ context: CommandContext) throws {
        for part in plan.parts {
            var what =
                "\(Quantity.count(part.messages, "message")) and \(Quantity.count(part.folders, "folder"))"
            if part.states > 0 { what += ", \(Quantity.count(part.states, "old state")) of what is there" }
            try context.output.line(
                "\(TerminalText.safe(part.account.state.address)): \(part.isWhole ? "all of it" : what) \(verb)")
        }
        for (account, items, holds) in plan.held {
            try context.output.line(
                "\(TerminalText.safe(account.state.address)): \(Quantity.count(items, "item")) kept by \(holds.joined(separator: ", "))"
            )
        }
        for (account, states, holds) in plan.heldStates {
            try context.output.line(
                "\(TerminalText.safe(account.state.address)): \(Quantity.count(states, "old state")) kept by \(holds.joined(separator: ", "))"
            )
        }
        for account in plan.busy {
            try context.output.line("\(TerminalText.safe(account.state.address)): it is being captured; not now")
        }
    }

    private func show(_ report: PurgeReport, _ isCompacted: Bool, _ context: CommandContext) throws {
        guard !context.isJSON else {
            return try context.output.json { PurgeCommand.write(report.plan, report, isCompacted, &$0) }
        }
        try lines(report.plan, "purged", context)
        guard !report.plan.parts.isEmpty || report.plan.isUnfinished || report.bytes > 0 else {
            return try context.output.line("Nothing was purged.")
        }
        try context.output.line(
            "\(Quantity.bytes(max(0, report.bytes))) came back: \(Quantity.count(report.blobs.messages, "blob")) swept, \(Quantity.count(report.journal.segments, "segment")) and \(Quantity.count(report.blobs.packs, "pack")) written anew."
        )
        if report.isSweepDeferred {
            try context.output.line("A capture went on all the while: the blobs are swept by the next purge.")
        }
        if report.keepsUnknown {
            try context.output.line("Records of the journal are lost: blobs that only they may have named are kept.")
        }
        for pack in report.blobs.damagedPacks {
            try context.output.line("blobs/\(pack); it was left as it is. Run: yestermail check --repair")
        }
        if !isCompacted {
            try context.output.line(
                "The databases are made smaller by a purge that runs while no other process writes to the vault: this file system does not let it be done beside one."
            )
        }
    }

    private static func write(_ plan: PurgePlan, _ report: PurgeReport?, _ isCompacted: Bool, _ json: inout JSONWriter)
    {
        json.beginObject()
        json.key("dry_run")
        json.value(report == nil)
        json.key("accounts")
        json.beginArray()
        for part in plan.parts {
            json.beginObject()
            json.accountNames(part.account)
            json.key("all")
            json.value(part.isWhole)
            json.key("messages")
            json.value(part.messages)
            json.key("folders")
            json.value(part.folders)
            json.key("states")
            json.value(part.states)
            json.endObject()
        }
        json.endArray()
        json.key("held")
        json.beginArray()
        for (account, items, holds) in plan.held {
            json.beginObject()
            json.accountNames(account)
            json.key("items")
            json.value(items)
            json.texts("holds", holds)
            json.endObject()
        }
        json.endArray()
        json.key("held_states")
        json.value(plan.heldStates.reduce(0) { $0 + $1.states })
        json.texts("busy", plan.busy.map(\.state.address))
        json.key("unfinished_before")
        json.value(plan.isUnfinished)
        json.key("transactions")
        json.value(plan.stubs + plan.redacted)
        json.key("blobs")
        json.value(report?.blobs.messages ?? plan.blobs.messages)
        json.key("bytes")
        json.value(report?.bytes ?? plan.bytes)
        json.key("waiting_bytes")
        json.value(report?.blobs.waitingBytes ?? plan.blobs.waitingBytes)
        if let report {
            json.key("sweep_deferred")
            json.value(report.isSweepDeferred)
            json.key("compacted")
            json.value(isCompacted)
            json.texts("damaged_packs", report.blobs.damagedPacks)
        }
        json.endObject()
    }
}
