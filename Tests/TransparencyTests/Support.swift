import Events
import Glibc
import TestKit
import Transparency

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// The leaf hash of a record.
func leaf(_ record: [UInt8]) -> Digest { Digest(leaf: record.span.bytes) }

/// RFC 6962, 2.1, word by word, over all leaves at once: what everything else is held against.
enum ReferenceTree {
    static func split(_ count: Int) -> Int {
        var power = 1
        while power * 2 < count { power *= 2 }
        return power
    }

    /// MTH(D[n])
    static func root(_ leaves: ArraySlice<Digest>) -> Digest {
        switch leaves.count {
        case 0: return .emptyTree
        case 1: return leaves[leaves.startIndex]
        default:
            let middle = leaves.startIndex + split(leaves.count)
            return Digest(left: root(leaves[..<middle]), right: root(leaves[middle...]))
        }
    }

    /// PATH(m, D[n])
    static func path(_ index: Int, _ leaves: ArraySlice<Digest>) -> [Digest] {
        guard leaves.count > 1 else { return [] }
        let power = split(leaves.count)
        let middle = leaves.startIndex + power
        return index < power
            ? path(index, leaves[..<middle]) + [root(leaves[middle...])]
            : path(index - power, leaves[middle...]) + [root(leaves[..<middle])]
    }

    /// SUBPROOF(m, D[n], b)
    static func consistency(_ older: Int, _ leaves: ArraySlice<Digest>, _ isKnown: Bool = true) -> [Digest] {
        if older == leaves.count { return isKnown ? [] : [root(leaves)] }
        let power = split(leaves.count)
        let middle = leaves.startIndex + power
        return older <= power
            ? consistency(older, leaves[..<middle], isKnown) + [root(leaves[middle...])]
            : consistency(older - power, leaves[middle...], false) + [root(leaves[..<middle])]
    }
}

/// A tree whose complete subtrees are all at hand.
struct StoredTree {
    let leaves: [Digest]
    private var levels: [[Digest]]

    init(_ count: Int) {
        leaves = (0..<count).map { leaf(utf8("record \($0)")) }
        levels = [leaves]
        while let last = levels.last, last.count > 1 {
            levels.append(
                stride(from: 0, to: last.count - 1, by: 2).map { Digest(left: last[$0], right: last[$0 + 1]) })
        }
    }

    func hash(_ subtree: Subtree) -> Digest { levels[subtree.level][Int(subtree.index)] }
}

/// How large the trees are all of whose proofs are tried, with every bit of them flipped: `YESTERMAIL_PROOF_SIZE`. Without it
/// up to 64, and every bit only of the smaller ones and of those of the largest.
private let wantedSize = getenv("YESTERMAIL_PROOF_SIZE").flatMap { Int(String(cString: $0)) }
let largestSize = max(wantedSize ?? 64, 2)

/// Whether every bit of a proof in a tree of that size is flipped.
func flipsEveryBit(_ size: Int) -> Bool { wantedSize != nil || size <= 12 || size == largestSize }

extension [UInt8] {
    func flipped(_ bit: Int) -> [UInt8] {
        var bytes = self
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        return bytes
    }
}

extension Digest {
    var bytes: [UInt8] { withBytes { Array($0) } }
    func flipped(_ bit: Int) -> Digest {
        let bytes = bytes.flipped(bit)
        return Digest(bytes.span.bytes)
    }
}
