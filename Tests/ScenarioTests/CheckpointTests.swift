internal import Events
internal import Foundation
internal import SystemPackage
internal import TestKit
internal import Testing

@Suite("Command line: checkpoints and proofs")
struct CheckpointTests {
    let scene: CommandLineScene
    var program: CommandLineProgram { scene.program }
    /// Where there is no vault: whoever verifies a proof has none.
    var elsewhere: CommandLineProgram { CommandLineProgram(vault: scene.scratch.appending("nowhere")) }

    init() throws { scene = try CommandLineScene() }

    private func file(_ name: String) -> FilePath { scene.scratch.appending(name) }

    private func verdicts(_ answer: CommandLineProgram.Answer) throws -> [String?] {
        (try answer.object["checkpoints"] as? [[String: Any]] ?? []).map { $0["verdict"] as? String }
    }

    @Test("A checkpoint is kept outside, more mail comes, and the journal is proved to continue it")
    func continuation() throws {
        let kept = file("kept").string
        let signed = try program.run("checkpoint", "--output", kept)
        #expect(signed.status == 0 && signed.text.hasPrefix("Signed a checkpoint of "))
        let key = try #require(
            signed.error.split(separator: "Key: ").last?.split(separator: "\n").first.map(String.init))
        scene.maildir.deliver("", "3.c:2,", "Subject: third\n\nmore\n")
        try program.run("scan")
        let plain = try program.run("checkpoint")
        #expect(plain.output == Tree.read(scene.scratch.appending("vault/checkpoints/newest")))
        #expect(plain.output != Tree.read(FilePath(kept)))
        let verified = try program.run("verify-log", "--checkpoint", kept, "--key", key, "--json")
        #expect(verified.status == 0)
        let object = try verified.object
        #expect(object["ok"] as? Bool == true && (object["findings"] as? [Any])?.isEmpty == true)
        #expect(try verdicts(verified) == ["continued", "continued"])
        let count = try program.run("log", "dump").lines.count
        #expect(object["size"] as? Int == count)
        let again = try program.run("checkpoint", "--json").object
        #expect(
            again["note"] as? String == plain.text && again["root_hash"] as? String == object["root_hash"] as? String)
        #expect(again["key"] as? String == key)
        let text = try program.run("verify-log", "--checkpoint", kept)
        #expect(text.status == 0 && text.text.contains("the journal is a continuation of it") && text.error.isEmpty)
        // Without one from outside it says how little that is.
        #expect(try program.run("verify-log").error.contains("No checkpoint from outside"))
    }

    @Test("A vault restored from an older copy is noticed by the checkpoint kept outside, also when it goes on")
    func restoredCopy() throws {
        try program.run("checkpoint", "--output", file("kept-old").string)
        Tree.copy(file("vault"), to: file("older"))
        scene.maildir.deliver("", "3.c:2,", "Subject: third\n\nmore\n")
        try program.run("scan")
        let kept = file("kept").string
        try program.run("checkpoint", "--output", kept)
        Tree.remove(file("vault"))
        Tree.copy(file("older"), to: file("vault"))
        let short = try program.run(
            "verify-log", "--checkpoint", kept, "--checkpoint", file("kept-old").string, "--json")
        #expect(short.status == 5)
        #expect(try verdicts(short) == ["continued", "rolled_back", "continued"])
        #expect(try program.run("verify-log", "--checkpoint", kept).text.contains("rolled back to an older copy"))
        for number in 0..<5 {
            scene.maildir.deliver("", "\(number).d:2,", "Subject: other \(number)\n\nother\n")
            try program.run("scan")
        }
        let forked = try program.run("verify-log", "--checkpoint", kept, "--json")
        #expect(forked.status == 5)
        #expect(try verdicts(forked) == ["continued", "different"])
        // The journal alone put back: the vault itself knows better.
        try program.run("checkpoint")
        Tree.remove(file("vault/journal"))
        Tree.copy(file("older/journal"), to: file("vault/journal"))
        let refused = try program.run("checkpoint", "--json")
        #expect(refused.status == 5 && refused.output.isEmpty)
        #expect(try refused.failure["code"] as? String == "differences")
    }

    @Test("A changed record is noticed, whose checksum was put right too")
    func changedRecord() throws {
        try program.run("checkpoint", "--output", file("kept").string)
        try JournalForgery.changeRecord(TransactionID(rawValue: 2), inVault: file("vault"))
        let answer = try program.run("verify-log", "--checkpoint", file("kept").string, "--json")
        #expect(answer.status == 5)
        #expect(try verdicts(answer) == ["different", "different"])
        let findings = try answer.object["findings"] as? [[String: Any]] ?? []
        #expect(findings.map { $0["txid"] as? Int } == [3])
        // Who needs the record has it from the other copy, and the journal is again what was signed.
        #expect(try program.run("prove", "@2", "--output", file("proof").string).status == 0)
        #expect(try program.run("verify-proof", file("proof").string).status == 0)
        #expect(try program.run("verify-log", "--checkpoint", file("kept").string).status == 0)
    }

    @Test("A proof is verified without a vault and names the message; whatever is changed in it, it is refused")
    func proof() throws {
        let item = try scene.item("contract")
        let path = file("contract.tlog-proof")
        #expect(try program.run("prove", "anna", item, "--output", path.string).status == 0)
        let key = try #require(
            Tree.read(file("vault/checkpoints/key.pub")).map { String(decoding: $0.dropLast(), as: UTF8.self) })
        let digest = Digest(hashing: Array(CommandLineScene.first.utf8).span.bytes).description
        let verified = try elsewhere.run("verify-proof", path.string, "--key", key, "--json")
        #expect(verified.status == 0)
        let record = try #require(try verified.object["record"] as? [String: Any])
        let change = try #require((record["changes"] as? [[String: Any]])?.first { $0["item"] as? String == item })
        #expect((change["state"] as? [String: Any])?["digest"] as? String == digest)
        let text = try elsewhere.run("verify-proof", path.string, "--key", key)
        #expect(text.status == 0 && text.text.hasPrefix("Proved: ") && text.text.contains(digest))
        // The vault's own key serves whoever has it.
        #expect(try program.run("verify-proof", path.string).status == 0)
        #expect(try elsewhere.run("verify-proof", path.string).status == 2)

        let whole = try #require(Tree.read(path))
        var generator = SeededGenerator.announced()
        for _ in 0..<24 {
            var bytes = whole
            let index = generator.number(0..<whole.count)
            switch generator.number(0..<3) {
            case 0: bytes[index] ^= 1 << UInt8(generator.number(0..<8))
            case 1: bytes.remove(at: index)
            default: bytes.removeLast(whole.count - index)
            }
            guard bytes != whole else { continue }
            Tree.write(file("changed"), bytes)
            let answer = try elsewhere.run("verify-proof", file("changed").string, "--key", key, "--json")
            #expect(answer.status == 5, "byte \(index)")
            #expect(try answer.object["ok"] as? Bool == false)
        }
        let other = try CommandLineScene()
        let otherKey = try other.program.run("checkpoint", "--json").object["key"] as? String ?? ""
        #expect(try elsewhere.run("verify-proof", path.string, "--key", otherKey).status == 5)
        #expect(try elsewhere.run("verify-proof", path.string, "--key", String(key.dropLast())).status == 2)
        #expect(try elsewhere.run("verify-proof", file("none").string, "--key", key).status == 4)
    }

    @Test("Any transaction is proved by its ID, its account or its item, against any checkpoint that has it")
    func subjects() throws {
        let old = file("old").string
        try program.run("checkpoint", "--output", old)
        let before = try program.run("log", "dump").lines
        scene.maildir.deliver("", "3.c:2,", "Subject: third\n\nmore\n")
        try program.run("scan")
        for line in try program.run("log", "dump").lines {
            let id = try #require(line["txid"] as? Int)
            let proof = try program.run("prove", "@\(id)", "--without-record", "--json").object
            #expect(proof["leaf_hash"] as? String == line["leaf_hash"] as? String && proof["index"] as? Int == id - 1)
            let path = file("proof-\(id)")
            Tree.write(path, Array((proof["proof"] as? String ?? "").utf8))
            let leaf = line["leaf_hash"] as? String ?? ""
            #expect(try program.run("verify-proof", path.string, "--leaf-hash", leaf).status == 0)
            #expect(try program.run("verify-proof", path.string).status == 2)
            let other = String(leaf.reversed())
            #expect(try program.run("verify-proof", path.string, "--leaf-hash", other).status == 5)
        }
        let last = try program.run("log", "dump").lines.last?["txid"] as? Int
        #expect(try program.run("prove", "anna", "--json").object["txid"] as? Int == last)
        let early = try program.run("prove", "@\(before.count)", "--checkpoint", old, "--json").object
        #expect(early["size"] as? Int == before.count)
        #expect(try program.run("prove", "@\(before.count + 1)", "--checkpoint", old).status == 4)
        #expect(try program.run("prove", "@999").status == 4)
        #expect(try program.run("prove", "@x").status == 2)
        #expect(try program.run("prove", "anna", "m99").status == 4)
        #expect(try program.run("prove", "@2", "--checkpoint", file("none").string).status == 4)
    }

    private static let hasOtherVerifier =
        Tree.run("/bin/sh", ["-c", "command -v python3 openssl >/dev/null && openssl version >/dev/null"]) == 0

    @Test(
        "A verifier made from the page alone says the same of every proof, and of proofs that were changed",
        .enabled(if: hasOtherVerifier, "python3 and openssl are needed"))
    func otherVerifier() throws {
        let page = String(
            decoding: try #require(Tree.read(TestData.package.appending("Specs/Format/Checkpoints.md"))), as: UTF8.self)
        let begin = try #require(page.firstRange(of: "```python\n"))
        let end = try #require(page[begin.upperBound...].firstRange(of: "\n```"))
        Tree.write(file("verify.py"), Array(page[begin.upperBound..<end.lowerBound].utf8))
        func accepts(_ path: FilePath, _ key: String) -> Bool {
            let command = "exec python3 \"$1\" \"$2\" \"$3\" >\"$4\" 2>&1"
            let arguments = [file("verify.py"), path, FilePath(key), file("said")].map(\.string)
            return Tree.run("/bin/sh", ["-c", command, "sh"] + arguments) == 0
        }
        let key = try program.run("checkpoint", "--json").object["key"] as? String ?? ""
        let count = try program.run("log", "dump").lines.count
        for id in 1...count {
            let path = file("proof-\(id)")
            #expect(try program.run("prove", "@\(id)", "--output", path.string).status == 0)
            #expect(accepts(path, key))
            #expect(String(decoding: Tree.read(file("said")) ?? [], as: UTF8.self).hasPrefix("@\(id) "))
        }
        let whole = try #require(Tree.read(file("proof-1")))
        var generator = SeededGenerator.announced()
        for _ in 0..<12 {
            var bytes = whole
            bytes[generator.number(0..<whole.count)] ^= 1 << UInt8(generator.number(0..<8))
            Tree.write(file("changed"), bytes)
            #expect(!accepts(file("changed"), key))
        }
    }
}
