public import Events

/// That a tree is another one with leaves appended, and nothing else (RFC 6962, 2.1.2).
public struct ConsistencyProof: Hashable, Sendable {
    /// The sizes of the older and of the newer tree.
    public let older: UInt64
    public let newer: UInt64
    public let path: [Digest]

    public init(older: UInt64, newer: UInt64, path: [Digest]) {
        (self.older, self.newer, self.path) = (older, newer, path)
    }

    /// Makes the proof from the hashes of complete subtrees. `older` must not be above `newer`.
    public init(older: UInt64, newer: UInt64, _ subtree: (Subtree) throws -> Digest) rethrows {
        precondition(older <= newer)
        var path: [Digest] = []
        if older > 0 {
            var (start, end) = (0 as UInt64, newer)
            while older < end {
                let middle = start + divide(end - start)
                if older <= middle {
                    path.append(try Subtree.hash(of: middle..<end, subtree))
                    end = middle
                } else {
                    path.append(try Subtree.hash(of: start..<middle, subtree))
                    start = middle
                }
            }
            // The verifier has the root of the older tree already.
            if start > 0 { path.append(try Subtree.hash(of: start..<end, subtree)) }
        }
        self.init(older: older, newer: newer, path: path.reversed())
    }

    /// Whether the tree with the root `newRoot` continues the one with `oldRoot` (RFC 9162, 2.1.4.2).
    public func proves(_ oldRoot: Digest, continuedBy newRoot: Digest) -> Bool {
        guard older <= newer else { return false }
        if older == newer { return path.isEmpty && oldRoot == newRoot }
        if older == 0 { return path.isEmpty && oldRoot == .emptyTree }
        var rest = path[...]
        var (node, last) = (older - 1, newer - 1)
        while node & 1 == 1 { (node, last) = (node >> 1, last >> 1) }
        var old = oldRoot
        if older & (older - 1) != 0 {
            guard let first = rest.popFirst() else { return false }
            old = first
        } else if rest.isEmpty {
            return false
        }
        var new = old
        for hash in rest {
            guard last != 0 else { return false }
            if node & 1 == 1 || node == last {
                old = Digest(left: hash, right: old)
                new = Digest(left: hash, right: new)
                while node & 1 == 0, node != 0 { (node, last) = (node >> 1, last >> 1) }
            } else {
                new = Digest(left: new, right: hash)
            }
            (node, last) = (node >> 1, last >> 1)
        }
        return last == 0 && old == oldRoot && new == newRoot
    }
}
