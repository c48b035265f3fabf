import Capture
import Connectors
import Events
import Foundation
import Glibc
import Journal
import Projections
import SystemPackage
import TestKit
import Testing
import Vault

/// What a person who knows other backups of mailboxes expects, statement by statement.
struct SemanticsTests {
    private func states(_ scene: CommandLineScene, _ item: String) throws -> [[String: Any]] {
        try scene.program.run("history", "anna", item).json as? [[String: Any]] ?? []
    }

    @Test(
        "Moving a message to trash and marking it read are new states of one item; emptying trash deletes it, and its bytes stay"
    )
    func trash() throws {
        let scene = try CommandLineScene()
        let item = try scene.item("Contract")
        scene.maildir.move("", "1.a:2,S", to: ".Trash", "1.a:2,S")
        try scene.program.run("scan")
        scene.maildir.move(".Trash", "1.a:2,S", to: nil, "1.a:2,RS")
        try scene.program.run("scan")
        var states = try states(scene, item)
        #expect(states.count == 3 && states.allSatisfy { $0["deleted"] as? Bool == false })
        #expect(states.compactMap { $0["folder_path"] as? String } == ["INBOX", "Trash", "Trash"])
        scene.maildir.remove(".Trash", "1.a:2,RS")
        try scene.program.run("scan")
        states = try self.states(scene, item)
        #expect(states.count == 4 && states.last?["deleted"] as? Bool == true)
        #expect(states.last?["digest"] as? String == states.first?["digest"] as? String)
        let bytes = try scene.program.run("cat", "anna", item, "--at", "before:\(item)")
        #expect(bytes.text == CommandLineScene.first, "\(bytes.error)")
    }

    @Test("A state that begins exactly at a time is the one chosen for it; the one that ends there is not")
    func boundaries() throws {
        let scene = try CommandLineScene()
        let item = try scene.item("Contract")
        scene.maildir.move("", "1.a:2,S", to: nil, "1.a:2,FS")
        try scene.program.run("scan")
        let states = try states(scene, item)
        let start = try #require(states.last?["start_date"] as? String)
        #expect(states.first?["end_date"] as? String == start)
        let shown = try scene.program.run("show", "anna", item, "--at", start, "--json")
        #expect(shown.text.contains("Flagged"), "\(shown.text)\(shown.error)")
        let id = try #require(states.last?["txid"] as? Int)
        #expect(try scene.program.run("show", "anna", item, "--at", "@\(id)", "--json").text.contains("Flagged"))
        #expect(try !scene.program.run("show", "anna", item, "--at", "@\(id - 1)", "--json").text.contains("Flagged"))
    }

    @Test("Two changes of flags inside the coalescing window are one state, and nothing earlier is overwritten")
    func coalescing() throws {
        let scene = try CommandLineScene()
        let item = try scene.item("Contract")
        let before = try states(scene, item)
        let child = try ProgramChild(
            vault: scene.program.vault, ["watch", "--json", "--coalesce", "700"],
            output: scene.scratch.appending("watch"))
        defer {
            child.signal(SIGTERM)
            child.wait()
        }
        #expect(child.says("ready"))
        scene.maildir.move("", "1.a:2,S", to: nil, "1.a:2,FS")
        scene.maildir.move("", "1.a:2,FS", to: nil, "1.a:2,FRS")
        #expect(child.says("\"changed\":1"))
        let after = try states(scene, item)
        #expect(after.count == 2 && after.first?["txid"] as? Int == before.first?["txid"] as? Int)
        #expect(Set(after.last?["flags"] as? [String] ?? []) == ["\\Answered", "\\Flagged", "\\Seen"])
    }

    @Test("A change of metadata only writes no blob")
    func metadata() throws {
        let scene = try CommandLineScene()
        func blobs() -> [[UInt8]] {
            let packs = scene.program.vault.appending("blobs/packs")
            return Tree.names(packs).map { Tree.read(Tree.child(packs, $0)) ?? [] }
        }
        let before = blobs()
        scene.maildir.move("", "1.a:2,S", to: ".Trash", "1.a:2,FS")
        scene.maildir.renameFolder(".Trash", to: ".Bin")
        scene.maildir.subscribe(["Bin"])
        let report = try scene.program.run("scan", "--json").object
        #expect(report["moved"] as? Int == 1 && report["folders_changed"] as? Int == 1)
        #expect(blobs() == before)
    }

    @Test("What vanished is deleted by a scan; a scan that is aborted deletes nothing, and the gap goes on")
    func aborted() throws {
        let scratch = Scratch("semantics")
        let clock = TestClock(step: 1_000_000)
        var generator = SeededGenerator(seed: 1)
        try OpenVault.create(scratch.appending("vault"), clock: clock.wall, using: &generator)
        let vault = try OpenVault(scratch.appending("vault"), clock: clock.wall)
        let account = try vault.addAccount("anna@example.org", sources: [], using: &generator)
        let source = MemorySource {
            $0.add("INBOX", [.init("1", "one"), .init("2", "two")])
            $0.add("Box", [.init("3", "three")])
        }
        _ = try SmartScan(vault, account, source).run()
        let covered = try #require(try vault.coverageEnd(of: account.number))
        source.change {
            _ = $0.take("1", from: "INBOX")
            $0["Box"].listFailure = .unavailable("the connection was reset")
        }
        #expect(throws: Failure.self) { try SmartScan(vault, account, source).run() }
        #expect(try vault.projections().statistics(account.number).liveMessages == 3)
        #expect(try vault.coverageEnd(of: account.number) == covered)
        source.change { $0["Box"].listFailure = nil }
        let report = try SmartScan(vault, account, source).run()
        #expect(report.deleted == 1)
        #expect(try vault.projections().statistics(account.number).liveMessages == 2)
        #expect(try vault.coverageEnd(of: account.number) ?? covered > covered)
    }

    @Test("An empty mailbox by mistake, or none at all, is not read as everything deleted")
    func mistakenEmptiness() throws {
        let scene = try CommandLineScene()
        let away = scene.scratch.appending("away")
        Tree.rename(scene.maildir.path, to: away)
        #expect(try scene.program.run("scan").status == 9)
        _ = MaildirFixture(scene.maildir.path)
        #expect(try scene.program.run("scan").status == 6)
        Tree.remove(scene.maildir.path)
        Tree.rename(away, to: scene.maildir.path)
        let report = try scene.program.run("scan", "--json")
        #expect(try report.status == 0 && report.object["deleted"] as? Int == 0)
        #expect(try report.object["created"] as? Int == 0)
        #expect(try scene.program.run("check").status == 0)
    }

    @Test("Restored as of after a mass deletion an account is empty, with a warning; just before, everything is there")
    func massDeletion() throws {
        let scene = try CommandLineScene()
        for number in 10..<40 { scene.maildir.deliver("", "\(number).x:2,S", "Subject: \(number)\n\n\(number)") }
        try scene.program.run("scan")
        let place = scene.maildir.path.appending("cur")
        for name in Tree.names(place) { Tree.remove(Tree.child(place, name)) }
        let lost = try scene.item("Contract")
        try scene.program.run("scan")
        let out = "maildir:\(scene.scratch.appending("out"))"
        let empty = try scene.program.run("restore", "account", "anna", "--at", "last", "--to", out, "--dry-run")
        #expect(empty.status == 0 && empty.error.contains("warning"))
        let full = try scene.program.run(
            "restore", "account", "anna", "--at", "before:\(lost)", "--to", out, "--json")
        #expect(try full.status == 0 && full.object["restored"] as? Int == 32, "\(full.error)")
    }

    @Test("A corrupt blob ends in unrestored with its cause, the rest is restored, and the status tells")
    func unrestored() throws {
        let scene = try CommandLineScene()
        scene.maildir.deliver("", "3.c:2,", (0..<900).map { "\($0 &* 2_654_435_761) " }.joined())
        try scene.program.run("scan")
        let packs = scene.program.vault.appending("blobs/packs")
        let pack = Tree.child(packs, try #require(Tree.names(packs).last))
        Tree.flip(pack, byte: try #require(Tree.read(pack)?.lastIndex { $0 != 0 }) - 400, bit: 1)
        let answer = try scene.program.run(
            "restore", "account", "anna", "--to", "maildir:\(scene.scratch.appending("out"))", "--json")
        #expect(try answer.status == 3 && answer.object["restored"] as? Int == 2)
        let lost = try answer.object["unrestored"] as? [[String: Any]] ?? []
        #expect(lost.map { $0["cause"] as? String } == ["broken"] && lost.first?["item"] as? String == "m3")
    }

    /// What can be wrong with a vault, and which part of it `check` has to name.
    enum Damage: String, CaseIterable {
        case truncatedPack, flippedByte, missingPack, damagedRecord, damagedSegment, damagedProjection

        var part: String {
            switch self {
            case .truncatedPack, .flippedByte, .missingPack: "blobs"
            case .damagedRecord, .damagedSegment: "journal"
            case .damagedProjection: "projections"
            }
        }
    }

    /// Flips a bit wherever `text` stands in the file, which may hold old pages too; false when it is nowhere.
    private func flip(_ text: String, in path: FilePath) -> Bool {
        let bytes = Data(Tree.read(path) ?? [])
        var (start, found) = (bytes.startIndex, false)
        while let range = bytes.range(of: Data(text.utf8), in: start..<bytes.endIndex) {
            Tree.flip(path, byte: range.lowerBound + text.utf8.count / 2, bit: 0)
            (start, found) = (range.upperBound, true)
        }
        return found
    }

    @Test(
        "The check finds a truncated pack, a flipped byte, a missing pack, a damaged record and a damaged projection",
        arguments: Damage.allCases)
    func check(damage: Damage) throws {
        let scene = try CommandLineScene()
        let vault = scene.program.vault
        let packs = vault.appending("blobs/packs")
        let pack = Tree.child(packs, try #require(Tree.names(packs).last))
        let end = try #require(Tree.read(pack)?.lastIndex { $0 != 0 })
        switch damage {
        case .truncatedPack: Tree.truncate(pack, to: end - 50)
        case .flippedByte: Tree.flip(pack, byte: end / 2, bit: 5)
        case .missingPack: Tree.remove(pack)
        case .damagedRecord: #expect(flip("anna@example.org", in: vault.appending("journal/lmdb/data.mdb")))
        case .damagedSegment:
            let segments = vault.appending("journal/segments")
            let segment = Tree.child(segments, try #require(Tree.names(segments).first))
            #expect(flip("anna@example.org", in: segment))
        case .damagedProjection:
            // They follow the journal when somebody asks.
            try scene.program.run("ls")
            #expect(flip("\"folder_path\":\"INBOX\"", in: vault.appending("projections/data.mdb")))
        }
        let answer = try scene.program.run("check", "--read-data", "--json")
        #expect(answer.status == 5, "\(answer.text) \(answer.error)")
        let findings = (try? answer.object["findings"] as? [[String: Any]]) ?? []
        #expect(findings.contains { $0["part"] as? String == damage.part }, "\(findings)")
        if damage == .damagedProjection {
            #expect(try scene.program.run("rebuild").status == 0)
            #expect(try scene.program.run("check", "--read-data").status == 0)
        }
    }

    @Test("A vault of a newer format, and a directory that is none, are refused, and nothing in them is changed")
    func foreign() throws {
        let scene = try CommandLineScene()
        let format = scene.program.vault.appending("FORMAT")
        let text = String(decoding: try #require(Tree.read(format)), as: UTF8.self)
        Tree.write(format, Array(text.replacingOccurrences(of: "format 1\n", with: "format 99\n").utf8))
        for arguments in [["scan"], ["ls"], ["rebuild"]] {
            let child = try ProgramChild(
                vault: scene.program.vault, arguments, output: scene.scratch.appending("answer"))
            #expect(child.wait() == 11, "\(arguments)")
        }
        let other = scene.scratch.appending("other")
        Tree.makeDirectory(other)
        Tree.write(other.appending("letter.txt"), Array("mine".utf8))
        let program = CommandLineProgram(vault: other)
        #expect(try program.run("scan").status == 10)
        #expect(try program.run("init").status == 6)
        #expect(Tree.names(other) == [Array("letter.txt".utf8)])
    }

    private static let canRead = Tree.run("/bin/sh", ["-c", "command -v python3 && command -v zstd"]) == 0

    @Test(
        "Blobs and segments that were copied while a capture ran can be read, and hold what was acknowledged before",
        .enabled(if: canRead, "python3 and zstd are needed"))
    func copiedLive() throws {
        let mail = try LivingMaildir(SeededGenerator.announced("copied live"))
        try mail.scanned("first")
        let page = try #require(
            Tree.read(TestData.package.appending("Specs/Format/ReadingWithoutYestermail.md")))
        let text = String(decoding: page, as: UTF8.self)
        let begin = try #require(text.range(of: "```python\n"))
        let end = try #require(text.range(of: "\n```", range: begin.upperBound..<text.endIndex))
        let reader = mail.scratch.appending("reader.py")
        Tree.write(reader, Array(text[begin.upperBound..<end.lowerBound].utf8))
        for round in 0..<3 {
            let acknowledged = try mail.journal()
            mail.change(300)
            let child = try mail.start("scan")
            usleep(UInt32(mail.generator.number(5_000..<150_000)))
            let copy = mail.scratch.appending("copy-\(round)")
            // Segments first: what they name must be in the packs, which are copied after.
            let script = """
                mkdir -p "$2/journal" && cp -a "$1/FORMAT" "$2/" && cp -a "$1/journal/segments" "$2/journal/" \
                && cp -a "$1/blobs" "$2/" && python3 "$3" "$2" > "$2.journal" && python3 "$3" "$2" "$2.mail"
                """
            let status = Tree.run(
                "/bin/sh", ["-c", script, "sh", mail.program.vault.string, copy.string, reader.string])
            #expect(child.wait() == 0)
            #expect(status == 0, "round \(round), seed \(mail.generator.seed)")
            let lines = (Tree.read(FilePath(copy.string + ".journal")) ?? []).count { $0 == 10 }
            #expect(lines >= Int(acknowledged), "round \(round), seed \(mail.generator.seed)")
        }
    }
}
