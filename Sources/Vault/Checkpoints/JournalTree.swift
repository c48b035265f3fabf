internal import Events
internal import Files
internal import Journal
internal import SystemPackage
internal import Transparency

/// The Merkle tree over the records of a journal: the leaf at place N is transaction N + 1.
struct JournalTree {
    let journal: OpenJournal
    /// What need not be computed from the records.
    var stored: StoredSubtrees?

    func hash(_ subtree: Subtree) throws -> Digest {
        if subtree.level >= StoredSubtrees.level, let hash = try stored?.hash(subtree) { return hash }
        var tree = CompactRange()
        try leaves(subtree.leaves) { tree.append($0) }
        return tree.root
    }

    /// The leaf hashes of a range of places, computed from the records; the chain between them must hold.
    func leaves(_ range: Range<UInt64>, _ body: (Digest) throws -> Void) throws {
        guard !range.isEmpty else { return }
        var previous =
            range.lowerBound == 0
            ? .zero : try journal.withRecord(TransactionID(rawValue: range.lowerBound)) { $0.leafHash }
        try journal.scan(
            from: TransactionID(rawValue: range.lowerBound + 1), through: TransactionID(rawValue: range.upperBound)
        ) { record in
            guard record.previousLeaf == previous else {
                throw JournalError.damaged(
                    JournalFinding(file: "journal/lmdb/data.mdb", transaction: record.id, reason: .brokenChain))
            }
            let leaf = record.leafHash
            previous = leaf
            try body(leaf)
            return true
        }
    }

    /// Computes the subtrees that are complete in a tree of `size` records, and stores those that are not.
    mutating func extend(_ path: FilePath, vault: UniqueID, trusted: UInt64, size: UInt64, _ progress: (UInt64) -> Void)
        throws
    {
        var file = try StoredSubtrees(extending: path, vault: vault, limit: trusted)
        let first = file.count * StoredSubtrees.records
        var tree = CompactRange()
        var hashes: [Digest] = []
        try leaves(first..<size / StoredSubtrees.records * StoredSubtrees.records) { leaf in
            tree.append(leaf)
            guard tree.count == StoredSubtrees.records else { return }
            hashes.append(tree.root)
            tree = CompactRange()
            if hashes.count == 1024 {
                try file.append(hashes)
                hashes.removeAll(keepingCapacity: true)
                progress(file.count * StoredSubtrees.records)
            }
        }
        try file.append(hashes)
        try file.finish()
        stored = file
    }
}
