import Connectors
import Events
import Glibc
import Journal
import Restore
import TestKit
import Testing
import Vault

/// A mailbox with a bit of everything, captured.
private func filled(isVolatile: Bool = false) throws -> Bench {
    let bench = try Bench(isVolatile: isVolatile)
    bench.mail.keywords("", ["$Work"])
    for number in 0..<8 {
        bench.mail.deliver("", "\(number).in:2,Sa", "Message-ID: <\(number)@x>\r\nSubject: \(number)\r\n\r\nin\r\n")
    }
    // The same bytes twice are two messages; lines that end in a line feed alone are what a Maildir has.
    bench.mail.makeFolder(".Work.Deep")
    bench.mail.deliver(".Work.Deep", "1.twin:2,F", "Subject: twin\r\n\r\n")
    bench.mail.deliver(".Work.Deep", "2.twin:2,F", "Subject: twin\r\n\r\n")
    bench.mail.deliver(".Work.Deep", "3.bare:2,", "Subject: bare\n\nline\n")
    bench.mail.deliver(".Work.Deep", "4.bare:2,R", "Subject: bare\n\nline\n")
    bench.mail.makeFolder(".Empty")
    bench.mail.subscribe(["Work.Deep"])
    try bench.scan()
    return bench
}

/// Folder, text, flags of each message, sorted.
private func expected(_ bench: Bench) -> [String] {
    let inbox = (0..<8).map { "INBOX|Message-ID: <\($0)@x>\r\nSubject: \($0)\r\n\r\nin\r\n|$Work \\Seen" }
    let deep = [
        "Subject: twin\r\n\r\n|\\Flagged", "Subject: twin\r\n\r\n|\\Flagged", "Subject: bare\r\n\r\nline\r\n|",
        "Subject: bare\r\n\r\nline\r\n|\\Answered",
    ]
    return (inbox + deep.map { "Work/Deep|" + $0 }).sorted()
}

private func content(_ mail: ModelMail) -> [String] {
    mail.mailboxes.flatMap { name, mailbox in
        mailbox.messages.map {
            "\(name)|\(String(decoding: $0.bytes, as: UTF8.self))|\($0.flags.joined(separator: " "))"
        }
    }.sorted()
}

private func request(_ bench: Bench, _ server: ScriptedServer) throws -> RestoreRequest {
    var request = try bench.request()
    request.target = try Location(ServerAccount.url(port: server.port, user: "anna", password: "pw", timeout: 1))
    return request
}

@Suite("Restores to a mail server")
struct ServerRestoreTests {
    @Test("All of it arrives, and a second run finds it there")
    func twice() throws {
        let bench = try filled()
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        let request = try request(bench, server)
        let report = try bench.restore(request)
        #expect(report.restored == 12 && report.altered == 2 && report.unrestored.isEmpty, "\(report)")
        #expect(content(server.mail) == expected(bench))
        #expect(server.mail.mailboxes["Empty"] != nil)
        #expect(server.mail.mailboxes.filter(\.value.isSubscribed).map(\.key) == ["Work/Deep"])
        let plan = try bench.plan(request)
        #expect(plan.steps.isEmpty && plan.skipped == 12, "\(plan.steps)")
    }

    @Test("What a server has changed beyond recognition is not put there again, because the journal knows it took it")
    func alters() throws {
        let bench = try filled()
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        server.mail.alter { $0 + Array("-- munged".utf8) }
        let request = try request(bench, server)
        #expect(try bench.restore(request).restored == 12)
        let plan = try bench.plan(request)
        #expect(plan.steps.isEmpty && plan.skipped == 12)
    }

    @Test("What is there already is not put there again, whoever put it there; flags are set where that is asked for")
    func missing() throws {
        let bench = try filled()
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        server.mail.append("INBOX", "Message-ID: <3@x>\r\nSubject: 3\r\n\r\nin\r\n")
        server.mail.append("INBOX", "Message-ID: <3@x>\r\nSubject: 3\r\n\r\nanother\r\n")
        server.mail.append("Work/Deep", "Subject: bare\r\n\r\nline\r\n")
        var request = try request(bench, server)
        #expect(try bench.plan(request).count(.deliver) == 10)
        request.only = .flags
        let plan = try bench.plan(request)
        #expect(plan.count(.deliver) == 0 && (1...2).contains(plan.count(.setFlags)))
        request.only = .changed
        try bench.restore(request)
        let now = content(server.mail)
        #expect(Set(now) == Set(expected(bench) + ["INBOX|Message-ID: <3@x>\r\nSubject: 3\r\n\r\nanother\r\n|"]))
        #expect(now.count == 13)
    }

    @Test("Undo takes back what it delivered, and nothing else")
    func undo() throws {
        let bench = try filled()
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        server.mail.append("Work/Deep", "Subject: twin\r\n\r\n", flags: ["\\Flagged"])
        server.mail.append("INBOX", "Subject: mine\r\n\r\n")
        let before = content(server.mail)
        let report = try bench.restore(try request(bench, server))
        #expect(report.restored == 11)
        // A person has changed one since: it stays.
        let kept = try #require(server.mail.mailboxes["INBOX"]?.messages.last)
        server.mail.setFlags("INBOX", kept.uid, ["\\Draft"])
        let undone = try bench.undo(report.operation)
        #expect(undone.report.removed == 10, "\(undone.report)")
        let text = "INBOX|\(String(decoding: kept.bytes, as: UTF8.self))|\\Draft"
        #expect(content(server.mail) == (before + [text]).sorted())
    }

    @Test("Exact makes it as it was; what the vault does not have stays")
    func exact() throws {
        let bench = try filled()
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        var request = try request(bench, server)
        try bench.restore(request)
        // Known to the vault, but not of that moment; and unknown to it.
        server.mail.append("Empty", "Message-ID: <3@x>\r\nSubject: 3\r\n\r\nin\r\n")
        server.mail.append("INBOX", "Subject: unknown\r\n\r\n")
        server.mail.setFlags("INBOX", 2, ["\\Deleted"])
        server.mail.expunge("INBOX", [4])
        request.isExact = true
        let report = try bench.restore(request)
        #expect(report.removed == 1 && report.restored == 1 && report.merged == 1 && report.unrestored.count == 1)
        #expect(content(server.mail) == (expected(bench) + ["INBOX|Subject: unknown\r\n\r\n|"]).sorted())
    }

    @Test("Exact removes a folder made since, and undo brings it back with what was in it")
    func exactFolders() throws {
        let bench = try filled()
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        var request = try request(bench, server)
        try bench.restore(request)
        server.mail.append("Later", "Message-ID: <3@x>\r\nSubject: 3\r\n\r\nin\r\n")
        server.mail.append("Kept", "Subject: unknown\r\n\r\n")
        let before = content(server.mail)
        request.isExact = true
        let report = try bench.restore(request)
        #expect(report.removed == 1 && report.foldersRemoved == 1, "\(report)")
        #expect(server.mail.mailboxes["Later"] == nil && server.mail.mailboxes["Kept"] != nil)
        _ = try bench.undo(report.operation)
        #expect(content(server.mail) == before)
    }

    @Test("What does not fit is not begun")
    func quota() throws {
        let bench = try filled()
        let server = ScriptedServer(ModelMail())
        defer { server.stop() }
        server.mail.quota = 1_024 - 1_024
        let request = try request(bench, server)
        #expect(code { _ = try bench.restore(request) } == .noSpace)
        #expect(content(server.mail).isEmpty)
    }

    /// Together with the cuts of scans (`LyingServerTests`) two thousand; with `YESTERMAIL_CUTS=all` at every byte that comes, every byte
    /// that goes, and before every answer.
    @Test("A restore that is cut at any byte, and run again, leaves nothing out and nothing twice", arguments: 0..<4)
    func cuts(part: Int) throws {
        let whole = ScriptedServer(ModelMail())
        let first = try filled(isVolatile: true)
        try first.restore(try request(first, whole))
        let lengths = [whole.record.sent, whole.record.received, whole.record.commands]
        whole.stop()
        let isFull = getenv("YESTERMAIL_CUTS").map { String(cString: $0) } == "all"
        var generator = SeededGenerator.announced("restore cuts(\(part))")
        let places: [(way: Int, place: Int)] =
            isFull
            ? lengths.enumerated().flatMap { way, length in stride(from: part, to: length, by: 4).map { (way, $0) } }
            : (0..<200).map { _ in
                let way = [0, 0, 1, 1, 2][generator.number(0..<5)]
                return (way, generator.number(0..<lengths[way]))
            }
        var unfinished = 0
        // A vault remembers all its operations: none of them has to look through all of these.
        for begin in stride(from: 0, to: places.count, by: 25) {
            let bench = try filled(isVolatile: true)
            let server = ScriptedServer(ModelMail())
            defer { server.stop() }
            for (way, place) in places[begin..<min(places.count, begin + 25)] {
                var script = ScriptedServer.Script()
                switch way {
                case 0: script.cutAfterSending = place
                case 1: script.cutAfterReceiving = place
                default: script.cutBeforeAnswer = place
                }
                server.mail.clear()
                server.follow(script)
                let request = try request(bench, server)
                do {
                    let plan = try RestorePlanner.plan(bench.vault, request)
                    _ = try RestoreRun(bench.vault, plan, operation: bench.operation()).run()
                } catch {
                    unfinished += 1
                    #expect((error as? Failure).map { [.unreachable].contains($0.code) } == true, "\(script): \(error)")
                }
                if !server.record.hasMisbehaved { Issue.record("\(script) did not come to pass") }
                server.follow(ScriptedServer.Script())
                _ = try bench.restore(request)
                #expect(content(server.mail) == expected(bench), "\(script)")
            }
        }
        #expect(unfinished > places.count / 2)
    }

    @Test(
        "What a cut restore has delivered, undo finds and takes back", arguments: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
    func undoAfterCut(command: Int) throws {
        let bench = try filled()
        var script = ScriptedServer.Script()
        script.cutBeforeAnswer = command + 8
        let server = ScriptedServer(ModelMail(), script)
        defer { server.stop() }
        server.mail.append("Work/Deep", "Subject: twin\r\n\r\n", flags: ["\\Flagged"])
        let before = content(server.mail)
        // The cut may have been while it was planned: then there is nothing to take back.
        guard let plan = try? bench.plan(try request(bench, server)) else { return }
        let operation = bench.operation()
        _ = try? RestoreRun(bench.vault, plan, operation: operation).run()
        server.follow(ScriptedServer.Script())
        if try bench.vault.operations().contains(where: { $0.id == operation }) { _ = try bench.undo(operation) }
        #expect(content(server.mail) == before)
    }

    @Test(
        "No misbehaviour of a server makes a restore crash, hang, or lose what it reports as restored",
        arguments: Misbehaviour.allCases)
    func misbehaves(misbehaviour: Misbehaviour) throws {
        let bench = try filled()
        let all = getenv("YESTERMAIL_CUTS").map { String(cString: $0) } == "all"
        var generator = SeededGenerator.announced("misbehaves(\(misbehaviour))")
        for at in all ? Array(0..<60) : [Int.random(in: 0..<40, using: &generator)] {
            let server = ScriptedServer(ModelMail(), ScriptedServer.Script(misbehaviour, at: at))
            defer { server.stop() }
            let request = try request(bench, server)
            _ = try? bench.restore(request)
            server.follow(ScriptedServer.Script())
            _ = try bench.restore(request)
            let now = content(server.mail)
            #expect(Set(now).isSuperset(of: expected(bench)), "\(misbehaviour) at \(at)")
        }
    }
}
