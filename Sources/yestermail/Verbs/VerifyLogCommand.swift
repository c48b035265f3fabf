internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import Transparency
internal import Vault

struct VerifyLogCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "verify-log", abstract: "Recomputes the transparency log, and holds checkpoints against it.",
        discussion: """
            Reads every record of the journal, computes the whole Merkle tree anew (RFC 6962), and says whether today's \
            journal continues the newest checkpoint that the vault remembers, and those kept outside: the same \
            transactions, and others behind them. A changed record, a journal made anew and a vault that was rolled back \
            to an older copy end with 5.

            Only a checkpoint from outside, with a key from outside, tells of somebody who can write in the vault. \
            Whether the two copies of the journal say the same, and whether the messages are whole, check says.

            Examples:
              yestermail verify-log --checkpoint /media/usb/checkpoint
              yestermail verify-log --checkpoint monday --checkpoint tuesday \\
                --key yestermail/6f1ed4f2-…
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Option(
        help: ArgumentHelp("A checkpoint kept outside; may be given more than once.", valueName: "file"),
        completion: .file())
    var checkpoint: [String] = []

    @Option(
        help: ArgumentHelp("The key that must have signed the checkpoints. Else the vault's own.", valueName: "key"))
    var key: String?

    func run(_ context: CommandContext) throws {
        let key = try key.map { try NoteVerifier(argument: $0) }
        let outside = try checkpoint.map { ($0, try FileArgument($0).read(limit: CommandContext.largestNote)) }
        let vault = try context.vault()
        let began = ProgressLine.now()
        let line = ProgressLine("verify log", unit: "transactions", options: context.options)
        let result = try VaultCheckpoints(vault).verifyLog(outside: outside, key: key) {
            line.update(Int(clamping: $0), of: Int(clamping: $1), bytes: $2)
        }
        line.finish()
        if context.isJSON {
            try context.output.json { json(&$0, result, ProgressLine.now() - began) }
        } else {
            try print(result, context, ProgressLine.now() - began)
        }
        if !result.findings.isEmpty {
            context.remark(
                "What is damaged in one copy of the journal may be whole in the other: yestermail check --repair")
        }
        guard result.isSound else { throw ExitStatus(.differences) }
        if outside.isEmpty {
            context.remark(
                "No checkpoint from outside: whoever can write in the vault could have made all of it anew. Keep one elsewhere: yestermail checkpoint --output FILE"
            )
        }
    }

    private func print(_ result: LogVerification, _ context: CommandContext, _ took: Int64) throws {
        let read = Quantity.count(result.size, "transaction")
        try context.output.line(
            "Read \(read) in \(Quantity.duration(microseconds: took)); the root of their tree is \(String(decoding: result.root.base64, as: UTF8.self))"
        )
        for finding in result.findings { try context.output.line("journal: \(TerminalText.safe("\(finding)"))") }
        for held in result.checkpoints {
            let count = held.checkpoint.map { " of \(Quantity.count($0.size, "transaction"))" } ?? ""
            try context.output.line("\(TerminalText.safe(held.name))\(count): \(TerminalText.safe(text(held, result)))")
        }
    }

    private func text(_ held: HeldCheckpoint, _ result: LogVerification) -> String {
        switch held.verdict {
        case .continued: "the journal is a continuation of it"
        case .rolledBack:
            "the journal ends before it, at \(result.head.transaction): the vault was rolled back to an older copy"
        case .different: "the journal is NOT a continuation of it: what was recorded then was changed"
        case .unknown: "it cannot be told: the journal can be read up to @\(result.size) only"
        case .refused(let why): "refused: \(why)"
        }
    }

    private func json(_ json: inout JSONWriter, _ result: LogVerification, _ took: Int64) {
        json.beginObject()
        json.key("ok")
        json.value(result.isSound)
        json.key("size")
        json.value(result.size)
        json.key("root_hash")
        json.value(result.root, prefix: "")
        json.key("last")
        json.beginObject()
        json.key("txid")
        json.value(result.head.transaction.rawValue)
        json.key("time")
        json.value(result.head.time)
        json.endObject()
        json.key("checkpoints")
        json.beginArray()
        for held in result.checkpoints {
            json.beginObject()
            json.key("file")
            json.value(held.name)
            json.key("size")
            if let checkpoint = held.checkpoint { json.value(checkpoint.size) } else { json.null() }
            json.key("root_hash")
            json.optional(hash: held.checkpoint?.root)
            json.key("verdict")
            json.value(held.verdict.name)
            json.key("problem")
            json.optional(held.verdict == .continued ? nil : text(held, result))
            json.endObject()
        }
        json.endArray()
        json.key("findings")
        json.beginArray()
        for finding in result.findings {
            json.beginObject()
            json.key("file")
            json.value(finding.file)
            json.key("txid")
            json.optional(finding.transaction)
            json.key("problem")
            json.value(finding.description)
            json.endObject()
        }
        json.endArray()
        json.key("seconds")
        json.seconds(took)
        json.endObject()
    }
}

extension HeldCheckpoint.Verdict {
    /// The word in JSON.
    fileprivate var name: String {
        switch self {
        case .continued: "continued"
        case .rolledBack: "rolled_back"
        case .different: "different"
        case .unknown: "unknown"
        case .refused: "refused"
        }
    }
}
