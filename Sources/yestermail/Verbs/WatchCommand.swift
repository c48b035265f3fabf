internal import ArgumentParser
internal import Capture
internal import Connectors
internal import Events
internal import Files
internal import Glibc
internal import Presentation
internal import Synchronization
internal import SystemPackage
internal import Vault

struct WatchCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "The realtime scanner: records changes as they happen, until it is stopped.",
        discussion: """
            Begins with a scan of everything, then waits for the mailboxes to change. It runs in the foreground until \
            SIGINT or SIGTERM. With --json it prints one object a line; {"event":"ready"} says that from then on nothing \
            is missed. Commands that read, and restores, work beside it.

            Examples:
              yestermail watch
              yestermail watch anna@example.org --json
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The accounts; default: all that are enabled.") var accounts: [String] = []
    @Option(help: ArgumentHelp("Changes closer together than this are one. Default: 20.", valueName: "ms"))
    var coalesce: Int?

    func run(_ context: CommandContext) throws {
        let stop = StopRequest()
        Termination.whenRequested { stop.request() }
        try goingOn(context, stop)
        try context.output.flush()
        if let signal = Termination.requestedSignal { throw ExitStatus(signal == 2 ? .interrupted : .terminated) }
    }

    /// Watches; when the vault's disk does not take what is written, waits until it does and begins anew: everything is opened
    /// again, and what happened meanwhile is found by the first pass.
    private func goingOn(_ context: CommandContext, _ stop: StopRequest) throws {
        let directory = try VaultPlace(global).directory
        var trouble: Failure?
        while !stop.isRequested {
            do {
                return try watch(context, stop, resuming: trouble != nil)
            } catch {
                if let met = StorageTrouble(error, vault: directory) {
                    if met.isSuspicious { Relaunch.markSuspect() }
                    let new = met.failure
                    if trouble?.code != new.code { try paused(new, context) }
                    trouble = new
                } else if trouble == nil || CommandContext.isDamage(error) {
                    throw error
                }
            }
            try waitForSpace(directory, stop)
        }
    }

    /// Until there is room, or it is time to try all the same.
    private func waitForSpace(_ directory: FilePath, _ stop: StopRequest) throws {
        for second in 0..<15 {
            // Whatever keeps it from being asked is found by trying.
            let free = (try? Directory.freeBytes(directory)) ?? 0
            if second > 0, free >= StorageTrouble.neededBytes { return }
            for _ in 0..<10 where !stop.isRequested { usleep(100_000) }
            if stop.isRequested { return }
        }
    }

    private func paused(_ failure: Failure, _ context: CommandContext) throws {
        guard !context.isJSON else {
            try printEvent("paused", nil, failure.message, context)
            return try context.output.flush()
        }
        context.remark("Paused: \(failure.message). \(failure.hint ?? "") It goes on by itself.")
    }

    private func watch(_ context: CommandContext, _ stop: StopRequest, resuming: Bool) throws {
        let vault = try context.vault(.writing)
        Relaunch.allow()
        _ = try context.projections(vault)
        let wanted =
            accounts.isEmpty
            ? try vault.accounts().filter { !$0.isDeleted && $0.state.isEnabled }
            : try accounts.map { try vault.account($0) }
        guard !wanted.isEmpty else {
            throw Failure(
                .notFound, "there is no account to watch",
                hint: "Add one with: yestermail account add ADDRESS --source maildir:PATH")
        }
        let sources = try wanted.map { account -> (account: Account, source: AnySource) in
            guard let source = try Location(of: account).openSource() as? any WatchableSource else {
                throw Failure(.usage, "\(account.state.address) has no source that can be watched", hint: "Use scan")
            }
            return (account, AnySource(source))
        }
        var options = RealtimeOptions()
        options.coalescingMilliseconds = max(0, try coalesce ?? context.configuration.number(.watchCoalesce) ?? 20)
        options.longestCoalescingMilliseconds = max(options.coalescingMilliseconds * 3, 1)
        options.lossPercent = try context.configuration.lossPercent ?? options.lossPercent
        let scanner = try RealtimeScanner(vault, sources, options: options)
        try scanner.run(
            isStopped: { stop.isRequested }, waker: { stop.wakes($0) },
            report: { event in
                // A reader that went away ends nothing: the watch goes on for the vault's sake.
                do {
                    if case .ready = event, resuming {
                        if context.isJSON {
                            try printEvent("resumed", nil, nil, context)
                        } else {
                            context.remark("Going on.")
                        }
                    } else {
                        try print(event, wanted, context)
                    }
                    try context.output.flush()
                } catch {}
            })
    }

    private func print(_ event: RealtimeScanner<AnySource>.Event, _ accounts: [Account], _ context: CommandContext)
        throws
    {
        switch event {
        case .ready:
            guard !context.isJSON else { return try printEvent("ready", nil, nil, context) }
            try context.output.line("watching \(Quantity.count(accounts.count, "account")); stop with Ctrl-C")
        case .recorded(let account, let report): try recorded(account, report, context)
        case .failed(let account, let why):
            guard !context.isJSON else { return try printEvent("failed", account, why, context) }
            context.remark("\(account.state.address): \(why); trying again")
        case .recovered(let account):
            guard !context.isJSON else { return try printEvent("recovered", account, nil, context) }
            context.remark("\(account.state.address) can be read again")
        }
    }

    private func printEvent(_ name: String, _ account: Account?, _ reason: String?, _ context: CommandContext) throws {
        try context.output.json { json in
            json.beginObject()
            json.key("event")
            json.value(name)
            if let account { json.accountNames(account) }
            if let reason {
                json.key("reason")
                json.value(reason)
            }
            json.endObject()
        }
    }

    private func recorded(_ account: Account, _ report: PassReport, _ context: CommandContext) throws {
        let counts = [
            ("created", report.created), ("moved", report.moved), ("changed", report.changed),
            ("deleted", report.deleted), ("returned", report.returned), ("folders_created", report.foldersCreated),
            ("folders_changed", report.foldersChanged), ("folders_deleted", report.foldersDeleted),
            ("unreadable", report.unreadable.count), ("unlistable", report.unlistable.count),
        ].filter { $0.1 > 0 }
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("event")
                json.value("recorded")
                json.accountNames(account)
                json.key("first_txid")
                json.optional(report.firstTransaction)
                json.key("last_txid")
                json.optional(report.lastTransaction)
                for (name, count) in counts {
                    json.key(text: name)
                    json.value(count)
                }
                json.endObject()
            }
        } else {
            let text = counts.map { "\(Quantity.count($0.1)) \($0.0.replacing("_", with: " "))" }.joined(
                separator: ", ")
            try context.output.line(
                "\(context.text(WallClock.system.now()))  \(TerminalText.safe(account.state.address))  \(text)")
        }
    }
}

/// That a long-running verb should come to its end; asked for from a signal's thread.
final class StopRequest: Sendable {
    private let requested = Atomic<Bool>(false)
    private let waker = Mutex<(@Sendable () -> Void)?>(nil)

    var isRequested: Bool { requested.load(ordering: .acquiring) }

    func request() {
        requested.store(true, ordering: .releasing)
        waker.withLock { $0 }?()
    }

    /// What wakes the verb where it waits.
    func wakes(_ wake: @escaping @Sendable () -> Void) {
        waker.withLock { $0 = wake }
        if isRequested { wake() }
    }
}
