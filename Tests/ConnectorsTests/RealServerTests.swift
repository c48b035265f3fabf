import Glibc
import SystemPackage
import TestKit
import Testing

/// Skipped where such a server cannot be had.
func whenThereIs(_ kind: RealServer.Kind) -> ConditionTrait {
    .enabled(
        if: RealServer.isAvailable(kind), "Tools/servers cannot start \(kind.rawValue) here; standard error says why")
}

@Suite("Real servers")
struct RealServerTests {
    @Test("Dovecot tells our hook's spool what has changed", whenThereIs(.dovecot))
    func dovecotHook() throws {
        let server = try RealServer.shared(.dovecot)
        let user = server.nextUser()
        let client = try WireClient(server, user)
        try client.done("CREATE \"A &AOk- b\"")
        try client.append("\"A &AOk- b\"", Array("Subject: x\r\n\r\nx\r\n".utf8), flags: "\\Seen")
        let spool = String(decoding: Tree.read(.init(server.properties["spool"] ?? "")) ?? [], as: UTF8.self)
        #expect(spool.contains("f \(user.name)\n"))
        #expect(spool.contains("m \(user.name) A%20%C3%A9%20b\n"))
    }

    @Test("Master users sign in as anybody", whenThereIs(.dovecot), whenThereIs(.cyrus))
    func masters() throws {
        let dovecot = try RealServer.shared(.dovecot)
        let client = try WireClient(port: dovecot.port)
        try client.done("LOGIN bob@example.test*\(RealServer.master.name) \(RealServer.master.password)")
        try client.done("SELECT INBOX")
        let cyrus = try RealServer.shared(.cyrus)
        let other = try WireClient(port: cyrus.port)
        let plain = "bob@example.test\0\(RealServer.master.name)\0\(RealServer.master.password)"
        #expect(try other.command("AUTHENTICATE PLAIN", Array(base64(plain).utf8)).isOK)
        try other.done("SELECT INBOX")
    }

    @Test(
        "A server refuses a message beyond the quota", whenThereIs(.dovecot), whenThereIs(.cyrus),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func quota(kind: RealServer.Kind) throws {
        let server = try RealServer.shared(kind)
        let client = try WireClient(server, ("small@example.test", "pw-small"))
        let message = Array("Subject: x\r\n\r\n".utf8) + Array(repeating: UInt8(ascii: "x"), count: 200_000)
        #expect(try client.command("APPEND INBOX {\(message.count)}", message).end.hasPrefix("NO"))
    }

    private func base64(_ text: String) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var result = ""
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = (0..<3).map { start + $0 < bytes.count ? Int(bytes[start + $0]) : 0 }
            let value = group[0] << 16 | group[1] << 8 | group[2]
            for place in 0..<4 {
                result.append(start + place > bytes.count ? "=" : letters[value >> (18 - 6 * place) & 63])
            }
        }
        return result
    }
}
