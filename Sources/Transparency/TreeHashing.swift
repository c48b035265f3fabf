public import Events

extension Digest {
    /// The hash of a node of the tree: SHA-256(0x01 ‖ left ‖ right), RFC 6962, 2.1. That of a leaf is ``Digest/init(leaf:)``.
    public init(left: Digest, right: Digest) {
        var bytes: InlineArray<65, UInt8> = .init(repeating: 1)
        left.withBytes { for (index, byte) in $0.enumerated() { bytes[1 + index] = byte } }
        right.withBytes { for (index, byte) in $0.enumerated() { bytes[33 + index] = byte } }
        self.init(hashing: bytes.span.bytes)
    }

    /// The root of the tree without leaves: SHA-256 of nothing.
    public static let emptyTree = DigestBuilder().finish()
}

/// A complete subtree: 2^`level` leaves, the first of which is `index` · 2^`level`.
public struct Subtree: Hashable, Sendable {
    public let level: Int
    public let index: UInt64

    public init(level: Int, index: UInt64) { (self.level, self.index) = (level, index) }

    /// The leaves below it.
    public var leaves: Range<UInt64> { index << UInt64(level)..<(index + 1) << UInt64(level) }

    /// The complete subtrees that `range` consists of, from left to right, each as large as its place allows.
    static func covering(_ range: Range<UInt64>) -> [Subtree] {
        var found: [Subtree] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let fitting = 63 - (range.upperBound - start).leadingZeroBitCount
            let level = start == 0 ? fitting : min(fitting, start.trailingZeroBitCount)
            found.append(Subtree(level: level, index: start >> UInt64(level)))
            start += 1 << UInt64(level)
        }
        return found
    }

    /// The Merkle tree hash of `range`, which is one that RFC 6962 names, from the hashes of complete subtrees.
    static func hash(of range: Range<UInt64>, _ subtree: (Subtree) throws -> Digest) rethrows -> Digest {
        var hash: Digest?
        for part in covering(range).reversed() {
            let left = try subtree(part)
            hash = hash.map { Digest(left: left, right: $0) } ?? left
        }
        return hash ?? .emptyTree
    }
}

/// The whole of a growing tree in as few hashes as its size has one bits: those of its complete subtrees, the largest first.
public struct CompactRange: Hashable, Sendable {
    public private(set) var count: UInt64 = 0
    private var hashes: [Digest] = []

    public init() {}

    /// Appends a leaf by its hash.
    public mutating func append(_ leaf: Digest) { append(leaf, level: 0) }

    /// Appends a complete subtree of 2^`level` leaves; ``count`` must be a multiple of that.
    public mutating func append(_ subtree: Digest, level: Int) {
        precondition(count & (1 << UInt64(level) - 1) == 0)
        var hash = subtree
        var rest = count >> UInt64(level)
        while rest & 1 == 1 {
            hash = Digest(left: hashes.removeLast(), right: hash)
            rest >>= 1
        }
        hashes.append(hash)
        count += 1 << UInt64(level)
    }

    /// The Merkle tree hash of all leaves so far.
    public var root: Digest {
        guard var hash = hashes.last else { return .emptyTree }
        for left in hashes.dropLast().reversed() { hash = Digest(left: left, right: hash) }
        return hash
    }
}

/// The Merkle tree hash of the first `size` leaves, from the hashes of complete subtrees.
public func treeRoot(size: UInt64, _ subtree: (Subtree) throws -> Digest) rethrows -> Digest {
    try Subtree.hash(of: 0..<size, subtree)
}

/// The largest power of two below `count`, which is at least 2: where RFC 6962 divides so many leaves.
func divide(_ count: UInt64) -> UInt64 { 1 << UInt64(63 - (count - 1).leadingZeroBitCount) }
