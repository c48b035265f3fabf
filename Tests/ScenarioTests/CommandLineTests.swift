internal import Foundation
internal import Glibc
internal import SystemPackage
internal import TestKit
internal import Testing

@Suite("Command line: looking")
struct CommandLineTests {
    let scene: CommandLineScene
    var program: CommandLineProgram { scene.program }

    init() throws { scene = try CommandLineScene() }

    @Test("cat writes exactly the bytes that were captured, also of what has been deleted since")
    func catIsExact() throws {
        let item = try scene.item("contract")
        #expect(try program.run("cat", "anna", item).output == Array(CommandLineScene.first.utf8))
        scene.maildir.remove("", "1.a:2,S")
        try program.run("scan")
        let gone = try program.run("cat", "anna", item)
        #expect(gone.status == 4 && gone.output.isEmpty)
        let before = try program.run("cat", "anna", item, "--at", "before:\(item)")
        #expect(before.output == Array(CommandLineScene.first.utf8))
        #expect(before.error.hasPrefix("as of "))
        #expect(try program.run("cat", "anna", "<4712@example.org>").output == Array(CommandLineScene.second.utf8))
    }

    @Test("A history is an array of whole states; each ends where the next begins")
    func history() throws {
        let item = try scene.item("contract")
        scene.maildir.move("", "1.a:2,S", to: ".Trash", "1.a:2,FS")
        try program.run("scan")
        scene.maildir.remove(".Trash", "1.a:2,FS")
        try program.run("scan")
        let states = try program.run("history", "anna", item, "--json").json as? [[String: Any]] ?? []
        #expect(states.map { $0["change"] as? [String] } == [["created"], ["flags", "moved"], ["deleted"]])
        #expect(states.map { $0["folder_path"] as? String } == ["INBOX", "Trash", "Trash"])
        for (state, next) in zip(states, states.dropFirst()) {
            #expect(state["end_date"] as? String == next["start_date"] as? String)
        }
        #expect(states.last?["end_date"] is NSNull && states.last?["deleted"] as? Bool == true)
        let keys = [
            "txid", "start_date", "end_date", "type", "item", "deleted", "folder", "folder_path", "flags", "tags",
            "digest",
            "size", "internal_date", "change", "origin",
        ]
        for state in states { #expect(Set(keys).isSubset(of: state.keys)) }
    }

    @Test("The dump has every transaction once, in order, and its hashes form the chain")
    func dump() throws {
        scene.maildir.move("", "2.b:2,", "2.b:2,S")
        try program.run("scan")
        let lines = try program.run("log", "dump").lines
        #expect(lines.map { $0["txid"] as? Int } == Array(1...lines.count))
        let keys: Set = ["txid", "time", "account", "account_id", "origin", "changes", "leaf_hash"]
        for line in lines { #expect(Set(line.keys).subtracting(["event"]) == keys) }
        // A part of the dump says the same of its transactions as the whole.
        let middle = try program.run("log", "dump", "--from", "@4", "--to", "@5").lines
        #expect(NSArray(array: middle) == NSArray(array: Array(lines[3...4])))
        let logged = try program.run("log", "--json").lines
        #expect(NSArray(array: logged.reversed()) == NSArray(array: lines))
    }

    @Test("A replay of the journal alone agrees with the projections at every transaction")
    func replay() throws {
        scene.maildir.move("", "2.b:2,", to: ".Trash")
        try program.run("scan")
        let count = try program.run("log", "dump").lines.count
        for id in 2...count {
            let answer = try program.run("replay", "anna", "--at", "@\(id)", "--verify", "--quiet")
            #expect(answer.status == 0, "\(answer.error)")
            let object = try answer.object
            #expect((object["resolved"] as? [String: Any])?["txid"] as? Int == id)
            #expect((object["digest"] as? String)?.hasPrefix("sha256:") == true)
        }
    }

    @Test("What a time came to is said: on standard error, or in the answer")
    func resolved() throws {
        let text = try program.run("ls", "anna", "--at", "@3")
        #expect(text.error.contains("(@3)") && text.error.hasPrefix("as of "))
        let lines = try program.run("ls", "anna", "--at", "@3", "--json")
        #expect(lines.error.contains(#""txid":3"#))
        let show = try program.run("show", "anna", "m1", "--at", "last", "--json").object
        #expect((show["resolved"] as? [String: Any])?["txid"] is Int)
        #expect(try program.run("ls", "anna", "--at", "@3", "--quiet").error.isEmpty)
        let late = try program.run("ls", "anna", "--at", "2999-01-01")
        #expect(late.status == 0)
        let early = try program.run("ls", "anna", "--at", "2001-01-01", "--json")
        #expect(early.status == 4)
        #expect(try early.failure["code"] as? String == "time.out_of_range")
        #expect(try (early.failure["hint"] as? String)?.contains("(@2) to ") == true)
        let twice = try program.run("time", "2026-10-25 02:30 Europe/Rome")
        #expect(twice.status == 2 && twice.error.contains("+01:00") && twice.error.contains("+02:00"))
    }

    @Test("Nothing that comes from mail drives a terminal")
    func hostileNames() throws {
        scene.maildir.makeFolder([0x2E, 0x1B, 0x5B, 0x33, 0x31, 0x6D, 0xFF])
        try program.run("scan")
        let item = try scene.item("owned")
        for arguments in [
            ["ls", "anna"], ["ls", "anna:INBOX"], ["show", "anna", item], ["log"], ["find", "anna", "owned"],
        ] {
            for json in [[], ["--json"]] as [[String]] {
                let answer = try Self.run(program, arguments + json)
                #expect(answer.status == 0)
                #expect(!answer.output.contains(0x1B) && !answer.output.contains(0x07))
                if json.isEmpty { #expect(!answer.text.unicodeScalars.contains("\u{202E}")) }
            }
        }
        let folder = try program.run("ls", "anna", "--json").lines.first { $0["path_b64"] != nil }
        #expect(folder?["path_b64"] as? String == Data([0x1B, 0x5B, 0x33, 0x31, 0x6D, 0xFF]).base64EncodedString())
    }

    private static func run(_ program: CommandLineProgram, _ arguments: [String]) throws -> CommandLineProgram.Answer {
        switch arguments.count {
        case 1: try program.run(arguments[0])
        case 2: try program.run(arguments[0], arguments[1])
        case 3: try program.run(arguments[0], arguments[1], arguments[2])
        default: try program.run(arguments[0], arguments[1], arguments[2], arguments[3])
        }
    }

    @Test("diff tells what is different, and ends with 5 when anything is")
    func diff() throws {
        scene.maildir.remove("", "1.a:2,S")
        scene.maildir.move("", "2.b:2,", to: ".Trash")
        let before = try program.run("stats", "--json").object["transactions"] as? Int ?? 0
        try program.run("scan")
        let answer = try program.run("diff", "anna", "--from", "@\(before)", "--json")
        #expect(answer.status == 5)
        let changes = try answer.object["changes"] as? [[String: Any]] ?? []
        #expect(Set(changes.map { ($0["change"] as? [String])?.first }) == ["deleted", "moved"])
        #expect(try program.run("diff", "anna", "--from", "last").status == 0)
    }

    @Test("find finds, as of then and ever, and ends with 4 when nothing is found")
    func find() throws {
        #expect(try program.run("find", "anna", "from:piero", "--json").lines.count == 1)
        #expect(try program.run("find", "anna", "from:nobody").status == 4)
        scene.maildir.remove("", "1.a:2,S")
        try program.run("scan")
        #expect(try program.run("find", "anna", "contract").status == 4)
        let ever = try program.run("find", "anna", "--ever", "contract", "--json").lines
        #expect(ever.first?["deleted"] as? Bool == true)
        #expect(try program.run("find", "anna", "frm:x").status == 2)
    }

    @Test(
        "A message is found by its message ID: many at once, moved, deleted, edited, imported, with the index or without"
    )
    func messageIDs() throws {
        func text(_ number: Int, _ more: String = "") -> String {
            "Subject: \(number)\nMessage-ID:\n <id-\(number)@example.org>\n\(more)\n\(number)\n"
        }
        for number in 0..<150 { scene.maildir.deliver("", "id\(number).x:2,", text(number)) }
        scene.maildir.deliver("", "twice.x:2,", text(7, "Message-Id: <other@example.org>\n"))
        try program.run("scan")
        try program.run("ls")
        scene.maildir.move("", "id1.x:2,", to: ".Trash")
        scene.maildir.remove("", "id2.x:2,")
        Tree.write(scene.maildir.file("", "cur", "id3.x:2,"), Array(text(1_003).utf8))
        try program.run("scan", "--deep")
        let archive = scene.scratch.appending("one.eml")
        Tree.write(archive, Array(text(4, "X: 1\n").utf8))
        #expect(try program.run("import", "anna", archive.string, "--format", "eml").status == 0)
        let index = program.vault.appending("headers")
        for round in ["filled by the scan", "removed", "damaged", "of another journal"] {
            switch round {
            case "removed": Tree.remove(index)
            case "damaged": Tree.write(index.appending("data.mdb"), Array(repeating: 0x42, count: 8_192))
            case "of another journal":
                let other = try CommandLineScene()
                for number in 0..<150 { other.maildir.deliver("", "a\(number)", "Message-ID: <\(number)>\n\n") }
                try other.program.run("scan")
                #expect(try other.program.run("show", "anna", "<5>").status == 0)
                Tree.remove(index)
                Tree.copy(other.program.vault.appending("headers"), to: index)
            default: #expect(Tree.exists(index))
            }
            func found(_ id: String, _ more: String...) throws -> [String] {
                let arguments = ["find", "anna", id, "--json"] + more
                let child = try ProgramChild(
                    vault: program.vault, arguments, output: scene.scratch.appending("found"))
                let status = child.wait()
                #expect(status == (child.lines.isEmpty ? 4 : 0), "\(round): \(arguments)")
                return try child.lines.map { line in
                    let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                    return object?["subject"] as? String ?? "?"
                }
            }
            #expect(try found("<id-0@example.org>") == ["0"], "\(round)")
            #expect(try found("<id-7@example.org>") == ["7", "7"], "\(round)")
            #expect(try found("message-id:other@example.org") == ["7"], "\(round)")
            #expect(try found("<id-1@example.org>", "--at", "last") == ["1"], "\(round)")
            #expect(try found("<id-2@example.org>") == [], "\(round)")
            #expect(try found("<id-2@example.org>", "--ever") == ["2"], "\(round)")
            #expect(try found("<id-3@example.org>") == [], "\(round)")
            #expect(try found("<id-3@example.org>", "--ever") == ["3"], "\(round)")
            #expect(try found("<id-1003@example.org>") == ["1003"], "\(round)")
            #expect(try found("<id-4@example.org>") == ["4", "4"], "\(round)")
            #expect(try found("<nobody@example.org>") == [], "\(round)")
            let shown = try program.run("show", "anna", "<id-149@example.org>", "--json")
            #expect(shown.status == 0 && shown.text.contains("id-149"), "\(round): \(shown.error)")
        }
    }

    @Test("find names the messages it could not read, and ends with 3")
    func unreadable() throws {
        scene.maildir.deliver("", "3.c:2,", (0..<900).map { "\($0 &* 2_654_435_761) " }.joined())
        try program.run("scan")
        let packs = program.vault.appending("blobs/packs")
        let pack = Tree.child(packs, try #require(Tree.names(packs).last))
        Tree.flip(pack, byte: try #require(Tree.read(pack)?.lastIndex { $0 != 0 }) - 400, bit: 1)
        for query in ["contract", "nothing", "body:signed"] {
            let answer = try program.run("find", "anna", query)
            #expect(answer.status == 3 && answer.error.contains("m3"), "\(query): \(answer.error)")
            #expect(answer.text.contains("Contract") == (query != "nothing"), "\(query)")
        }
        let json = try program.run("find", "anna", "contract", "--json", "--quiet")
        #expect(json.status == 3 && json.error == "{\"unreadable\":[\"m3\"]}\n", "\(json.error)")
        // What needs no bytes is answered whole.
        #expect(try program.run("find", "anna", "larger:1").status == 0)
    }

    @Test("--follow goes on until it is interrupted, and then ends with 130 or 143")
    func follow() throws {
        #expect(try program.run("log", "--follow", endingWith: SIGINT).status == 130)
        #expect(try program.run("log", "--follow", endingWith: SIGTERM).status == 143)
    }
}
