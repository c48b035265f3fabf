import Connectors
import Events
import TestKit
import Testing

@Suite("Mail servers as targets", .serialized)
struct ServerTargetTests {
    @Test(
        "A real server keeps the contract of a target", whenThereIs(.dovecot), whenThereIs(.cyrus),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func contract(kind: RealServer.Kind) throws {
        let place = try Location(ServerAccount.fresh(on: RealServer.shared(kind)).url)
        try checkTargetContract(place.openTarget(), view: place.view(), source: place.openSource())
    }

    @Test(
        "A server in memory keeps it, with and without extensions",
        arguments: [
            [], ["LITERAL+"], ["MULTIAPPEND"],
            ["LITERAL+", "MULTIAPPEND", "QRESYNC", "CONDSTORE", "LIST-EXTENDED", "LIST-STATUS"],
        ])
    func model(without: [String]) throws {
        let server = ScriptedServer(
            ModelMail(), capabilities: ModelSession.capabilities.filter { !without.contains($0) })
        defer { server.stop() }
        let place = try Location(ServerAccount.url(port: server.port, user: "anna", password: "pw"))
        try checkTargetContract(place.openTarget(), view: place.view(), source: place.openSource())
    }

    @Test(
        "A message the server refuses is named with the server's words, and the others of its command are delivered",
        whenThereIs(.cyrus))
    func refused() throws {
        let (url, client) = try ServerAccount.fresh(on: RealServer.shared(.cyrus))
        let target = try Location(url).openTarget()
        let folder = try target.folder(FolderState(path: [Array("Box".utf8)], sourceName: []))
        var refused: [Int: String] = [:]
        for number in 0..<20 {
            // Cyrus takes no header line without a colon.
            let text = number == 13 ? "no header\r\n\r\nx\r\n" : "Subject: \(number)\r\n\r\n"
            let bytes = Array(text.utf8)
            let message = Delivery(
                name: nil, flags: [], keywords: [], internalDate: Timestamp(seconds: 1_600_000_000),
                size: UInt64(bytes.count))
            try folder.deliver(message) {
                try $0(bytes.span.bytes)
            } done: { result in
                if case .failure(let failure) = result { refused[number] = "\(failure)" }
            }
        }
        try target.sync()
        #expect(refused.keys.sorted() == [13])
        #expect(refused[13]?.lowercased().contains("header") == true)
        #expect(try client.done("STATUS Box (MESSAGES)").texts == ["* STATUS Box (MESSAGES 19)"])
    }

    @Test(
        "The room of a user with a quota is known, and of one without is not", whenThereIs(.dovecot),
        whenThereIs(.cyrus))
    func room() throws {
        for kind in [RealServer.Kind.dovecot, .cyrus] {
            let server = try RealServer.shared(kind)
            let small = ServerAccount.url(port: server.port, user: "small@example.test", password: "pw-small")
            #expect(try Location(small).view().room() == 102_400)
        }
    }

    @Test("A folder that can have no name on a server is refused")
    func names() throws {
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        let view = try Location(ServerAccount.url(port: server.port, user: "anna", password: "pw")).view()
        for path in [[[0xFF, 0xFE]], [Array("a/b".utf8)], [[]], [], [Array("a*".utf8)], [Array("A".utf8), []]]
            as [[[UInt8]]]
        {
            #expect(throws: TargetFailure.self) { try view.name(of: FolderState(path: path, sourceName: [])) }
        }
        func name(_ path: String...) throws -> String {
            String(
                decoding: try view.name(of: FolderState(path: path.map { Array($0.utf8) }, sourceName: [])),
                as: UTF8.self)
        }
        #expect(try name("inBox") == "INBOX")
        #expect(try name("Arbeit", "Über & mehr") == "Arbeit/&ANw-ber &- mehr")
    }
}
