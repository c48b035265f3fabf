internal import ArgumentParser
internal import Events
internal import Journal
internal import Projections
internal import Vault

struct LogDumpCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "The audit: every journal record in order, oldest first, as JSON Lines.",
        discussion: """
            Each line is one transaction. Its leaf_hash is SHA-256(0x00, record) as in RFC 6962; each record carries \
            the hash of the one before. Nothing but the journal is read.

            Examples:
              yestermail log dump > audit.jsonl
              yestermail log dump --account anna --from 2026-03-01 | jq -c '.changes[]'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Option(help: ArgumentHelp("Nothing before.", valueName: "time")) var from: String?
    @Option(help: ArgumentHelp("Nothing after.", valueName: "time")) var to: String?
    @Option(help: ArgumentHelp("Only the transactions of one account.", valueName: "account")) var account: String?

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let journal = vault.journal
        var only: Account?
        var created = TransactionID(rawValue: 1)
        if let account {
            let directory = try DirectoryAt(journal, try journal.head().transaction)
            let found = try OpenVault.account(account, among: directory.accounts)
            created = directory.created[found.number] ?? created
            only = found
        }
        let landmarks = JournalLandmarks(
            journal: journal, account: only?.number ?? .directory, created: created)
        let range = try context.range(from: from, to: to, landmarks, vault)
        guard range.first <= range.last else { return }
        var dump = JournalDump(try Purges(journal))
        if range.first > TransactionID(rawValue: 1) {
            try journal.scan(from: TransactionID(rawValue: 1), through: range.first.previous) { record in
                try dump.learn(record)
                return true
            }
        }
        try dump.write(journal, range.first, range.last, only: only?.number, to: context.output)
    }
}
