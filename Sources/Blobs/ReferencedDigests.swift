public import Events

/// The digests that something refers to: eight bytes of each, sorted. Two with the same eight bytes are kept both, never swept both.
public struct ReferencedDigests: Sendable {
    private var sorted: [UInt64] = []
    private var fresh: [UInt64] = []

    public init() {}

    public var count: Int { sorted.count + fresh.count }

    public mutating func insert(_ digest: Digest) {
        fresh.append(ReferencedDigests.prefix(digest))
        if fresh.count >= max(1 << 16, sorted.count / 2) { settle() }
    }

    /// Must be called behind the last ``insert(_:)``.
    public mutating func settle() {
        guard !fresh.isEmpty else { return }
        sorted += fresh
        fresh = []
        sorted.sort()
        var kept = 0
        for index in sorted.indices where index == 0 || sorted[index] != sorted[kept - 1] {
            sorted[kept] = sorted[index]
            kept += 1
        }
        sorted.removeLast(sorted.count - kept)
    }

    public func contains(_ digest: Digest) -> Bool {
        let wanted = ReferencedDigests.prefix(digest)
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == wanted
    }

    private static func prefix(_ digest: Digest) -> UInt64 {
        unsafe digest.withBytes { UInt64(bigEndian: unsafe $0.loadUnaligned(as: UInt64.self)) }
    }
}
