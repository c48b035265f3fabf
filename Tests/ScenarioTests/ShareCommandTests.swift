import Foundation
import Synthesis
import SystemPackage
import TestKit
import Testing

/// `shares`, and what an external restore does with them.
struct ShareCommandTests {
    /// Anna and ben, each with a folder for the other; anna's is also for somebody who does not come along.
    private struct Scene {
        let scene: CommandLineScene
        let ours: CommandLineProgram
        let template: String

        init() throws {
            scene = try CommandLineScene()
            let ben = MaildirFixture(scene.scratch.appending("ben"))
            ben.makeFolder(".Plans")
            ben.deliver(".Plans", "1.p:2,", "plan")
            Tree.write(ben.path.appending(".Plans/dovecot-acl"), Array("user=anna@example.org lr\n".utf8))
            scene.maildir.makeFolder(".Contracts")
            Tree.write(
                scene.maildir.path.appending(".Contracts/dovecot-acl"),
                Array("user=ben@example.org lrs\nuser=carla@example.org lr\nanyone l\n".utf8))
            scene.maildir.subscribe([])
            Tree.write(
                scene.maildir.path.appending("subscriptions"),
                Array("V\t2\n\nContracts\nshared\tben@example.org\tPlans\nshared\tcarla@example.org\tX\n".utf8))
            let program = scene.program
            try program.run("account", "add", "ben@example.org", "--source", "maildir:\(ben.path)")
            let carla = MaildirFixture(scene.scratch.appending("carla"))
            carla.makeFolder(".X")
            try program.run("account", "add", "carla@example.org", "--source", "maildir:\(carla.path)")
            #expect(try program.run("scan").status == 0)
            ours = CommandLineProgram(vault: scene.scratch.appending("ours"))
            template = "maildir:\(scene.scratch.appending("srv"))/%n"
            #expect(try ours.run("init").status == 0)
        }

        func acl(_ name: String, _ folder: String) -> Set<String> {
            let path = scene.scratch.appending("srv/\(name)/\(folder)/dovecot-acl")
            return Set(
                String(decoding: Tree.read(path) ?? [], as: UTF8.self).split(separator: "\n").map(String.init))
        }

        func external(_ more: String...) throws -> CommandLineProgram.Answer {
            try ours.run(
                ["restore", "external", scene.program.vault.string, "--to", template, "--json"] + more)
        }
    }

    @Test(
        "Shares between two imported accounts work after phase 3; a share to an account that is not imported is reported, not silently dropped"
    )
    func external() throws {
        let scene = try Scene()
        let answer = try scene.external("--account", "anna", "--account", "ben")
        #expect(answer.status == 3, "\(answer.error)")
        #expect(scene.acl("anna", ".Contracts") == ["user=ben@example.org lrs", "anyone l"])
        #expect(scene.acl("ben", ".Plans") == ["user=anna@example.org lr"])
        let lost = try answer.object["unrestored"] as? [[String: Any]] ?? []
        #expect(lost.count == 2 && lost.allSatisfy { $0["cause"] as? String == "refused" })
        #expect(lost.allSatisfy { ($0["detail"] as? String ?? "").contains("carla@example.org") }, "\(lost)")
        let subscriptions = String(
            decoding: Tree.read(scene.scene.scratch.appending("srv/anna/subscriptions")) ?? [], as: UTF8.self)
        #expect(subscriptions.contains("shared\tben@example.org\tPlans") && !subscriptions.contains("carla"))
        // It is in the journal, too.
        let operations = try scene.ours.run("operation", "list", "--json").lines.compactMap {
            $0["operation"] as? String
        }
        let shown = try operations.map { try scene.ours.run("operation", "show", $0).text }.joined()
        #expect(shown.contains("carla@example.org"))
        // What was taken away here stays away.
        Tree.write(
            scene.scene.scratch.appending("srv/anna/.Contracts/dovecot-acl"), Array("anyone l\n".utf8))
        #expect(try scene.external("--account", "anna", "--account", "ben").status == 3)
        #expect(scene.acl("anna", ".Contracts") == ["anyone l"])
        // Until it is asked for; and when the third comes along, hers are there as well.
        let checked = try scene.ours.run(
            "shares", "check", "--all", "--from", scene.scene.program.vault.string, "--json")
        #expect(checked.status == 5, "\(checked.error)")
        #expect(Set(try checked.lines.compactMap { $0["finding"] as? String }) == ["missing", "unmapped", "nowhere"])
        #expect(try scene.external("--account", "carla").status == 0)
        let dry = try scene.ours.run(
            "shares", "fix", "anna", "--from", scene.scene.program.vault.string, "--dry-run", "--json")
        #expect(try dry.status == 0 && dry.object["attributes"] as? Int == 2, "\(dry.error)")
        #expect(scene.acl("anna", ".Contracts") == ["anyone l"])
        let fixed = try scene.ours.run("shares", "fix", "--all", "--from", scene.scene.program.vault.string)
        #expect(fixed.status == 0, "\(fixed.error)")
        #expect(
            scene.acl("anna", ".Contracts") == ["user=ben@example.org lrs", "user=carla@example.org lr", "anyone l"])
        let clean = try scene.ours.run("shares", "check", "--all", "--from", scene.scene.program.vault.string)
        #expect(clean.status == 0 && clean.output.isEmpty, "\(clean.text)")
    }

    @Test("Shares are checked and fixed against what the vault has as of any time; the fix can be taken back")
    func own() throws {
        let scene = try Scene()
        let program = scene.scene.program
        let file = scene.scene.maildir.path.appending(".Contracts/dovecot-acl")
        #expect(try program.run("shares", "check", "--all").status == 0)
        let before = try #require(Tree.read(file))
        Tree.write(file, Array("user=ben@example.org l\nuser=stranger lr\n".utf8))
        let checked = try program.run("shares", "check", "anna")
        #expect(checked.status == 5)
        for word in ["ben@example.org", "lrs", "other rights", "carla@example.org", "missing", "stranger", "nobody"] {
            #expect(checked.text.contains(word), "\(word)")
        }
        #expect(try program.run("shares", "fix", "anna", "--dry-run").status == 0)
        #expect(Tree.read(file) == Array("user=ben@example.org l\nuser=stranger lr\n".utf8))
        let fixed = try program.run("shares", "fix", "anna", "--json")
        #expect(try fixed.status == 0 && fixed.object["attributes"] as? Int == 3, "\(fixed.error)")
        let lines = { Set((Tree.read(file) ?? []).split(separator: 10).map { Array($0) }) }
        #expect(lines() == Set(before.split(separator: 10).map { Array($0) } + [Array("user=stranger lr".utf8)]))
        let operation = try #require(try fixed.object["operation"] as? String)
        #expect(try program.run("operation", "show", operation, "--json").object["kind"] as? String == "shares")
        #expect(try program.run("undo", operation).status == 0)
        #expect(lines() == [Array("user=ben@example.org l".utf8), Array("user=stranger lr".utf8)])
        // A folder that is not there cannot have rights: said, and the status tells.
        scene.scene.maildir.removeFolder(".Contracts")
        let gone = try program.run("shares", "fix", "anna")
        #expect(gone.status == 3 && gone.text.contains("the folder is not there"), "\(gone.text)")
    }

    @Test("Shares: an account or all of them, never neither; another vault that nothing came from is refused")
    func arguments() throws {
        let scene = try Scene()
        #expect(try scene.scene.program.run("shares", "check").status == 2)
        #expect(try scene.scene.program.run("shares", "check", "anna", "--all").status == 2)
        #expect(try scene.scene.program.run("shares", "fix", "nobody").status == 4)
        #expect(try scene.scene.program.run("shares", "check", "anna", "--from", "/nowhere").status == 10)
        try scene.ours.run("account", "add", "zoe@example.org", "--source", "maildir:\(scene.scene.maildir.path)")
        let other = try scene.ours.run("shares", "check", "zoe", "--from", scene.scene.program.vault.string)
        #expect(other.status == 4, "\(other.error)")
    }
}
