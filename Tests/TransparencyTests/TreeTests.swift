import Events
import TestKit
import Testing
import Transparency

struct TreeTests {
    @Test("The roots are those of Certificate Transparency's own test vectors")
    func vectors() throws {
        let records: [[UInt8]] = [
            [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43],
            Array(0x50...0x57), Array(0x60...0x6F),
        ]
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]
        var tree = CompactRange()
        for (count, root) in roots.enumerated() {
            #expect(tree.root.hex == root)
            if count < records.count { tree.append(leaf(records[count])) }
        }
        // The same source: the record 5 of 8, and the tree of 6 continued to 8.
        let leaves = records.map { leaf($0) }
        let proof = InclusionProof(index: 5, size: 8) {
            ReferenceTree.root(leaves[Int($0.leaves.lowerBound)..<Int($0.leaves.upperBound)])
        }
        #expect(
            proof.path.map(\.hex) == [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ])
        let continued = ConsistencyProof(older: 6, newer: 8) {
            ReferenceTree.root(leaves[Int($0.leaves.lowerBound)..<Int($0.leaves.upperBound)])
        }
        #expect(
            continued.path.map(\.hex) == [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ])
    }

    @Test("The tree that grows leaf by leaf, or by complete subtrees, has the root that the definition gives")
    func compactRange() throws {
        let tree = StoredTree(300)
        var growing = CompactRange()
        for count in 0...300 {
            let root = ReferenceTree.root(tree.leaves[..<count])
            #expect(growing.root == root && growing.count == UInt64(count))
            #expect(treeRoot(size: UInt64(count), tree.hash) == root)
            var stepped = CompactRange()
            for index in 0..<count / 16 { stepped.append(tree.hash(Subtree(level: 4, index: UInt64(index))), level: 4) }
            for index in count / 16 * 16..<count { stepped.append(tree.leaves[index]) }
            #expect(stepped.root == root)
            if count < 300 { growing.append(tree.leaves[count]) }
        }
    }

    @Test(
        "Every record of every tree has the proof of the definition, and it is accepted for this record and place only")
    func inclusion() throws {
        let tree = StoredTree(largestSize)
        for size in 1...largestSize {
            let root = ReferenceTree.root(tree.leaves[..<size])
            for index in 0..<size {
                let proof = InclusionProof(index: UInt64(index), size: UInt64(size), tree.hash)
                #expect(proof.path == ReferenceTree.path(index, tree.leaves[..<size]))
                #expect(proof.proves(tree.leaves[index], in: root))
                #expect(!proof.proves(tree.leaves[(index + 1) % largestSize], in: root))
                let other = InclusionProof(index: UInt64((index + 1) % size), size: UInt64(size), path: proof.path)
                #expect(size == 1 || !other.proves(tree.leaves[index], in: root))
                for path in mutations(of: proof.path, flipsEveryBit(size)) {
                    let wrong = InclusionProof(index: UInt64(index), size: UInt64(size), path: path)
                    if wrong.proves(tree.leaves[index], in: root) {
                        Issue.record("a changed proof of \(index) in \(size) is accepted")
                        return
                    }
                }
            }
            let outside = InclusionProof(index: UInt64(size), size: UInt64(size), path: [])
            #expect(!outside.proves(tree.leaves[0], in: root))
        }
    }

    @Test("Every tree continues every smaller one with the proof of the definition, and no other tree does")
    func consistency() throws {
        let tree = StoredTree(largestSize)
        let roots = (0...largestSize).map { ReferenceTree.root(tree.leaves[..<$0]) }
        for newer in 1...largestSize {
            for older in 0...newer {
                let proof = ConsistencyProof(older: UInt64(older), newer: UInt64(newer), tree.hash)
                let path = older == 0 ? [] : ReferenceTree.consistency(older, tree.leaves[..<newer])
                #expect(proof.path == path)
                #expect(proof.proves(roots[older], continuedBy: roots[newer]))
                #expect(!proof.proves(roots[older].flipped(7), continuedBy: roots[newer]))
                #expect(older == 0 || !proof.proves(roots[older], continuedBy: roots[newer].flipped(255)))
                guard older > 0 else { continue }
                for path in mutations(of: proof.path, flipsEveryBit(newer)) {
                    let wrong = ConsistencyProof(older: UInt64(older), newer: UInt64(newer), path: path)
                    if wrong.proves(roots[older], continuedBy: roots[newer]) {
                        Issue.record("a changed proof from \(older) to \(newer) is accepted")
                        return
                    }
                }
            }
        }
        let backwards = ConsistencyProof(older: 3, newer: 2, path: [])
        #expect(!backwards.proves(roots[3], continuedBy: roots[2]))
    }

    /// Cut, lengthened, turned round, each hash left out, twice or exchanged; and flipped: in one bit of each hash, or, with
    /// `everyBit`, in every bit.
    private func mutations(of path: [Digest], _ everyBit: Bool) -> [[Digest]] {
        var found: [[Digest]] = [path + [.zero], [.zero] + path]
        for index in path.indices {
            var changed = path
            changed.remove(at: index)
            found.append(changed)
            changed = path
            changed.insert(path[index], at: index)
            found.append(changed)
            if index > 0 {
                changed = path
                changed.swapAt(index - 1, index)
                found.append(changed)
            }
            for bit in everyBit ? Array(0..<256) : [0, 77 + index, 255] {
                changed = path
                changed[index] = path[index].flipped(bit)
                found.append(changed)
            }
        }
        return found
    }
}
