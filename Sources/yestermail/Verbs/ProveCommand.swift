internal import ArgumentParser
internal import Events
internal import Files
internal import Journal
internal import Presentation
internal import Projections
internal import SystemPackage
internal import Transparency
internal import Vault

struct ProveCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "prove", abstract: "Proves that a transaction is in the journal, to somebody without the vault.",
        discussion: """
            The proof is one text (C2SP tlog-proof): the record, the hashes that lead from it to the root of the tree, and \
            a signed checkpoint. Whoever has the vault's public key can verify it, with verify-proof or any other verifier \
            of such proofs. The record of a message names the SHA-256 of its bytes, so the message itself is proved with it.

            @TXID is a transaction. With an ACCOUNT and an ITEM it is the one with which the item's state began; with an \
            ACCOUNT alone, the account's newest. The checkpoint is the newest one, or, where that is older than the \
            transaction, a new one; or the one in FILE.

            Examples:
              yestermail prove @184467 --output contract.tlog-proof
              yestermail prove anna m1042 --at 2026-03-03 > contract.tlog-proof
              yestermail prove anna m1042 --checkpoint /media/usb/checkpoint \\
                --output contract.tlog-proof
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: ArgumentHelp("@TXID, or an account.", valueName: "account-or-@txid")) var subject: String
    @Argument(help: ArgumentHelp("The item: m1042, or <message-id>.", valueName: "item")) var item: String?

    @Option(help: ArgumentHelp("The state as of when.", valueName: "time")) var at: String?

    @Option(
        help: ArgumentHelp("Prove it against the checkpoint in this file.", valueName: "file"), completion: .file())
    var checkpoint: String?

    @Option(
        help: ArgumentHelp("The file with the private key, where it is not kept in the vault.", valueName: "file"),
        completion: .file())
    var signingKey: String?

    @Flag(help: "Leave the record out: whoever verifies must have its leaf hash.") var withoutRecord = false

    @Option(
        help: ArgumentHelp("Write the proof into this file, in the place of what is there.", valueName: "file"),
        completion: .file())
    var output: String?

    func run(_ context: CommandContext) throws {
        let file = try output.map { try FileArgument($0) }
        let vault = try context.vault()
        let checkpoints = VaultCheckpoints(vault)
        let transaction = try transaction(context, vault)
        let signed = try signed(context, checkpoints, transaction)
        let proof = try checkpoints.prove(transaction, in: signed, withRecord: !withoutRecord)
        let bytes = proof.bytes
        try file?.write(bytes)
        if context.isJSON {
            let leaf = try vault.journal.withRecord(transaction) { $0.leafHash }
            try context.output.json { json in
                json.beginObject()
                json.key("txid")
                json.value(transaction.rawValue)
                json.key("index")
                json.value(proof.index)
                json.key("leaf_hash")
                json.optional(hash: leaf)
                json.checkpointMembers(signed.checkpoint, signed.key)
                json.key("proof")
                json.value(utf8: bytes.span)
                json.key("file")
                json.optional(file?.path.string)
                json.endObject()
            }
        } else if let file {
            try context.output.line(
                "Proved \(transaction) in a checkpoint of \(Quantity.count(signed.checkpoint.size, "transaction")): \(TerminalText.safe(file.path.string))"
            )
        } else {
            try context.output.write(bytes)
        }
        context.remark("Key: \(signed.key)")
    }

    private func signed(
        _ context: CommandContext, _ checkpoints: VaultCheckpoints, _ transaction: TransactionID
    ) throws -> SignedCheckpoint {
        if let checkpoint { return try context.checkpoint(FileArgument(checkpoint), checkpoints, nil) }
        if let newest = try checkpoints.newest(), newest.checkpoint.size >= transaction.rawValue { return newest }
        return try context.signedCheckpoint(checkpoints, signingKey: signingKey.map { try FileArgument($0).path })
    }

    private func transaction(_ context: CommandContext, _ vault: OpenVault) throws -> TransactionID {
        let head = try vault.journal.head().transaction
        if subject.hasPrefix("@") {
            guard let number = UInt64(subject.dropFirst()), number > 0, item == nil, at == nil else {
                throw Failure(
                    .usage, "'\(TerminalText.safe(subject, maxColumns: 60))' is not a transaction, or not alone",
                    hint: "Write yestermail prove @184467, or yestermail prove ACCOUNT ITEM --at TIME")
            }
            guard number <= head.rawValue else {
                throw Failure(.notFound, "there is no transaction @\(number)", hint: "The newest is \(head)")
            }
            return TransactionID(rawValue: number)
        }
        let projections = try context.projections(vault)
        let account = try vault.account(subject)
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: account)
        let point = try context.point(at, landmarks, vault)
        if let item {
            let view = try AccountView(vault, projections, account, point)
            let items = try view.items(item)
            guard items.count == 1 else {
                throw Failure(
                    .ambiguous, "\(Quantity.count(items.count, "message")) carry \(TerminalText.safe(item))",
                    hint: "Write one of their ids: \(items.map(\.description).joined(separator: ", "))")
            }
            return try view.state(items[0], context).transaction
        }
        // Backwards from there: the newest is rarely far.
        var id = point.transaction
        while id > .beginning {
            if try vault.journal.withRecord(id, { $0.account }) == account.number { return id }
            id = id.previous
        }
        throw Failure(.notFound, "nothing of \(account.state.address) has been recorded until then")
    }
}
