import Capture
import Connectors
import Events
import Foundation
import Glibc
import Journal
import Projections
import Synthesis
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
        "Moving a message to trash, then marking it read, yields two new states of the same item; emptying trash yields a deleted state with the blob still referenced"
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

    @Test("A state valid exactly at T is chosen for a restore at T; one ending at T is not")
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
        // And for a restore: at the moment it begins, at which the one before ends, and just before that.
        for (time, flags) in [(start, "FS"), ("@\(id - 1)", "S")] {
            let out = scene.scratch.appending("out-\(flags)")
            let answer = try scene.program.run("restore", "account", "anna", "--at", time, "--to", "maildir:\(out)")
            #expect(answer.status == 0, "\(answer.error)")
            #expect(Tree.names(out.appending("cur")).contains(Array("1.a:2,\(flags)".utf8)), "\(time)")
        }
    }

    @Test("Two flag changes inside the coalescing window yield one state; nothing earlier is overwritten")
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

    @Test("A metadata-only change writes no blob")
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

    @Test("The same message in three mailboxes is kept once, and each of them has an item of its own")
    func threeMailboxes() throws {
        let scene = try CommandLineScene()
        let text = (0..<400).map { "\($0 &* 2_654_435_761) " }.joined()
        func size() -> Int {
            let packs = scene.program.vault.appending("blobs/packs")
            return Tree.names(packs).reduce(0) { $0 + (Tree.read(Tree.child(packs, $1))?.lastIndex { $0 != 0 } ?? 0) }
        }
        scene.maildir.deliver("", "9.x:2,", text)
        try scene.program.run("scan")
        let once = size()
        for name in ["ben", "carla"] {
            let mail = MaildirFixture(scene.scratch.appending(name))
            mail.deliver("", "\(name):2,", text)
            try scene.program.run("account", "add", "\(name)@example.org", "--source", "maildir:\(mail.path)")
        }
        #expect(try scene.program.run("scan").status == 0)
        #expect(size() == once)
        for name in ["anna", "ben", "carla"] {
            let digest = "digest:\(Digest(hashing: Array(text.utf8).span.bytes).hex)"
            #expect(try scene.program.run("find", name, digest, "--json").lines.count == 1, "\(name)")
        }
    }

    @Test("A disabled account is left out of scans, can be restored meanwhile, and loses but the gap")
    func optedOut() throws {
        let scene = try CommandLineScene()
        try scene.program.run("account", "disable", "anna")
        scene.maildir.deliver("", "3.c:2,", "third")
        scene.maildir.remove("", "2.b:2,")
        try scene.program.run("scan")
        let out = "maildir:\(scene.scratch.appending("out"))"
        let restored = try scene.program.run("restore", "account", "anna", "--to", out, "--json")
        #expect(try restored.object["restored"] as? Int == 2)
        try scene.program.run("account", "enable", "anna")
        let report = try scene.program.run("scan", "--json").object
        #expect(report["created"] as? Int == 1 && report["deleted"] as? Int == 1)
        #expect(try scene.program.run("gaps", "anna", "--json").text.contains("from"))
    }

    @Test(
        "A scan flags as deleted what vanished; an aborted scan does not move the checkpoint and does not flag unseen items as deleted"
    )
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

    @Test("An empty mailbox by mistake, or none at all, is not read as 'everything deleted'")
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

    @Test(
        "Undelete over [a,b]: items deleted at a and at b are included; keyword applied; \\Deleted stripped; trash-only items go to trash; renamed parent restores under the old name"
    )
    func undelete() throws {
        let scene = try CommandLineScene()
        let mail = scene.maildir
        mail.makeFolder(".Old")
        for (folder, name) in [("", "3.c:2,S"), (".Old", "4.d:2,S"), (".Trash", "5.e:2,S"), ("", "6.f:2,S")] {
            mail.deliver(folder, name, "Subject: \(name)\n\n\(name)")
        }
        mail.move("", "1.a:2,S", to: nil, "1.a:2,ST")
        try scene.program.run("scan")
        var ids: [Int] = []
        func scanned(_ change: () -> Void) throws {
            change()
            let first = try scene.program.run("scan", "--json").object["first_txid"] as? Int
            ids.append(try #require(first))
        }
        // The first end, the trash by the way of INBOX, the trash alone, a folder renamed later, and the last end.
        try scanned { mail.remove("", "1.a:2,ST") }
        try scanned { mail.move("", "3.c:2,S", to: ".Trash", "3.c:2,S") }
        try scanned { for name in ["3.c:2,S", "5.e:2,S"] { mail.remove(".Trash", name) } }
        try scanned { mail.remove(".Old", "4.d:2,S") }
        try scanned { mail.renameFolder(".Old", to: ".New") }
        try scanned { mail.remove("", "2.b:2,") }
        let last = try #require(ids.last)
        // Behind the last end.
        try scanned { mail.remove("", "6.f:2,S") }
        let out = scene.scratch.appending("out")
        let answer = try scene.program.run(
            "restore", "undelete", "anna", "--from", "@\(ids[0])", "--to", "@\(last)", "--target", "maildir:\(out)",
            "--json")
        #expect(try answer.status == 0 && answer.object["restored"] as? Int == 5, "\(answer.text)\(answer.error)")
        let found = MailboxContent(readingMaildir: out.string).messages
        #expect(found.map(\.folder.description).sorted() == ["INBOX", "INBOX", "INBOX", "Old", "Trash"], "\(found)")
        for message in found {
            #expect(message.keywords.contains { $0.starts(with: Array("undelete_".utf8)) })
            #expect(!message.flags.letters.contains(UInt8(ascii: "T")))
        }
    }

    @Test("Undelete: a missing parent folder becomes unknown_NN")
    func unknownFolder() throws {
        let scene = try CommandLineScene()
        do {
            let vault = try OpenVault(scene.program.vault)
            let account = try vault.account("anna")
            let head = try vault.journal.head().transaction
            let known = try vault.projections().pointer(account.number, ItemID(.message, 1), asOf: head)
            let pointer = try #require(known)
            let found = try vault.journal.state(ItemID(.message, 1), at: pointer).state.message
            var state = try #require(found)
            state.folder = 77
            for (kinds, isDeleted) in [(ChangeKinds.created, false), (.deleted, true)] {
                let change = Change(ItemID(.message, 50), kinds, ItemState(state, isDeleted: isDeleted))
                try vault.commit([JournalEntry(account: account.number, origin: .scan, changes: [change])])
            }
        }
        let out = scene.scratch.appending("out")
        let answer = try scene.program.run(
            "restore", "undelete", "anna", "--from", "first", "--target", "maildir:\(out)", "--json")
        #expect(try answer.status == 0 && answer.object["restored"] as? Int == 1, "\(answer.text)\(answer.error)")
        #expect(MailboxContent(readingMaildir: out.string).messages.map(\.folder.description) == ["unknown_77"])
        #expect(try scene.program.run("check").status == 0)
    }

    @Test("Another's vault is not made one's own, and one that is only looked at, or planned from, is not written")
    func foreignVault() throws {
        let scene = try CommandLineScene()
        #expect(try scene.program.run("init").status == 6)
        #expect(try scene.program.run("ls", "anna").status == 0)
        let item = try scene.item("Contract")
        /// Names, sizes, bytes and times, without the tables in which LMDB counts its readers.
        func tree(_ path: FilePath) -> [String] {
            Tree.names(path).flatMap { name -> [String] in
                let child = Tree.child(path, name)
                if name == Array("lock.mdb".utf8) { return [] }
                var found = stat()
                _ = child.withPlatformString { lstat($0, &found) }
                let bytes = Tree.read(child).map { Digest(hashing: $0.span.bytes).hex } ?? "directory"
                return ["\(child) \(found.st_mtim.tv_sec).\(found.st_mtim.tv_nsec) \(bytes)"] + tree(child)
            }
        }
        let before = tree(scene.program.vault)
        let out = "maildir:\(scene.scratch.appending("out"))"
        for arguments in [
            ["ls", "anna:INBOX"], ["show", "anna", item], ["cat", "anna", item], ["history", "anna", item],
            ["find", "anna", "contract"], ["log", "anna"], ["log", "dump"], ["stats"], ["gaps"],
            ["replay", "anna", "--verify"], ["diff", "anna", "--from", "first", "--to", "first"],
            ["restore", "account", "anna", "--to", out, "--dry-run"],
        ] {
            let child = try ProgramChild(
                vault: scene.program.vault, arguments, output: scene.scratch.appending("answer"))
            #expect(child.wait() == 0, "\(arguments)")
            #expect(tree(scene.program.vault) == before, "\(arguments)")
        }
        #expect(!Tree.exists(scene.scratch.appending("out")))
    }

    @Test(
        "Restore at last after a mass delete gives an empty account, with a warning; just before the delete gives everything"
    )
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

    /// Makes a file system that does not tell upper from lower case and mounts it: with what this machine has.
    private enum CaselessDisk: String, CaseIterable {
        case vfat, ext4, ntfs

        func mount(_ image: FilePath, at path: FilePath) -> Bool {
            func run(_ command: String) -> Bool {
                Tree.run("/bin/sh", ["-c", "exec >/dev/null 2>&1; \(command)", "sh", image.string, path.string]) == 0
            }
            Tree.remove(image)
            guard run("truncate -s 64M \"$1\"") else { return false }
            switch self {
            case .vfat: return run("mkfs.vfat \"$1\" && mount -o loop \"$1\" \"$2\"")
            case .ext4:
                return run(
                    "mkfs.ext4 -q -O casefold \"$1\" && mount -o loop \"$1\" \"$2\" && rmdir \"$2/lost+found\" && chattr +F \"$2\""
                )
            case .ntfs: return run("mkntfs -F -Q -q \"$1\" && lowntfs-3g -o ignore_case \"$1\" \"$2\"")
            }
        }

        static func unmount(_ path: FilePath) { Tree.run("/bin/umount", ["-l", path.string]) }

        /// The first that can be had.
        static let available: CaselessDisk? = {
            guard BadInputTests.isRoot else { return nil }
            let scratch = Scratch("caseless")
            let place = scratch.appending("disk")
            Tree.makeDirectory(place)
            return allCases.first { disk in
                defer { unmount(place) }
                guard disk.mount(scratch.appending("image"), at: place) else { return false }
                Tree.write(place.appending("Upper"), [1])
                return Tree.exists(place.appending("upper"))
            }
        }()
    }

    @Test(
        "A file system that does not tell upper from lower case is refused for a vault, and nothing is left on it",
        .enabled(
            if: CaselessDisk.available != nil,
            "no file system without case can be mounted: needs root, and vfat, ext4 with casefold or ntfs-3g"))
    func caseless() throws {
        let disk = try #require(CaselessDisk.available)
        let scratch = Scratch("caseless")
        let place = scratch.appending("disk")
        Tree.makeDirectory(place)
        #expect(disk.mount(scratch.appending("image"), at: place))
        defer { CaselessDisk.unmount(place) }
        let before = Tree.names(place)
        for path in [place, place.appending("vault")] {
            let answer = try CommandLineProgram(vault: path).run("init", "--json")
            #expect(answer.status == 1, "\(disk): \(answer.error)")
            #expect(try answer.failure["code"] as? String == "vault.unsuitable_file_system")
            #expect(try (answer.failure["message"] as? String)?.contains("upper from lower case") == true)
        }
        #expect(Tree.names(place) == before, "\(disk)")
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
            TreeWatch([mail.program.vault])
                .wait(for: mail.generator.number(0..<60), orEndOf: child.ended, milliseconds: 150)
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
