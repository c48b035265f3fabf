internal import Glibc

/// A connection to an IMAP server, for tests: says lines and gives back what comes, understanding next to nothing, and nothing
/// of it shared with the product.
public final class WireClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var count = 0
    private let patience: Int32

    public struct Broken: Error, CustomStringConvertible {
        public let description: String
    }

    /// An answer: the lines before the last with their literals in place, and the last without its tag.
    public struct Answer {
        public var lines: [[UInt8]]
        public var end: String

        public var isOK: Bool { end.hasPrefix("OK") }
        public var texts: [String] { lines.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// Connects to a port of this machine and reads the greeting; waits for each answer that many milliseconds.
    public init(port: Int, patience: Int32 = 30_000) throws {
        self.patience = patience
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            close(descriptor)
            throw Broken(description: "port \(port): errno \(errno)")
        }
        _ = try line()
    }

    /// The same, signed in.
    public convenience init(_ server: RealServer, _ user: (name: String, password: String)) throws {
        try self.init(port: server.port)
        try self.done("LOGIN \(user.name) \(user.password)")
    }

    deinit { close(descriptor) }

    /// Says a command, and gives each literal when it is asked for. Returns the whole answer.
    public func command(_ text: String, _ literals: [UInt8]...) throws -> Answer {
        count += 1
        let tag = "t\(count)"
        var rest = literals[...]
        try send(Array("\(tag) \(text)\r\n".utf8))
        var lines: [[UInt8]] = []
        while true {
            let line = try line()
            if line.first == UInt8(ascii: "+") {
                guard let next = rest.popFirst() else { throw Broken(description: "\(text): asked for more") }
                try send(next + (rest.isEmpty ? [13, 10] : []))
            } else if line.starts(with: Array("\(tag) ".utf8)) {
                return Answer(lines: lines, end: String(decoding: line.dropFirst(tag.utf8.count + 1), as: UTF8.self))
            } else {
                lines.append(line)
            }
        }
    }

    /// The same for one that has to succeed.
    @discardableResult
    public func done(_ text: String, _ literals: [UInt8]...) throws -> Answer {
        let answer =
            literals.isEmpty ? try command(text) : try command(text, literals[0])
        guard answer.isOK else { throw Broken(description: "\(text): \(answer.end)") }
        return answer
    }

    /// Puts a message into a mailbox.
    public func append(
        _ mailbox: String, _ message: [UInt8], flags: String = "", date: String = "01-Feb-2020 10:00:00 +0000"
    ) throws {
        try done("APPEND \(mailbox) (\(flags)) \"\(date)\" {\(message.count)}", message)
    }

    public func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { throw Broken(description: "send: errno \(errno)") }
            sent += written
        }
    }

    /// A line without its end, and with the literals in it and the lines that follow them.
    public func line() throws -> [UInt8] {
        var found: [UInt8] = []
        while true {
            guard let end = buffer.firstIndex(of: 10) else {
                try fill()
                continue
            }
            let piece = buffer[..<end]
            let text = piece.last == 13 ? piece.dropLast() : piece
            found += text
            buffer.removeSubrange(...end)
            guard let size = WireClient.literal(text) else { return found }
            guard (0..<1 << 28).contains(size) else { throw Broken(description: "a literal of \(size) bytes") }
            while buffer.count < size { try fill() }
            found += [13, 10] + buffer[..<size]
            buffer.removeSubrange(..<size)
        }
    }

    /// The size that a line announces at its end: `{42}`, `~{42}`.
    static func literal(_ line: some BidirectionalCollection<UInt8>) -> Int? {
        guard line.last == UInt8(ascii: "}"), let begin = line.lastIndex(of: UInt8(ascii: "{")) else { return nil }
        return Int(String(decoding: line[line.index(after: begin)...].dropLast(), as: UTF8.self))
    }

    private func fill() throws {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, patience) > 0 else { throw Broken(description: "nothing came in time") }
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { throw Broken(description: count == 0 ? "it was closed" : "recv: errno \(errno)") }
        buffer += piece[..<count]
    }
}
