internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Presentation
internal import Restore
internal import Vault

struct SharesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shares",
        abstract: "Rights of others on folders, and mount points: as they should be, and as they are.",
        subcommands: [SharesCheckCommand.self, SharesFixCommand.self])
}

/// Which shares are looked at.
struct SharesOptions: ParsableArguments {
    @Argument(help: "The account.") var account: String?
    @Flag(help: "Every account that is scanned.") var all = false
    @Option(help: ArgumentHelp("As they were when. Default: last.", valueName: "time")) var at: String?
    @Option(
        help: ArgumentHelp(
            "As they were in this other vault, of accounts that were restored out of it, remapped to who they are here.",
            valueName: "vault"),
        completion: .directory)
    var from: String?
}

struct SharesCheckCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compares shares as the vault has them with those where the accounts live.",
        discussion: """
            Named is every right that is missing, is another, or was given since; every right of somebody who is no account \
            of the vault; and every mount point that leads nowhere. It ends with 5 when there is anything of the kind.

            Examples:
              yestermail shares check anna
              yestermail shares check --all --at 'yesterday 14:00'
              yestermail shares check --all --from /media/usb/vault
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @OptionGroup var options: SharesOptions

    func run(_ context: CommandContext) throws {
        let shares = try Shares(context, options, mode: .reading)
        var found: [(Shares.Case, RestorePlan)] = []
        for one in shares.cases { found.append((one, try shares.plan(one))) }
        try shares.answer(found)
        if found.contains(where: { !$0.1.shares.isEmpty }) { throw ExitStatus(.differences) }
    }
}

struct SharesFixCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "fix", abstract: "Gives rights again that are missing or others, and makes mount points again.",
        discussion: """
            What was given since is left alone. What cannot be put right, because somebody has no account here, a folder is \
            not there, or the target has no such right, is named, and it ends with 3. Each account's is an operation that can be \
            taken back with undo.

            Examples:
              yestermail shares fix anna --dry-run
              yestermail shares fix --all --from /media/usb/vault
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @OptionGroup var options: SharesOptions
    @Flag(help: "Print the plan; write nothing.") var dryRun = false

    func run(_ context: CommandContext) throws {
        let shares = try Shares(context, options, mode: dryRun ? .reading : .writing)
        var isPartial = false
        for one in shares.cases {
            let doing = try shares.doing(one, dryRun: dryRun)
            do {
                if shares.cases.count > 1 { context.remark("\(one.own.state.address):") }
                try doing.run(
                    try shares.plan(one), shares.point, kind: "shares", ledger: shares.ledger(one),
                    origin: shares.origin(one))
            } catch let status as ExitStatus where status.code == Failure.Code.partial.exitStatus {
                isPartial = true
            }
        }
        if isPartial { throw ExitStatus(.partial) }
    }
}

/// Shares of accounts, each with where it should be from and where it is.
struct Shares {
    /// An account, as it is called where its shares are read and where they are.
    struct Case {
        var source: Account
        var own: Account
    }

    let context: CommandContext
    let ours: OpenVault
    let vault: OpenVault
    let point: ResolvedTime
    private(set) var cases: [Case] = []
    private let identities: IdentityMap

    init(_ context: CommandContext, _ options: SharesOptions, mode: CommandContext.Access) throws {
        guard (options.account != nil) != options.all else { throw Failure(.usage, "name one account, or --all") }
        let ours = try context.vault(mode)
        _ = try context.projections(ours)
        (self.context, self.ours) = (context, ours)
        let named = try options.account.map { try ours.account($0) }
        let wanted = try named.map { [$0] } ?? ours.accounts().filter { !$0.isDeleted && $0.state.isEnabled }
        if let from = options.from {
            vault = try ForeignVault.open(from, beside: ours)
            _ = try context.projections(vault)
            let pairs = try IdentityMap.pairs(ours, of: vault)
            identities = IdentityMap(
                pairs.map { pair in
                    (pair.foreign, pair.own.map { ($0.state.address, $0.state.sources.first ?? "") })
                })
            for account in wanted {
                if let source = pairs.first(where: { $0.own?.number == account.number })?.foreign {
                    cases.append(Case(source: source, own: account))
                }
            }
            guard !cases.isEmpty else {
                throw Failure(
                    .notFound, "no account that is meant was restored out of that vault",
                    hint: "See: yestermail operation list")
            }
        } else {
            vault = ours
            identities = IdentityMap(unchanged: try ours.accounts())
            cases = wanted.map { Case(source: $0, own: $0) }
        }
        let landmarks = ProjectedLandmarks(
            vault: vault, projections: try vault.projections(), account: cases.count == 1 ? cases[0].source : nil)
        point = try context.point(options.at, landmarks, vault)
    }

    func plan(_ one: Case) throws -> RestorePlan {
        var request = RestoreRequest(
            account: one.source, point: point.transaction, selection: .account(deletedSince: nil),
            target: try Location(of: one.own))
        request.only = .shares
        request.rights = .remapped(identities)
        return try RestorePlanner.plan(vault, request, known: [:])
    }

    func doing(_ one: Case, dryRun: Bool) throws -> Restoring {
        Restoring(context, vault, one.source, at: try Location(of: one.own), Restoring.Way(dryRun: dryRun))
    }

    func ledger(_ one: Case) -> RestoreLedger { vault.id == ours.id ? .own : .other(ours, one.own.number) }

    func origin(_ one: Case) -> [Note.Field] {
        guard vault.id != ours.id else { return [] }
        return [
            Note.Field("source_vault", .text(Array(vault.id.description.utf8))),
            Note.Field("source_account", .text(Array(one.source.state.id.description.utf8))),
        ]
    }

    // MARK: Saying

    func answer(_ found: [(Case, RestorePlan)]) throws {
        if context.isJSON {
            for (one, plan) in found {
                for finding in plan.shares { try context.output.json { $0.share(finding, one.own.state.address) } }
            }
            return
        }
        var table = TextTable([
            .init("ACCOUNT", maxColumns: 40), .init("FOLDER", maxColumns: 40), .init("WHO", maxColumns: 40),
            .init("RIGHTS"), .init("NOW"), .init("FINDING"),
        ])
        var count = 0
        for (one, plan) in found {
            for finding in plan.shares {
                count += 1
                func text(_ bytes: [UInt8]?) -> String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
                table.addRow([
                    one.own.state.address, text(finding.path),
                    finding.path == finding.identifier ? "mount point" : text(finding.identifier),
                    text(finding.rights), text(finding.present), finding.wording,
                ])
            }
        }
        for line in count == 0 ? [] : table.lines() { try context.output.line(line) }
        let accounts = Quantity.count(found.count, "account")
        context.remark(
            count == 0
                ? "The shares of \(accounts) are as they should be."
                : "\(Quantity.count(count, "finding")) in \(accounts). "
                    + (found.contains { $0.1.shares.contains(where: \.isFixable) }
                        ? "Put right what can be with: yestermail shares fix"
                        : "There is nothing that shares fix could put right")
        )
    }
}

extension ShareFinding {
    /// For a person.
    var wording: String {
        let word =
            switch kind {
            case .missing: "missing"
            case .differs: "other rights"
            case .extra: "not there then"
            case .unknown: "nobody the vault knows"
            case .unmapped: "cannot be given here"
            case .unsupported: "cannot be had here"
            case .noFolder: "no such folder"
            case .nowhere: "leads nowhere"
            }
        return detail.isEmpty ? word : "\(word): \(detail)"
    }
}

extension JSONWriter {
    mutating func share(_ finding: ShareFinding, _ account: String) {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        beginObject()
        key("account")
        value(account)
        key("finding")
        value(finding.kind.rawValue)
        key("item")
        value(finding.item)
        key("folder")
        value(text(finding.path))
        key("identifier")
        value(text(finding.identifier))
        key("rights")
        if let rights = finding.rights { value(text(rights)) } else { null() }
        key("present")
        if let present = finding.present { value(text(present)) } else { null() }
        key("fixable")
        value(finding.isFixable)
        key("detail")
        value(finding.detail)
        endObject()
    }
}
