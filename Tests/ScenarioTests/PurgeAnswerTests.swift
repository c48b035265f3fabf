import Events
import Files
import Foundation
import Journal
import TestKit
import Testing
import Vault

/// What was purged is said to be that, wherever somebody asks for it.
struct PurgeAnswerTests {
    private let scene: PurgeScene
    private let program: CommandLineProgram
    private let gone: ItemID
    private let thinned: ItemID
    private let kept: ItemID
    /// When all of them were there.
    private let point: TransactionID
    /// When the middle one of the states that are thinned was.
    private let between: TransactionID
    private let operation: String

    init() throws {
        let now = WallClock.system.now()
        scene = try PurgeScene(
            .announced("purge answers"), from: Timestamp(rawValue: now.rawValue - 200 * 86_400_000_000))
        program = CommandLineProgram(vault: scene.path)
        let anna = try scene.account("anna")
        gone = try scene.deliver(anna, "Subject: gone\n\nbody\n")
        thinned = try scene.deliver(anna, "Subject: thinned\n\nbody\n")
        kept = try scene.deliver(anna, "Subject: kept\n\nbody\n")
        point = try scene.vault.journal.head().transaction
        var ids: [TransactionID] = []
        for flags in 1...4 {
            var state = try scene.state("Subject: thinned\n\nbody\n")
            state.flags = MessageFlags(rawValue: UInt8(flags))
            try scene.record(anna, [Change(thinned, .flags, ItemState(state))])
            ids.append(try scene.vault.journal.head().transaction)
        }
        between = ids[1]
        try scene.delete(anna, gone)
        scene.days(20)
        try scene.deliver(anna, "Subject: later\n\nbody\n")
        scene.close()
        #expect(try program.run("retention", "set", "--account", "anna", "--items", "60").status == 0)
        #expect(try program.run("retention", "set", "--history", "all:30,yearly").status == 0)
        let plan = try program.run("purge", "--dry-run", "--json").object
        #expect((plan["accounts"] as? [[String: Any]])?.first?["states"] as? Int == 3)
        let answer = try program.run("purge", "--json")
        #expect(answer.status == 0, "\(answer.error)")
        let log = try program.run("log", "--change", "note", "--json").lines
        let events = log.compactMap { $0["event"] as? [String: Any] }
        operation = try #require(events.first { $0["type"] as? String == "purge_began" }?["operation"] as? String)
    }

    private func expect(_ purged: Any?, rule: String, setting: String, scope: String) throws {
        let object = try #require(purged as? [String: Any])
        #expect(object["operation"] as? String == operation)
        #expect(object["txid"] is Int && object["time"] is String)
        let said = try #require(object["rule"] as? [String: Any])
        #expect(said["of"] as? String == rule && said["setting"] as? String == setting)
        #expect(said["scope"] as? String == scope)
    }

    @Test(
        "An item that was purged is named as purged by history, show, cat, log and restore: when, by what, under which rule"
    )
    func item() throws {
        let history = try #require(try program.run("history", "anna", "\(gone)").json as? [[String: Any]])
        #expect(history.count == 1 && history[0]["item"] as? String == "\(gone)")
        try expect(history[0]["purged"], rule: "items", setting: "60", scope: "account")
        let purged = try #require(history[0]["purged"] as? [String: Any])
        #expect((purged["from_txid"] as? Int)! < Int(point.rawValue))
        #expect((purged["to_txid"] as? Int)! > Int(point.rawValue))
        for arguments in [
            ["show", "anna", "\(gone)"], ["cat", "anna", "\(gone)"],
            ["cat", "anna", "\(gone)", "--at", "\(point)"],
            ["restore", "item", "anna", "\(gone)", "--to", "maildir:\(scene.scratch.appending("x"))", "--dry-run"],
        ] {
            let answer = try program.run(arguments + ["--json"])
            #expect(answer.status == 4, "\(arguments)")
            let failure = try answer.failure
            #expect(failure["code"] as? String == "purged", "\(arguments): \(answer.error)")
            #expect((failure["message"] as? String)?.contains(operation) == true)
            let text = try program.run(arguments).error
            #expect(
                text.contains("purged at") && !text.contains("not found") && !text.contains("there is no"), "\(text)")
        }
        let lines = try program.run("log", "anna", "\(gone)", "--json").lines
        #expect(lines.count == 1)
        try expect(lines[0]["purged"], rule: "items", setting: "60", scope: "account")
        #expect(try program.run("log", "anna", "\(gone)").text.contains("purged at"))
        #expect(try program.run("show", "anna", "m999").error.contains("there is no item"))
    }

    @Test("Transactions of which something was purged say so in log and log dump, and none is left out")
    func transactions() throws {
        for arguments in [["log", "--json"], ["log", "dump"]] {
            let lines = try program.run(arguments).lines
            let ids = lines.compactMap { $0["txid"] as? Int }
            #expect(Set(ids) == Set(1...(ids.max() ?? 0)), "\(arguments)")
            let named = lines.filter { $0["purged"] != nil }
            // The arrival and the deletion of one, three states of another.
            #expect(named.count == 5, "\(arguments)")
            for line in named {
                let marks = try #require(line["purged"] as? [[String: Any]])
                #expect(marks.count == 1 && marks[0]["operation"] as? String == operation)
                #expect(marks[0]["all"] as? Bool == true && (line["changes"] as? [Any])?.isEmpty == true)
            }
        }
        #expect(try program.run("log").text.contains("all of it purged at"))
        #expect(try program.run("log", "--change", "deleted").error.contains("of which something was purged"))
    }

    @Test("Listings, differences and restore plans as of a time say what of then is missing now")
    func pointInTime() throws {
        let ls = try program.run("ls", "anna:INBOX", "--at", "\(point)")
        #expect(ls.error.contains("not in it: 1 item (\(gone))") && ls.error.contains("60 days"), "\(ls.error)")
        #expect(try program.run("ls", "anna:INBOX").error.contains("purged") == false)
        #expect(try program.run("ls", "anna", "--deleted").error.contains("\(gone)"))
        let diff = try program.run("diff", "anna", "--from", "\(point)", "--json")
        let shares = try #require(try diff.object["purged"] as? [[String: Any]])
        #expect(shares.count == 1 && shares[0]["items"] as? String == "\(gone)")
        try expect(shares[0], rule: "items", setting: "60", scope: "account")
        let plan = try program.run(
            "restore", "account", "anna", "--at", "\(point)", "--to", "maildir:\(scene.scratch.appending("y"))",
            "--dry-run", "--json")
        #expect(
            try (plan.object["warnings"] as? [String])?.contains { $0.contains("\(gone)") } == true, "\(plan.error)")
        let now = try program.run(
            "restore", "account", "anna", "--to", "maildir:\(scene.scratch.appending("z"))", "--dry-run", "--json")
        #expect(try (now.object["warnings"] as? [String])?.isEmpty == true)
    }

    @Test("A state that was thinned out is said to be that, and the newest one before it stands for it")
    func states() throws {
        let history = try #require(try program.run("history", "anna", "\(thinned)").json as? [[String: Any]])
        #expect(history.count == 2)
        let gone = try #require(history[0]["thinned"] as? [[String: Any]])
        #expect(gone.count == 1 && history[1]["thinned"] == nil)
        try expect(gone[0], rule: "history", setting: "all:30,yearly", scope: "vault")
        let show = try program.run("show", "anna", "\(thinned)", "--at", "\(between)", "--json").object
        try expect(show["thinned"], rule: "history", setting: "all:30,yearly", scope: "vault")
        #expect((show["state"] as? [String: Any])?["txid"] as? Int == history[0]["txid"] as? Int)
        #expect(try program.run("show", "anna", "\(thinned)", "--json").object["thinned"] == nil)
        #expect(try program.run("show", "anna", "\(thinned)", "--at", "\(point)", "--json").object["thinned"] == nil)
        let cat = try program.run("cat", "anna", "\(thinned)", "--at", "\(between)")
        #expect(cat.status == 0 && cat.text.contains("Subject: thinned") && cat.error.contains("thinned to"))
        #expect(try program.run("ls", "anna:INBOX", "--at", "\(between)").error.contains("(\(thinned))"))
        for selection in [["item", "anna", "\(thinned)"], ["account", "anna"]] {
            let plan = try program.run(
                ["restore"] + selection + [
                    "--at", "\(between)", "--to", "maildir:\(scene.scratch.appending("x"))", "--dry-run", "--json",
                ])
            let warnings = try #require(try plan.object["warnings"] as? [String])
            #expect(
                warnings.contains { $0.contains("\(thinned)") && $0.contains("newest state before it") }, "\(warnings)")
        }
        let log = try program.run("log", "anna", "\(thinned)", "--json").lines
        #expect(log.count == 3 && log.contains { $0["thinned"] != nil })
        for arguments in [
            ["check", "--read-data"], ["verify-log"], ["replay", "anna", "--verify"], ["rebuild", "--verify"],
            ["replay", "anna", "--at", "\(between)", "--verify"],
        ] {
            let answer = try program.run(arguments)
            #expect(answer.status == 0, "\(arguments): \(answer.text) \(answer.error)")
        }
    }

    @Test("A removed account is found by the beginning of its address, as a live one is")
    func removed() throws {
        #expect(try program.run("account", "remove", "anna").status == 0)
        #expect(try program.run("ls", "ann").status == 0)
        let unknown = try program.run("ls", "bert")
        #expect(unknown.status == 4 && unknown.error.contains("anna@example.org (removed)"), "\(unknown.error)")
    }
}
