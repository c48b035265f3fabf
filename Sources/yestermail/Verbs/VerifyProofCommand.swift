internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import SystemPackage
internal import TimeLanguage
internal import Transparency
internal import Vault

struct VerifyProofCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "verify-proof", abstract: "Verifies a proof; needs no vault.",
        discussion: """
            Says whether the record in FILE is in the log whose key is given, and what it says. Whatever was changed in \
            the proof, it is refused, with 5. Without --key the public key of the vault is taken, where there is one.

            Examples:
              yestermail verify-proof contract.tlog-proof --key yestermail/6f1ed4f2-…
              sha256sum message.eml    (the digest that the record names)
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: ArgumentHelp("The proof.", valueName: "file"), completion: .file()) var file: String

    @Option(help: ArgumentHelp("The public key of the vault it comes from.", valueName: "key")) var key: String?

    @Option(
        help: ArgumentHelp(
            "Of a proof without its record: the leaf hash, as log dump has it.", valueName: "digits"))
    var leafHash: String?

    /// A record of 64 MiB in base64, and what is around it.
    private static let largest = 96 << 20

    func run(_ context: CommandContext) throws {
        let verifier = try verifier(context)
        let leaf = try leafHash.map { text in
            guard let leaf = Digest(text) else {
                throw Failure(.usage, "the leaf hash is not 64 hexadecimal digits")
            }
            return leaf
        }
        let bytes = try FileArgument(file).read(limit: VerifyProofCommand.largest)
        do {
            let (proof, transaction) = try VerifyProofCommand.verified(bytes, verifier, leaf)
            try print(proof, transaction, verifier, context)
        } catch let error as TransparencyError {
            try refuse("\(error)", context)
        } catch let error as DecodingFailure {
            try refuse("what it proves is no record of a journal: \(error)", context)
        }
    }

    private func verifier(_ context: CommandContext) throws -> NoteVerifier {
        if let key { return try NoteVerifier(argument: key) }
        let place = try VaultPlace(context.options)
        guard let own = try VaultCheckpoints.publicKey(ofVaultIn: place.directory) else {
            throw Failure(
                .usage, "a proof proves nothing without the key of the vault it comes from",
                hint: "Write the key: --key yestermail/UUID+NUMBER+KEY")
        }
        context.remark("Key, from \(place.directory): \(own)")
        return own
    }

    /// The proof, and the transaction in it; throws unless all of it holds.
    private static func verified(
        _ bytes: [UInt8], _ verifier: NoteVerifier, _ leaf: Digest?
    ) throws -> (RecordProof, Transaction?) {
        let proof = try RecordProof(bytes)
        guard proof.record != nil || leaf != nil else {
            throw Failure(
                .usage, "the record is not in the proof: without its leaf hash nothing can be verified",
                hint: "Write --leaf-hash DIGITS, as log dump has it")
        }
        try proof.verify(verifier, leaf: leaf)
        guard proof.checkpoint.origin == verifier.name else {
            throw TransparencyError.otherLog(found: proof.checkpoint.origin, expected: verifier.name)
        }
        guard let record = proof.record else { return (proof, nil) }
        let view = try RecordView(record.span.bytes)
        // The leaf at place N is transaction N + 1, and nothing else is in the record.
        guard view.byteCount == record.count, view.id.rawValue == proof.index + 1 else {
            throw TransparencyError.notIncluded
        }
        return (proof, try view.transaction())
    }

    private func refuse(_ why: String, _ context: CommandContext) throws {
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("ok")
                json.value(false)
                json.key("problem")
                json.value(why)
                json.endObject()
            }
        } else {
            try context.output.line("Refused: \(TerminalText.safe(why)).")
        }
        throw ExitStatus(.differences)
    }

    private func print(
        _ proof: RecordProof, _ transaction: Transaction?, _ verifier: NoteVerifier, _ context: CommandContext
    ) throws {
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("ok")
                json.value(true)
                json.checkpointMembers(proof.checkpoint, verifier)
                json.key("index")
                json.value(proof.index)
                json.key("txid")
                json.value(proof.index + 1)
                json.key("record")
                if let transaction { json.provedRecord(transaction) } else { json.null() }
                json.endObject()
            }
            return
        }
        try context.output.line(
            "Proved: @\(proof.index + 1) is in the log \(TerminalText.safe(proof.checkpoint.origin)), as of its checkpoint of \(Quantity.count(proof.checkpoint.size, "transaction"))."
        )
        guard let transaction else { return }
        try context.output.line(
            "\(context.text(transaction.time, .microseconds))  \(transaction.entry.origin.name)  account \(transaction.entry.account.rawValue)"
        )
        if let note = transaction.entry.note { try context.output.line("\(note.kind.name)".replacingUnderscores) }
        for change in transaction.entry.changes {
            let kinds = ChangeKinds.names.filter { change.kinds.contains($0.kind) }.map { "\($0.name)" }
            try context.output.line(
                "\(change.item)  \(kinds.joined(separator: ", "))\(VerifyProofCommand.text(change.state))")
        }
    }

    private static func text(_ state: ItemState) -> String {
        switch state.content {
        case .message(let message):
            message.digest.map { "  \($0), \(Quantity.bytes(message.size))" } ?? "  bytes that could not be read"
        case .folder(let folder): "  \(TerminalText.safe(folder.joinedPath))"
        case .account(let account): "  \(TerminalText.safe(account.address))"
        case .other: ""
        }
    }
}

extension JSONWriter {
    /// A transaction as its record alone tells it: without the names of the account and the folders.
    fileprivate mutating func provedRecord(_ transaction: Transaction) {
        beginObject()
        key("txid")
        value(transaction.id.rawValue)
        key("time")
        value(transaction.time)
        key("account_number")
        value(transaction.entry.account.rawValue)
        key("origin")
        value(ascii: transaction.entry.origin.name)
        key("changes")
        beginArray()
        for change in transaction.entry.changes {
            beginChange(change.item, change.kinds)
            beginObject()
            stateMembers(
                change.state,
                StateContext(
                    transaction: transaction.id, start: transaction.time, item: change.item, kinds: change.kinds,
                    origin: transaction.entry.origin, folderPath: nil))
            endObject()
            endObject()
        }
        endArray()
        if let note = transaction.entry.note {
            key("event")
            self.note(note)
        }
        endObject()
    }
}
