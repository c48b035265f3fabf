import TestKit
import Testing

@Suite("The scripted server")
struct ScriptedServerTests {
    private func mail() -> ModelMail {
        let mail = ModelMail()
        for number in 1...3 {
            mail.append(
                "INBOX", "Message-ID: <\(number)@x>\r\nSubject: \(number)\r\n\r\nbody {\(number)}\r\n",
                flags: ["\\Seen"])
        }
        mail.append("Work/Sub", "Subject: s\r\n\r\n")
        return mail
    }

    /// A session as a client may have it; the answers that were wrong, or the connection's end.
    private func talk(_ server: ScriptedServer, patience: Int32 = 20_000) throws {
        let client = try WireClient(port: server.port, patience: patience)
        try client.done("LOGIN anna pw")
        try client.done("ENABLE QRESYNC")
        let list = try client.done(
            "LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID))")
        guard list.texts.filter({ $0.hasPrefix("* LIST") }).count == 2, list.texts.count == 4 else { throw Wrong.list }
        let select = try client.done("SELECT INBOX (QRESYNC (1700000001 1))")
        guard select.texts.contains("* 3 EXISTS"), select.texts.filter({ $0.contains("FETCH (UID") }).count == 3 else {
            throw Wrong.select
        }
        let fetch = try client.done("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ EMAILID BODY.PEEK[])")
        let expected = (1...3).map { number in
            "* \(number) FETCH (UID \(number) FLAGS (\\Seen) INTERNALDATE \"01-Feb-2020 10:00:00 +0000\" RFC822.SIZE 43 MODSEQ (\(number + 1)) EMAILID (M\(number + 2)) BODY[] {43}\r\nMessage-ID: <\(number)@x>\r\nSubject: \(number)\r\n\r\nbody {\(number)}\r\n)"
        }
        guard fetch.texts == expected else { throw Wrong.fetch(fetch.texts) }
        let text = Array("Subject: new\r\n\r\nx".utf8)
        let append = try client.done("APPEND Work/Sub (\\Flagged) \"02-Feb-2020 10:00:00 +0000\" {\(text.count)}", text)
        guard append.end.hasPrefix("OK [APPENDUID ") else { throw Wrong.append }
        try client.done("UID STORE 2 +FLAGS (\\Deleted)")
        let expunge = try client.done("UID EXPUNGE 1:3")
        guard expunge.texts == ["* VANISHED 2"] else { throw Wrong.expunge }
        try client.done("LOGOUT")
    }

    private enum Wrong: Error {
        case list, select
        case fetch([String])
        case append, expunge
    }

    @Test("Without a script it is a good server")
    func behaves() throws {
        let server = ScriptedServer(mail())
        defer { server.stop() }
        try talk(server)
        #expect(server.mail.mailboxes["INBOX"]?.messages.map(\.uid) == [1, 3])
        #expect(server.mail.mailboxes["Work/Sub"]?.messages.last?.flags == ["\\Flagged"])
        #expect(!server.record.hasMisbehaved)
    }

    @Test("Every misbehaviour shows somewhere in a session, and ends", arguments: Misbehaviour.allCases)
    func misbehaves(misbehaviour: Misbehaviour) throws {
        // Those a client that reads lines alone would wait for for ever, or not notice, have tests of what they send.
        let isSilent = [
            .silence, .lineMissing, .noLineEnd, .carriageReturnOnly, .literalTooLong, .endlessLine, .wrongTag,
        ]
        .contains(misbehaviour)
        var changed = 0
        let plain = replies()
        for reply in plain {
            let actions = misbehaviour.sends(reply)
            if actions != [reply.bytes] { changed += 1 }
        }
        #expect(changed > 0 || [.slowBytes, .closeAfter, .endEarly].contains(misbehaviour), "it does nothing")
        guard !isSilent, misbehaviour != .slowBytes else { return }
        let server = ScriptedServer(mail(), ScriptedServer.Script(misbehaviour, at: 6))
        defer { server.stop() }
        // Whether the client notices is not the point here.
        _ = try? talk(server, patience: 200)
        #expect(server.record.hasMisbehaved)
    }

    @Test("A connection is cut after any number of bytes, in either direction")
    func cuts() throws {
        let whole = ScriptedServer(mail())
        try talk(whole)
        let (sent, received, commands) = (whole.record.sent, whole.record.received, whole.record.commands)
        whole.stop()
        for limit in stride(from: 1, to: sent, by: 37) {
            var script = ScriptedServer.Script()
            script.cutAfterSending = limit
            let server = ScriptedServer(mail(), script)
            #expect(throws: WireClient.Broken.self, "\(script)") { try talk(server) }
            server.stop()
        }
        for limit in stride(from: 1, to: received, by: 37) {
            var script = ScriptedServer.Script()
            script.cutAfterReceiving = limit
            let server = ScriptedServer(mail(), script)
            #expect(throws: WireClient.Broken.self, "\(script)") { try talk(server) }
            server.stop()
        }
        var script = ScriptedServer.Script()
        script.cutBeforeAnswer = commands - 4
        let server = ScriptedServer(mail(), script)
        #expect(throws: WireClient.Broken.self) { try talk(server) }
        #expect(server.mail.mailboxes["Work/Sub"]?.messages.count == 2, "what was asked for is done, and not answered")
        server.stop()
    }

    /// What a good server says in that session.
    private func replies() -> [ModelSession.Reply] {
        var session = ModelSession(mail())
        var found = session.greeting()
        let text = "Subject: new\r\n\r\nx"
        for line in [
            "a CAPABILITY", "a LOGIN anna pw", "a ENABLE QRESYNC",
            "a LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID))",
            "a SELECT INBOX", "a UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE MODSEQ EMAILID BODY.PEEK[])",
            "a UID SEARCH ALL", "a APPEND INBOX {\(text.utf8.count)+}\r\n\(text)", "a LOGOUT",
        ] {
            found += session.receive("\(line)\r\n".utf8)
        }
        return found
    }

    @Test("There are at least sixty ways to misbehave")
    func sixty() { #expect(Misbehaviour.allCases.count >= 60) }
}
