internal import Foundation
internal import Glibc
internal import SystemPackage
internal import TestKit
internal import Testing

@Suite("Command line: exit statuses and keeping")
struct CommandLineStatusTests {
    @Test("Every refusal has its documented exit status, and its JSON says the same")
    func statuses() throws {
        let scene = try CommandLineScene()
        let program = scene.program
        let none = CommandLineProgram(vault: scene.scratch.appending("none"))
        func holds(_ answer: CommandLineProgram.Answer, _ status: Int32, _ code: String) throws {
            #expect(answer.status == status)
            #expect(try answer.failure["exit"] as? Int == Int(status))
            #expect(try answer.failure["code"] as? String == code)
            #expect(answer.output.isEmpty)
        }
        try holds(none.run("ls", "--json"), 10, "vault.missing")
        try holds(program.run("init", "--json"), 6, "not_empty")
        try holds(program.run("frob", "--json"), 2, "usage")
        try holds(program.run("ls", "--frob", "--json"), 2, "usage")
        try holds(program.run("--json", "ls", "anna", "--at", "bogus"), 2, "usage")
        try holds(program.run("ls", "nobody", "--json"), 4, "not_found")
        try holds(program.run("show", "anna", "m99", "--json"), 4, "not_found")
        let missing = "maildir:\(scene.scratch.appending("missing"))"
        try holds(
            program.run("account", "add", "b@example.org", "--source", missing, "--json"), 9, "source.unreachable")
        try program.run("account", "hold", "anna")
        try holds(program.run("account", "remove", "anna", "--json"), 6, "refused")
    }

    @Test("Every example in a help text stands in one line of a terminal of 80 columns, to be copied as it is")
    func examples() throws {
        let dump = try CommandLineProgram(vault: Scratch("help").path).run("--experimental-dump-help")
        var examples = 0
        func look(_ command: [String: Any]) {
            let discussion = command["discussion"] as? String ?? ""
            // What is indented is not to be broken; everything else is filled anew.
            for line in discussion.split(separator: "\n") where line.hasPrefix("  ") {
                examples += 1
                #expect(line.count <= 80, "\(line)")
            }
            for verb in command["subcommands"] as? [[String: Any]] ?? [] { look(verb) }
        }
        look(try #require(try dump.object["command"] as? [String: Any]))
        #expect(examples > 50)
    }

    @Test("Errors say what, why and what to do")
    func threeParts() throws {
        let answer = try CommandLineProgram(vault: Scratch("empty").appending("none")).run("scan")
        #expect(answer.error.hasPrefix("yestermail: there is no vault in "))
        #expect(answer.error.contains("\n  Make one with: yestermail --vault "))
    }

    @Test("A damaged vault is found by check, which names the file and ends with 5")
    func check() throws {
        let scene = try CommandLineScene()
        let whole = try scene.program.run("check", "--read-data", "--json")
        #expect(whole.status == 0)
        #expect(try whole.object["ok"] as? Bool == true && whole.object["blobs_read"] as? Int == 2)
        let packs = scene.scratch.appending("vault/blobs/packs")
        let pack = try #require(Tree.names(packs).first)
        var bytes = try #require(Tree.read(Tree.child(packs, pack)))
        bytes[bytes.count / 2] ^= 0xFF
        Tree.write(Tree.child(packs, pack), bytes)
        let damaged = try scene.program.run("check", "--read-data", "--json")
        #expect(damaged.status == 5)
        let finding = (try damaged.object["findings"] as? [[String: Any]])?.first ?? [:]
        #expect(Set(finding.keys) == ["part", "file", "offset", "txid", "account", "item", "problem"])
        #expect((finding["file"] as? String)?.hasPrefix("blobs/packs/") == true)
    }

    @Test(
        "A message that cannot be read makes the scan end with 3, and is named",
        .enabled(if: geteuid() != 0, "root can read everything"))
    func partial() throws {
        let scene = try CommandLineScene()
        scene.maildir.deliver("", "3.c:2,", "Subject: secret\n\n")
        chmod(scene.maildir.file("", "cur", "3.c:2,").string, 0)
        let answer = try scene.program.run("scan", "--json")
        #expect(answer.status == 3)
        let report = try answer.object
        #expect(report["complete"] as? Bool == false && (report["unreadable"] as? [String])?.count == 1)
    }

    @Test("A scan records what it did, and the gap before it")
    func gaps() throws {
        let scene = try CommandLineScene()
        #expect(try scene.program.run("gaps", "--json").lines.map { $0["to"] is NSNull } == [false, true])
        try scene.program.run("scan")
        let gaps = try scene.program.run("gaps", "--json").lines
        #expect(gaps.map { $0["to"] is NSNull } == [false, false, true])
        #expect(gaps.map { $0["from"] is NSNull } == [true, false, false])
        let events = try scene.program.run("log", "dump", "--account", "anna").lines
            .compactMap { ($0["event"] as? [String: Any])?["type"] as? String }
        #expect(events == ["scan_completed", "gap", "scan_completed"])
    }

    @Test("Mailboxes found by a pattern become accounts; hostile directory names do not")
    func pattern() throws {
        let scratch = Scratch("pattern")
        let program = CommandLineProgram(vault: scratch.appending("vault"))
        try program.run("init")
        let mail = scratch.appending("mail")
        Tree.makeDirectory(mail)
        for domain in ["example.org", "other.net"] {
            Tree.makeDirectory(mail.appending(domain))
            for name in ["anna", "b@d", ".hidden", "sp ace", "e\nvil", "a..b"] {
                let box = Tree.child(mail.appending(domain), Array(name.utf8))
                Tree.makeDirectory(box)
                for place in ["cur", "new", "tmp"] { Tree.makeDirectory(box.appending(place)) }
            }
        }
        let box = Tree.child(mail.appending("example.org"), [0x61, 0xFF])
        Tree.makeDirectory(box)
        Tree.makeDirectory(box.appending("cur"))
        let answer = try program.run("account", "add", "*@example.org", "--source", "maildir:\(mail)/%d/%n", "--json")
        #expect(answer.status == 0)
        #expect(try answer.lines.map { $0["account"] as? String } == ["anna@example.org"])
        #expect(!answer.error.contains("other.net"))
        #expect(answer.error.split(separator: "\n").count { $0.hasPrefix("passed over") } == 5)
        try program.run("account", "add", "*", "--source", "maildir:\(mail)/%d/%n")
        #expect(
            try program.run("account", "list", "--json").lines.map { $0["account"] as? String }
                == ["anna@example.org", "anna@other.net"])
    }

    @Test("The vault is found by option, environment, configuration file and default, in this order")
    func places() throws {
        let scratch = Scratch("places")
        func program(_ environment: [String: String]) -> CommandLineProgram {
            var program = CommandLineProgram(vault: scratch.appending("unused"))
            program.environment = environment
            return program
        }
        let config = scratch.appending("config.yaml")
        Tree.write(config, Array("# mine\nvault: '\(scratch.appending("c"))' \n".utf8))
        let home = scratch.appending("data").string
        let bare = program(["YESTERMAIL_VAULT": "", "XDG_DATA_HOME": home])
        func made(_ answer: CommandLineProgram.Answer) throws -> String? { try answer.object["vault"] as? String }
        #expect(try made(bare.run("init", "--json")) == home + "/yestermail")
        #expect(try made(bare.run("init", "--json", "--config", config.string)) == scratch.appending("c").string)
        let named = program(["YESTERMAIL_VAULT": scratch.appending("e").string])
        #expect(try made(named.run("init", "--json", "--config", config.string)) == scratch.appending("e").string)
        let option = scratch.appending("o").string
        #expect(try made(named.run("--vault", option, "init", "--json")) == option)
    }

    @Test("The configuration file says what flags say; what it has wrong is refused with its line")
    func configuration() throws {
        let scene = try CommandLineScene()
        let config = scene.scratch.appending("config.yaml")
        func run(_ text: String, _ arguments: String...) throws -> CommandLineProgram.Answer {
            Tree.write(config, Array(text.utf8))
            var program = scene.program
            program.environment = ["YESTERMAIL_CONFIG": config.string]
            return try program.run(arguments[0], arguments[1], arguments.count > 2 ? arguments[2] : "--quiet")
        }
        let good =
            "# mine\n---\nvault: \"/v\" # there\ntimezone: Asia/Tokyo\ncolor: never\nwatch:\n  coalesce: 40\ncapture:\n  loss: 5\n"
        let shown = try run(good, "config", "show", "--json").object
        let settings = shown["settings"] as? [String: String] ?? [:]
        #expect(
            settings == [
                "vault": "/v", "timezone": "Asia/Tokyo", "color": "never", "watch.coalesce": "40", "capture.loss": "5",
            ])
        #expect(try run(good, "config", "check").status == 0)
        #expect(try run(good, "time", "2026-03-03 14:00").text.contains("+09:00"))
        for (line, text) in [
            (2, "vault: /v\nvalt: /w\n"), (1, "- vault\n"), (2, "\nvault: {a: b}\n"), (2, "watch:\n  colesce: 1\n"),
            (1, "vault: /v\nvault: /w\n"), (1, "vault: [a]\n"), (2, "vault: 'a\n"), (1, "vault:/v\n"), (1, "vault:\n"),
            (1, "coalesce: 3\n"),
        ] {
            let answer = try run(text, "config", "check")
            #expect(answer.status == 2 && answer.error.contains("line \(line):"), "\(text): \(answer.error)")
        }
        for text in ["color: pink\n", "watch:\n  coalesce: soon\n", "capture:\n  loss: 101\n", "timezone: Mars/Here\n"]
        {
            #expect(try run(text, "config", "check").status == 2, "\(text)")
        }
    }

    @Test("A reader that goes away is no error")
    func closedPipe() throws {
        let scene = try CommandLineScene()
        let script =
            "YESTERMAIL_VAULT=\(scene.program.vault) \(CommandLineProgram.executable) log dump 2>&1 | head -c 1"
        #expect(Tree.run("/bin/sh", ["-c", "test \"$(\(script))\" = '{'"]) == 0)
    }

    @Test("Projections that are deleted are made anew without a word of loss")
    func rebuild() throws {
        let scene = try CommandLineScene()
        let verified = try scene.program.run("rebuild", "--verify", "--json")
        #expect(try verified.status == 0 && verified.object["equal"] as? Bool == true)
        let before = try scene.program.run("log", "--json").output
        Tree.remove(scene.program.vault.appending("projections/data.mdb"))
        #expect(try scene.program.run("rebuild").status == 0)
        #expect(try scene.program.run("log", "--json").output == before)
    }
}
