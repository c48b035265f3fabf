import Glibc
import SystemPackage
import TestKit
import Testing

@testable import Connectors

@Suite("Hints of mail servers")
struct HintTests {
    private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Everything told until `isEnough`, or ten seconds.
    private func heard(_ reader: any HintReader, until isEnough: (Set<UserHint>) -> Bool) throws -> Set<UserHint> {
        var all: Set<UserHint> = []
        for _ in 0..<100 where !isEnough(all) { all.formUnion(try reader.next(timeoutMilliseconds: 100)) }
        return all
    }

    @Test("What users of Dovecot do is told by the hook's spool", whenThereIs(.dovecot))
    func dovecot() throws {
        let server = try RealServer.shared(.dovecot)
        let reader = try #require(HintChannel("spool:" + (server.properties["spool"] ?? ""))).open()
        let user = server.nextUser()
        let client = try WireClient(server, user)
        try client.done("CREATE \"A &AOk- b\"")
        try client.append("\"A &AOk- b\"", utf8("Subject: x\r\n\r\nx\r\n"))
        let folder = UserHint(user: utf8(user.name), hint: .folder(utf8("A &AOk- b")))
        let folders = UserHint(user: utf8(user.name), hint: .folders)
        let all = try heard(reader) { $0.isSuperset(of: [folder, folders]) }
        #expect(all.isSuperset(of: [folder, folders]), "\(all)")
    }

    @Test("What users of Cyrus do is told by its notifications", whenThereIs(.cyrus))
    func cyrus() throws {
        let server = try RealServer.shared(.cyrus)
        let reader = try #require(HintChannel("cyrus:" + (server.properties["notify"] ?? ""))).open()
        let user = server.nextUser()
        let client = try WireClient(server, user)
        try client.done("CREATE \"A &AOk- b\"")
        try client.append("\"A &AOk- b\"", utf8("Subject: x\r\n\r\nx\r\n"))
        try client.append("INBOX", utf8("Subject: x\r\n\r\nx\r\n"))
        let wanted: Set = [
            UserHint(user: utf8(user.name), hint: .folder(utf8("A &AOk- b"))),
            UserHint(user: utf8(user.name), hint: .folder(utf8("INBOX"))),
            UserHint(user: utf8(user.name), hint: .folders),
        ]
        let all = try heard(reader) { $0.isSuperset(of: wanted) }
        #expect(all.isSuperset(of: wanted), "\(all)")
    }

    @Test(
        "A watch of many users on a server with a channel needs no connection for each, and says whose mailbox it was",
        whenThereIs(.dovecot), whenThereIs(.cyrus), arguments: [RealServer.Kind.dovecotLazy, .cyrus])
    func watch(kind: RealServer.Kind) throws {
        let server = try RealServer.shared(kind)
        let scratch = Scratch("notify")
        // Cyrus has one socket, which another test may be reading.
        guard kind != .cyrus else { return try watchCyrusApart(scratch) }
        try watch(server, "spool:" + (server.properties["spool"] ?? ""))
    }

    private func watchCyrusApart(_ scratch: Scratch) throws {
        let path = scratch.appending("socket").string
        let users = ["anna@example.org", "bert"]
        let sources = try users.map { try source("imap://\($0)@127.0.0.1:1", "cyrus:\(path)") }
        let watch = try IMAPSource.watch(sources)
        #expect(try hears(watch, 1, .everything))
        let sender = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(sender) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        for user in ["bert/Work", "anna/Home%40example.org", "carl/INBOX", "bert/Other%40default.example"] {
            let text = "x\0EVENT\0{\"event\":\"MailboxModseq\",\"uri\":\"imap://h/user/\(user);UIDVALIDITY=1\"}\0"
            let sent = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(sender, text, text.utf8.count, 0, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            #expect(sent == text.utf8.count)
        }
        var all: [String] = []
        for _ in 0..<100 where all.count < 3 {
            for (source, hint) in try watch.next(timeoutMilliseconds: 100) {
                if case .folder(let name) = hint { all.append("\(source) \(String(decoding: name, as: UTF8.self))") }
            }
        }
        #expect(all.sorted() == ["0 Home", "1 Other", "1 Work"])
    }

    private func source(_ url: String, _ hints: String) throws -> IMAPSource {
        let source = try Location("\(url)/?secret=env:NONE&hints=\(hints)").openSource()
        return try #require(source as? IMAPSource)
    }

    private func watch(_ server: RealServer, _ channel: String) throws {
        let users = (0..<3).map { _ in server.nextUser() }
        let sources = try users.map { user in
            try source(
                "imap://\(user.name.split(separator: "@").joined(separator: "%40"))@127.0.0.1:\(server.port)", channel)
        }
        let watch = try IMAPSource.watch(sources)
        #expect(try hears(watch, 2, .everything))
        let client = try WireClient(server, users[1])
        try client.append("INBOX", utf8("Subject: x\r\n\r\nx\r\n"))
        #expect(try hears(watch, 1, .folder(utf8("INBOX"))))
        watch.wake()
        #expect(try watch.next(timeoutMilliseconds: 30_000).allSatisfy { $0.source == 1 })
    }

    /// Whether that comes of a source within ten seconds.
    private func hears(_ watch: any SourceWatch, _ source: Int, _ hint: SourceHint) throws -> Bool {
        for _ in 0..<100 where try watch.next(timeoutMilliseconds: 100).contains(where: { $0 == (source, hint) }) {
            return true
        }
        return false
    }

    @Test("A spool that is rotated, cut or gone for a while loses nothing silently")
    func rotation() throws {
        let scratch = Scratch("spool")
        let path = scratch.appending("spool")
        func append(_ text: String, to path: FilePath) {
            Tree.write(path, (Tree.read(path) ?? []) + utf8(text))
        }
        Tree.write(path, utf8("m before INBOX\n"))
        let reader = try DovecotSpool(path.string)
        #expect(try reader.next(timeoutMilliseconds: 0).isEmpty)
        let file = open(path.string, O_WRONLY | O_APPEND)
        defer { close(file) }
        func say(_ text: String) { _ = utf8(text).withUnsafeBytes { write(file, $0.baseAddress, $0.count) } }
        say("m anna INB")
        #expect(try reader.next(timeoutMilliseconds: 0).isEmpty)
        say("OX\nf bert\nm anna INBOX\n")
        let two = try reader.next(timeoutMilliseconds: 5_000)
        #expect(
            Set(two) == [
                UserHint(user: utf8("anna"), hint: .folder(utf8("INBOX"))),
                UserHint(user: utf8("bert"), hint: .folders),
            ])
        say("what is this\n")
        #expect(try reader.next(timeoutMilliseconds: 5_000) == [.everything])
        Tree.truncate(path, to: 0)
        #expect(try reader.next(timeoutMilliseconds: 5_000) == [.everything])
        Tree.rename(path, to: scratch.appending("old"))
        #expect(try reader.next(timeoutMilliseconds: 5_000) == [.everything])
        Tree.write(path, utf8("m carl INBOX\n"))
        var all: Set<UserHint> = []
        for _ in 0..<50 where all.isEmpty { all.formUnion(try reader.next(timeoutMilliseconds: 100)) }
        #expect(all.contains(.everything))
    }

    @Test("Whoever waits can be woken")
    func wake() throws {
        let scratch = Scratch("spool")
        Tree.write(scratch.appending("spool"), [])
        for channel in ["spool:\(scratch.appending("spool"))", "cyrus:\(scratch.appending("socket"))"] {
            let reader = try #require(HintChannel(channel)).open()
            reader.wake()
            #expect(try reader.next(timeoutMilliseconds: 30_000).isEmpty)
        }
    }

    @Test("Lines and datagrams of any kind are heard or passed over, and never trusted")
    func fuzz() throws {
        var generator = SeededGenerator.announced()
        let line = utf8("m anna%40example.org A%20b")
        let datagram = utf8(
            "x\0EVENT\0\0\0\00\0{\"event\":\"MessageNew\",\"uri\":\"imap:\\/\\/h\\/user\\/anna\\/W%C3%A9%40example.org;UIDVALIDITY=1\"}\0"
        )
        #expect(DovecotSpool.hint(line[...]) == UserHint(user: utf8("anna@example.org"), hint: .folder(utf8("A b"))))
        #expect(
            CyrusNotifications.hints(datagram) == [
                UserHint(user: utf8("anna@example.org"), hint: .folder(utf8("W&AOk-")))
            ])
        for _ in 0..<20_000 {
            var (one, other) = (line, datagram)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                one[Int.random(in: 0..<one.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                other[Int.random(in: 0..<other.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = DovecotSpool.hint(one.prefix(Int.random(in: 0...one.count, using: &generator)))
            _ = CyrusNotifications.hints(other.prefix(Int.random(in: 0...other.count, using: &generator)))
        }
    }

    @Test("Mailboxes of Cyrus are told apart by user, domain and separator")
    func mailboxes() throws {
        func found(_ uri: String) -> String? {
            CyrusNotifications.mailbox(utf8(uri)).map { user, folder in
                "\(user.map { String(decoding: $0, as: UTF8.self) } ?? "-")|\(String(decoding: folder, as: UTF8.self))"
            }
        }
        #expect(found("imap://h/user/anna;UIDVALIDITY=1/;UID=3") == "anna|INBOX")
        #expect(found("imap://h/user/anna%40b.c") == "anna@b.c|INBOX")
        #expect(found("imap://h/user/anna/A/B%40b.c") == "anna@b.c|A/B")
        #expect(found("imap://h/user.anna.A") == "anna|A")
        #expect(found("imap://h/shared%2Fx") == "-|")
        #expect(found("imap://h") == nil)
        #expect(found("http://h/user/anna") == nil)
    }
}
