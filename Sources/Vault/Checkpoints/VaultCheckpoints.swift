public import Events
internal import Files
internal import Journal
public import SystemPackage
public import Transparency

/// The checkpoints of a vault: signed notes on what its journal was, proofs against them, and what the vault itself
/// remembers of them (`Specs/Format/Checkpoints.md`).
public struct VaultCheckpoints {
    let vault: OpenVault
    let directory: FilePath

    public init(_ vault: OpenVault) {
        self.vault = vault
        directory = VaultCheckpoints.directory(in: vault.directory)
    }

    private static func directory(in vault: FilePath) -> FilePath { vault.appending("checkpoints") }

    /// The name of the log, and of the key that signs its checkpoints.
    public var origin: String { "yestermail/\(vault.id)" }

    var newestPath: FilePath { directory.appending("newest") }
    var subtreesPath: FilePath { directory.appending("subtrees") }
    var keyPath: FilePath { directory.appending("key") }
    var publicKeyPath: FilePath { directory.appending("key.pub") }

    /// The public key that the vault in `directory` gives out; nil when it has never signed anything.
    public static func publicKey(ofVaultIn vault: FilePath) throws -> NoteVerifier? {
        let path = directory(in: vault).appending("key.pub")
        guard let line = try line(path) else { return nil }
        do throws(TransparencyError) { return try NoteVerifier(line) } catch {
            throw Failure(.damaged, "\(path) is damaged: \(error)", hint: "Put the key back that you kept outside")
        }
    }

    public func publicKey() throws -> NoteVerifier? { try VaultCheckpoints.publicKey(ofVaultIn: vault.directory) }

    /// The one line of a small file; nil when there is no file.
    static func line(_ path: FilePath) throws(FileError) -> String? {
        do throws(FileError) {
            let bytes = try File(path, .read).read(at: 0, count: 4096)
            let line = bytes.last == 10 ? bytes.dropLast() : bytes[...]
            return String(decoding: line, as: UTF8.self)
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    /// The newest checkpoint that the vault remembers having signed; nil when there is none. Its signature is verified.
    public func newest() throws -> SignedCheckpoint? {
        guard let bytes = try newestBytes() else { return nil }
        guard let key = try publicKey() else {
            throw Failure(
                .damaged, "\(publicKeyPath) is missing, although the vault has signed a checkpoint",
                hint: "Put the key back that you kept outside")
        }
        do throws(TransparencyError) { return try read(bytes, by: key) } catch {
            throw Failure(.damaged, "\(newestPath) is damaged: \(error)", hint: VaultCheckpoints.verifyHint)
        }
    }

    func newestBytes() throws(FileError) -> [UInt8]? {
        do throws(FileError) { return try VaultCheckpoints.note(newestPath) } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    /// The bytes of a file with a note: as many as a note may have, and one more.
    static func note(_ path: FilePath) throws(FileError) -> [UInt8] {
        try File(path, .read).read(at: 0, count: 1 << 20)
    }

    static let verifyHint =
        "See what the journal says to a checkpoint kept outside: yestermail verify-log --checkpoint FILE"

    /// A checkpoint of this vault, signed by `key`.
    public func read(_ bytes: [UInt8], by key: NoteVerifier) throws(TransparencyError) -> SignedCheckpoint {
        let (checkpoint, note) = try Checkpoint.verified(bytes, by: key)
        guard checkpoint.origin == origin else { throw .otherLog(found: checkpoint.origin, expected: origin) }
        return SignedCheckpoint(checkpoint: checkpoint, note: note, key: key)
    }

    // MARK: Signing

    /// Signs what the journal is now, and remembers it. Refuses when the journal does not continue what was signed
    /// before. `signingKey` is a file with the private key, where it is not kept in the vault.
    public func sign(
        signingKey: FilePath? = nil, using generator: inout some RandomNumberGenerator,
        progress: (UInt64, UInt64) -> Void = { _, _ in }
    ) throws -> SignedCheckpoint {
        guard Directory.isWritable(vault.directory) else {
            throw Failure(
                .permission,
                "the vault in \(vault.directory) cannot be written by this user, and a checkpoint must be remembered",
                hint: "Run as the user who owns it")
        }
        let lock = try LockFile(vault.directory.appending("locks/checkpoints"))
        try lock.lock()
        defer { lock.unlock() }
        if !Directory.exists(directory) {
            try Directory.create(directory)
            try Directory.sync(vault.directory)
        }
        let signer = try signer(signingKey, &generator)
        let before = try newest()
        let head = try vault.journal.head()
        let size = head.transaction.rawValue
        if let before, before.checkpoint.size > size { throw rolledBack(before.checkpoint, head) }
        let root = try root(size, continuing: before?.checkpoint) { progress($0, size) }
        let checkpoint = Checkpoint(origin: origin, size: size, root: root)
        let note: SignedNote
        do throws(TransparencyError) { note = try checkpoint.signed(by: signer) } catch {
            throw Failure(.failed, "\(error)")
        }
        let signed = SignedCheckpoint(checkpoint: checkpoint, note: note, key: signer.verifier)
        if note != before?.note { try Directory.replaceFile(newestPath, with: note.bytes.span.bytes) }
        return signed
    }

    /// The root of the tree over the first `size` records, which has been proved to continue `before`.
    private func root(
        _ size: UInt64, continuing before: Checkpoint?, _ progress: (UInt64) -> Void
    ) throws -> Digest {
        // What is stored is believed as far as the signed root before vouches for it, and only when it does.
        for trusted in [(before?.size ?? 0) / StoredSubtrees.records, 0] {
            var tree = JournalTree(journal: vault.journal)
            try tree.extend(subtreesPath, vault: vault.id, trusted: trusted, size: size, progress)
            let root = try treeRoot(size: size) { try tree.hash($0) }
            guard let before else { return root }
            let proof = try ConsistencyProof(older: before.size, newer: size) { try tree.hash($0) }
            if proof.proves(before.root, continuedBy: root) { return root }
        }
        throw Failure(
            .differences,
            "the journal is not a continuation of the checkpoint of \(before?.size ?? 0) transactions that this vault has signed: it was changed, or is another copy's",
            hint: VaultCheckpoints.verifyHint)
    }

    private func rolledBack(_ checkpoint: Checkpoint, _ head: JournalHead) -> Failure {
        Failure(
            .differences,
            "the journal ends at \(head.transaction), but this vault has signed a checkpoint of \(checkpoint.size) transactions: it was rolled back to an older copy",
            hint: "Look for the newer copy before anything more is recorded; nothing was changed")
    }

    private func signer(
        _ file: FilePath?, _ generator: inout some RandomNumberGenerator
    ) throws -> NoteSigner {
        let known = try publicKey()
        let signer: NoteSigner
        if let file {
            signer = try VaultCheckpoints.signer(in: file)
        } else if Directory.exists(keyPath) {
            signer = try VaultCheckpoints.signer(in: keyPath)
        } else if known != nil || Directory.exists(newestPath) {
            throw Failure(
                .refused, "the key that signs the checkpoints of this vault is not in it",
                hint: "Name the file you keep it in: --signing-key FILE")
        } else {
            do throws(TransparencyError) { signer = try NoteSigner(name: origin, using: &generator) } catch {
                throw Failure(.failed, "\(error)")
            }
            try Directory.replaceFile(keyPath, with: Array((signer.secretText + "\n").utf8).span.bytes)
        }
        guard signer.verifier.name == origin else {
            throw Failure(
                .refused, "the key in \(file ?? keyPath) is that of \(signer.verifier.name), not of \(origin)")
        }
        if known == nil {
            try Directory.replaceFile(publicKeyPath, with: Array("\(signer.verifier)\n".utf8).span.bytes)
        } else if known?.description != signer.verifier.description {
            throw Failure(
                .refused, "the key in \(file ?? keyPath) is not the one whose public half is in \(publicKeyPath)",
                hint: "Checkpoints of both could not be told apart. Use the key they were signed with")
        }
        return signer
    }

    private static func signer(in path: FilePath) throws -> NoteSigner {
        guard Directory.exists(path) else {
            throw Failure(
                .notFound, "there is no key in \(path)", hint: "Name the file you keep it in: --signing-key FILE")
        }
        guard try Directory.isPrivate(path) else {
            throw Failure(
                .permission, "\(path) can be read by others: what it signs proves nothing",
                hint: "Run chmod 600 \(path), and ask yourself who has had it")
        }
        guard let line = try line(path) else { throw Failure(.notFound, "there is no key in \(path)") }
        do throws(TransparencyError) { return try NoteSigner(line) } catch {
            throw Failure(.failed, "\(path) is not a key that signs checkpoints: \(error)")
        }
    }

    // MARK: Proving

    /// Proves that a transaction is in the log as `signed` has it; with its record, or by its leaf hash alone.
    public func prove(
        _ transaction: TransactionID, in signed: SignedCheckpoint, withRecord: Bool = true
    ) throws -> RecordProof {
        let size = signed.checkpoint.size
        let head = try vault.journal.head()
        guard size <= head.transaction.rawValue else { throw rolledBack(signed.checkpoint, head) }
        guard transaction > .beginning, transaction.rawValue <= size,
            let (record, leaf, isWhole) = try vault.journal.withRecord(
                transaction, { ($0.bytes.withUnsafeBytes { Array($0) }, $0.leafHash, !$0.isRedacted && !$0.isLost) })
        else {
            throw Failure(
                .notFound, "\(transaction) is not in the checkpoint of \(size) transactions",
                hint: "Sign a new one: yestermail checkpoint")
        }
        guard try !withRecord || isWhole && !isPurged(transaction) else {
            throw Failure(
                .notFound, "of \(transaction) something was purged: its record cannot be shown any more",
                hint: "That it was in the log can still be proved: --without-record")
        }
        let limit = size / StoredSubtrees.records
        let stored = try StoredSubtrees(reading: subtreesPath, vault: vault.id, limit: limit)
        // What is stored may be damaged; the records decide.
        for tree in [JournalTree(journal: vault.journal, stored: stored), JournalTree(journal: vault.journal)] {
            let path = try InclusionProof(index: transaction.rawValue - 1, size: size) { try tree.hash($0) }
            guard path.proves(leaf, in: signed.checkpoint.root) else { continue }
            do throws(TransparencyError) {
                return try RecordProof(record: withRecord ? record : nil, path, note: signed.note)
            } catch {
                throw Failure(.failed, "\(error)")
            }
        }
        throw Failure(
            .differences, "the journal is not what the checkpoint of \(size) transactions says: it cannot be proved",
            hint: VaultCheckpoints.verifyHint)
    }

    /// Whether a purge has decided on something of the transaction: the journal has it until it has been written anew.
    private func isPurged(_ id: TransactionID) throws -> Bool {
        guard let whole = try vault.journal.transaction(id) else { return false }
        let rest = try vault.purges(of: whole.entry.account).items.rest(of: whole).entry
        return rest.changes.count < whole.entry.changes.count || (rest.note == nil && whole.entry.note != nil)
    }
}

/// A checkpoint, the note it stands in, and the key that has signed it.
public struct SignedCheckpoint: Sendable {
    public let checkpoint: Checkpoint
    public let note: SignedNote
    public let key: NoteVerifier
}
