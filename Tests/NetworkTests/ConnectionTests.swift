import NIOCore
import NIOSSL
import Network
import Synchronization
import Testing
import Threads

private var soon: Deadline { .after(milliseconds: 30_000) }

@Suite struct ConnectionTests {
    private func connect(
        _ server: LoopbackServer, _ security: ServerAccess.Security = .plaintext, host: String = "127.0.0.1",
        authorities: String? = nil, deadline: Deadline = soon
    ) throws -> Connection {
        try Connection(
            to: Endpoint(host: host, port: server.port), security: security, authorities: authorities,
            deadline: deadline)
    }

    private func echo(_ tls: NIOSSLContext? = nil) throws -> LoopbackServer {
        try LoopbackServer(.init(tls: tls, onBytes: { LoopbackServer.say($0, $1) }))
    }

    private func read(_ connection: Connection, _ count: Int) throws -> [UInt8] {
        var found: [UInt8] = []
        while found.count < count {
            guard try connection.receive(soon, { found.append(contentsOf: $0) }) != nil else { break }
        }
        return found
    }

    private func kind(_ body: () throws -> Void) -> NetworkFailure.Kind? {
        do { try body() } catch let failure as NetworkFailure { return failure.kind } catch {}
        return nil
    }

    @Test func `what is sent comes back, in pieces of any size`() throws {
        let server = try echo()
        let connection = try connect(server)
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try connection.send([Array(bytes[..<7]), [], Array(bytes[7...])], soon)
        #expect(try read(connection, bytes.count) == bytes)
        #expect(!connection.isProtected)
    }

    @Test func `over TLS, for a name and for an address`() throws {
        let server = try echo(try Certificates.server("server"))
        for host in ["localhost", "127.0.0.1"] {
            let connection = try connect(server, .tls, host: host, authorities: Certificates.path("authority.pem"))
            try connection.send([[1, 2, 3]], soon)
            #expect(try read(connection, 3) == [1, 2, 3])
            #expect(connection.isProtected)
        }
    }

    @Test func `a certificate of nobody, or for somebody else, or an old TLS is refused`() throws {
        let good = try echo(try Certificates.server("server"))
        #expect(kind { _ = try connect(good, .tls, host: "localhost") } == .tlsRefused)
        let elsewhere = try echo(try Certificates.server("elsewhere"))
        let authority = Certificates.path("authority.pem")
        #expect(kind { _ = try connect(elsewhere, .tls, host: "localhost", authorities: authority) } == .tlsRefused)
        #expect(kind { _ = try connect(elsewhere, .tls, authorities: authority) } == .tlsRefused)
        let old = try echo(try Certificates.server("server", (.tlsv1, .tlsv11)))
        #expect(kind { _ = try connect(old, .tls, host: "localhost", authorities: authority) } == .tlsRefused)
        #expect(kind { _ = try connect(good, .tls, authorities: "/no/such/file") } == .tlsRefused)
        let plain = try LoopbackServer(.init(onConnect: { LoopbackServer.say($0, Array("* OK hello\r\n".utf8)) }))
        #expect(kind { _ = try connect(plain, .tls, authorities: authority) } == .tlsRefused)
    }

    /// Says yes to STARTTLS, with something behind it, and then speaks TLS.
    private func upgrading(_ behind: [UInt8]) throws -> LoopbackServer {
        let tls = try Certificates.server("server")
        return try LoopbackServer(
            .init(onBytes: { channel, bytes in
                guard bytes == Array("go\r\n".utf8) else { return LoopbackServer.say(channel, bytes) }
                LoopbackServer.say(channel, Array("OK\r\n".utf8) + behind)
                try? channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls), position: .first)
            }))
    }

    @Test func `TLS can be begun by a command`() throws {
        let server = try upgrading([])
        let connection = try connect(server, .startTLS, authorities: Certificates.path("authority.pem"))
        try connection.send([Array("go\r\n".utf8)], soon)
        #expect(try read(connection, 4) == Array("OK\r\n".utf8))
        try connection.startTLS(soon)
        try connection.send([[9]], soon)
        #expect(connection.isProtected)
        #expect(try read(connection, 1) == [9])
    }

    @Test func `words behind the consent to TLS are never heard`() throws {
        let server = try upgrading(Array("* CAPABILITY EVIL\r\n".utf8))
        let connection = try connect(server, .startTLS, authorities: Certificates.path("authority.pem"))
        try connection.send([Array("go\r\n".utf8)], soon)
        // They come with the consent, or after it: then they are waiting, or TLS fails on them.
        let heard = try read(connection, 4)
        if heard == Array("OK\r\n".utf8) {
            let found = kind { try connection.startTLS(soon) }
            #expect(found == .plaintextInjected || found == .tlsRefused)
        } else {
            #expect(heard.count > 4)
        }
        #expect(!connection.isProtected)
    }

    @Test func `who does not answer is given up at the deadline`() throws {
        let silent = try LoopbackServer(.init())
        let connection = try connect(silent)
        #expect(kind { _ = try connection.receive(.after(milliseconds: 30)) { _ in } } == .deadline)
        #expect(kind { _ = try connect(silent, .tls, deadline: .after(milliseconds: 50)) } == .deadline)
    }

    @Test func `nobody listening, no such name, and an end are told apart`() throws {
        var server: LoopbackServer? = try echo()
        let port = try #require(server).port
        server = nil
        // The port is free again when the loop has closed it.
        while (try? Connection(to: Endpoint(host: "127.0.0.1", port: port), security: .plaintext, deadline: soon))
            != nil
        {}
        #expect(
            kind {
                _ = try Connection(to: Endpoint(host: "127.0.0.1", port: port), security: .plaintext, deadline: soon)
            } == .unreachable)
        #expect(
            kind {
                _ = try Connection(
                    to: Endpoint(host: "no-such-name.invalid", port: 1), security: .plaintext, deadline: soon)
            } == .unreachable)
        let closing = try LoopbackServer(
            .init(onConnect: { channel in
                LoopbackServer.say(channel, [1])
                channel.close(promise: nil)
            }))
        let connection = try connect(closing)
        #expect(try read(connection, 2) == [1])
        #expect(try connection.receive(soon) { _ in } == nil)
        #expect(!connection.takeWake())
    }

    @Test func `another thread wakes who waits`() throws {
        let server = try LoopbackServer(.init())
        let connection = try connect(server)
        let wake = connection.wake
        let thread = WorkerThread { wake() }
        #expect(try connection.receive(.never) { _ in } == nil)
        thread.join()
        #expect(connection.takeWake() && !connection.takeWake())
    }

    @Test func `who reads slowly makes the other side wait, and holds little`() throws {
        let sent = Mutex(0)
        // Sends a piece whenever the last one has gone.
        @Sendable func more(_ channel: any Channel) {
            var buffer = channel.allocator.buffer(capacity: 1 << 16)
            buffer.writeRepeatingByte(7, count: 1 << 16)
            channel.writeAndFlush(buffer).whenSuccess {
                let total = sent.withLock { sent -> Int in
                    sent += 1 << 16
                    return sent
                }
                if total < 64 << 20 { more(channel) } else { channel.close(promise: nil) }
            }
        }
        let server = try LoopbackServer(.init(onConnect: { more($0) }))
        let connection = try connect(server)
        var read = 0
        var largestLead = 0
        while try connection.receive(soon, { read += $0.count }) != nil {
            largestLead = max(largestLead, sent.withLock { $0 } - read)
        }
        #expect(read == 64 << 20)
        // What this side holds (1 MiB and a piece), and what the system does in its buffers.
        #expect(largestLead < 32 << 20)
    }

    @Test func `a description has no secret`() {
        let access = ServerAccess(
            endpoint: Endpoint(host: "::1", port: 993), security: .tls, user: "anna", master: "root",
            secret: { Array("hunter2".utf8) })
        #expect("\(access)" == "anna (as root) at [::1]:993")
        #expect(access.endpoint.isLoopback && !Endpoint(host: "127.0.0.1.example", port: 1).isLoopback)
    }
}
