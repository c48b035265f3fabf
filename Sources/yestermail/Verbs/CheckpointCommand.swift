internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import SystemPackage
internal import Transparency
internal import Vault

struct CheckpointCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Signs what the journal is now: a note to be kept outside.",
        discussion: """
            Three lines and a signature (C2SP tlog-checkpoint, Ed25519) that stand for every transaction so far. Whoever \
            keeps the note, where those who can write in the vault cannot, and the key that is named on standard error, \
            can prove later whether the journal still begins with these transactions: verify-log --checkpoint.

            The key is made with the first checkpoint, in checkpoints/key of the vault. To keep it elsewhere, move it \
            there, and name it with --signing-key.

            Examples:
              yestermail checkpoint --output /media/usb/checkpoint
              yestermail checkpoint | mail -s checkpoint auditor@example.org
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Option(
        help: ArgumentHelp("Write the note into this file, in the place of what is there.", valueName: "file"),
        completion: .file())
    var output: String?

    @Option(
        help: ArgumentHelp("The file with the private key, where it is not kept in the vault.", valueName: "file"),
        completion: .file())
    var signingKey: String?

    func run(_ context: CommandContext) throws {
        let file = try output.map { try FileArgument($0) }
        let key = try signingKey.map { try FileArgument($0).path }
        let vault = try context.vault()
        let began = ProgressLine.now()
        let signed = try context.signedCheckpoint(VaultCheckpoints(vault), signingKey: key)
        try file?.write(signed.note.bytes)
        if context.isJSON {
            let size = signed.checkpoint.size
            let time = try vault.journal.withRecord(TransactionID(rawValue: size)) { $0.time }
            try context.output.json { json in
                json.beginObject()
                json.checkpointMembers(signed.checkpoint, signed.key)
                json.key("time")
                json.optional(time)
                json.key("note")
                json.value(utf8: signed.note.bytes.span)
                json.key("file")
                json.optional(file?.path.string)
                json.key("seconds")
                json.seconds(ProgressLine.now() - began)
                json.endObject()
            }
        } else if let file {
            try context.output.line(
                "Signed a checkpoint of \(Quantity.count(signed.checkpoint.size, "transaction")): \(TerminalText.safe(file.path.string))"
            )
        } else {
            try context.output.write(signed.note.bytes)
        }
        context.remark("Key: \(signed.key)")
    }
}

extension CommandContext {
    /// Signs a checkpoint of what the journal is now.
    func signedCheckpoint(_ checkpoints: VaultCheckpoints, signingKey: FilePath? = nil) throws -> SignedCheckpoint {
        var generator = SystemRandomNumberGenerator()
        let line = ProgressLine("checkpoint", unit: "transactions", options: options)
        defer { line.finish() }
        return try checkpoints.sign(signingKey: signingKey, using: &generator) {
            line.update(Int(clamping: $0), of: Int(clamping: $1))
        }
    }

    /// A checkpoint of the vault in a file, signed by `key`, or else by the vault's own.
    func checkpoint(
        _ file: FileArgument, _ checkpoints: VaultCheckpoints, _ key: NoteVerifier?
    ) throws -> SignedCheckpoint {
        guard let key = try key ?? checkpoints.publicKey() else {
            throw Failure(
                .usage, "the vault has no public key, and none was given", hint: "Write the key: --key KEY")
        }
        let bytes = try file.read(limit: CommandContext.largestNote)
        do throws(TransparencyError) { return try checkpoints.read(bytes, by: key) } catch {
            throw Failure(.differences, "\(TerminalText.safe(file.path.string)) is refused: \(error)")
        }
    }

    static let largestNote = 1 << 20
}

extension JSONWriter {
    /// `origin` to `key` of a checkpoint and who has signed it.
    mutating func checkpointMembers(_ checkpoint: Checkpoint, _ verifier: NoteVerifier) {
        key("origin")
        value(checkpoint.origin)
        key("size")
        value(checkpoint.size)
        key("root_hash")
        value(checkpoint.root, prefix: "")
        key("key")
        value(verifier.description)
    }
}
