internal import ArgumentParser
internal import Events
internal import Files
internal import Journal
internal import Presentation
internal import Projections
internal import SystemPackage
internal import TimeLanguage
internal import Vault

struct TimeCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "time", abstract: "Explains a time: what it is read as, and which transaction it comes to.",
        discussion: """
            Examples:
              yestermail time 'yesterday 14:00'
              yestermail time '2026-10-25 02:30 Europe/Rome'
              yestermail time before:m1042 --account anna
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The time, in quotes or as several words.") var expression: [String]

    @Option(help: ArgumentHelp("The account that before:ITEM and first are about.", valueName: "account"))
    var account: String?

    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("Read it as --at, --from or --to would: at, from or to.", valueName: "role"))
    var role: RoleName = .at

    enum RoleName: String, ExpressibleByArgument, CaseIterable {
        case at, from, to

        var role: TimeExpression.Role {
            switch self {
            case .at: .at
            case .from: .from
            case .to: .to
            }
        }
    }

    func run(_ context: CommandContext) throws {
        let text = expression.joined(separator: " ")
        let parsed = try TimeExpression.parse(text, role: role.role, now: context.now, zone: context.zone)
        var instant: Timestamp?
        if case .instant(let found) = parsed { instant = found }
        // Without a vault a time is still a time.
        let place = try? VaultPlace(context.options)
        let hasVault = place.map { Directory.exists($0.directory.appending("FORMAT")) } ?? false
        var point: ResolvedTime?
        var around: (before: Timestamp?, after: Timestamp?) = (nil, nil)
        if hasVault || instant == nil {
            let vault = try context.vault()
            let projections = try context.projections(vault)
            let landmarks = ProjectedLandmarks(
                vault: vault, projections: projections, account: try account.map { try vault.account($0) })
            do {
                let found = try context.point(text, role: role.role, landmarks, vault, echo: .nowhere)
                around.before = try vault.journal.withRecord(found.transaction) { $0.time }
                around.after = try vault.journal.withRecord(found.transaction.next) { $0.time }
                point = found
            } catch let failure as Failure where failure.code == .outOfRange && instant != nil {
                context.remark("\(failure.message). \(failure.hint ?? "")")
            }
        }
        guard let time = instant ?? point?.time else { return }
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("expression")
                json.value(text)
                json.key("time")
                json.value(time)
                json.key("local")
                json.value(time.rfc3339(in: context.zone, microseconds: true))
                json.key("timezone")
                json.value(context.zone.name)
                json.key("resolved")
                if let point {
                    json.beginObject()
                    json.key("txid")
                    json.value(point.transaction.rawValue)
                    json.key("time")
                    json.value(point.time)
                    json.endObject()
                } else {
                    json.null()
                }
                json.endObject()
            }
            return
        }
        let utc = time.described(in: .utc, [.weekday, .microsecondsUnlessWhole(time)])
        try context.output.line(
            "\(TerminalText.safe(text))  =  \(time.described(in: context.zone, [.weekday, .microsecondsUnlessWhole(time)])) (\(context.zone.name))  =  \(utc)"
        )
        guard let point else { return }
        try context.output.line(
            "transaction \(point.transaction)" + (point.isNewest ? ", the newest" : "")
                + (around.before.map { ", of \(context.text($0, .microseconds))" } ?? "")
                + (around.after.map { "; the next one is of \(context.text($0, .microseconds))" } ?? ""))
    }
}
