import Connectors
import Events
import Network
import Secrets
import TestKit
import Testing

@Suite("The URL of a mail server")
struct ServerLocationTests {
    private func location(_ text: String, secret: String? = "env:PW") throws -> ServerLocation {
        var options = ServerLocation.Options()
        options.secret = try secret.map { try SecretReference($0) }
        return try ServerLocation(text, options)
    }

    private func failure(_ text: String, secret: String? = "env:PW") -> Failure? {
        do {
            _ = try location(text, secret: secret)
            return nil
        } catch { return error as? Failure }
    }

    @Test("A URL and what is said beside it become one line, which is read back as the same")
    func roundTrip() throws {
        var options = ServerLocation.Options()
        options.user = "anna+ü@example.org"
        options.secret = .command("pass show 'mail & more' | head -n 1 # 100%")
        options.master = "back*up"
        options.masterSeparator = "*"
        options.mechanism = .plain
        options.authorities = "/etc/ssl/a b.pem"
        let found = try ServerLocation("imaps://mail.example.org:1993", options)
        #expect(found.endpoint == Endpoint(host: "mail.example.org", port: 1993))
        #expect(try ServerLocation("\(found)") == found)
        #expect("\(found)".utf8.allSatisfy { (0x21...0x7E).contains($0) })
        #expect(found.access.user == "anna+ü@example.org*back*up")
        #expect(found.access.master == nil)
        #expect(try ServerLocation("imap://a@localhost/?secret=env:A&starttls").security == .startTLS)
        var generator = SeededGenerator.announced()
        for _ in 0..<500 {
            func text() -> String {
                String(
                    String.UnicodeScalarView(
                        (0..<Int.random(in: 1...12, using: &generator)).map { _ in
                            UnicodeScalar(UInt32.random(in: 0x20...0x24F, using: &generator)) ?? "x"
                        }))
            }
            options.user = text()
            options.master = text()
            options.masterSeparator = Bool.random(using: &generator) ? text() : nil
            options.secret = .environment(name: text().filter { $0 != "=" } + "x")
            let one = try ServerLocation("imaps://[::1]", options)
            #expect(try ServerLocation("\(one)") == one, "seed \(generator.seed)")
        }
    }

    @Test("The usual ports, the user's own name, and a master user by SASL")
    func usual() throws {
        #expect(try location("imaps://a@h").endpoint.port == 993)
        #expect(try location("imap://a@127.0.0.1").endpoint.port == 143)
        #expect(try location("imaps://a%40b@h/").user == "a@b")
        #expect(try location("imaps://a@[2001:db8::1]:99").endpoint == Endpoint(host: "2001:db8::1", port: 99))
        let access = try location("imaps://a@h/?master=root").access
        #expect(access.user == "a" && access.master == "root")
    }

    @Test("A password in a URL is refused and not repeated")
    func passwordInURL() throws {
        let refused = try #require(failure("imaps://anna:hunter2@mail.example.org"))
        #expect(refused.code == .usage && !"\(refused)".contains("hunter2"))
        let other = try #require(failure("imaps://mail.example.org/?secret=hunter2"))
        #expect(!"\(other)".contains("hunter2"))
        let third = try #require(failure("imaps://mail.example.org/?password=hunter2"))
        #expect(!"\(third)".contains("hunter2"))
    }

    @Test("Mail travels unprotected only on loopback, or where somebody says so")
    func plaintext() throws {
        #expect(failure("imap://a@mail.example.org")?.hint?.contains("--allow-plaintext") == true)
        #expect(failure("imap://a@127.0.0.1.example.org") != nil)
        for host in ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"] {
            #expect(try location("imap://a@\(host)").security == .plaintext)
        }
        #expect(try location("imap://a@h/?allow_plaintext").security == .plaintext)
        #expect(try location("imap://a@h/?starttls").security == .startTLS)
        #expect(failure("imaps://a@h/?starttls") != nil)
    }

    @Test(
        "What is no URL of a mail server is refused",
        arguments: [
            "imaps:", "imaps://", "imaps:///", "imap4://a@h", "imaps://a@h:0", "imaps://a@h:70000", "imaps://a@h:x",
            "imaps://a@h/INBOX", "imaps://a@h/#x", "imaps://a@[::1", "imaps://a@[::1]x", "imaps://a@-h",
            "imaps://a@h h",
            "imaps://a@h\r\nX", "imaps://%0d%0a@h", "imaps://%zz@h", "imaps://%ff@h", "imaps://@h", "imaps://h",
            "imaps://a@h/?x=y", "imaps://a@h/?auth=md5", "imaps://a@h/?ca=relative", "imaps://a@h/?master_separator=*",
            "imaps://a@h/?master=m&auth=xoauth2",
        ])
    func refused(text: String) { #expect(failure(text)?.code == .usage) }

    @Test("Without a word on where the password is, nothing is accepted")
    func noSecret() { #expect(failure("imaps://a@h", secret: nil)?.hint?.contains("--secret") == true) }

    @Test("A secret that cannot be read is a failure to sign in")
    func unreadableSecret() throws {
        let access = try location("imaps://a@h", secret: "env:YESTERMAIL_NO_SUCH_VARIABLE").access
        do {
            _ = try access.secret()
            Issue.record("there is no such secret")
        } catch let failure as Failure { #expect(failure.code == .signIn) }
    }
}
