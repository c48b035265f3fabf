import Events
import SystemPackage
import TestKit
import Testing
import Transparency

private func refused(_ body: () throws -> Void) -> Bool {
    do { try body() } catch is TransparencyError { return true } catch { return false }
    return false
}

/// A log of eleven records, and the proof that one is in it.
private struct Scene {
    let signer: NoteSigner
    let note: SignedNote
    let proof: RecordProof
    let record = utf8("record 6")

    init(index: UInt64 = 6, withRecord: Bool = true) throws {
        var generator = SeededGenerator(seed: 1)
        signer = try NoteSigner(name: "yestermail/00000000-0000-4000-8000-000000000001", using: &generator)
        let tree = StoredTree(11)
        let checkpoint = Checkpoint(
            origin: signer.verifier.name, size: 11, root: treeRoot(size: 11, tree.hash))
        note = try checkpoint.signed(by: signer)
        proof = try RecordProof(
            record: withRecord ? record : nil, InclusionProof(index: index, size: 11, tree.hash), note: note)
    }
}

struct RecordProofTests {
    @Test("The checkpoint and the proof of Specs/Format/Checkpoints.md are made byte by byte as they stand there")
    func ownVector() throws {
        let page = try #require(Tree.read(TestData.package.appending("Specs/Format/Checkpoints.md")))
        let blocks = String(decoding: page, as: UTF8.self).split(separator: "```", omittingEmptySubsequences: false)
        let scene = try Scene()
        let wanted = [
            scene.signer.secretText + "\n" + scene.signer.verifier.description + "\n",
            String(decoding: scene.note.bytes, as: UTF8.self), String(decoding: scene.proof.bytes, as: UTF8.self),
        ]
        for text in wanted { #expect(blocks.contains { $0 == "\n" + text }, "\(text)") }
    }

    @Test("A checkpoint is read as it was signed, and what is written otherwise is refused")
    func checkpoint() throws {
        let scene = try Scene()
        let read = try Checkpoint.verified(scene.note.bytes, by: scene.signer.verifier)
        #expect(read.checkpoint.size == 11 && read.checkpoint.origin == scene.signer.verifier.name)
        #expect(read.checkpoint.root == scene.proof.checkpoint.root && read.note == scene.note)
        let root = String(decoding: read.checkpoint.root.base64, as: UTF8.self)
        // Signed by the right key: what is refused here is the way it is written.
        for text in [
            "log\n011\n\(root)\n", "log\n+11\n\(root)\n", "log\n11 \n\(root)\n", "log\n18446744073709551616\n\(root)\n",
            "\n11\n\(root)\n", "log\n11\n", "log\n11\n\(root.dropLast())\n", "log\n11\n\(root)=\n", "log\n\n\(root)\n",
            "log\n11\n\(root)\n\nmore\n", "log\n-1\n\(root)\n", "log\n1_1\n\(root)\n",
        ] {
            let note = try SignedNote(utf8(text), signedBy: scene.signer)
            #expect(refused { _ = try Checkpoint(note) }, "\(text)")
        }
        let extended = try Checkpoint(SignedNote(utf8("log\n11\n\(root)\nmore\n"), signedBy: scene.signer))
        #expect(extended.extensions == [utf8("more")] && extended.text == utf8("log\n11\n\(root)\nmore\n"))
        for bit in 0..<scene.note.bytes.count * 8 {
            let changed = scene.note.bytes.flipped(bit)
            #expect(refused { _ = try Checkpoint.verified(changed, by: scene.signer.verifier) }, "bit \(bit)")
        }
    }

    @Test("A proof is accepted as it is, with its record or with the leaf hash beside it")
    func accepted() throws {
        let scene = try Scene()
        let read = try RecordProof(scene.proof.bytes)
        #expect(read == scene.proof && read.record == scene.record && read.index == 6)
        try read.verify(scene.signer.verifier)
        try read.verify(scene.signer.verifier, leaf: leaf(scene.record))
        #expect(refused { try read.verify(scene.signer.verifier, leaf: .zero) })
        let bare = try RecordProof(try Scene(withRecord: false).proof.bytes)
        #expect(bare.record == nil)
        try bare.verify(scene.signer.verifier, leaf: leaf(scene.record))
        #expect(refused { try bare.verify(scene.signer.verifier) })
        #expect(refused { try bare.verify(scene.signer.verifier, leaf: leaf(utf8("record 7"))) })
        var generator = SeededGenerator(seed: 2)
        let other = try NoteSigner(name: scene.signer.verifier.name, using: &generator)
        #expect(refused { try read.verify(other.verifier) })
    }

    @Test(
        "A proof with any bit flipped, cut anywhere, with a byte or a line more or less is refused",
        arguments: [true, false])
    func mutations(withRecord: Bool) throws {
        let scene = try Scene(withRecord: withRecord)
        let whole = scene.proof.bytes
        func check(_ bytes: [UInt8], _ what: String) {
            #expect(
                refused {
                    try RecordProof(bytes).verify(scene.signer.verifier, leaf: withRecord ? nil : leaf(scene.record))
                },
                "\(what)")
        }
        for bit in 0..<whole.count * 8 { check(whole.flipped(bit), "bit \(bit)") }
        for length in 0..<whole.count {
            check(Array(whole[..<length]), "cut at \(length)")
            check(Array(whole[..<length] + whole[(length + 1)...]), "without byte \(length)")
            for byte in [10, 32, 48, 61, 65, 0, 13] as [UInt8] where whole[length] != byte {
                check(Array(whole[..<length] + [byte] + whole[length...]), "byte \(byte) at \(length)")
            }
        }
        check(whole + [10], "a line more")
        let lines = whole.split(separator: 10, omittingEmptySubsequences: false).dropLast()
        for first in lines.indices {
            var changed = Array(lines)
            changed.remove(at: first)
            check(Array(changed.joined(separator: [10])) + [10], "without line \(first)")
            for second in lines.indices where second > first && lines[first] != lines[second] {
                changed = Array(lines)
                changed.swapAt(first, second)
                check(Array(changed.joined(separator: [10])) + [10], "lines \(first) and \(second) exchanged")
            }
            guard !lines[first].starts(with: utf8("\u{2014}")) else { continue }
            changed = Array(lines)
            changed.insert(lines[first], at: first)
            check(Array(changed.joined(separator: [10])) + [10], "line \(first) twice")
        }
    }

    @Test(
        "Of random bytes, and of texts made from the pieces of a proof, none is taken for one, and none stops the program"
    )
    func noise() throws {
        var generator = SeededGenerator.announced()
        let scene = try Scene()
        let pieces =
            scene.proof.bytes.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
            + [[], utf8("extra "), utf8("index "), utf8("index 18446744073709551615"), utf8("\u{2014} a "), [0xE2]]
        for _ in 0..<3_000 {
            var bytes: [UInt8] = []
            for _ in 0..<generator.number(0..<14) {
                bytes += generator.chance(90) ? generator.element(pieces) : generator.bytes(generator.number(0..<40))
                if generator.chance(95) { bytes.append(10) }
            }
            #expect(bytes == scene.proof.bytes || refused { try RecordProof(bytes).verify(scene.signer.verifier) })
        }
    }
}
