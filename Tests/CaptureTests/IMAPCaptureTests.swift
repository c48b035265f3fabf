import Capture
import Connectors
import Events
import Network
import SystemPackage
import TestKit
import Testing
import Vault

/// A user of a real server, seen by a client that changes things and by the source that is captured.
private final class Mailbox {
    let server: RealServer
    let client: WireClient
    let user: (name: String, password: String)
    let source: IMAPSource

    init(_ kind: RealServer.Kind) throws {
        server = try RealServer.shared(kind)
        user = server.nextUser()
        if kind == .cyrus {
            let admin = try WireClient(port: server.port)
            try admin.done("LOGIN cyrus pw-cyrus")
            try admin.done("CREATE user/\(user.name)")
        }
        client = try WireClient(server, user)
        source = Mailbox.source(server, user)
    }

    static func source(_ server: RealServer, _ user: (name: String, password: String)) -> IMAPSource {
        let password = Array(user.password.utf8)
        return IMAPSource(
            ServerAccess(
                endpoint: Endpoint(host: "127.0.0.1", port: server.port), security: .plaintext, user: user.name,
                secret: { password }))
    }

    func append(_ folder: String, _ text: String, flags: String = "") throws {
        try client.append("\"\(folder)\"", Array("Subject: \(text)\r\n\r\n\(text)\r\n".utf8), flags: flags)
    }
}

private func notes(_ transactions: [Transaction]) -> [Note.Kind] { transactions.compactMap(\.entry.note?.kind) }
private func changes(_ transactions: [Transaction]) -> [Change] { transactions.flatMap(\.entry.changes) }

@Suite struct IMAPCaptureTests {
    @Test(
        "What happens in a mailbox is recorded as what it was, and nothing is read twice",
        .enabled(if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrus), "no servers here"),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func semantics(kind: RealServer.Kind) throws {
        let box = try Mailbox(kind)
        let bench = try Bench()
        try box.client.done("CREATE Work")
        try box.client.done("CREATE Work/Sub")
        try box.append("INBOX", "one", flags: "\\Seen $Work")
        try box.append("INBOX", "two")
        try box.append("INBOX", "three")
        try box.append("Work", "four")
        try box.append("Work/Sub", "five")
        let first = try bench.pass(box.source)
        #expect(first.created == 5 && first.isComplete && first.messages == 5)
        let before = try bench.mailbox()
        #expect(before.count == 5)

        // Nothing: not even a note.
        #expect(try bench.recorded(box.source).isEmpty)
        #expect(try bench.recorded(Mailbox.source(box.server, box.user)).isEmpty)

        // Flags.
        try box.client.done("SELECT INBOX")
        try box.client.done("STORE 2 +FLAGS (\\Flagged urgent)")
        var seen = try bench.recorded(box.source)
        #expect(changes(seen).map(\.kinds) == [[.flags, .tags]] && notes(seen) == [.sourceCheckpoint])
        #expect(changes(seen).first?.state.message?.keywords == [utf8("urgent")])

        // A move is one change of one item.
        let moved = try some(changes(seen).first?.item)
        try box.client.done("UID MOVE 2 Work")
        seen = try bench.recorded(box.source)
        #expect(changes(seen).map(\.item) == [moved])
        #expect(changes(seen).first?.kinds.contains(.moved) == true)

        // A copy is a new item; expunging the first is its deletion, not the marking before.
        try box.client.done("UID COPY 3 Work/Sub")
        try box.client.done("UID STORE 3 +FLAGS (\\Deleted)")
        seen = try bench.recorded(box.source)
        #expect(Set(changes(seen).map(\.kinds)) == [.created, .flags])
        try box.client.done("EXPUNGE")
        seen = try bench.recorded(box.source)
        #expect(changes(seen).map(\.kinds) == [.deleted])

        // A renamed folder takes its subtree along: one transaction, no message is touched.
        try box.client.done("UNSELECT")
        try box.client.done("RENAME Work Play")
        seen = try bench.recorded(box.source)
        #expect(changes(seen).map(\.kinds) == [.renamed, .renamed])
        #expect(seen.filter { !$0.entry.changes.isEmpty }.count == 1)

        // Deleted and made again: another folder.
        try box.client.done("DELETE Play/Sub")
        try box.client.done("CREATE Play/Sub")
        seen = try bench.recorded(box.source)
        let folders = changes(seen).filter { $0.item.kind == .folder }
        #expect(Set(folders.map(\.kinds)) == [.created, .deleted] && Set(folders.map(\.item)).count == 2)
        #expect(changes(seen).filter { $0.item.kind == .message }.allSatisfy { $0.kinds == .deleted })

        // Who may do what, what it is for, what somebody noted about it.
        try box.client.done("SETACL Play bob@example.test lrs")
        try box.client.done("SETMETADATA Play (/private/comment \"mine\")")
        seen = try bench.recorded(box.source)
        #expect(changes(seen).map(\.kinds) == [.metadata])
        let attributes = try some(changes(seen).first?.state.folder?.attributes)
        #expect(attributes.contains(FolderAttribute(name: utf8("metadata /private/comment"), value: utf8("mine"))))
        #expect(attributes.contains { $0.name.starts(with: utf8("acl bob")) && $0.value.starts(with: utf8("lr")) })

        try box.client.done("SUBSCRIBE Play")
        seen = try bench.recorded(box.source)
        #expect(changes(seen).map(\.kinds) == [.subscription])

        // The whole of it is what a first look at the server shows.
        let fresh = try Bench()
        try fresh.pass(Mailbox.source(box.server, box.user))
        #expect(try bench.mailbox() == fresh.mailbox())
        #expect(try bench.recorded(box.source, deep: true).allSatisfy { $0.entry.changes.isEmpty })
    }

    @Test(
        "Random changes between passes, and the vault is the server",
        .enabled(if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrus), "no servers here"),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func random(kind: RealServer.Kind) throws {
        var random = SeededGenerator.announced()
        let box = try Mailbox(kind)
        let bench = try Bench()
        var folders = ["INBOX"]
        var number = 0
        for round in 0..<40 {
            for _ in 0..<random.number(0..<6) {
                let folder = random.element(folders)
                switch random.number(0..<9) {
                case 0...2:
                    number += 1
                    try box.append(folder, "m\(number)", flags: random.chance(30) ? "\\Seen" : "")
                case 3:
                    number += 1
                    folders.append("F\(number)")
                    try box.client.done("CREATE F\(number)")
                case 4 where folders.count > 2:
                    guard let gone = folders.dropFirst().randomElement(using: &random) else { continue }
                    folders.removeAll { $0 == gone }
                    if random.chance(50) {
                        try box.client.done("DELETE \(gone)")
                    } else {
                        number += 1
                        folders.append("R\(number)")
                        try box.client.done("RENAME \(gone) R\(number)")
                    }
                default:
                    try box.client.done("SELECT \(folder)")
                    let uids =
                        try box.client.done("UID SEARCH ALL").texts.first { $0.hasPrefix("* SEARCH") }?
                        .split(separator: " ").compactMap { Int($0) } ?? []
                    if let uid = uids.randomElement(using: &random) {
                        switch random.number(0..<4) {
                        case 0:
                            try box.client.done(
                                "UID STORE \(uid) \(random.chance(50) ? "+" : "-")FLAGS (\\Flagged k\(random.number(0..<3)))"
                            )
                        case 1: try box.client.done("UID MOVE \(uid) \(random.element(folders))")
                        case 2: try box.client.done("UID COPY \(uid) \(random.element(folders))")
                        default:
                            try box.client.done("UID STORE \(uid) +FLAGS (\\Deleted)")
                            try box.client.done("UID EXPUNGE \(uid)")
                        }
                    }
                    try box.client.done("UNSELECT")
                }
            }
            let report = try bench.pass(box.source)
            #expect(report.isComplete)
            guard round % 10 == 9 else { continue }
            let fresh = try Bench()
            try fresh.pass(Mailbox.source(box.server, box.user))
            #expect(try bench.mailbox() == fresh.mailbox())
        }
    }

    @Test(
        "What the server knows a message by is kept, and tells which of two with the same bytes was moved",
        .enabled(if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrus), "no servers here"),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func marks(kind: RealServer.Kind) throws {
        let box = try Mailbox(kind)
        let bench = try Bench()
        try box.client.done("CREATE Work")
        for _ in 0..<3 { try box.append("INBOX", "same") }
        try box.append("INBOX", "other")
        try bench.pass(box.source)
        func marks() throws -> [ServerMarks] {
            try bench.live().sorted { $0.key.number < $1.key.number }.compactMap { $0.value.message?.marks }
        }
        let before = try marks()
        #expect(before.count == 4 && before.allSatisfy { !$0.emailID.isEmpty && $0.saveDate != nil })
        // Cyrus: of the bytes, and with conversations. Dovecot: of the message, and without.
        #expect(Set(before.map(\.emailID)).count == (kind == .cyrus ? 2 : 4))
        #expect(before.allSatisfy { $0.threadID.isEmpty == (kind == .dovecot) })
        #expect(try bench.recorded(box.source, deep: true).flatMap(\.entry.changes).isEmpty)

        let second = try #require(
            try bench.live().first { $0.value.message?.sourceName.suffix(2) == utf8(".2")[...] }?.key)
        try box.client.done("SELECT INBOX")
        try box.client.done("UID MOVE 2 Work")
        try box.client.done("UID STORE 1,3 +FLAGS (\\Deleted)")
        try box.client.done("UID EXPUNGE 1,3")
        let changes = try bench.recorded(box.source).flatMap(\.entry.changes)
        let moved = changes.filter { $0.kinds.contains(.moved) }
        #expect(changes.count { $0.kinds == .deleted } == 2 && moved.count == 1)
        if kind == .dovecot { #expect(moved.first?.item == second) }
        #expect(moved.first?.state.message?.marks.emailID == before[1].emailID)
    }

    @Test(
        "A message of 30 MB and one of nothing are kept as they are",
        .enabled(if: RealServer.isAvailable(.dovecot), "no server here"))
    func large() throws {
        let box = try Mailbox(.dovecot)
        let bench = try Bench()
        var random = SeededGenerator(seed: 3)
        let line = random.bytes(4_000).map { 0x20 + $0 % 90 } + [13, 10]
        let message = Array("Subject: large\r\n\r\n".utf8) + (0..<7_500).flatMap { _ in line }
        try box.client.append("INBOX", message)
        try box.append("INBOX", "small")
        let report = try bench.pass(box.source)
        #expect(report.created == 2 && report.isComplete)
        let digests = try bench.live().values.compactMap { $0.message?.digest }
        #expect(digests.contains(Digest(hashing: message.span.bytes)))
        let dates = try bench.live().values.compactMap { $0.message?.internalDate }
        #expect(dates == [Timestamp(seconds: 1_580_551_200), Timestamp(seconds: 1_580_551_200)])
    }

    @Test(
        "A watch hears what happens to a user and records it within seconds",
        .enabled(if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrus), "no servers here"),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func watch(kind: RealServer.Kind) throws {
        let box = try Mailbox(kind)
        let bench = try Bench()
        let maildir = MaildirFixture(bench.scratch.appending("Mail"))
        maildir.deliver("", "1.a:2,", "one")
        let other = try bench.vault.addAccount("bert@example.org", sources: ["maildir:/y"], using: &bench.generator)
        let scanner = try RealtimeScanner(
            bench.vault,
            [
                (bench.account, AnySource(box.source)),
                (other, AnySource(try MaildirSource(path: maildir.path.string))),
            ])
        var seen = 0
        var isStopped = false
        var wake: @Sendable () -> Void = {}
        var steps: [() throws -> Void] = [
            { try box.append("INBOX", "first") },
            { maildir.deliver("", "2.b:2,", "two") },
            { try box.append("INBOX", "second") },
        ]
        try scanner.run(
            isStopped: { isStopped }, waker: { wake = $0 },
            report: { event in
                switch event {
                case .recorded(_, let report): seen += report.created
                case .failed(_, let why): Issue.record("\(why)")
                case .ready, .recovered: break
                }
                // Each thing happens when what was before it has been recorded.
                do {
                    if seen >= 4 - steps.count, !steps.isEmpty { try steps.removeFirst()() }
                } catch { Issue.record(error) }
                if seen >= 4 {
                    isStopped = true
                    wake()
                }
            })
        #expect(seen == 4)
    }

    @Test(
        "A wrong password is a sign-in that failed, a server that is away is unreachable",
        .enabled(if: RealServer.isAvailable(.dovecot), "no server here"))
    func refusals() throws {
        let box = try Mailbox(.dovecot)
        let bench = try Bench()
        let wrong = Mailbox.source(box.server, (box.user.name, "wrong"))
        #expect(code { try bench.pass(wrong) } == .signIn)
        let away = IMAPSource(
            ServerAccess(
                endpoint: Endpoint(host: "127.0.0.1", port: 1), security: .plaintext, user: "u", secret: { [1] }))
        #expect(code { try bench.pass(away) } == .unreachable)
        #expect(try bench.live().isEmpty)
    }
}
