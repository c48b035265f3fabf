internal import ArgumentParser
internal import Connectors
internal import Events
internal import Network
internal import Presentation
internal import Vault

struct DoctorCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Looks whether the mailboxes can be read, and says what would make it better.",
        discussion: """
            Of a mail server: whether it lets us in, what it offers, and whether it tells of changes. With --try-hints a \
            folder is made on the server and removed again, to see whether word of it comes; that is the only thing any \
            command but a restore ever writes to a mailbox.

            Examples:
              yestermail doctor
              yestermail doctor anna --try-hints
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The accounts; default: all.") var accounts: [String] = []
    @Flag(help: "Make and remove a folder on the server, to see whether we are told.") var tryHints = false

    private struct Finding {
        var isGood: Bool
        var check: String
        var detail: String
        var advice: String?
    }

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        _ = try context.projections(vault)
        let wanted =
            accounts.isEmpty
            ? try vault.accounts().filter { !$0.isDeleted } : try accounts.map { try vault.account($0) }
        var isAllGood = true
        for account in wanted {
            if !context.isJSON { try context.output.line(TerminalText.safe(account.state.address)) }
            for finding in examine(account) {
                isAllGood = isAllGood && finding.isGood
                try print(finding, account, context)
            }
        }
        if wanted.isEmpty { context.remark("There is no account to look at.") }
        if !isAllGood { throw ExitStatus(.partial) }
    }

    private func print(_ finding: Finding, _ account: Account, _ context: CommandContext) throws {
        guard context.isJSON else {
            try context.output.line(
                "  \(finding.isGood ? "good" : "BAD ") \(finding.check): \(TerminalText.safe(finding.detail))")
            if let advice = finding.advice { try context.output.line("       \(TerminalText.safe(advice))") }
            return
        }
        try context.output.json { json in
            json.beginObject()
            json.accountNames(account)
            json.key("check")
            json.value(finding.check)
            json.key("good")
            json.value(finding.isGood)
            json.key("detail")
            json.value(finding.detail)
            json.key("hint")
            json.optional(finding.advice)
            json.endObject()
        }
    }

    private func examine(_ account: Account) -> [Finding] {
        do {
            switch try Location(of: account) {
            case .maildir(let path):
                let count = try MaildirSource(path: path).folders().count
                return [Finding(isGood: true, check: "source", detail: Quantity.count(count, "folder"))]
            case .server(let server): return try examine(server)
            case .mbox, .eml:
                return [Finding(isGood: false, check: "source", detail: "it is a place to write to, not a mailbox")]
            }
        } catch let failure as Failure {
            return [Finding(isGood: false, check: "source", detail: failure.message, advice: failure.hint)]
        } catch {
            return [Finding(isGood: false, check: "source", detail: "\(error)")]
        }
    }

    private func examine(_ server: ServerLocation) throws -> [Finding] {
        let diagnosis = try ServerDiagnosis(server)
        var found = [Finding(isGood: true, check: "source", detail: Quantity.count(diagnosis.folders, "folder"))]
        if server.security == .plaintext, !server.endpoint.isLoopback {
            found.append(
                Finding(
                    isGood: false, check: "protection", detail: "password and mail travel unprotected",
                    advice: "Use imaps:// or --starttls"))
        }
        found.append(
            diagnosis.countsChanges
                ? Finding(isGood: true, check: "changes", detail: "the server counts them (QRESYNC)")
                : Finding(
                    isGood: true, check: "changes",
                    detail: "the server does not count them: each scan lists all messages"))
        if let room = diagnosis.room {
            found.append(Finding(isGood: true, check: "room", detail: "\(Quantity.bytes(room)) for restores"))
        }
        found.append(try hints(diagnosis))
        return found
    }

    private func hints(_ diagnosis: ServerDiagnosis) throws -> Finding {
        let check = "hints"
        let advice = "See Integrations/README.md for what goes onto the server"
        switch try diagnosis.hints(trying: tryHints) {
        case .none:
            let detail =
                diagnosis.tellsUsers ? "by a connection for each user" : "none: the server is asked each minute"
            return Finding(isGood: true, check: check, detail: detail)
        case .ready: return Finding(isGood: true, check: check, detail: "the channel is there; --try-hints tries it")
        case .taken: return Finding(isGood: true, check: check, detail: "somebody hears them: a watch, or notifyd")
        case .heard(let milliseconds):
            return Finding(isGood: true, check: check, detail: "word of a change came after \(milliseconds) ms")
        case .silent:
            return Finding(
                isGood: false, check: check, detail: "no word of a change came for five seconds", advice: advice)
        case .broken(let why): return Finding(isGood: false, check: check, detail: why, advice: advice)
        }
    }
}
