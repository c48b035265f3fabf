internal import ArgumentParser
internal import Events
internal import Presentation
internal import Vault

struct CheckCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Coherency Check: holds journal, blobs and projections against each other.",
        discussion: """
            Reads both copies of the journal to the end, looks up the bytes of every state that was ever recorded, and \
            makes the projections anew beside the present ones. With --read-data the bytes themselves are read and \
            hashed: all of them, or the given percentage. Nothing is changed. Every finding names the file, the \
            transaction, the account and the item it concerns; with any, the command ends with 5.

            Examples:
              yestermail check
              yestermail check --read-data
              yestermail check --read-data=5
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Option(
        name: .customLong("read-data"), defaultAsFlag: Percentage.all,
        help: ArgumentHelp("Read the bytes too: all, or a percentage.", valueName: "percent"))
    var readData: Percentage?

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let check = VaultCheck(vault, context)
        let began = ProgressLine.now()
        try check.run(readData: readData)
        if context.isJSON {
            try context.output.json { check.json(&$0, seconds: ProgressLine.now() - began) }
        } else {
            for finding in check.findings { try context.output.line(finding.text) }
            try context.output.line(check.summary(took: ProgressLine.now() - began))
        }
        if !check.findings.isEmpty { throw ExitStatus(.differences) }
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
