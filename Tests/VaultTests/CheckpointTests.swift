import Events
import Files
import Journal
import SystemPackage
import TestKit
import Testing
import Transparency
import Vault

private func code(_ body: () throws -> Void) -> Failure.Code? {
    do { try body() } catch { return (error as? Failure)?.code }
    return nil
}

/// A vault of a given seed, with `count` records of one account; `text` is in all of them.
private struct Scene {
    let scratch = Scratch("checkpoint")
    var path: FilePath { scratch.appending("vault") }
    var subtrees: FilePath { path.appending("checkpoints/subtrees") }

    init(_ count: Int = 0, _ text: String = "first") throws {
        var generator = SeededGenerator(seed: 7)
        try OpenVault.create(path, clock: TestClock(step: 1_000).wall, using: &generator)
        try append(count, text)
    }

    func open() throws -> OpenVault { try OpenVault(path, clock: TestClock(step: 1_000).wall) }

    func append(_ count: Int, _ text: String) throws {
        let vault = try open()
        try vault.commit(
            (0..<count).map { number in
                JournalEntry(
                    account: AccountNumber(rawValue: 1), origin: .scan, changes: [],
                    note: Note(.operationStep, [.init("name", .text(Array("\(text) \(number)".utf8)))]))
            })
    }

    @discardableResult
    func sign(_ key: FilePath? = nil, seed: UInt64 = 3) throws -> SignedCheckpoint {
        var generator = SeededGenerator(seed: seed)
        return try VaultCheckpoints(open()).sign(signingKey: key, using: &generator)
    }

    func verify(_ outside: SignedCheckpoint...) throws -> LogVerification {
        try VaultCheckpoints(open()).verifyLog(
            outside: outside.map { ("outside", $0.note.bytes) }, key: outside.first?.key)
    }

    /// The root as it is told by nothing but the records.
    func root() throws -> Digest {
        var tree = CompactRange()
        let journal = try open().journal
        try journal.scan(from: TransactionID(rawValue: 1), through: journal.head().transaction) {
            tree.append($0.leafHash)
            return true
        }
        return tree.root
    }
}

struct CheckpointTests {
    @Test("Checkpoints are those of the records, whatever was stored; the same as long as nothing is recorded")
    func grows() throws {
        let scene = try Scene()
        var generator = SeededGenerator.announced()
        var kept: [SignedCheckpoint] = []
        for _ in 0..<8 {
            let signed = try scene.sign()
            let root = try scene.root()
            #expect(signed.checkpoint.root == root)
            #expect(try scene.sign().note == signed.note)
            kept.append(signed)
            try scene.append(generator.number(0..<600), "more")
            switch generator.number(0..<4) {
            case 0: Tree.remove(scene.subtrees)
            case 1:
                let size = Tree.read(scene.subtrees)?.count ?? 0
                Tree.flip(scene.subtrees, byte: generator.number(0..<size), bit: generator.number(0..<8))
            case 2: Tree.truncate(scene.subtrees, to: generator.number(0..<(Tree.read(scene.subtrees)?.count ?? 1)))
            default: break
            }
        }
        let root = try scene.root()
        for signed in kept {
            let result = try scene.verify(signed)
            #expect(result.isSound && result.root == root)
            #expect(result.checkpoints.map(\.verdict) == [.continued, .continued])
        }
    }

    @Test("Every transaction is proved in every checkpoint that has it, also where what is stored is damaged")
    func proofs() throws {
        let scene = try Scene(300)
        let old = try scene.sign()
        try scene.append(500, "more")
        let new = try scene.sign()
        func check() throws {
            let vault = try scene.open()
            let checkpoints = VaultCheckpoints(vault)
            for signed in [old, new] {
                for id in stride(from: 1, through: signed.checkpoint.size, by: 37) {
                    let transaction = TransactionID(rawValue: id)
                    let proof = try RecordProof(checkpoints.prove(transaction, in: signed).bytes)
                    try proof.verify(signed.key)
                    let record = try #require(proof.record)
                    #expect(try RecordView(record.span.bytes).id == transaction)
                }
            }
            #expect(code { _ = try checkpoints.prove(TransactionID(rawValue: 302), in: old) } == .notFound)
            #expect(code { _ = try checkpoints.prove(.beginning, in: old) } == .notFound)
        }
        try check()
        for byte in [3, 40, 70, 100] {
            Tree.flip(scene.subtrees, byte: byte, bit: 1)
            try check()
        }
        Tree.remove(scene.subtrees)
        try check()
    }

    @Test(
        "A journal put back to an older copy is noticed by the vault itself, and a whole vault by a checkpoint kept outside"
    )
    func rolledBack() throws {
        let scene = try Scene(20)
        try scene.sign()
        Tree.copy(scene.path, to: scene.scratch.appending("older"))
        try scene.append(10, "more")
        let kept = try scene.sign()
        // The journal alone.
        Tree.rename(scene.path.appending("journal"), to: scene.scratch.appending("journal"))
        Tree.copy(scene.scratch.appending("older/journal"), to: scene.path.appending("journal"))
        #expect(code { try scene.sign() } == .differences)
        #expect(try scene.verify().checkpoints.map(\.verdict) == [.rolledBack])
        #expect(
            code { _ = try VaultCheckpoints(scene.open()).prove(TransactionID(rawValue: 1), in: kept) } == .differences)
        // All of it: nothing inside tells.
        Tree.remove(scene.path)
        Tree.copy(scene.scratch.appending("older"), to: scene.path)
        #expect(try scene.verify().checkpoints.map(\.verdict) == [.continued])
        #expect(try scene.verify(kept).checkpoints.map(\.verdict) == [.continued, .rolledBack])
        // It goes on, and grows beyond it.
        try scene.append(30, "other")
        try scene.sign()
        #expect(try scene.verify(kept).checkpoints.map(\.verdict) == [.continued, .different])
    }

    @Test("A journal made anew, with another record and its chain put right, is noticed")
    func madeAnew() throws {
        let scene = try Scene(700, "first")
        let kept = try scene.sign()
        let forged = try Scene(700, "forged")
        #expect(forged.path != scene.path)
        Tree.remove(scene.path.appending("journal"))
        Tree.copy(forged.path.appending("journal"), to: scene.path.appending("journal"))
        let result = try scene.verify(kept)
        #expect(result.findings.isEmpty && result.checkpoints.map(\.verdict) == [.different, .different])
        try scene.append(1, "more")
        // The stored subtrees still know it.
        #expect(
            code { _ = try VaultCheckpoints(scene.open()).prove(TransactionID(rawValue: 2), in: kept) } == .differences)
        Tree.remove(scene.subtrees)
        #expect(code { try scene.sign() } == .differences)
    }

    @Test("A record changed together with its checksum is noticed, with and without a checkpoint")
    func changedRecord() throws {
        let scene = try Scene(50)
        try JournalForgery.changeRecord(TransactionID(rawValue: 17), inVault: scene.path)
        let alone = try scene.verify()
        #expect(alone.findings.map(\.transaction?.rawValue) == [18] && !alone.isSound)

        let signed = try Scene(50)
        let kept = try signed.sign()
        try signed.append(5, "more")
        try JournalForgery.changeRecord(TransactionID(rawValue: 17), inVault: signed.path)
        let result = try signed.verify(kept)
        #expect(result.findings.count == 1)
        #expect(result.checkpoints.map(\.verdict) == [.different, .different])
        #expect(try VaultCheckpoints(signed.open()).publicKey()?.description == kept.key.description)
    }

    @Test("A damaged record ends the tree there, is named, and what lies before it is still told")
    func damagedRecord() throws {
        let scene = try Scene(30)
        let kept = try scene.sign()
        try scene.append(30, "more")
        let late = try scene.sign()
        let record = try scene.open().journal.withRecord(TransactionID(rawValue: 45)) {
            $0.bytes.withUnsafeBytes { Array($0) }
        }
        let bytes = try #require(record)
        let data = scene.path.appending("journal/lmdb/data.mdb")
        let file = try #require(Tree.read(data))
        for start in 0..<file.count - bytes.count where file[start..<start + bytes.count].elementsEqual(bytes) {
            Tree.flip(data, byte: start + 80, bit: 0)
        }
        let result = try scene.verify(kept, late)
        #expect(result.findings.map(\.transaction?.rawValue) == [45] && result.size == 44)
        #expect(result.checkpoints.map(\.verdict) == [.unknown, .continued, .unknown])
    }

    @Test("A checkpoint of another vault, of another key, or with any byte changed is refused")
    func foreign() throws {
        let scene = try Scene(5)
        let kept = try scene.sign()
        var generator = SeededGenerator(seed: 11)
        let other = try NoteSigner(name: kept.checkpoint.origin, using: &generator)
        let forged = try kept.checkpoint.signed(by: other)
        let elsewhere = try Checkpoint(origin: "yestermail/other", size: 1, root: kept.checkpoint.root)
            .signed(by: NoteSigner(try #require(VaultText.line(scene.path.appending("checkpoints/key")))))
        var candidates = [forged.bytes, elsewhere.bytes, [], Array("nonsense\n".utf8)]
        for index in kept.note.bytes.indices {
            var changed = kept.note.bytes
            changed[index] ^= 4
            candidates.append(changed)
        }
        let all = try VaultCheckpoints(scene.open()).verifyLog(outside: candidates.map { ("x", $0) }, key: kept.key)
        #expect(all.checkpoints.count == candidates.count + 1 && all.checkpoints[0].verdict == .continued)
        for (held, bytes) in zip(all.checkpoints.dropFirst(), candidates) {
            guard case .refused = held.verdict else {
                Issue.record("accepted: \(String(decoding: bytes, as: UTF8.self))")
                continue
            }
        }
        // The note that the vault remembers is held to the same.
        Tree.flip(scene.path.appending("checkpoints/newest"), byte: 60, bit: 2)
        #expect(code { try scene.sign() } == .damaged)
        #expect(try !scene.verify().isSound)
    }

    @Test("The key is private, made once, may be kept elsewhere, and is never exchanged silently")
    func key() throws {
        let scene = try Scene(5)
        let first = try scene.sign()
        let key = scene.path.appending("checkpoints/key")
        #expect(try Directory.isPrivate(key))
        Tree.chmod(key, 0o640)
        #expect(code { try scene.sign() } == .permission)
        Tree.chmod(key, 0o600)
        let elsewhere = scene.scratch.appending("key")
        Tree.rename(key, to: elsewhere)
        try scene.append(1, "more")
        #expect(code { try scene.sign() } == .refused)
        let second = try scene.sign(elsewhere)
        #expect(second.key.description == first.key.description && !Tree.exists(key))
        // Proofs and verification need no private key.
        try RecordProof(VaultCheckpoints(scene.open()).prove(TransactionID(rawValue: 2), in: second).bytes)
            .verify(first.key)
        #expect(try scene.verify(first, second).isSound)
        // Another key of the same name, and one of another name.
        var generator = SeededGenerator(seed: 12)
        for name in [first.key.name, "yestermail/other"] {
            let other = try NoteSigner(name: name, using: &generator)
            Tree.write(elsewhere, Array((other.secretText + "\n").utf8))
            Tree.chmod(elsewhere, 0o600)
            #expect(code { try scene.sign(elsewhere) } == .refused)
        }
        #expect(code { try scene.sign(scene.scratch.appending("nowhere")) } == .notFound)
        // Not even when every trace of it but the newest checkpoint is gone.
        Tree.remove(scene.path.appending("checkpoints/key.pub"))
        #expect(code { try scene.sign() } != nil)
    }

    @Test("A vault of format 1 that was made before there were checkpoints is signed, proved and verified")
    func golden() throws {
        let scratch = Scratch("golden")
        let path = scratch.appending("vault")
        Tree.copy(TestData.fixtures.appending("vault-1"), to: path)
        Tree.makeDirectory(path.appending("locks"))
        let checkpoints = VaultCheckpoints(try OpenVault(path))
        #expect(try checkpoints.newest() == nil && checkpoints.publicKey() == nil)
        #expect(try checkpoints.verifyLog(outside: [], key: nil).isSound)
        var generator = SeededGenerator(seed: 1)
        let signed = try checkpoints.sign(using: &generator)
        // The first root ever computed of it: it must be the same for ever.
        #expect(signed.checkpoint.root.hex == "248b6cb1977c8d94373e42c2f9a50a2cfad84868782e00597158623c4d099ccb")
        try checkpoints.prove(TransactionID(rawValue: 1), in: signed).verify(signed.key)
        #expect(try checkpoints.verifyLog(outside: [("x", signed.note.bytes)], key: signed.key).isSound)
    }
}

private enum VaultText {
    /// The text of a file without its line end.
    static func line(_ path: FilePath) -> String? {
        Tree.read(path).map { String(decoding: $0.dropLast(), as: UTF8.self) }
    }
}
