internal import ArgumentParser
internal import Connectors
internal import Events
internal import Files
internal import Headers
internal import Journal
internal import LMDB
internal import Presentation
internal import Projections
internal import SystemPackage
internal import TimeLanguage
internal import Vault

/// A verb that runs in a ``CommandContext``.
protocol Verb: ParsableCommand {
    var global: GlobalOptions { get }
    func run(_ context: CommandContext) throws
}

extension Verb {
    func run() throws {
        let context = try CommandContext(global)
        do {
            try run(context)
        } catch {
            if CommandContext.isDamage(error) { Relaunch.afterDamage() }
            // What was found before it failed is passed on first.
            if !(error is OutputClosed) { try context.output.flush() }
            guard let trouble = try StorageTrouble(error, vault: VaultPlace(global).directory) else { throw error }
            if trouble.isSuspicious { Relaunch.markSuspect() }
            throw trouble.failure
        }
        try context.output.flush()
    }
}

/// What every verb has at hand: the options, the clock, the zone, where to write, and the vault.
final class CommandContext {
    let options: GlobalOptions
    let configuration: Configuration
    let output = Output()
    let style: Style
    /// The one instant this run calls now.
    let now: Timestamp
    let zone: Zone

    var isJSON: Bool { options.json }

    init(_ options: GlobalOptions) throws {
        self.options = options
        configuration = try Configuration(options)
        try configuration.check()
        let color = options.color ?? configuration.values[.color].flatMap { GlobalOptions.ColorMode(rawValue: $0) }
        style = Style(color ?? .auto, isTerminal: output.isTerminal)
        now = WallClock.system.now()
        if let name = options.timezone ?? configuration.values[.timezone] {
            // What is no offset either is refused below, with a word on what is expected.
            let phrase = try? TimeExpression.parse("2000-01-01 12:00 \(name)", role: .at, now: now, zone: .utc)
            if let zone = ZoneDatabase.system.zone(named: name) {
                self.zone = zone
            } else if case .instant(let noon)? = phrase {
                zone = Zone(offset: Int(946_728_000 - noon.seconds))
            } else {
                throw Failure(
                    .usage, "there is no time zone \(TerminalText.safe(name, maxColumns: 60))",
                    hint: "Write for example: Europe/Rome, UTC, +01:00")
            }
        } else {
            zone = ZoneDatabase.system.local(environment: VaultPlace.environment("TZ"))
        }
    }

    // MARK: The vault

    enum Access { case reading, writing }

    func vault(_ access: Access = .reading) throws -> OpenVault {
        let directory = try VaultPlace(options).directory
        Relaunch.arm(vault: directory.string, mayBeginAnew: access == .reading)
        return try OpenVault(directory, readOnly: access == .reading)
    }

    /// Whether a file of the vault, not what a person asked for, is the reason.
    static func isDamage(_ error: any Error) -> Bool {
        switch error {
        case is ProjectionsUnusable, is HeaderIndexUnusable, is DecodingFailure, JournalError.damaged: true
        case let error as LMDBError: error.isDamage
        default: false
        }
    }

    /// The projections, caught up; a long way shows its progress.
    func projections(_ vault: OpenVault) throws -> OpenProjections {
        let head = try vault.journal.head().transaction.rawValue
        let line = ProgressLine("catching up with the journal", unit: "transactions", options: options)
        defer { line.finish() }
        return try vault.projections { line.update(Int(clamping: $0.rawValue), of: Int(clamping: head)) }
    }

    // MARK: Saying

    /// A remark on standard error, behind what has been said on standard output.
    func remark(_ text: String) {
        guard !options.quiet else { return }
        try? output.flush()
        StandardError.write(TerminalText.safe(text) + "\n")
    }

    func verbose(_ text: String) { if options.verbose { remark(text) } }

    /// An instant as people read it.
    func text(_ time: Timestamp, _ detail: Timestamp.Detail = []) -> String { time.described(in: zone, detail) }
}

/// `ACCOUNT` or `ACCOUNT:FOLDER`, as written.
struct AccountAndFolder {
    let account: String
    let folder: String?

    init(_ text: String) {
        if let colon = text.firstIndex(of: ":") {
            account = String(text[..<colon])
            folder = String(text[text.index(after: colon)...])
        } else {
            (account, folder) = (text, nil)
        }
    }
}
