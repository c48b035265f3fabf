import Glibc
import SystemPackage
import TestKit
import Testing

/// Accounts on Dovecot and Cyrus, from the command line.
@Suite struct ServerCommandTests {
    private let scratch = Scratch("servers")
    private var cli: CommandLineProgram { CommandLineProgram(vault: scratch.appending("vault")) }

    private static func whenThereIs() -> ConditionTrait {
        .enabled(
            if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrus),
            "Tools/servers cannot start Dovecot and Cyrus here; standard error says why")
    }

    private func secret(_ name: String, _ password: String, mode: UInt32 = 0o600) -> String {
        let path = scratch.appending(name)
        Tree.write(path, Array("\(password)\n".utf8))
        Tree.chmod(path, mode)
        return "file:\(path)"
    }

    @Test("A mailbox goes from Dovecot into a vault and out to Cyrus, and back from there", whenThereIs())
    func both() throws {
        let (dovecot, cyrus) = (try RealServer.shared(.dovecot), try RealServer.shared(.cyrus))
        let (anna, bert) = (dovecot.nextUser(), cyrus.nextUser())
        let client = try WireClient(dovecot, anna)
        try client.done("CREATE \"Arbeit &- mehr\"")
        for number in 0..<5 {
            let text = Array("Message-ID: <\(number)@x>\r\nSubject: \(number)\r\n\r\ntext \(number)\r\n".utf8)
            try client.append("\"Arbeit &- mehr\"", text, flags: "\\Seen $Work")
        }
        #expect(try cli.run("init").status == 0)
        // By TLS, with the certificate of the server's own authority.
        let added = try cli.run(
            "account", "add", anna.name, "--source", "imaps://localhost:\(dovecot.tlsPort)", "--ca",
            dovecot.authority.string, "--secret", secret("anna", anna.password), "--hints",
            "spool:\(dovecot.properties["spool"] ?? "")")
        #expect(added.status == 0, "\(added.error)")
        #expect(try cli.run("scan", anna.name).status == 0)
        let restored = try cli.run(
            "restore", "account", anna.name, "--to",
            "imap://\(bert.name.split(separator: "@").joined(separator: "%40"))@127.0.0.1:\(cyrus.port)",
            "--secret", secret("bert", bert.password), "--json")
        #expect(restored.status == 0, "\(restored.error)")
        #expect(try restored.object["restored"] as? Int == 5)
        let other = try WireClient(cyrus, bert)
        #expect(
            try other.done("STATUS \"Arbeit &- mehr\" (MESSAGES UNSEEN)").texts
                == ["* STATUS \"Arbeit &- mehr\" (MESSAGES 5 UNSEEN 0)"])

        // Run again, there is nothing to do; taken back, nothing is left.
        let operation = try #require(try restored.object["operation"] as? String)
        let undone = try cli.run("undo", operation, "--json")
        #expect(undone.status == 0, "\(undone.error)")
        #expect(
            try other.done("STATUS \"Arbeit &- mehr\" (MESSAGES)").texts == ["* STATUS \"Arbeit &- mehr\" (MESSAGES 0)"]
        )

        // What is deleted on the server comes back to where it was.
        try client.done("SELECT \"Arbeit &- mehr\"")
        try client.done("STORE 2:3 +FLAGS (\\Deleted)")
        try client.done("EXPUNGE")
        #expect(try cli.run("scan", anna.name).status == 0)
        let back = try cli.run("restore", "undelete", anna.name, "--from", "first", "--json")
        #expect(try back.object["restored"] as? Int == 2, "\(back.error)")
        try client.done("NOOP")
        #expect(try client.done("UID SEARCH ALL").texts.contains("* SEARCH 1 4 5 6 7"))

        let doctor = try cli.run("doctor", anna.name, "--try-hints", "--json")
        #expect(doctor.status == 0, "\(doctor.text) \(doctor.error)")
        #expect(try doctor.lines.contains { ($0["detail"] as? String)?.contains("word of a change came") == true })
        try expectNoSecret([anna.password, bert.password])
    }

    @Test(
        "A vault is held against the mailbox as it is, of Dovecot, Cyrus and a Maildir, and nothing is recorded",
        whenThereIs())
    func live() throws {
        #expect(try cli.run("init").status == 0)
        for kind in [RealServer.Kind.dovecot, .cyrus] {
            let server = try RealServer.shared(kind)
            let user = server.nextUser()
            let client = try WireClient(server, user)
            try client.done("CREATE Work")
            for number in 0..<4 { try client.append("INBOX", Array("Subject: \(number)\r\n\r\nx\r\n".utf8)) }
            let name = user.name.split(separator: "@").joined(separator: "%40")
            let added = try cli.run(
                "account", "add", user.name, "--source", "imap://\(name)@127.0.0.1:\(server.port)", "--secret",
                secret(kind.rawValue, user.password))
            #expect(added.status == 0, "\(added.error)")
            #expect(try cli.run("scan", user.name).status == 0)
            #expect(try cli.run("diff", user.name, "--live", "--deep").status == 0)
            try client.done("SELECT INBOX")
            try client.done("UID STORE 1 +FLAGS (\\Flagged)")
            try client.done("UID MOVE 2 Work")
            try client.done("UID STORE 3 +FLAGS (\\Deleted)")
            try client.done("UID EXPUNGE 3")
            try client.append("Work", Array("Subject: new\r\n\r\nx\r\n".utf8))
            let before = try cli.run("log", "dump").text
            let found = try cli.run("diff", user.name, "--live", "--json")
            #expect(found.status == 5, "\(found.error)")
            let summary = try #require((try found.object["summary"] as? [String: [String: Int]])?["message"])
            #expect(summary.filter { $0.value > 0 } == ["created": 1, "deleted": 1, "moved": 1, "flags": 1])
            #expect(try cli.run("diff", user.name, "--live").text.contains("INBOX > Work"))
            #expect(try cli.run("log", "dump").text == before)
            #expect(try cli.run("scan", user.name).status == 0)
            #expect(try cli.run("diff", user.name, "--live").status == 0)
        }
        let mail = MaildirFixture(scratch.appending("Mail"))
        mail.deliver("", "1.a:2,", "Subject: x\r\n\r\nx\r\n")
        #expect(try cli.run("account", "add", "bert@example.org", "--source", "maildir:\(mail.path)").status == 0)
        #expect(try cli.run("diff", "bert", "--live").status == 5)
        #expect(try cli.run("scan", "bert").status == 0)
        #expect(try cli.run("diff", "bert", "--live").status == 0)
        mail.move("", "1.a:2,", to: nil, "1.a:2,S")
        #expect(try cli.run("diff", "bert", "--live").status == 5)
        Tree.remove(scratch.appending("Mail"))
        #expect(try cli.run("diff", "bert", "--live").status == 9)
        #expect(try cli.run("diff", "bert", "--live", "--from", "first").status == 2)
        #expect(try cli.run("diff", "bert").status == 2)
    }

    @Test(
        "Rights that were taken away on Dovecot or Cyrus are found by shares check and given again by shares fix; undo takes them back",
        whenThereIs())
    func shares() throws {
        #expect(try cli.run("init").status == 0)
        for kind in [RealServer.Kind.dovecot, .cyrus] {
            let server = try RealServer.shared(kind)
            let (user, other, third) = (server.nextUser(), server.nextUser(), server.nextUser())
            for person in [user, other, third] {
                let name = person.name.split(separator: "@").joined(separator: "%40")
                let added = try cli.run(
                    "account", "add", person.name, "--source", "imap://\(name)@127.0.0.1:\(server.port)", "--secret",
                    secret("\(kind.rawValue)-\(person.name)", person.password))
                #expect(added.status == 0, "\(added.error)")
            }
            let client = try WireClient(server, user)
            /// The rights somebody has, as the server says.
            func rights(_ name: String) throws -> Set<Character>? {
                let line = try #require(try client.done("GETACL Work").texts.first { $0.hasPrefix("* ACL ") })
                let words = line.split(separator: " ").map { $0.filter { $0 != "\"" } }
                return words.firstIndex(of: name).map { Set(words[$0 + 1]) }
            }
            try client.done("CREATE Work")
            try client.append("Work", Array("Subject: x\r\n\r\nx\r\n".utf8))
            try client.done("SETACL Work \(other.name) lrs")
            try client.done("SETACL Work \(third.name) lr")
            #expect(try cli.run("scan", user.name).status == 0)
            #expect(try cli.run("shares", "check", user.name).status == 0)
            try client.done("DELETEACL Work \(other.name)")
            try client.done("SETACL Work \(third.name) lrsw")

            let found = try cli.run("shares", "check", user.name, "--json")
            let findings = try found.lines.map { [$0["finding"] as? String, $0["identifier"] as? String] }
            #expect(found.status == 5 && findings.count == 2, "\(found.text)\(found.error)")
            #expect(findings.contains(["missing", other.name]) && findings.contains(["differs", third.name]))
            #expect(try cli.run("shares", "fix", user.name, "--dry-run").status == 0)
            #expect(try rights(other.name) == nil)
            let fixed = try cli.run("shares", "fix", user.name, "--json")
            #expect(fixed.status == 0, "\(fixed.error)")
            #expect(try rights(other.name)?.isSuperset(of: "lrs") == true)
            #expect(try rights(third.name)?.contains("w") == false)
            #expect(try cli.run("shares", "check", user.name).status == 0)
            let operation = try #require(
                try cli.run("operation", "list", "--json").lines.last?["operation"] as? String)
            #expect(try cli.run("undo", operation).status == 0)
            #expect(try rights(other.name) == nil && rights(third.name)?.contains("w") == true)
        }
    }

    @Test("A message at which the server always breaks ends a scan with 3, and is named; the others are there")
    func poison() throws {
        let mail = ModelMail()
        for number in 0..<20 { mail.append("INBOX", "Subject: \(number)\r\n\r\nx\r\n") }
        var script = ScriptedServer.Script()
        script.poison = "7"
        let server = ScriptedServer(mail, script)
        defer { server.stop() }
        #expect(try cli.run("init").status == 0)
        let added = try cli.run(
            "account", "add", "anna@example.org", "--source", "imap://anna@127.0.0.1:\(server.port)", "--secret",
            secret("poison", "pw"))
        #expect(added.status == 0, "\(added.error)")
        let scan = try cli.run("scan", "anna", "--json")
        #expect(scan.status == 3, "\(scan.error)")
        let answer = try scan.object
        #expect(answer["created"] as? Int == 20 && answer["complete"] as? Bool == false)
        #expect((answer["unreadable"] as? [String])?.count == 1)
        #expect(try cli.run("scan", "anna").text.contains("not read: "))
        #expect(try cli.run("diff", "anna", "--live", "--deep").status == 3)
        server.follow(ScriptedServer.Script())
        #expect(try cli.run("scan", "anna").status == 0)
        #expect(try cli.run("diff", "anna", "--live", "--deep").status == 0)
    }

    /// No file of the vault has a secret in it.
    private func expectNoSecret(_ secrets: [String]) throws {
        for secret in secrets {
            let found = Tree.run("/bin/grep", ["-rqF", "-e", secret, scratch.appending("vault").string])
            #expect(found == 1, "a secret is in the vault")
        }
    }

    @Test("One master user signs in for all the addresses of a file", whenThereIs())
    func masters() throws {
        let (dovecot, cyrus) = (try RealServer.shared(.dovecot), try RealServer.shared(.cyrus))
        #expect(try cli.run("init").status == 0)
        let master = secret("master", RealServer.master.password)
        for (server, extra) in [(dovecot, ["--master-separator", "*"]), (cyrus, [])] {
            let users = [server.nextUser(), server.nextUser()]
            for user in users {
                let client = try WireClient(server, user)
                try client.append("INBOX", Array("Subject: \(user.name)\r\n\r\n".utf8))
            }
            let file = scratch.appending("addresses")
            Tree.write(file, Array(users.map { $0.name + "\n" }.joined().utf8))
            var arguments = [
                "account", "add", "--accounts", file.string, "--source", "imap://127.0.0.1:\(server.port)", "--master",
                RealServer.master.name, "--secret", master,
            ]
            arguments += extra
            let added = try cli.run(arguments)
            #expect(added.status == 0, "\(added.error)")
            for user in users {
                let scan = try cli.run("scan", user.name)
                #expect(scan.status == 0, "\(scan.error)")
                #expect(try cli.run("find", user.name, "subject:\(user.name)", "--json").lines.count == 1)
            }
        }
        try expectNoSecret([RealServer.master.password])
    }

    @Test("What is wrong with a server account is said with its own status", whenThereIs())
    func refused() throws {
        let server = try RealServer.shared(.dovecot)
        let user = server.nextUser()
        #expect(try cli.run("init").status == 0)
        func add(_ url: String, _ more: String...) throws -> CommandLineProgram.Answer {
            try cli.run(["account", "add", user.name, "--source", url] + more)
        }
        let here = "imap://127.0.0.1:\(server.port)"
        let good = secret("good", user.password)
        let wrong = try add(here, "--secret", secret("wrong", "not-the-password"))
        #expect(wrong.status == 8 && !wrong.error.contains("not-the-password"))
        #expect(try add(here, "--secret", secret("open", user.password, mode: 0o644)).status == 8)
        #expect(try add(here).status == 2)
        #expect(try add(here, "--secret", user.password).status == 2)
        #expect(try add("imap://mail.example.org", "--secret", good).status == 2)
        #expect(try add("imaps://localhost:\(server.tlsPort)", "--secret", good).status == 9)
        #expect(try add("imap://127.0.0.1:1", "--secret", good).status == 9)
        let typed = try add("imap://anna:\(user.password)@127.0.0.1", "--secret", good)
        #expect(typed.status == 2 && !typed.error.contains(user.password))
        #expect(try cli.run("account", "list", "--json").lines.isEmpty)
        #expect(try add(here, "--secret", good, "--starttls", "--ca", server.authority.string).status == 0)
    }
}
