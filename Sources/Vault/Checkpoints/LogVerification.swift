public import Events
internal import Files
public import Journal
public import Transparency

/// A checkpoint that the journal is held against.
public struct HeldCheckpoint: Sendable {
    /// The file it comes from, as a person wrote it.
    public let name: String
    public let checkpoint: Checkpoint?
    public internal(set) var verdict: Verdict

    public enum Verdict: Hashable, Sendable {
        /// The journal is what it was then, and what was appended since.
        case continued
        /// The journal ends before it.
        case rolledBack
        /// The first records are not those it was signed for.
        case different
        /// The journal is damaged before its end: it cannot be told.
        case unknown
        /// It is no checkpoint of this vault, or not signed by the key.
        case refused(String)
    }
}

/// What a verification of the log has come to.
public struct LogVerification: Sendable {
    /// How far the journal went when it began.
    public let head: JournalHead
    /// How many records are in the tree, and its root; fewer than the journal has when a record cannot be read.
    public internal(set) var size: UInt64 = 0
    public internal(set) var root = CompactRange().root
    public internal(set) var checkpoints: [HeldCheckpoint] = []
    /// Of how many records something was purged; each as a purge in the log says.
    public internal(set) var purged = 0
    /// What is wrong with the journal itself.
    public internal(set) var findings: [JournalFinding] = []

    public var isSound: Bool { findings.isEmpty && checkpoints.allSatisfy { $0.verdict == .continued } }
}

extension VaultCheckpoints {
    /// Computes the whole tree anew from the records, holds the chain of hashes against it, and the checkpoints: the newest
    /// that the vault remembers, and those kept `outside`. `key` is who must have signed them; without one,
    /// the vault's own.
    public func verifyLog(
        outside: [(name: String, bytes: [UInt8])], key: NoteVerifier?,
        progress: (_ records: UInt64, _ of: UInt64, _ bytes: UInt64) -> Void = { _, _, _ in }
    ) throws -> LogVerification {
        var result = LogVerification(head: try vault.journal.head())
        let last = result.head.transaction
        // An own public key that cannot be read is the same as none: nothing is believed by it.
        let verifier = key ?? (try? publicKey())
        if let own = try newestBytes() { result.checkpoints.append(held("checkpoints/newest", own, verifier, last)) }
        for (name, bytes) in outside { result.checkpoints.append(held(name, bytes, verifier, last)) }
        let waiting = Set(result.checkpoints.filter { $0.verdict == .unknown }.compactMap(\.checkpoint?.size))

        var tree = CompactRange()
        var leaf = Digest.zero
        var bytes: UInt64 = 0
        var purges = PurgeAudit()
        func compare() {
            guard waiting.contains(tree.count) else { return }
            let root = tree.root
            for index in result.checkpoints.indices where result.checkpoints[index].verdict == .unknown {
                guard let held = result.checkpoints[index].checkpoint, held.size == tree.count else { continue }
                result.checkpoints[index].verdict = held.root == root ? .continued : .different
            }
        }
        compare()
        do {
            try vault.journal.scan(from: TransactionID(rawValue: 1), through: last) { record in
                if record.previousLeaf != leaf { result.findings.append(brokenChain(at: record.id)) }
                leaf = record.leafHash
                tree.append(leaf)
                compare()
                try purges.take(record)
                bytes += UInt64(record.byteCount)
                if tree.count & 0x3FF == 0 { progress(tree.count, last.rawValue, bytes) }
                return true
            }
            if leaf != result.head.leaf { result.findings.append(brokenChain(at: last)) }
        } catch JournalError.damaged(let finding) {
            result.findings.append(finding)
        }
        (result.size, result.root) = (tree.count, tree.root)
        // What cannot be read may be what says so.
        if result.findings.isEmpty {
            result.findings += purges.unnamed.map {
                JournalFinding(file: "journal/lmdb/data.mdb", transaction: $0, reason: .unnamedPurge)
            }
        }
        result.purged = purges.count
        return result
    }

    private func brokenChain(at transaction: TransactionID) -> JournalFinding {
        JournalFinding(file: "journal/lmdb/data.mdb", transaction: transaction, reason: .brokenChain)
    }

    /// A checkpoint with what can be told of it before the journal is read.
    private func held(
        _ name: String, _ bytes: [UInt8], _ key: NoteVerifier?, _ last: TransactionID
    ) -> HeldCheckpoint {
        guard let key else {
            return HeldCheckpoint(
                name: name, checkpoint: nil,
                verdict: .refused("the vault has no public key that can be read, and none was given"))
        }
        do throws(TransparencyError) {
            let checkpoint = try read(bytes, by: key).checkpoint
            return HeldCheckpoint(
                name: name, checkpoint: checkpoint,
                verdict: checkpoint.size > last.rawValue ? .rolledBack : .unknown)
        } catch {
            return HeldCheckpoint(name: name, checkpoint: nil, verdict: .refused("\(error)"))
        }
    }
}
