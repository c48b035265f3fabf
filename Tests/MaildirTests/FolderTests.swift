import Glibc
import Maildir
import Testing

@Suite struct FolderTests {
    @Test func `Maildir++ is detected, and its folders have their paths`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        for name in [".Work.2024", ".Entw&APw-rfe", ".&AGE-", ".INBOX.Sub", ".inbox", ".a&AC4-b"] {
            directory.makeFolder(name)
        }
        directory.write(".hidden", "no folder")
        directory.makeDirectory("other")
        let maildir = try Maildir(path: directory.path)
        #expect(maildir.layout == .maildirPlusPlus)
        let folders = try maildir.folders()
        #expect(folders.first?.isInbox == true)
        #expect(folders.first?.rawName == [])
        #expect(folders.allSatisfy { $0.problem == nil && $0.identity != nil })
        let paths = folders.map { $0.path.components.map { text($0.bytes) } }
        #expect(
            Set(paths) == [
                ["INBOX"], ["Work", "2024"], ["Entwürfe"], ["&AGE-"], ["INBOX", "Sub"], [".inbox"], ["a.b"],
            ])
        #expect(folders.filter { $0.path.isVerbatim }.map { text($0.rawName) } == [".&AGE-", ".inbox"])
        #expect(folders.filter { $0.isInbox }.count == 1)
        for folder in folders {
            #expect(try folder.path.directoryName() == folder.rawName)
            #expect(try maildir.open(folder).identity == folder.identity)
        }
    }

    @Test func `the fs layout is detected and read, with folders in between that hold no mail`() throws {
        let directory = TemporaryDirectory()
        directory.makeDirectory("A")
        directory.makeFolder("A/B.c")
        directory.makeFolder("INBOX")
        let maildir = try Maildir(path: directory.path)
        #expect(maildir.layout == .fs)
        let folders = try maildir.folders()
        #expect(folders.map { text($0.rawName) } == ["A", "A/B.c", "INBOX"])
        #expect(folders[0].problem == .notAMaildir(path: bytes(directory.path + "/A")))
        #expect(folders[1].path.components.map { text($0.bytes) } == ["A", "B.c"])
        #expect(folders[2].isInbox)
        #expect(try maildir.open(folders[1]).list().isEmpty)
    }

    @Test func `a root without folders is no Maildir, one with cur and new is one`() throws {
        let directory = TemporaryDirectory()
        #expect(throws: MaildirError.notAMaildir(path: directory.bytes)) { try Maildir(path: directory.path) }
        #expect(throws: MaildirError.system(errno: ENOENT, during: .open, path: bytes("/nonexistent/x"))) {
            try Maildir(path: "/nonexistent/x")
        }
        directory.makeFolder("")
        #expect(try Maildir(path: directory.path, layout: .plain).folders().count == 1)
    }

    @Test func `a folder that misses cur, or is a link, or may not be read, is told with its path and never empty`()
        throws
    {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.makeFolder(".A")
        directory.remove(".A/cur")
        directory.makeFolder(".B")
        directory.makeDirectory(".C")
        symlink(directory.path + "/.B", directory.path + "/.D")
        directory.makeFolder(".E")
        directory.remove(".E/new")
        symlink(directory.path + "/.B/new", directory.path + "/.E/new")
        let maildir = try Maildir(path: directory.path)
        let problems = Dictionary(uniqueKeysWithValues: try maildir.folders().map { (text($0.rawName), $0.problem) })
        #expect(problems[".A"] == .system(errno: ENOENT, during: .stat, path: bytes(directory.path + "/.A/cur")))
        #expect(problems[".B"] == .some(nil))
        #expect(problems[".C"] == .notAMaildir(path: bytes(directory.path + "/.C")))
        #expect(problems[".D"] == .symbolicLink(path: bytes(directory.path + "/.D")))
        #expect(problems[".E"] == .symbolicLink(path: bytes(directory.path + "/.E/new")))
        for name in [".A", ".C", ".D", ".E"] {
            #expect(throws: MaildirError.self) { try maildir.open(rawName: bytes(name)) }
        }
        #expect(throws: MaildirError.self) { try maildir.open(rawName: bytes("../../etc")) }
    }

    @Test func `a root or a folder that vanished or was replaced throws instead of being empty`() throws {
        let directory = TemporaryDirectory()
        directory.makeDirectory("M")
        directory.makeFolder("M")
        directory.makeFolder("M/.A")
        directory.write("M/.A/cur/1:2,S", "x")
        let maildir = try Maildir(path: directory.path + "/M")
        let folders = try maildir.folders()
        let open = try maildir.open(folders[1])
        directory.remove("M/.A/cur")
        #expect(throws: MaildirError.self) { try open.list() }
        mkdir(directory.path + "/M/.A/cur", 0o700)
        #expect(throws: MaildirError.replaced(path: bytes(directory.path + "/M/.A/cur"))) { try open.list() }
        directory.remove("M/.A")
        #expect(throws: MaildirError.self) { try open.list() }
        directory.makeFolder("M/.A2")
        directory.makeFolder("M/.A")
        #expect(throws: MaildirError.replaced(path: bytes(directory.path + "/M/.A"))) { try maildir.open(folders[1]) }
        directory.move("M", "N")
        #expect(throws: MaildirError.self) { try maildir.folders() }
        directory.makeDirectory("M")
        #expect(throws: MaildirError.replaced(path: bytes(directory.path + "/M"))) { try maildir.folders() }
    }

    @Test func `a folder keeps its identity when it is renamed`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.makeFolder(".Old")
        let maildir = try Maildir(path: directory.path)
        let before = try maildir.folders()[1]
        directory.move(".Old", ".New")
        let after = try maildir.folders()[1]
        #expect(before.identity == after.identity)
        #expect(before.path != after.path)
    }

    @Test func `subscriptions and keywords are read where they are, and nil or empty where not`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        let maildir = try Maildir(path: directory.path)
        let inbox = try maildir.open(rawName: [])
        #expect(try maildir.subscriptions() == nil)
        #expect(try inbox.keywords() == DovecotKeywords())
        #expect(try inbox.uidList() == nil)
        directory.write("courierimapsubscribed", "INBOX.A\n")
        #expect(try maildir.subscriptions()?.folders == [MaildirFolderPath([bytes("A")])])
        directory.write("subscriptions", "V\t2\n\nB\n")
        #expect(try maildir.subscriptions()?.folders == [MaildirFolderPath([bytes("B")])])
        directory.write("dovecot-keywords", "0 Work\n")
        #expect(try inbox.keywords().index(of: bytes("Work")) == 0)
        directory.remove("dovecot-keywords")
        mkfifo(directory.path + "/dovecot-keywords", 0o600)
        #expect(throws: MaildirError.self) { try inbox.keywords() }
    }
}
