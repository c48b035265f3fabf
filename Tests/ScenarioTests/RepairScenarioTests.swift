internal import Foundation
internal import Glibc
internal import SystemPackage
internal import TestKit
internal import Testing

/// Damage and repair as a person meets them.
struct RepairScenarioTests {
    private func file(_ scene: CommandLineScene, _ name: String) -> FilePath { scene.program.vault.appending(name) }

    private func zero(_ path: FilePath, _ pages: (Int) -> Bool) throws {
        var bytes = try #require(Tree.read(path))
        for page in 2..<bytes.count / 4096 where pages(page) {
            for index in page * 4096..<page * 4096 + 4096 { bytes[index] = 0 }
        }
        Tree.write(path, bytes)
    }

    @Test("Projections of which a page is zeroed neither end a command nor change its answer: they are made anew")
    func zeroedProjections() throws {
        let scene = try CommandLineScene()
        let before = try scene.program.run("ls", "anna", "--json")
        let history = try scene.program.run("history", "anna", "m1", "--json")
        #expect(before.status == 0 && history.status == 0)
        let path = file(scene, "projections/data.mdb")
        let whole = try #require(Tree.read(path))
        var remade = 0
        for page in 2..<whole.count / 4096 {
            try zero(path) { $0 == page }
            let answer = try scene.program.run("ls", "anna", "--json")
            #expect(answer.status == 0, "page \(page): \(answer.error)")
            #expect(answer.output == before.output, "page \(page)")
            let second = try scene.program.run("history", "anna", "m1", "--json")
            #expect(second.output == history.output, "page \(page): \(second.error)")
            if answer.error.contains("rebuilt") || second.error.contains("rebuilt") { remade += 1 }
            if Tree.read(path) != whole { Tree.write(path, whole) }
        }
        #expect(remade > 2)
        #expect(!Tree.names(file(scene, "quarantine")).isEmpty)
    }

    @Test("A flipped bit in the projections never gives another answer")
    func flippedProjections() throws {
        let scene = try CommandLineScene()
        let before = try scene.program.run("ls", "anna", "--json")
        let path = file(scene, "projections/data.mdb")
        let whole = try #require(Tree.read(path))
        var generator = SeededGenerator.announced()
        for _ in 0..<60 {
            let byte = generator.number(0..<whole.count / 4096) * 4096 + generator.number(0..<4096)
            var bytes = whole
            bytes[byte] ^= 1 << UInt8(generator.number(0..<8))
            Tree.write(path, bytes)
            let answer = try scene.program.run("ls", "anna", "--json")
            #expect(answer.status == 0, "byte \(byte): \(answer.error)")
            #expect(answer.output == before.output, "byte \(byte)")
        }
    }

    @Test("A journal in LMDB with a zeroed page is made anew from the segments when somebody reads it")
    func zeroedJournal() throws {
        let scene = try CommandLineScene()
        let before = try scene.program.run("log", "dump")
        try zero(file(scene, "journal/lmdb/data.mdb")) { _ in true }
        let answer = try scene.program.run("log", "dump")
        #expect(answer.status == 0, "\(answer.error)")
        #expect(answer.output == before.output)
        #expect(answer.error.contains("made anew from the segments"))
        #expect(try scene.program.run("check", "--read-data").status == 0)
    }

    @Test("check --repair brings a lost message back from its mailbox; what is gone there too is named once")
    func refetch() throws {
        let scene = try CommandLineScene()
        let (contract, hostile) = (try scene.item("contract"), try scene.item("owned"))
        let pack = file(scene, "blobs/packs/0000000000000001.pack")
        let whole = try #require(Tree.read(pack))
        func destroy() throws {
            var bytes = try #require(Tree.read(pack))
            for index in 64..<min(bytes.count, whole.count) { bytes[index] ^= 0x5A }
            Tree.write(pack, bytes)
        }
        try destroy()
        #expect(try scene.program.run("check", "--read-data").status == 5)
        let healed = try scene.program.run("check", "--repair", "--json")
        #expect(healed.status == 0, "\(healed.text) \(healed.error)")
        let repairs = try healed.object["repairs"] as? [[String: Any]] ?? []
        #expect(repairs.contains { ($0["detail"] as? String)?.contains("read again from the source") == true })
        #expect(try scene.program.run("cat", "anna", contract).text == CommandLineScene.first)
        // Once more, and one message is gone from the mailbox.
        try destroy()
        let packs = Tree.names(file(scene, "blobs/packs")).map { Tree.child(file(scene, "blobs/packs"), $0) }
        for path in packs {
            var bytes = try #require(Tree.read(path))
            for index in 64..<bytes.count { bytes[index] = UInt8(index & 255) }
            Tree.write(path, bytes)
        }
        scene.maildir.remove("", "1.a:2,S")
        let partly = try scene.program.run("check", "--repair", "--json")
        #expect(partly.status == 5, "\(partly.text) \(partly.error)")
        let findings = try partly.object["findings"] as? [[String: Any]] ?? []
        #expect(findings.count == 1 && findings.first?["item"] as? String == contract, "\(findings)")
        #expect(try scene.program.run("cat", "anna", hostile).text == CommandLineScene.second)
        #expect(try scene.program.run("cat", "anna", contract).status != 0)
        let again = try scene.program.run("check", "--repair", "--json")
        #expect(again.status == 0, "\(again.text) \(again.error)")
        #expect((try again.object["known_losses"] as? [[String: Any]])?.count == 1)
        #expect((try again.object["repairs"] as? [[String: Any]])?.isEmpty == true, "\(again.text)")
    }

    @Test("A check remembers what it has verified; everything is read again when it is asked for")
    func incremental() throws {
        let scene = try CommandLineScene()
        #expect(try scene.program.run("check", "--json").object["blobs_read"] as? Int == 2)
        #expect(try scene.program.run("check", "--json").object["blobs_read"] as? Int == 0)
        scene.maildir.deliver("", "3.c:2,", "Subject: third\n\nnew\n")
        try scene.program.run("scan")
        #expect(try scene.program.run("check", "--json").object["blobs_read"] as? Int == 1)
        #expect(try scene.program.run("check", "--read-data", "--json").object["blobs_read"] as? Int == 3)
        let sample = try scene.program.run("check", "--read-data=50%", "--seed", "7", "--json").object
        #expect(
            try scene.program.run("check", "--read-data=50%", "--seed", "7", "--json").object["blobs_read"] as? Int
                == sample["blobs_read"] as? Int)
    }

    @Test("check --repair refuses while a watch writes")
    func busy() throws {
        let scene = try CommandLineScene()
        let watch = try ProgramChild(
            vault: scene.program.vault, ["watch", "--json"], output: scene.scratch.appending("watch.out"))
        #expect(watch.says("ready"))
        #expect(try scene.program.run("check", "--repair").status == 7)
        #expect(try scene.program.run("check").status == 0)
        watch.signal(SIGTERM)
        #expect(watch.wait() == 143)
        #expect(try scene.program.run("check", "--repair").status == 0)
    }

    @Test("A copy that rsync made while a watch was writing opens and is sound")
    func copiedWhileWatching() throws {
        let scene = try CommandLineScene()
        let watch = try ProgramChild(
            vault: scene.program.vault, ["watch", "--json"], output: scene.scratch.appending("watch.out"))
        #expect(watch.says("ready"))
        for number in 10..<40 {
            scene.maildir.deliver("", "\(number).x:2,", "Subject: number \(number)\n\n\(number)\n")
        }
        #expect(watch.says("recorded"))
        let copy = scene.scratch.appending("copy")
        for name in ["", "journal", "blobs"] { Tree.makeDirectory(copy.appending(name)) }
        // The segments first, then the packs.
        for name in ["journal/segments", "blobs/packs", "FORMAT"] {
            Tree.copy(scene.program.vault.appending(name), to: copy.appending(name))
        }
        watch.signal(SIGTERM)
        watch.wait()
        let program = CommandLineProgram(vault: copy)
        let check = try program.run("check", "--read-data", "--json")
        #expect(check.status == 0, "\(check.text) \(check.error)")
        #expect(check.error.contains("made anew"))
        #expect(try program.run("cat", "anna", scene.item("contract")).text == CommandLineScene.first)
        try program.run("scan")
        #expect(
            try program.run("ls", "anna", "--json").lines.count == scene.program.run("ls", "anna", "--json").lines.count
        )
    }

    @Test(
        "A watch whose disk is full says so, waits, and goes on by itself without missing anything",
        .enabled(if: BadInputTests.canMount, "a tmpfs cannot be mounted here: needs root"))
    func fullDisk() throws {
        var cramped = try BadInputTests.CrampedVault()
        let (disk, program) = (cramped.disk, cramped.program)
        let watch = try ProgramChild(
            vault: program.vault, ["watch", "--json"], output: cramped.scratch.appending("watch.out"))
        #expect(watch.says("ready"))
        try #require(disk.resize("8m"))
        cramped.deliver(20..<700)
        #expect(watch.says("paused"), "\(watch.lines)")
        // The projections may have to follow the journal first, which wants room.
        #expect([0, 13].contains(try program.run("ls", "anna", "--json").status))
        let refused = try program.run("import", "maildir:\(cramped.mail.path)", "anna", "--json")
        #expect(refused.status != 0)
        try #require(disk.resize("64m"))
        #expect(watch.says("resumed"), "\(watch.lines)")
        watch.signal(SIGTERM)
        #expect(watch.wait() == 143)
        let scan = try program.run("scan", "--json").object
        #expect(scan["created"] as? Int == 0 && scan["messages"] as? Int == 700)
        let check = try program.run("check", "--read-data", "--json")
        #expect(check.status == 0, "\(check.text) \(check.error)")
    }
}
