internal import ArgumentParser
internal import Connectors
internal import Events
internal import Journal
internal import Presentation
internal import Restore
internal import Vault

struct RestoreExternalCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "external", abstract: "Accounts of another vault, which is only read.",
        discussion: """
            First the accounts that are missing here are made, with their folders; from then on they can be used. Then come \
            the messages, account after account in the order in which they were named. What has been restored once is \
            skipped ever after, wherever it is now; nothing is removed; what is in a folder of the same path stays beside \
            what comes. An account that is in this vault already is restored to where it lives; for others, --to says \
            where they are to live, with %d, %n and %u for domain, local part and address.

            Not one byte of the other vault is written, and nobody else may be writing to it meanwhile.

            Examples:
              yestermail restore external /media/usb/vault --dry-run \\
                --to 'maildir:/var/mail/%d/%n'
              yestermail restore external /media/usb/vault --account '*@example.org' \\
                --provisioning-only --to maildir:/srv/%u
              yestermail restore external /media/usb/vault --input-file accounts.txt
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The other vault.", completion: .directory) var source: String
    @Option(
        help: ArgumentHelp("Only this account; may have *; may be given several times.", valueName: "glob"))
    var account: [String] = []
    @Option(help: ArgumentHelp("Only accounts of this domain; may be given several times.", valueName: "domain"))
    var domain: [String] = []
    @Option(
        help: ArgumentHelp("Only these accounts, one address or id a line, in that order.", valueName: "file"),
        completion: .file())
    var inputFile: String?
    @Option(help: ArgumentHelp("Where accounts that are new here are to live.", valueName: "target")) var to: String?
    @Option(help: ArgumentHelp("As of when, in the other vault. Default: last.", valueName: "time")) var at: String?
    @Flag(help: "Make accounts and folders, and leave the messages for another time.") var provisioningOnly = false
    @Flag(help: "Make no accounts: those that are not here are named and left out.") var skipProvisioning = false
    @Flag(help: "Also accounts that have been removed there.") var withDeleted = false
    @Flag(help: "Print the plan; write nothing.") var dryRun = false
    @Option(
        help: ArgumentHelp(
            "Put the plan into this file and do nothing else; run it with restore --plan.", valueName: "file"),
        completion: .file())
    var savePlan: String?
    @OptionGroup(title: "Of a mail server") var server: ServerOptions

    func run(_ context: CommandContext) throws {
        let isOnlyPlanned = dryRun || savePlan != nil
        let ours = try context.vault(isOnlyPlanned ? .reading : .writing)
        _ = try context.projections(ours)
        let foreign = try ForeignVault.open(source, beside: ours)
        _ = try context.projections(foreign)
        let head = try foreign.journal.head()
        var point = ResolvedTime(transaction: head.transaction, time: head.time, isNewest: true)
        if let at {
            let landmarks = ProjectedLandmarks(vault: foreign, projections: try foreign.projections(), account: nil)
            point = try context.point(at, landmarks, foreign)
        }
        let wanted = try selected(among: try foreign.accounts())
        func run(_ save: ((RestorePlan) throws -> Void)?) throws {
            var restore = ExternalRestore(
                context: context, ours: ours, foreign: foreign, point: point, to: to, server: server,
                skipsProvisioning: skipProvisioning, isOnlyPlanned: isOnlyPlanned, save: save)
            try restore.run(wanted, onlyProvisioning: provisioningOnly, savedAs: savePlan)
        }
        guard let savePlan else { return try run(nil) }
        var isPartial = false
        try FileArgument(savePlan).write { emit in
            try withoutActuallyEscaping(emit) { emit in
                var writer = try SavedPlans.Writer(VaultPlace.absolute(source), foreign, in: ours, emit)
                // A plan that names what cannot be restored is a plan all the same.
                do { try run { try writer.add($0, emit) } } catch let status as ExitStatus
                    where status.code == Failure.Code.partial.exitStatus
                { isPartial = true }
                try writer.end(emit)
            }
        }
        if isPartial { throw ExitStatus(.partial) }
    }

    private func selected(among all: [Account]) throws -> [Account] {
        var names = account
        if let inputFile { names += try AccountAddCommand.lines(of: inputFile) }
        let known = all.filter { withDeleted || !$0.isDeleted }
        var found: [Account] = []
        for name in names {
            let matching =
                if let pattern = AddressPattern(name) {
                    known.filter { account in
                        Address(account.state.address).map {
                            pattern.matches(local: $0.local) && pattern.matches(domain: $0.domain)
                        } ?? false
                    }
                } else {
                    [try OpenVault.account(name, among: known)]
                }
            guard !matching.isEmpty else {
                throw Failure(
                    .notFound, "no account of the other vault is called \(TerminalText.safe(name, maxColumns: 80))")
            }
            found += matching.filter { account in !found.contains { $0.number == account.number } }
        }
        if names.isEmpty { found = known }
        if !domain.isEmpty {
            let domains = Set(domain.map { $0.lowercased() })
            found.removeAll { account in
                !(Address(account.state.address).map { domains.contains($0.domain.lowercased()) } ?? false)
            }
        }
        guard !found.isEmpty else { throw Failure(.notFound, "no account of the other vault is meant") }
        return found
    }
}
