import Foundation
import SystemPackage
import TestKit
import Testing

/// What nobody saw is said to be that, wherever it is asked for.
struct BlindnessTests {
    @Test(
        "Before an account was first looked at as a whole, and while a scan goes on, an answer says that it does not know all"
    )
    func beginnings() throws {
        let scene = try CommandLineScene()
        func isBlind(_ transaction: Any?) throws -> Bool {
            let id = try #require(transaction as? Int)
            let plan = try scene.program.run(
                "restore", "account", "anna", "--at", "@\(id)", "--dry-run", "--to",
                "maildir:\(scene.scratch.appending("none"))", "--json"
            ).object
            let said = (plan["warnings"] as? [String] ?? []).contains { $0.contains("not known") }
            #expect(try scene.program.run("ls", "anna", "--at", "@\(id)").error.contains("not known") == said)
            #expect(((plan["resolved"] as? [String: Any])?["gap"] != nil) == said)
            return said
        }
        scene.maildir.deliver("", "9.z:2,", "Subject: another\n\n")
        scene.maildir.remove("", "2.b:2,")
        try scene.program.run("scan")
        let log = try scene.program.run("log", "dump", "--account", "anna").lines
        let ends = log.filter { ($0["event"] as? [String: Any])?["type"] as? String == "scan_completed" }
            .compactMap { $0["txid"] as? Int }
        #expect(ends.count == 2)
        for line in log where ends.contains(line["txid"] as? Int ?? 0) { #expect(try !isBlind(line["txid"])) }
        // The first folder was recorded and no message, and so on; then what came, and not yet what went.
        #expect(try isBlind(log.first?["txid"]))
        let created = try #require(
            log.last { (($0["changes"] as? [[String: Any]])?.first?["change"] as? [String]) == ["created"] })
        #expect(try isBlind(created["txid"]))
    }

    @Test("A range of times that begins or ends in a gap says so, in plan, report and JSON, and when nothing is in it")
    func blindRanges() throws {
        let scene = try CommandLineScene()
        let before =
            "@\(try #require(try scene.program.run("time", "now", "--json").object["resolved"] as? [String: Any])["txid"] as? Int ?? 0)"
        scene.maildir.remove("", "2.b:2,")
        try scene.program.run("scan")
        let gap = try #require(try scene.program.run("gaps", "anna", "--json").lines.dropFirst().first)
        let from = try #require(gap["from"] as? String)
        /// A microsecond after the gap's beginning.
        let micros = min(999_999, (Int(from.dropLast().suffix(6)) ?? 0) + 1)
        let inside = String(from.dropLast(7)) + String(format: "%06dZ", micros)
        for verb in [["restore", "undelete", "anna"], ["undo", "--account", "anna"]] {
            let none = try scene.program.run(verb + ["--from", inside, "--to", inside])
            #expect(none.status == 4 && none.error.contains("was recorded at its end"), "\(none.error)")
            let plan = try scene.program.run(verb + ["--from", inside, "--to", "now", "--dry-run", "--json"])
            let said = try plan.object["warnings"] as? [String] ?? []
            #expect(said.contains { $0.contains("was recorded at its end") }, "\(plan.text)\(plan.error)")
            let sure = try scene.program.run(verb + ["--from", before, "--to", "last", "--dry-run", "--json"])
            #expect(try (sure.object["warnings"] as? [String])?.isEmpty == true, "\(sure.text)\(sure.error)")
            #expect(try scene.program.run(verb + ["--from", "now", "--to", before]).status == 2)
        }
        let report = try scene.program.run("restore", "undelete", "anna", "--from", inside, "--json").object
        let shown = try scene.program.run("operation", "show", try #require(report["operation"] as? String)).text
        #expect(shown.contains("was recorded at its end"), "\(shown)")
    }

    @Test("Every answer about a time inside a gap says so: plan, report, ls, show and replay")
    func blindness() throws {
        let scene = try CommandLineScene()
        let item = try scene.item("Contract")
        let end = try #require(
            try scene.program.run("log", "anna", "--limit", "1", "--json").lines.first?["time"] as? String)
        scene.maildir.remove("", "2.b:2,")
        try scene.program.run("scan")
        let gap = try #require(try scene.program.run("gaps", "anna", "--json").lines.dropFirst().first)
        #expect(gap["from"] as? String == end)
        let to = try #require(gap["to"] as? String)
        /// A microsecond before the gap's end.
        let inside = String(to.dropLast(7)) + String(format: "%06dZ", max(0, (Int(to.dropLast().suffix(6)) ?? 1) - 1))
        for (time, isBlind) in [(inside, true), (end, false), (to, false)] {
            let shown = try scene.program.run("show", "anna", item, "--at", time, "--json").object
            #expect(((shown["resolved"] as? [String: Any])?["gap"] != nil) == isBlind, "\(time)")
            let replayed = try scene.program.run("replay", "anna", "--at", time).object
            #expect(((replayed["resolved"] as? [String: Any])?["gap"] != nil) == isBlind, "\(time)")
            #expect(try scene.program.run("ls", "anna", "--at", time).error.contains("nobody was watching") == isBlind)
            #expect(try scene.program.run("ls", "anna", "--at", time, "--json").error.contains("\"gap\"") == isBlind)
            let plan = try scene.program.run(
                "restore", "account", "anna", "--at", time, "--dry-run", "--to",
                "maildir:\(scene.scratch.appending("none"))", "--json"
            ).object
            #expect(((plan["resolved"] as? [String: Any])?["gap"] != nil) == isBlind)
        }
        let (file, none) = (scene.scratch.appending("blind.plan").string, "maildir:\(scene.scratch.appending("none"))")
        #expect(
            try scene.program.run(
                "restore", "account", "anna", "--at", inside, "--to", none, "--save-plan", file
            ).status == 0)
        let later = try scene.program.run("restore", "--plan", file, "--dry-run", "--json").object
        #expect((later["resolved"] as? [String: Any])?["gap"] != nil)
        #expect((later["warnings"] as? [String])?.contains { $0.contains("nobody was watching") } == true)
        let ours = CommandLineProgram(vault: scene.scratch.appending("ours"))
        try ours.run("init")
        let foreign = [
            "restore", "external", scene.program.vault.string, "--at", inside, "--to",
            "maildir:\(scene.scratch.appending("there"))/%u",
        ]
        #expect(try ours.run(foreign + ["--dry-run"]).text.contains("nobody was watching"))
        #expect(try ours.run(foreign + ["--save-plan", file]).status == 0)
        #expect(try ours.run("restore", "--plan", file, "--dry-run").text.contains("nobody was watching"))
        for format in ["vault", "eml"] {
            let out = scene.scratch.appending("all-\(format)").string
            let exported = try scene.program.run("export", "--all", out, "--at", inside, "--format", format, "--json")
            #expect(try (exported.object["warnings"] as? [String])?.count == 1, "\(exported.text)")
        }
        let report = try scene.program.run(
            "restore", "account", "anna", "--at", inside, "--to", "maildir:\(scene.scratch.appending("out"))", "--json"
        ).object
        let warnings = report["warnings"] as? [String] ?? []
        #expect(warnings.contains { $0.contains("nobody was watching") })
        let operation = try #require(report["operation"] as? String)
        #expect(try scene.program.run("operation", "show", operation).text.contains("nobody was watching"))
    }
}
