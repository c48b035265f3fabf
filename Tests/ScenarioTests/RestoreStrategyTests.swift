import Events
import Foundation
import Glibc
import Synthesis
import SystemPackage
import TestKit
import Testing

/// What a person expects of each way to bring something back, statement by statement.
struct RestoreStrategyTests {
    private func content(_ path: FilePath) -> MailboxContent { MailboxContent(readingMaildir: path.string) }

    /// Another vault, and a template for where its accounts are to live.
    private func destination(_ scene: CommandLineScene) throws -> (program: CommandLineProgram, template: String) {
        let program = CommandLineProgram(vault: scene.scratch.appending("ours"))
        #expect(try program.run("init").status == 0)
        return (program, "maildir:\(scene.scratch.appending("srv"))/%d/%n")
    }

    private func mailbox(_ scene: CommandLineScene, _ name: String = "anna") -> FilePath {
        scene.scratch.appending("srv/example.org/\(name)")
    }

    /// Names, sizes, bytes and times of everything below a path, LMDB's lock files too.
    private func tree(_ path: FilePath) -> [String] {
        Tree.names(path).flatMap { name -> [String] in
            let child = Tree.child(path, name)
            var found = stat()
            _ = child.withPlatformString { lstat($0, &found) }
            let bytes = Tree.read(child).map { Digest(hashing: $0.span.bytes).hex } ?? "directory"
            return ["\(child) \(found.st_mtim.tv_sec).\(found.st_mtim.tv_nsec) \(bytes)"] + tree(child)
        }.sorted()
    }

    @Test(
        "External restore twice: the second run restores nothing, skips all and deletes nothing; new source items are added; the map survives"
    )
    func externalTwice() throws {
        let scene = try CommandLineScene()
        let (ours, template) = try destination(scene)
        func external() throws -> [String: Any] {
            let answer = try ours.run(
                "restore", "external", scene.program.vault.string, "--to", template, "--json")
            #expect(answer.status == 0, "\(answer.error)")
            return try answer.object
        }
        let first = try external()
        #expect(first["restored"] as? Int == 2 && first["skipped"] as? Int == 0)
        #expect(content(mailbox(scene)) == content(scene.maildir.path))
        let second = try external()
        #expect(second["restored"] as? Int == 0 && second["skipped"] as? Int == 2)
        // What was done with it here stays done: moved, deleted, and of its own.
        let here = MaildirFixture(mailbox(scene))
        here.move("", "1.a:2,S", to: ".Trash", "1.a:2,FS")
        here.remove("", "2.b:2,")
        here.deliver("", "8.own:2,", "of its own")
        scene.maildir.deliver("", "3.c:2,F", "third")
        try scene.program.run("scan")
        let before = content(mailbox(scene))
        let third = try external()
        #expect(third["restored"] as? Int == 1 && third["skipped"] as? Int == 2)
        let after = content(mailbox(scene))
        #expect(Set(before.messages).isSubset(of: Set(after.messages)) && after.messages.count == 3)
        // The map is in the journal: what is computed may go.
        try ours.run("rebuild")
        #expect(try external()["restored"] as? Int == 0)
    }

    @Test("External restore: an operation that was taken back is not held to have been done")
    func externalUndone() throws {
        let scene = try CommandLineScene()
        let (ours, template) = try destination(scene)
        let arguments = ["restore", "external", scene.program.vault.string, "--to", template, "--json"]
        let accounts = try ours.run(arguments).object["accounts"] as? [[String: Any]]
        let operation = try #require(accounts?.first?["operation"] as? String)
        let shown = try ours.run("operation", "show", operation, "--json").object
        #expect(shown["source_vault_id"] as? String != nil && shown["restored"] as? Int == 2)
        #expect(try ours.run("undo", operation).status == 0)
        #expect(content(mailbox(scene)).messages.isEmpty)
        #expect(try ours.run(arguments).object["restored"] as? Int == 2)
    }

    @Test("External restore merges into a folder of the same path, and nothing that is there is touched")
    func externalMerges() throws {
        let scene = try CommandLineScene()
        let (ours, template) = try destination(scene)
        try FileManager.default.createDirectory(
            atPath: scene.scratch.appending("srv/example.org").string, withIntermediateDirectories: true)
        let here = MaildirFixture(mailbox(scene))
        here.makeFolder(".Trash")
        here.deliver("", "7.mine:2,S", "mine")
        here.deliver(".Trash", "6.mine:2,", "mine too")
        // The same name, another message: both stay.
        here.deliver("", "1.a:2,", "another with that name")
        try ours.run("account", "add", "anna@example.org", "--source", "maildir:\(here.path)")
        let answer = try ours.run("restore", "external", scene.program.vault.string, "--json")
        #expect(answer.status == 0, "\(answer.error)")
        let accounts = try answer.object["accounts"] as? [[String: Any]]
        #expect(accounts?.first?["new"] as? Bool == false)
        let found = content(here.path)
        #expect(found.folders.count == 2)
        for text in ["mine", "mine too", "another with that name", CommandLineScene.second] {
            #expect(found.messages.contains { $0.digest == Digest(hashing: Array(text.utf8).span.bytes) }, "\(text)")
        }
        _ = template
    }

    @Test(
        "External restore: accounts in the order given, by pattern, domain and file; provisioning alone makes accounts and folders"
    )
    func externalSelection() throws {
        let scene = try CommandLineScene()
        for name in ["ben@example.org", "carla@other.example", "dora@example.org"] {
            let mail = MaildirFixture(scene.scratch.appending(name))
            mail.deliver("", "1.\(name.prefix(3)):2,", name)
            try scene.program.run("account", "add", name, "--source", "maildir:\(mail.path)")
        }
        try scene.program.run("scan")
        try scene.program.run("account", "remove", "dora@example.org")
        let (ours, template) = try destination(scene)
        func names(_ arguments: String...) throws -> [String] {
            let answer = try ours.run(
                ["restore", "external", scene.program.vault.string, "--to", template, "--json", "--dry-run"] + arguments
            )
            #expect(answer.status == 0, "\(answer.error)")
            return (try answer.object["accounts"] as? [[String: Any]] ?? []).compactMap { $0["account"] as? String }
        }
        #expect(try names() == ["anna@example.org", "ben@example.org", "carla@other.example"])
        #expect(
            try names("--account", "carla", "--account", "*@example.org") == [
                "carla@other.example", "anna@example.org", "ben@example.org",
            ])
        #expect(try names("--domain", "Other.Example") == ["carla@other.example"])
        #expect(try names("--with-deleted").count == 4)
        let file = scene.scratch.appending("accounts.txt")
        Tree.write(file, Array("# in this order\nben@example.org\nanna@example.org\n".utf8))
        #expect(try names("--input-file", file.string) == ["ben@example.org", "anna@example.org"])
        #expect(!Tree.exists(scene.scratch.appending("srv")))
        #expect(try ours.run("account", "list", "--json").lines.isEmpty)
        let provisioned = try ours.run(
            "restore", "external", scene.program.vault.string, "--to", template, "--provisioning-only", "--json")
        #expect(provisioned.status == 0, "\(provisioned.error)")
        #expect(content(mailbox(scene)).messages.isEmpty && content(mailbox(scene)).folders.count == 2)
        #expect(try ours.run("account", "list", "--json").lines.count == 3)
        // They can be used from then on, and are filled later.
        MaildirFixture(mailbox(scene)).deliver("", "9.new:2,", "arrived meanwhile")
        let filled = try ours.run("restore", "external", scene.program.vault.string, "--json").object
        #expect(filled["restored"] as? Int == 4)
        #expect(content(mailbox(scene)).messages.count == 3)
    }

    @Test("Without an account here and without a place for it, or with one place for many, nothing is begun")
    func externalRefused() throws {
        let scene = try CommandLineScene()
        let ben = MaildirFixture(scene.scratch.appending("ben"))
        try scene.program.run("account", "add", "ben@example.org", "--source", "maildir:\(ben.path)")
        let (ours, _) = try destination(scene)
        let source = scene.program.vault.string
        #expect(try ours.run("restore", "external", source).status == 2)
        #expect(
            try ours.run("restore", "external", source, "--to", "maildir:\(scene.scratch.appending("one"))").status == 2
        )
        let skipped = try ours.run("restore", "external", source, "--skip-provisioning", "--json")
        #expect(try skipped.status == 3 && (skipped.object["unrestored"] as? [Any])?.count == 2)
        #expect(try ours.run("restore", "external", source, "--account", "nobody@example.org").status == 4)
        #expect(try ours.run("restore", "external", scene.scratch.appending("none").string).status == 10)
        #expect(try ours.run("account", "list", "--json").lines.isEmpty)
        #expect(!Tree.exists(scene.scratch.appending("one")))
    }

    @Test("Opening another's vault as one's own is refused; as a source it is read without a byte of it being written")
    func foreignVaultIsNotWritten() throws {
        let scene = try CommandLineScene()
        let (ours, template) = try destination(scene)
        #expect(try scene.program.run("init").status == 6)
        #expect(try scene.program.run("restore", "external", scene.program.vault.string, "--to", template).status == 6)
        // Also one whose lock files are not there.
        for name in ["journal/lmdb", "projections", "blobs/index"] {
            Tree.remove(scene.program.vault.appending(name).appending("lock.mdb"))
        }
        let before = tree(scene.program.vault)
        #expect(
            try ours.run("restore", "external", scene.program.vault.string, "--to", template, "--dry-run").status == 0)
        #expect(tree(scene.program.vault) == before)
        #expect(try ours.run("restore", "external", scene.program.vault.string, "--to", template).status == 0)
        #expect(tree(scene.program.vault) == before)
        #expect(content(mailbox(scene)) == content(scene.maildir.path))
    }

    @Test("A vault on a file system that is mounted to be read only is a source as good as any")
    func readOnlyMount() throws {
        let scene = try CommandLineScene()
        let (ours, template) = try destination(scene)
        let mount = scene.scratch.appending("mount")
        Tree.makeDirectory(mount)
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        // A mount of its own, gone with the process. 77: such mounts are not to be had here.
        shell.arguments = [
            "-c",
            """
            exec unshare -r -m sh -c 'mount --bind "$1" "$2" && mount -o remount,ro,bind "$2" || exit 77
            if touch "$2/x" 2>/dev/null; then exit 77; fi
            shift 2; exec "$@"' sh "$@" || exit 77
            """,
            "sh", scene.program.vault.string, mount.string, CommandLineProgram.executable, "--vault", ours.vault.string,
            "restore", "external", mount.string, "--to", template, "--quiet",
        ]
        shell.standardError = FileHandle.nullDevice
        shell.standardOutput = FileHandle.nullDevice
        try shell.run()
        shell.waitUntilExit()
        guard shell.terminationStatus != 77, shell.terminationStatus != 127 else {
            try Test.cancel("no private mounts here")
        }
        #expect(shell.terminationStatus == 0)
        #expect(content(mailbox(scene)) == content(scene.maildir.path))
    }

    @Test("Another vault that somebody is writing to is not read")
    func foreignVaultInUse() throws {
        let scene = try CommandLineScene()
        let (ours, template) = try destination(scene)
        let child = try ProgramChild(
            vault: scene.program.vault, ["watch", "--json"], output: scene.scratch.appending("watch"))
        defer {
            child.signal(SIGTERM)
            child.wait()
        }
        #expect(child.says("ready"))
        #expect(try ours.run("restore", "external", scene.program.vault.string, "--to", template).status == 7)
        #expect(!Tree.exists(scene.scratch.appending("srv")))
    }

    @Test("Restore Blobs defaults to a dry run")
    func blobs() throws {
        let scene = try CommandLineScene()
        let before = content(scene.maildir.path)
        scene.maildir.remove("", "1.a:2,S")
        Tree.write(scene.maildir.file("", "cur", "2.b:2,"), Array("not what it was".utf8), modified: 1_700_000_000)
        let damaged = content(scene.maildir.path)
        let plan = try scene.program.run("restore", "blobs", "anna", "--json")
        #expect(try plan.status == 0 && plan.object["dry_run"] as? Bool == true && plan.object["deliver"] as? Int == 2)
        #expect(content(scene.maildir.path) == damaged)
        let done = try scene.program.run("restore", "blobs", "--all", "--apply", "--json")
        #expect(try done.status == 0 && done.object["restored"] as? Int == 2, "\(done.error)")
        #expect(content(scene.maildir.path) == before)
        let operation = try #require(try done.object["operation"] as? String)
        #expect(try scene.program.run("undo", operation).status == 0)
        #expect(content(scene.maildir.path) == damaged)
        #expect(try scene.program.run("restore", "blobs").status == 2)
    }

    @Test("Export into a directory that is not empty is refused; accounts that are removed or disabled are not in it")
    func export() throws {
        let scene = try CommandLineScene()
        for name in ["ben", "carla"] {
            let mail = MaildirFixture(scene.scratch.appending(name))
            mail.deliver("", "1.\(name):2,", "canary of \(name)")
            try scene.program.run("account", "add", "\(name)@example.org", "--source", "maildir:\(mail.path)")
        }
        try scene.program.run("scan")
        try scene.program.run("account", "remove", "ben")
        try scene.program.run("account", "disable", "carla")
        for format in ["vault", "maildir", "mbox", "eml"] {
            let out = scene.scratch.appending("out-\(format)")
            let planned = try scene.program.run("export", "--all", out.string, "--format", format, "--dry-run")
            #expect(planned.status == 0 && !Tree.exists(out), "\(format) \(planned.error)")
            let before = try scene.program.run("log", "dump").output
            let answer = try scene.program.run("export", "--all", out.string, "--format", format, "--json")
            #expect(try answer.status == 0 && answer.object["restored"] as? Int == 2, "\(format) \(answer.error)")
            #expect(try answer.object["accounts"] as? [String] == ["anna@example.org"])
            #expect(try scene.program.run("log", "dump").output == before, "an export records nothing")
            let full = tree(out)
            #expect(try scene.program.run("export", "anna", out.string, "--format", format).status == 6, "\(format)")
            #expect(tree(out) == full)
        }
        #expect(content(scene.scratch.appending("out-maildir/anna@example.org")) == content(scene.maildir.path))
        let exported = CommandLineProgram(vault: scene.scratch.appending("out-vault"))
        #expect(try exported.run("check", "--read-data").status == 0)
        #expect(try exported.run("account", "list", "--json").lines.count == 1)
        let back = scene.scratch.appending("back")
        #expect(try exported.run("restore", "account", "anna", "--to", "maildir:\(back)").status == 0)
        #expect(content(back) == content(scene.maildir.path))
    }

    @Test("A removed account is listed, and comes back with its id and its mail, or under another address as a new one")
    func deletedAccount() throws {
        let scene = try CommandLineScene()
        let before = content(scene.maildir.path)
        let id = try #require(
            try scene.program.run("account", "show", "anna", "--json").object["account_id"] as? String)
        try scene.program.run("account", "remove", "anna")
        Tree.remove(scene.maildir.path)
        #expect(
            try scene.program.run("account", "list", "--deleted", "--json").lines.first?["account_id"] as? String == id)
        #expect(try scene.program.run("restore", "deleted-account", "nobody").status == 4)
        let planned = try scene.program.run("restore", "deleted-account", "anna", "--dry-run")
        #expect(planned.status == 0 && !Tree.exists(scene.maildir.path), "\(planned.error)")
        let other = scene.scratch.appending("old")
        let new = try scene.program.run(
            "restore", "deleted-account", "anna", "--as", "anna.old@example.org", "--to", "maildir:\(other)")
        #expect(new.status == 0 && content(other) == before, "\(new.error)")
        #expect(try scene.program.run("restore", "deleted-account", "anna").status == 0)
        #expect(content(scene.maildir.path) == before)
        let accounts = try scene.program.run("account", "list", "--json").lines
        #expect(accounts.count == 2)
        #expect(accounts.first { $0["account"] as? String == "anna@example.org" }?["account_id"] as? String == id)
        let scanned = try scene.program.run("scan", "anna@example.org", "--json").object
        #expect(scanned["created"] as? Int == 0 && scanned["deleted"] as? Int == 0)
        #expect(try scene.program.run("restore", "deleted-account", "anna").status == 4)
    }

    @Test(
        "A corrupt blob and a name that is refused each end in unrestored with their own cause; operation show tells it again"
    )
    func causes() throws {
        let scene = try CommandLineScene()
        let long = [0x2E] + Array(repeating: UInt8(ascii: "a"), count: 230)
        scene.maildir.makeFolder(long)
        scene.maildir.deliver(long, Array("5.e:2,".utf8), Array("in a folder with a long name".utf8))
        scene.maildir.deliver("", "6.f:2,", (0..<900).map { "\($0 &* 2_654_435_761) " }.joined())
        try scene.program.run("scan")
        let packs = scene.program.vault.appending("blobs/packs")
        let pack = Tree.child(packs, try #require(Tree.names(packs).first))
        let size = try #require(Tree.read(pack)?.lastIndex { $0 != 0 })
        for byte in (size - 200)..<(size - 100) { Tree.flip(pack, byte: byte, bit: 2) }
        let out = scene.scratch.appending("out")
        let answer = try scene.program.run("restore", "account", "anna", "--to", "maildir:\(out)", "--json")
        #expect(answer.status == 3, "\(answer.error)")
        let unrestored = try answer.object["unrestored"] as? [[String: Any]] ?? []
        #expect(unrestored.contains { $0["cause"] as? String == "broken" })
        let operation = try #require(try answer.object["operation"] as? String)
        let shown = try scene.program.run("operation", "show", operation, "--json").object
        #expect((shown["unrestored_items"] as? [[String: Any]])?.count == unrestored.count)
        #expect(
            try shown["unrestored"] as? Int == unrestored.count
                && shown["restored"] as? Int == (answer.object["restored"] as? Int))
        #expect(try scene.program.run("operation", "show", operation).text.contains("broken"))
    }

    @Test("A folder that is gone, or there, is restored by its id, with the mail that was in it")
    func folderItem() throws {
        let scene = try CommandLineScene()
        scene.maildir.makeFolder(".Gone")
        scene.maildir.makeFolder(".Gone.Below")
        for name in ["7.g:2,", "8.h:2,"] { scene.maildir.deliver(".Gone", name, "in it \(name)") }
        scene.maildir.deliver(".Gone.Below", "9.i:2,", "below it")
        try scene.program.run("scan")
        scene.maildir.remove(".Gone", "8.h:2,")
        try scene.program.run("scan")
        let there = try #require(try scene.program.run("time", "now", "--json").object["resolved"] as? [String: Any])
        let folders = try scene.program.run("ls", "anna", "--json").lines
        let folder = try #require(folders.first { $0["path"] as? String == "Gone" }?["item"] as? String)
        scene.maildir.removeFolder(".Gone")
        scene.maildir.removeFolder(".Gone.Below")
        try scene.program.run("scan")
        func restored(_ name: String, _ more: String...) throws -> [String] {
            let out = scene.scratch.appending(name)
            let answer = try scene.program.run(
                ["restore", "item", "anna", folder, "--to", "maildir:\(out)", "--json"] + more)
            #expect(try answer.status == 0 && answer.object["restored"] as? Int == 1, "\(answer.text)\(answer.error)")
            let found = content(out)
            #expect(found.messages.map(\.digest) == [Digest(hashing: Array("in it 7.g:2,".utf8).span.bytes)])
            return Set(found.messages.map(\.folder.description)).sorted()
        }
        #expect(try restored("gone") == ["Gone"])
        #expect(try restored("then", "--at", "@\(there["txid"] as? Int ?? 0)") == ["Gone"])
        #expect(try restored("other", "--into", "Other") == ["Other"])
        let again = try scene.program.run(
            "restore", "item", "anna", folder, "--to", "maildir:\(scene.scratch.appending("gone"))")
        #expect(again.text.hasPrefix("0 restored"), "\(again.text)")
    }

    @Test(
        "A deleted message that was brought back into two folders is the same item in one of them, and a new one in the other"
    )
    func twice() throws {
        let scene = try CommandLineScene()
        scene.maildir.remove("", "2.b:2,")
        try scene.program.run("scan")
        for into in [[], ["--into", "Other"]] {
            let answer = try scene.program.run(["restore", "undelete", "anna", "--from", "first", "--json"] + into)
            #expect(try answer.object["restored"] as? Int == 1, "\(answer.error)")
        }
        let report = try scene.program.run("scan", "--json").object
        #expect(report["returned"] as? Int == 1 && report["created"] as? Int == 1, "\(report)")
        #expect(try scene.program.run("diff", "anna", "--live").status == 0)
        #expect(try scene.program.run("scan", "--json").object["created"] as? Int == 0)
    }

    @Test("A plan is saved, looked at, and run later; without --yes it removes nothing")
    func savedPlan() throws {
        let scene = try CommandLineScene()
        let before = content(scene.maildir.path)
        let point = try #require(
            try scene.program.run("log", "anna", "--limit", "1", "--json").lines.first?["txid"] as? Int)
        scene.maildir.deliver("", "5.e:2,", "came later")
        scene.maildir.remove("", "1.a:2,S")
        try scene.program.run("scan")
        let file = scene.scratch.appending("exact.plan").string
        let saved = try scene.program.run(
            "restore", "account", "anna", "--at", "@\(point)", "--exact", "--save-plan", file, "--json")
        #expect(try saved.status == 0 && saved.object["saved_as"] as? String == file, "\(saved.error)")
        #expect(try scene.program.run("operation", "list", "--json").lines.isEmpty)
        #expect(try scene.program.run("restore", "--plan", file).status == 6)
        #expect(try scene.program.run("restore", "--plan", file, "--dry-run", "--json").object["remove"] as? Int == 1)
        let done = try scene.program.run("restore", "--plan", file, "--yes", "--json")
        #expect(try done.status == 0 && done.object["removed"] as? Int == 1, "\(done.error)")
        #expect(content(scene.maildir.path) == before)
        let other = CommandLineProgram(vault: scene.scratch.appending("other"))
        try other.run("init")
        #expect(try other.run("restore", "--plan", file, "--yes").status == 6)
        #expect(try scene.program.run("restore", "--plan", scene.scratch.appending("none").string).status == 4)
    }

    @Test("The plan of a removed account's restore is saved and run later: the account is one again, once")
    func savedDeletedAccount() throws {
        let scene = try CommandLineScene()
        let before = content(scene.maildir.path)
        try scene.program.run("account", "remove", "anna")
        Tree.remove(scene.maildir.path)
        let file = scene.scratch.appending("anna.plan").string
        let saved = try scene.program.run("restore", "deleted-account", "anna", "--save-plan", file)
        #expect(saved.status == 0 && !Tree.exists(scene.maildir.path), "\(saved.error)")
        #expect(try scene.program.run("account", "list", "--json").lines.isEmpty)
        #expect(try scene.program.run("restore", "--plan", file, "--dry-run", "--json").object["deliver"] as? Int == 2)
        #expect(try scene.program.run("restore", "--plan", file).status == 0)
        #expect(content(scene.maildir.path) == before)
        #expect(try scene.program.run("account", "list", "--json").lines.count == 1)
        #expect(try scene.program.run("restore", "--plan", file).status == 6)
        // As a new one, under another address.
        try scene.program.run("account", "remove", "anna")
        let other = scene.scratch.appending("old")
        let arguments = [
            "restore", "deleted-account", "anna", "--as", "anna.old@example.org", "--to", "maildir:\(other)",
            "--save-plan", file,
        ]
        #expect(try scene.program.run(arguments).status == 0)
        #expect(try scene.program.run("restore", "--plan", file).status == 0)
        #expect(content(other) == before)
        #expect(
            try scene.program.run("account", "list", "--json").lines.first?["account"] as? String
                == "anna.old@example.org")
    }

    @Test("The plans of an external restore are in one file; run later, nothing comes that was not looked at")
    func savedExternal() throws {
        let scene = try CommandLineScene()
        let ben = MaildirFixture(scene.scratch.appending("ben"))
        ben.deliver("", "1.b:2,", "of ben")
        try scene.program.run("account", "add", "ben@example.org", "--source", "maildir:\(ben.path)")
        try scene.program.run("scan")
        let (ours, template) = try destination(scene)
        let file = scene.scratch.appending("both.plan")
        let arguments = [
            "restore", "external", scene.program.vault.string, "--to", template, "--save-plan", file.string,
        ]
        let saved = try ours.run(arguments + ["--json"])
        #expect(try saved.status == 0 && saved.object["saved_as"] as? String == file.string, "\(saved.error)")
        #expect(!Tree.exists(scene.scratch.appending("srv")))
        #expect(try ours.run("account", "list", "--json").lines.isEmpty)
        // What comes later is of a later point, and no part of the plan.
        scene.maildir.deliver("", "3.c:2,", "third")
        try scene.program.run("scan")
        let dry = try ours.run("restore", "--plan", file.string, "--dry-run", "--json")
        #expect(try dry.status == 0 && dry.object["restored"] as? Int == 3, "\(dry.error)\(dry.text)")
        #expect(!Tree.exists(scene.scratch.appending("srv")))
        let done = try ours.run("restore", "--plan", file.string, "--json")
        #expect(try done.status == 0 && done.object["restored"] as? Int == 3, "\(done.error)")
        #expect(content(mailbox(scene)).messages.count == 2 && content(mailbox(scene, "ben")).messages.count == 1)
        #expect(try ours.run("restore", "--plan", file.string, "--json").object["restored"] as? Int == 0)
        // Cut, changed, or of another vault: nothing is done.
        let whole = try #require(Tree.read(file))
        for bytes in [
            Array(whole.dropLast(1)), Array(whole.prefix(whole.count / 2)), whole.map { $0 == 0x33 ? 0x34 : $0 },
        ] {
            Tree.write(file, bytes)
            #expect(try ours.run("restore", "--plan", file.string).status == 6)
        }
        Tree.write(file, whole)
        #expect(try scene.program.run("restore", "--plan", file.string).status == 6)
    }

    @Test("The plan of a raw restore is saved, and carried out only as long as the files are those it was made of")
    func savedRaw() throws {
        let scene = try CommandLineScene()
        let (file, goal) = (scene.scratch.appending("raw.plan").string, scene.scratch.appending("saved"))
        let saved = try scene.program.run(
            "restore", "raw", scene.program.vault.string, "--to", goal.string, "--save-plan", file)
        #expect(saved.status == 0 && !Tree.exists(goal), "\(saved.error)")
        #expect(try scene.program.run("restore", "--plan", file, "--dry-run").status == 0)
        #expect(try scene.program.run("restore", "--plan", file).status == 0)
        let made = CommandLineProgram(vault: goal)
        #expect(try made.run("ls", "anna", "--json").lines.count > 0)
        Tree.remove(goal)
        let packs = scene.program.vault.appending("blobs/packs")
        Tree.write(packs.appending("99999999.pack"), [1, 2, 3])
        #expect(try scene.program.run("restore", "--plan", file).status == 6 && !Tree.exists(goal))
    }

    @Test(
        "An undelete of a time in which nothing was deleted, and an item that never was, are not found; nothing is recorded"
    )
    func nothingToRestore() throws {
        let scene = try CommandLineScene()
        let undelete = try scene.program.run("restore", "undelete", "anna", "--from", "first", "--json")
        #expect(undelete.status == 4 && undelete.error.contains("deleted"), "\(undelete.error)")
        let item = try scene.program.run("restore", "item", "anna", "m99")
        #expect(
            item.status == 4 && item.error.contains("there never was m99") && item.error.contains("m2"), "\(item.error)"
        )
        #expect(try scene.program.run("operation", "list", "--json").lines.isEmpty)
    }

    @Test("What happened in a time is taken back by a query, and later changes stay")
    func undoChanges() throws {
        let scene = try CommandLineScene()
        scene.maildir.makeFolder(".Work")
        scene.maildir.deliver(".Work", "5.w:2,S", "Subject: keep\n\nat work")
        try scene.program.run("scan")
        let before = try #require(
            try scene.program.run("log", "anna", "--limit", "1", "--json").lines.first?["txid"] as? Int)
        scene.maildir.remove("", "1.a:2,S")
        scene.maildir.remove(".Work", "5.w:2,S")
        try scene.program.run("scan")
        let after = try #require(
            try scene.program.run("log", "anna", "--limit", "1", "--json").lines.first?["txid"] as? Int)
        scene.maildir.move("", "2.b:2,", to: nil, "2.b:2,FS")
        try scene.program.run("scan")
        let range = ["undo", "--account", "anna", "--from", "@\(before + 1)", "--to", "@\(after)", "--where"]
        #expect(try scene.program.run(range + ["change:deleted folder:Nowhere"]).status == 4)
        #expect(try scene.program.run(range + ["change:frobbed"]).status == 2)
        #expect(try scene.program.run(range + ["change:created"]).status == 6)
        let planned = try scene.program.run(range + ["change:deleted folder:INBOX", "--dry-run", "--json"]).object
        #expect(planned["deliver"] as? Int == 1)
        let done = try scene.program.run(range + ["change:deleted folder:INBOX", "--json"])
        #expect(try done.status == 0 && done.object["restored"] as? Int == 1, "\(done.error)")
        let found = content(scene.maildir.path)
        #expect(found.messages.count == 2 && found.messages.contains { $0.flags.letters == Array("FS".utf8) })
        #expect(try scene.program.run("undo").status == 2)
    }

    @Test(
        "Of a vault whose indexes, projections and journal in LMDB are broken everything comes back; of one without a journal, the messages"
    )
    func raw() throws {
        let scene = try CommandLineScene()
        func copy(_ name: String) throws -> FilePath {
            let copy = scene.scratch.appending(name)
            try FileManager.default.copyItem(atPath: scene.program.vault.string, toPath: copy.string)
            return copy
        }
        let broken = try copy("broken")
        for name in ["journal/lmdb/data.mdb", "projections/data.mdb", "blobs/index/data.mdb", "FORMAT"] {
            Tree.write(broken.appending(name), Array("not what it was".utf8))
        }
        let before = tree(broken)
        let sound = CommandLineProgram(vault: scene.scratch.appending("sound"))
        let planned = try scene.program.run("restore", "raw", broken.string, "--to", sound.vault.string, "--dry-run")
        #expect(planned.status == 0 && !Tree.exists(sound.vault), "\(planned.error)")
        let answer = try scene.program.run("restore", "raw", broken.string, "--to", sound.vault.string, "--json")
        #expect(try answer.status == 0 && answer.object["recovered"] as? Int == 0, "\(answer.error)\(answer.text)")
        #expect(tree(broken) == before)
        #expect(try sound.run("check", "--read-data").status == 0)
        #expect(try sound.run("log", "dump").output == scene.program.run("log", "dump").output)
        #expect(try scene.program.run("restore", "raw", broken.string, "--to", sound.vault.string).status == 6)

        #expect(
            try scene.program.run("restore", "raw", broken.string, "--to", broken.appending("blobs/in").string).status
                == 6)
        #expect(tree(broken) == before)

        let cut = try copy("cut")
        let packs = cut.appending("blobs/packs")
        for name in Tree.names(packs) {
            let pack = Tree.child(packs, name)
            Tree.write(pack, Array(try #require(Tree.read(pack)).prefix(64)))
        }
        let less = CommandLineProgram(vault: scene.scratch.appending("less"))
        let partial = try scene.program.run("restore", "raw", cut.string, "--to", less.vault.string, "--json")
        let missing = try partial.object["missing"] as? [[String: Any]] ?? []
        #expect(partial.status == 3 && missing.count == 2, "\(partial.error)\(partial.text)")
        #expect(Set(missing.compactMap { $0["item"] as? String }).count == 2)
        #expect(missing.allSatisfy { $0["account"] as? String == "anna@example.org" })

        let blank = try copy("blank")
        for directory in ["journal/lmdb", "journal/segments"] {
            for name in Tree.names(blank.appending(directory)) {
                let file = Tree.child(blank.appending(directory), name)
                Tree.write(file, [UInt8](repeating: 0, count: try #require(Tree.read(file)).count))
            }
        }
        let anew = CommandLineProgram(vault: scene.scratch.appending("anew"))
        let nothing = try scene.program.run("restore", "raw", blank.string, "--to", anew.vault.string, "--json")
        #expect(try nothing.status == 3 && nothing.object["recovered"] as? Int == 2, "\(nothing.error)\(nothing.text)")

        let headless = try copy("headless")
        Tree.remove(headless.appending("journal"))
        let saved = CommandLineProgram(vault: scene.scratch.appending("saved"))
        let rest = try scene.program.run("restore", "raw", headless.string, "--to", saved.vault.string, "--json")
        #expect(try rest.status == 3 && rest.object["recovered"] as? Int == 2, "\(rest.error)")
        #expect(try saved.run("check", "--read-data").status == 0)
        let out = scene.scratch.appending("recovered")
        #expect(try saved.run("restore", "account", "recovered@vault.invalid", "--to", "maildir:\(out)").status == 0)
        #expect(Set(content(out).messages.map(\.digest)) == Set(content(scene.maildir.path).messages.map(\.digest)))
        #expect(
            try scene.program.run("restore", "raw", scene.scratch.appending("nothing").string, "--to", out.string + "2")
                .status == 10)
    }
}
