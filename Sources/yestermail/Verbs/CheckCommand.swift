internal import ArgumentParser
internal import Capture
internal import Connectors
internal import Events
internal import Presentation
internal import Vault

struct CheckCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Coherency Check: holds journal, blobs and projections against each other.",
        discussion: """
            Holds the two copies of the journal against each other, looks up the bytes of every state that was ever \
            recorded, and compares the projections with what the journal gives. It remembers what it has verified: the \
            next check reads what is new since. With --read-data everything is read again and every blob hashed; with a \
            percentage, a sample of the blobs. Beside a watch it works half of the time only. Every finding names the \
            file, the transaction, the account and the item it concerns; with any, the command ends with 5.

            With --repair, what is damaged is healed: from the other copy, from the checksums where one bit is wrong, or \
            from the mailbox where the message is still there. Nothing is deleted: what is replaced is in quarantine/. \
            What cannot be healed is named, and everything else goes on working.

            Examples:
              yestermail check
              yestermail check --read-data
              yestermail check --read-data=5%
              yestermail check --repair
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Option(
        name: .customLong("read-data"), defaultAsFlag: Percentage.all,
        help: ArgumentHelp("Read everything again: all blobs, or a percentage of them.", valueName: "percent"))
    var readData: Percentage?

    @Option(help: ArgumentHelp("Which sample a percentage is; default: another each time.", valueName: "number"))
    var seed: UInt64?

    @Flag(help: "Heal what can be healed; set aside what is replaced.") var repair = false

    func run(_ context: CommandContext) throws {
        let began = ProgressLine.now()
        let seed = seed ?? UInt64(bitPattern: context.now.rawValue)
        var notes: [RepairNote] = []
        if repair {
            try VaultRepair.run(VaultPlace(global).directory) { note in
                notes.append(note)
                if !context.isJSON { context.remark(note.text) }
            }
        }
        // Before LMDB is asked anything.
        let damage = try VaultInspection.run(VaultPlace(global).directory)
        guard damage.isEmpty else { return try answer(damage, seed, began, repair ? notes : nil, context) }
        let vault = try context.vault(repair ? .writing : .reading)
        var check = try VaultCheck(vault, context)
        try check.run(repair ? .all : readData, seed: seed)
        if repair, !check.missing.isEmpty {
            notes += try refetch(check.missing, vault, context)
            check = try VaultCheck(vault, context)
            try check.run(.all, seed: seed)
        }
        // Told now, and no news the next time.
        if repair { try vault.record(losses: check.losses) }
        let took = ProgressLine.now() - began
        if context.isJSON {
            try context.output.json { check.json(&$0, seconds: took, seed: seed, repairs: repair ? notes : nil) }
        } else {
            for finding in check.findings { try context.output.line(finding.text) }
            if repair {
                let healed = notes.filter { !$0.isLoss }.count
                try context.output.line(
                    healed == 0 ? "Nothing to repair." : "\(Quantity.count(healed, "repair")) made.")
            }
            try context.output.line(check.summary(took: took, repairs: repair))
            if let readData, readData.value < 100 {
                context.remark("The sample can be read again with --seed \(seed).")
            }
        }
        if !check.findings.isEmpty { throw ExitStatus(.differences) }
    }

    /// Pages that LMDB cannot be trusted with are all that is said: the rest is checked when they are healed.
    private func answer(
        _ damage: [VaultInspection.Finding], _ seed: UInt64, _ began: Int64, _ repairs: [RepairNote]?,
        _ context: CommandContext
    ) throws {
        let findings = damage.map {
            CheckFinding(
                part: CheckFinding.Part(rawValue: $0.part.rawValue) ?? .vault, file: $0.file, offset: $0.offset,
                transaction: $0.transaction, problem: $0.problem)
        }
        if context.isJSON {
            let took = ProgressLine.now() - began
            try context.output.json {
                $0.check(findings: findings, looked: nil, known: [], seed: seed, repairs: repairs, seconds: took)
            }
        } else {
            for finding in findings { try context.output.line(finding.text) }
            try context.output.line(
                "\(Quantity.count(findings.count, "finding")); the rest is checked when this is healed. Run: yestermail check --repair"
            )
        }
        throw ExitStatus(.differences)
    }

    /// Reads lost blobs again where the message is still in its mailbox.
    private func refetch(_ lost: Set<Digest>, _ vault: OpenVault, _ context: CommandContext) throws -> [RepairNote] {
        var notes: [RepairNote] = []
        var rest = lost
        for account in try vault.accounts() where !account.isDeleted && !rest.isEmpty {
            do {
                let found = try BlobRefetch(vault).run(rest, account, try Location(of: account).openSource())
                rest.subtract(found)
                for digest in found {
                    notes.append(
                        RepairNote(
                            file: "blobs",
                            detail: "\(digest) was read again from the source of \(account.state.address)"))
                    if !context.isJSON, let note = notes.last { context.remark(note.text) }
                }
            } catch {
                // Another account may have the same message.
                context.remark("The source of \(account.state.address) could not be asked: \(Failure(error).message).")
            }
        }
        return notes
    }

    /// More than 0 up to 100, with or without a percent sign.
    struct Percentage: ExpressibleByArgument, CustomStringConvertible {
        let value: Double

        static let all = Percentage(value: 100)

        init(value: Double) { self.value = value }

        init?(argument: String) {
            let text = argument.hasSuffix("%") ? String(argument.dropLast()) : argument
            guard let value = Double(text), value > 0, value <= 100 else { return nil }
            self.value = value
        }

        var description: String { "\(value) %" }
    }
}
