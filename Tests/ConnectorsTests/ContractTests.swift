import Connectors
import Events
import Glibc
import SystemPackage
import TestKit
import Testing

struct ContractTests {
    @Test("A source in memory keeps the contract")
    func memory() throws {
        let source = MemorySource {
            $0.add("INBOX", [.init("1", "one", [.seen], ["a", "b"]), .init("2", "")])
            $0.add("INBOX/Sub")
        }
        let found = try checkSourceContract(source)
        #expect(found[Array("INBOX".utf8)]?.count == 2)
    }

    @Test(
        "A server in memory keeps it, with and without extensions",
        arguments: [
            [], ["LITERAL+"], ["OBJECTID"], ["QRESYNC"],
            ["QRESYNC", "CONDSTORE", "LIST-EXTENDED", "LIST-STATUS", "ESEARCH"],
        ])
    func model(without: [String]) throws {
        let mail = ModelMail()
        for number in 0..<12 {
            mail.append("INBOX", "Subject: \(number)\r\n\r\nx\r\n", flags: ["\\Seen", "k\(number % 3)"])
        }
        mail.append("A/B", "Subject: large\r\n\r\n" + String(repeating: "x", count: 4_300_000))
        mail.append("Empty", "")
        let server = ScriptedServer(mail, capabilities: ModelSession.capabilities.filter { !without.contains($0) })
        defer { server.stop() }
        let place = try Location(ServerAccount.url(port: server.port, user: "anna", password: "pw"))
        let found = try checkSourceContract(place.openSource())
        #expect(found.mapValues(\.count) == [Array("INBOX".utf8): 12, Array("A/B".utf8): 1, Array("Empty".utf8): 1])
    }

    @Test(
        "A real server keeps the contract of a source, odd names, rights and annotations too", whenThereIs(.dovecot),
        whenThereIs(.cyrus), arguments: [RealServer.Kind.dovecot, .cyrus])
    func server(kind: RealServer.Kind) throws {
        let (url, client) = try ServerAccount.fresh(on: RealServer.shared(kind))
        for name in ["\"A &AOk- b\"", "Deep/Er/Est", "\"x (y) z\"", "\"Entw&APw-rfe\""] {
            try client.done("CREATE \(name)")
        }
        for number in 0..<6 {
            try client.append(
                "\"A &AOk- b\"", Array("Subject: \(number % 4)\r\n\r\nx\r\n".utf8), flags: "\\Flagged $Work k\(number)")
        }
        try client.append("INBOX", Array("Subject: large\r\n\r\n".utf8) + Array(repeating: 0x78, count: 4_300_000))
        try client.done("SETACL Deep/Er/Est bob@example.test lrs")
        try client.done("SETMETADATA Deep/Er/Est (/private/comment \"mine\")")
        try client.done("SUBSCRIBE Deep/Er/Est")
        let source = try Location(url).openSource()
        let found = try checkSourceContract(source)
        #expect(found[Array("A &AOk- b".utf8)]?.count == 6 && found[Array("INBOX".utf8)]?.count == 1)
        let folder = try #require(try source.folders().first { $0.name == Array("Deep/Er/Est".utf8) })
        #expect(folder.isSubscribed && folder.path.count == 3)
        #expect(try source.attributes(of: folder)?.contains { $0.value == Array("mine".utf8) } == true)
    }

    @Test("A target that was killed at its very beginning can be begun again; what is somebody else's is not filled")
    func begunTarget() throws {
        let scratch = Scratch("begun")
        for (places, isOurs) in [([], true), (["tmp"], true), (["tmp", "new"], true), (["mine"], false)] {
            let path = scratch.appending("out-\(places.joined())")
            Tree.makeDirectory(path)
            for place in places { Tree.makeDirectory(path.appending(place)) }
            let location = try Location("maildir:\(path)")
            if isOurs {
                _ = try location.view()
            } else {
                #expect(throws: Failure.self) { try location.view() }
            }
        }
        let other = scratch.appending("other")
        for place in ["", "tmp", "tmp/thing"] { Tree.makeDirectory(place.isEmpty ? other : other.appending(place)) }
        #expect(throws: Failure.self) { try Location("maildir:\(other)").view() }
    }

    @Test("A Maildir keeps the contract of a source, hostile names too")
    func maildir() throws {
        let scratch = Scratch("maildir")
        let fixture = MaildirFixture(scratch.appending("Mail"))
        fixture.keywords("", ["$Work", "Urgent"])
        fixture.deliver("", "1.a:2,FSab", "one\r\n")
        fixture.deliver("", "2.b:2,", "")
        fixture.makeFolder(".Sub.Inner")
        fixture.makeFolder([0x2E, 0xFF, 0xFE])
        fixture.makeFolder(".\u{1B}[31m\nx")
        for name in [[0xFF, 0x80], Array("a\nb\u{1B}[0m".utf8), Array(repeating: UInt8(ascii: "x"), count: 255)] {
            fixture.deliver(Array(".Sub.Inner".utf8), name, Array("hostile".utf8))
        }
        Tree.write(scratch.appending("Mail/new/3.c"), Array(repeating: 65, count: 100_000))
        let source = try MaildirSource(path: fixture.path.string)
        let found = try checkSourceContract(source)
        #expect(found.count == 4)
        #expect(found[Array(".".utf8)]?[Array("1.a".utf8)] == Array("one\r\n".utf8))
        #expect(found[Array(".Sub.Inner".utf8)]?.count == 3)
        let inbox = try #require(try source.folders().first { $0.name == Array(".".utf8) })
        let listing = try source.list(inbox)
        let position = try #require(listing.position(Array("1.a".utf8)))
        #expect(listing.flags(position) == [.flagged, .seen])
        #expect(listing.keywords(position) == [Array("$Work".utf8), Array("Urgent".utf8)])
        #expect(try listing.open(position).internalDate == Timestamp(seconds: 1_700_000_000))
    }

    @Test("What vanished since it was listed is said to have vanished; what cannot be opened, why")
    func vanished() throws {
        let scratch = Scratch("maildir")
        let fixture = MaildirFixture(scratch.appending("Mail"))
        fixture.deliver("", "1.a:2,", "one")
        fixture.deliver("", "2.b:2,", "two")
        let source = try MaildirSource(path: fixture.path.string)
        let inbox = try #require(try source.folders().first)
        let listing = try source.list(inbox)
        fixture.remove("", "1.a:2,")
        fixture.move("", "2.b:2,", to: nil, "2.b:2,S")
        #expect {
            _ = try listing.open(try #require(listing.position(Array("1.a".utf8))))
        } throws: { error in
            if case .vanished? = error as? SourceFailure { true } else { false }
        }
        var bytes: [UInt8] = []
        try listing.open(try #require(listing.position(Array("2.b".utf8)))).read(into: &bytes)
        #expect(bytes == Array("two".utf8))
    }

    @Test("A folder that is another since the folders were listed is not listed in its place")
    func replaced() throws {
        let scratch = Scratch("maildir")
        let fixture = MaildirFixture(scratch.appending("Mail"))
        fixture.makeFolder(".A")
        fixture.makeFolder(".B")
        fixture.deliver(".A", "1.a", "one")
        let source = try MaildirSource(path: fixture.path.string)
        let folders = try source.folders()
        let a = try #require(folders.first { $0.name == Array(".A".utf8) })
        fixture.renameFolder(".A", to: ".C")
        fixture.renameFolder(".B", to: ".A")
        #expect(throws: SourceFailure.self) { try source.list(a) }
        fixture.removeFolder(".A")
        #expect(throws: SourceFailure.self) { try source.list(a) }
    }

    @Test("What is passed over is named with its reason")
    func passedOver() throws {
        let scratch = Scratch("maildir")
        let fixture = MaildirFixture(scratch.appending("Mail"))
        fixture.deliver("", "1.a:2,", "one")
        fixture.deliver("", "1.a:2,S", "other")
        fixture.deliver("", ".hidden", "x")
        Tree.makeDirectory(fixture.file("", "cur", "directory"))
        symlink("/etc/passwd", fixture.file("", "cur", "link").string)
        let source = try MaildirSource(path: fixture.path.string)
        let listing = try source.list(try #require(try source.folders().first))
        #expect(listing.count == 1)
        for why in ["same unique name", "begins with a dot", "a directory", "a symbolic link"] {
            #expect(listing.passedOver.count { $0.hasSuffix(why) } == 1, "\(why): \(listing.passedOver)")
        }
    }

    @Test("A Maildir keeps the contract of a target")
    func target() throws {
        let scratch = Scratch("target")
        let place = try Location("maildir:" + scratch.appending("Mail").string)
        let view = try place.view()
        let target = try place.openTarget()
        try checkTargetContract(target, view: view, source: try place.openSource())
    }

    @Test("A path that is no Maildir, or is not there, is a source that is unavailable")
    func unavailable() {
        let scratch = Scratch("empty")
        for path in ["/nonexistent/Mail", scratch.path.string] {
            #expect(throws: SourceFailure.self) { try MaildirSource(path: path) }
        }
    }
}
