import Foundation
import Glibc
import Synthesis
import SystemPackage
import TestKit
import Testing

/// Disks that are full, directories that cannot be written or read, mailboxes that go away.
struct BadInputTests {
    static let isRoot = geteuid() == 0

    /// Whether this process may mount: root, and the kernel agrees.
    static let canMount: Bool = {
        let scratch = Scratch("mount")
        guard isRoot, Tree.run("/bin/mount", ["-t", "tmpfs", "-o", "size=1m", "none", scratch.path.string]) == 0 else {
            return false
        }
        return Tree.run("/bin/umount", [scratch.path.string]) == 0
    }()

    /// A file system of its own, gone with the value.
    final class SmallDisk {
        let scratch = Scratch("disk")
        var path: FilePath { scratch.path }

        init(_ size: String) throws {
            guard Tree.run("/bin/mount", ["-t", "tmpfs", "-o", "size=\(size)", "none", scratch.path.string]) == 0 else {
                throw CommandLineProgram.Problem(what: "no tmpfs")
            }
        }

        func resize(_ size: String) -> Bool {
            Tree.run("/bin/mount", ["-o", "remount,size=\(size)", path.string]) == 0
        }

        deinit { Tree.run("/bin/umount", ["-l", scratch.path.string]) }
    }

    /// A vault on a small disk, with an account whose mailbox lies elsewhere and has 20 messages.
    struct CrampedVault {
        let disk: SmallDisk
        let scratch = Scratch("cramped")
        let mail: MaildirFixture
        let program: CommandLineProgram
        private var generator = SeededGenerator.announced("full disk")

        init() throws {
            disk = try SmallDisk("64m")
            mail = MaildirFixture(scratch.appending("Mail"))
            program = CommandLineProgram(vault: disk.path.appending("vault"))
            try #require(try program.run("init").status == 0)
            try program.run("account", "add", "anna@example.org", "--source", "maildir:\(mail.path)")
            deliver(0..<20)
        }

        mutating func deliver(_ numbers: Range<Int>) {
            for number in numbers {
                mail.deliver([], Array("\(number).x:2,S".utf8), generator.bytes(20_000), modified: 1_700_000_000)
            }
        }
    }

    @Test(
        "On a full disk a scan ends with 13, the vault is whole, and with more space it goes on without loss",
        .enabled(if: canMount, "a tmpfs cannot be mounted here: needs root"), arguments: ["8m", "12m", "17m"])
    func fullDisk(size: String) throws {
        var cramped = try CrampedVault()
        let (disk, program) = (cramped.disk, cramped.program)
        #expect(try program.run("scan").status == 0)
        // No smaller than what is there; then more mail than fits.
        try #require(disk.resize(size))
        cramped.deliver(20..<1_200)
        let full = try program.run("scan", "--json")
        #expect(full.status == 13, "\(size): \(full.error)")
        // A second attempt on the full disk is no worse.
        #expect(try program.run("scan").status == 13)
        #expect(disk.resize("96m"))
        let after = try program.run("scan", "--json")
        #expect(after.status == 0, "\(size): \(after.error)")
        let check = try program.run("check", "--read-data", "--json")
        #expect(check.status == 0, "\(size): \(check.text)\(check.error)")
        let out = cramped.scratch.appending("out")
        #expect(try program.run("restore", "account", "anna", "--to", "maildir:\(out)").status == 0)
        let differences = MailboxContent(readingMaildir: out.string)
            .differences(from: MailboxContent(readingMaildir: cramped.mail.path.string))
        #expect(differences == [], "\(size)")
    }

    @Test(
        "A restore to a full disk ends with 13, and with more space what is missing is restored, once",
        .enabled(if: canMount, "a tmpfs cannot be mounted here: needs root"))
    func fullTarget() throws {
        let mail = try LivingMaildir(SeededGenerator.announced("full target"))
        mail.change(400)
        try mail.scanned("full target")
        let disk = try SmallDisk("1m")
        let out = disk.path.appending("out")
        let full = try mail.program.run("restore", "account", "anna", "--to", "maildir:\(out)")
        #expect(full.status == 13, "\(full.error)")
        #expect(disk.resize("64m"))
        let again = try mail.program.run("restore", "account", "anna", "--to", "maildir:\(out)")
        #expect(again.status == 0, "\(again.error)")
        let differences = MailboxContent(readingMaildir: out.string)
            .differences(from: MailboxContent(readingMaildir: mail.mail.path.string))
        #expect(differences == [])
    }

    @Test(
        "A vault on a read-only file system can be read, and a scan of it ends with 12",
        .enabled(if: canMount, "a tmpfs cannot be mounted here: needs root"))
    func readOnly() throws {
        let disk = try SmallDisk("64m")
        let scratch = Scratch("read-only")
        let mail = MaildirFixture(scratch.appending("Mail"))
        mail.deliver("", "1.a:2,S", "Subject: one\n\none")
        let program = CommandLineProgram(vault: disk.path.appending("vault"))
        try program.run("init")
        try program.run("account", "add", "anna@example.org", "--source", "maildir:\(mail.path)")
        #expect(try program.run("scan").status == 0)
        // The projections follow when somebody asks; from then on they answer without being written.
        #expect(try program.run("ls").status == 0)
        #expect(Tree.run("/bin/mount", ["-o", "remount,ro", disk.path.string]) == 0)
        mail.deliver("", "2.b:2,S", "Subject: two\n\ntwo")
        #expect(try program.run("scan").status == 12)
        let listed = try program.run("ls", "anna:INBOX")
        #expect(listed.status == 0 && listed.text.contains("one"), "\(listed.error)")
        let check = try program.run("check", "--read-data")
        #expect(check.status == 0, "\(check.text)\(check.error)")
        #expect(Tree.run("/bin/mount", ["-o", "remount,rw", disk.path.string]) == 0)
        let report = try program.run("scan", "--json").object
        #expect(report["created"] as? Int == 1)
    }

    @Test("A mailbox that goes away during a scan or a watch is not recorded as deleted")
    func vanishing() throws {
        let mail = try LivingMaildir(SeededGenerator.announced("vanishing"))
        try mail.scanned("first")
        let away = mail.scratch.appending("away")
        for verb in [["scan"], ["scan", "--deep"], ["watch", "--json"]] {
            for _ in 0..<4 {
                let child = try ProgramChild(
                    vault: mail.program.vault, verb, output: mail.scratch.appending("child"))
                if verb[0] == "watch" { #expect(child.says("ready")) }
                TreeWatch([mail.program.vault])
                    .wait(for: mail.generator.number(0..<12), orEndOf: child.ended, milliseconds: 120)
                Tree.rename(mail.mail.path, to: away)
                if verb[0] == "watch" {
                    #expect(child.says("failed"))
                    child.signal(SIGTERM)
                }
                child.wait()
                Tree.rename(away, to: mail.mail.path)
                let report = try mail.program.run("scan", "--json")
                #expect(try report.object["created"] as? Int == 0 && report.object["deleted"] as? Int == 0)
            }
        }
        let log = try mail.program.run("log", "dump")
        #expect(!log.text.contains("\"change\":[\"deleted\"]"), "seed \(mail.generator.seed)")
    }

    @Test(
        "Whatever became of a page of the projections, the journal still answers, no answer is another one, and a rebuild heals"
    )
    func damagedProjections() throws {
        let mail = try LivingMaildir(SeededGenerator.announced("damaged projections"))
        try mail.scanned("first")
        let program = mail.program
        let data = program.vault.appending("projections/data.mdb")
        let truth = try program.run("replay", "anna", "--json").object["digest"] as? String
        let listed = try program.run("ls", "anna", "--json")
        #expect(listed.status == 0)
        let whole = try #require(Tree.read(data))
        for round in 0..<12 {
            var damaged = whole
            let page = mail.generator.number(2..<whole.count / 4_096) * 4_096
            switch round % 3 {
            case 0: damaged.replaceSubrange(page..<page + 4_096, with: Array(repeating: 0, count: 4_096))
            case 1: damaged.replaceSubrange(page..<page + 4_096, with: mail.generator.bytes(4_096))
            default:
                let other = mail.generator.number(2..<whole.count / 4_096) * 4_096
                damaged.replaceSubrange(page..<page + 4_096, with: whole[other..<other + 4_096])
            }
            Tree.write(data, damaged)
            let comment: Comment = "round \(round), page \(page / 4_096), seed \(mail.generator.seed)"
            #expect(try program.run("replay", "anna", "--json").object["digest"] as? String == truth, comment)
            // The same, or an end that says so; never something else.
            let answer = try program.run("ls", "anna", "--json")
            if answer.status == 0 { #expect(answer.text == listed.text, comment) }
            let check = try program.run("check")
            #expect(check.status != 0 || damaged == whole || answer.text == listed.text, comment)
            #expect(try program.run("rebuild").status == 0, comment)
            #expect(try program.run("ls", "anna", "--json").text == listed.text, comment)
            #expect(try program.run("rebuild", "--verify").status == 0, comment)
        }
    }

    private static let setpriv = Tree.run("/bin/sh", ["-c", "command -v setpriv >/dev/null"]) == 0

    @Test(
        "Without permission a vault is refused with 12 and a mailbox with 9, and nothing is concluded",
        .enabled(if: isRoot && setpriv, "needs root, to be somebody else, and setpriv"))
    func permission() throws {
        let scene = try CommandLineScene()
        func asNobody(_ arguments: String...) -> Int32 {
            Tree.run(
                "/usr/bin/env",
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CommandLineProgram.executable]
                    + ["--vault", scene.program.vault.string, "--quiet"] + arguments)
        }
        #expect(asNobody("scan") == 12)
        // Its own vault, and somebody else's mailbox.
        Tree.chmod(scene.scratch.path, 0o755)
        #expect(Tree.run("/bin/chown", ["-R", "65534:65534", scene.program.vault.string]) == 0)
        guard asNobody("ls") == 0 else { return }
        #expect(asNobody("scan") == 9)
        #expect(Tree.run("/bin/chown", ["-R", "0:0", scene.program.vault.string]) == 0)
        let report = try scene.program.run("scan", "--json").object
        #expect(report["deleted"] as? Int == 0 && report["created"] as? Int == 0)
    }
}
