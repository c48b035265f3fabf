public import Events

/// That a leaf is in a tree: the hashes beside the way from it to the root (RFC 6962, 2.1.1).
public struct InclusionProof: Hashable, Sendable {
    /// The leaf's place, from 0.
    public let index: UInt64
    /// How many leaves the tree has.
    public let size: UInt64
    /// From the leaf's sibling up to the root's child.
    public let path: [Digest]

    public init(index: UInt64, size: UInt64, path: [Digest]) {
        (self.index, self.size, self.path) = (index, size, path)
    }

    /// Makes the proof from the hashes of complete subtrees. `index` must be below `size`.
    public init(index: UInt64, size: UInt64, _ subtree: (Subtree) throws -> Digest) rethrows {
        precondition(index < size)
        var (start, end) = (0 as UInt64, size)
        var path: [Digest] = []
        while end - start > 1 {
            let middle = start + divide(end - start)
            if index < middle {
                path.append(try Subtree.hash(of: middle..<end, subtree))
                end = middle
            } else {
                path.append(try Subtree.hash(of: start..<middle, subtree))
                start = middle
            }
        }
        self.init(index: index, size: size, path: path.reversed())
    }

    /// Whether the leaf with that hash is at ``index`` in the tree with that root (RFC 9162, 2.1.3.2).
    public func proves(_ leaf: Digest, in root: Digest) -> Bool {
        guard index < size else { return false }
        var (node, last) = (index, size - 1)
        var hash = leaf
        for sibling in path {
            guard last != 0 else { return false }
            if node & 1 == 1 || node == last {
                hash = Digest(left: sibling, right: hash)
                while node & 1 == 0, node != 0 { (node, last) = (node >> 1, last >> 1) }
            } else {
                hash = Digest(left: hash, right: sibling)
            }
            (node, last) = (node >> 1, last >> 1)
        }
        return last == 0 && hash == root
    }
}
