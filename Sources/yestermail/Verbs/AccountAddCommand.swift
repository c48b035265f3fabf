internal import ArgumentParser
internal import Connectors
internal import Events
internal import Files
internal import Presentation
internal import SystemPackage
internal import Vault

struct AccountAddCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Registers an account, or many, and where they live.",
        discussion: """
            The source is only ever read. A source for many accounts has %d for the domain, %n for the local part and \
            %u for the whole address in its path; with a pattern for an address, the mailboxes that exist are added, \
            and those that are accounts already are passed over. A directory whose name is no part of an address \
            is named and passed over.

            On a mail server, the password is never given here: --secret says where it is.

            Examples:
              yestermail account add anna@example.org --source maildir:/home/anna/Maildir
              yestermail account add '*@example.org' --source maildir:/var/mail/%d/%n
              yestermail account add --accounts addresses.txt \\
                --source maildir:/var/mail/%d/%n/Maildir
              yestermail account add anna@example.org --source imaps://mail.example.org \\
                --secret file:/etc/mail/anna
              yestermail account add --accounts addresses.txt \\
                --source imaps://mail.example.org --master backup --secret systemd:imap
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: ArgumentHelp("The address, or a pattern such as '*@example.org'.", valueName: "address"))
    var address: String?

    @Option(help: ArgumentHelp("Where it lives: maildir:PATH or imap[s]://[USER@]HOST[:PORT].", valueName: "url"))
    var source: [String] = []

    @Option(
        help: ArgumentHelp("A file with addresses, one a line, to add from a source for many.", valueName: "file"),
        completion: .file())
    var accounts: String?

    @OptionGroup(title: "Of a mail server") var server: ServerOptions

    func validate() throws {
        guard (address == nil) != (accounts == nil) else {
            throw ValidationError("Name one address (or a pattern), or a file with --accounts.")
        }
        guard !source.isEmpty else {
            throw ValidationError("Say where it lives with --source maildir:PATH or imaps://HOST.")
        }
        guard source.count == 1 else {
            throw ValidationError("This version knows one source for each account.")
        }
    }

    private typealias Mailbox = (address: String, path: String)

    func run(_ context: CommandContext) throws {
        if ServerOptions.isServer(source[0]) { return try runOnServer(context) }
        guard server.isEmpty else {
            throw Failure(
                .usage, "a Maildir needs no password and no TLS", hint: "Leave out the options of a mail server")
        }
        let path = try Location.maildirPath(source[0])
        let template = try MailboxTemplate(path)
        if let accounts {
            guard let template else { throw AccountAddCommand.needsTemplate("all addresses of \(accounts)") }
            try addNamed(try AccountAddCommand.lines(of: accounts), { template.path($0) }, context)
        } else if let address, let pattern = AddressPattern(address) {
            guard let template else { throw AccountAddCommand.needsTemplate("all addresses like \(address)") }
            try addExisting(pattern, address, template, below: path, context)
        } else if let address {
            try addNamed([address], { address in template.map { $0.path(address) } ?? path }, context)
        }
    }

    private static func needsTemplate(_ whose: String) -> Failure {
        Failure(
            .usage, "\(TerminalText.safe(whose, maxColumns: 80)) would live in the same mailbox",
            hint: "Put %d, %n or %u into the path: maildir:/var/mail/%d/%n")
    }

    /// Addresses that were written down; the mailbox of each must be there.
    private func addNamed(
        _ texts: [String], _ place: (Address) -> String?, _ context: CommandContext
    ) throws {
        let wanted = try texts.map { text -> Mailbox in
            let address = try AccountAddCommand.address(text)
            guard let path = place(address) else { throw Failure(.usage, "\(text) cannot be part of a path") }
            return (address.text, path)
        }
        for mailbox in wanted { _ = try MaildirSource(path: mailbox.path) }
        try add(wanted.map { ($0.address, "maildir:" + $0.path) }, isPattern: false, context)
    }

    /// The mailboxes that exist where the template says and that match the pattern.
    private func addExisting(
        _ pattern: AddressPattern, _ written: String, _ template: MailboxTemplate, below path: String,
        _ context: CommandContext
    ) throws {
        let found = template.existing(pattern) { path in
            context.remark("passed over, because its name is no part of an address: \(path)")
        }
        var seen: Set<Address> = []
        let wanted = found.filter { seen.insert($0.address).inserted }
        guard !wanted.isEmpty else {
            throw Failure(
                .notFound, "no mailbox of \(written) exists below \(path)",
                hint: "A mailbox is a directory with cur and new in it")
        }
        try add(wanted.map { ($0.address.text, "maildir:" + $0.path) }, isPattern: true, context)
    }

    private func runOnServer(_ context: CommandContext) throws {
        var addresses: [Address] = []
        if let accounts {
            addresses = try AccountAddCommand.lines(of: accounts).map { try AccountAddCommand.address($0) }
        } else if let address {
            guard AddressPattern(address) == nil else {
                throw Failure(
                    .usage, "a mail server does not say who its users are",
                    hint: "Write their addresses into a file, one a line, and name it with --accounts")
            }
            addresses = [try AccountAddCommand.address(address)]
        }
        let locations = try addresses.map { ($0.text, try server.location(source[0], $0)) }
        // Of many, the first shows whether the server can be reached and lets us in; each scan says so of its own.
        if let first = locations.first?.1 { _ = try ServerDiagnosis(first) }
        try add(locations.map { ($0, $1.description) }, isPattern: false, context)
    }

    private func add(_ wanted: [(address: String, source: String)], isPattern: Bool, _ context: CommandContext) throws {
        let vault = try context.vault(.writing)
        var new = wanted
        if isPattern {
            let known = Set(try vault.accounts().filter { !$0.isDeleted }.map(\.state.address))
            new = wanted.filter { !known.contains($0.address) }
            if new.count < wanted.count {
                context.remark("\(Quantity.count(wanted.count - new.count, "account")) known already")
            }
        }
        var generator = SystemRandomNumberGenerator()
        let added = try vault.addAccounts(
            new.map { ($0.address, [$0.source]) }, using: &generator)
        for account in added {
            if context.isJSON {
                try context.output.json { json in
                    json.beginObject()
                    json.accountNames(account)
                    json.key("item")
                    json.value(ItemID(.account, account.number.rawValue))
                    json.texts("sources", account.state.sources)
                    json.endObject()
                }
            } else {
                try context.output.line(
                    "Added \(TerminalText.safe(account.state.address)) (\(TerminalText.safe(account.state.sources[0])))"
                )
            }
        }
        if !added.isEmpty, !context.isJSON {
            context.remark("Next: yestermail scan\(added.count == 1 ? " " + added[0].state.address : "")")
        }
    }

    static func address(_ text: String) throws -> Address {
        guard let address = Address(text) else {
            throw Failure(
                .usage, "'\(TerminalText.safe(text, maxColumns: 80))' is not an address",
                hint: "Write it as in anna@example.org")
        }
        return address
    }

    /// The lines that are not empty and no comments.
    static func lines(of path: String) throws -> [String] {
        let file = try File(FilePath(VaultPlace.absolute(path)), .read)
        let bytes = try file.read(at: 0, count: min(try file.size(), 64 << 20))
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map { line in
            var line = line.drop { $0 == " " || $0 == "\t" }
            while line.last == " " || line.last == "\t" { line.removeLast() }
            return String(line)
        }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    }
}
