import Events
import Glibc

/// Dovecot or Cyrus, started by `Tools/servers` for a benchmark; stopped when this process has ended, whatever ends it.
struct MailServer {
    let kind: String
    let directory: String
    let port: Int
    /// What `Tools/servers` said about it.
    let properties: [String: String]

    init(_ kind: String, users: Int) throws {
        self.kind = kind
        // Short, because sockets have paths of at most 107 bytes.
        var template = Array("/tmp/ym-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchFailure("no directory in /tmp") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let (output, errors) = (Shell.temporary("server"), Shell.temporary("server-errors"))
        defer { for path in [output, errors] { unlink(path) } }
        let result = try Shell.run(
            ["Tools/servers", "up", kind, directory, "--users", "\(users)", "--until", "\(getpid())"], output: output,
            error: errors)
        guard result.status == 0 else {
            throw BenchFailure("\(kind) cannot be started: \(Shell.text(of: errors) ?? "")")
        }
        var found: [String: String] = [:]
        for line in (Shell.text(of: output) ?? "").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { found[String(parts[0])] = String(parts[1]) }
        }
        guard let port = found["imap"].flatMap({ Int($0) }) else { throw BenchFailure("\(kind) does not say its port") }
        (self.port, properties) = (port, found)
    }

    static func name(_ number: Int) -> String { "u\(number)@example.test" }

    func client(_ number: Int) throws -> WireSession {
        if kind == "cyrus" {
            let administrator = try WireSession(port: port)
            try administrator.run("LOGIN cyrus pw-cyrus")
            // It may be there.
            _ = try administrator.answer("CREATE user/\(MailServer.name(number))")
        }
        let client = try WireSession(port: port)
        try client.run("LOGIN \(MailServer.name(number)) pw-u\(number)")
        return client
    }

    /// A file with the user's password, named after the user, in `directory`.
    @discardableResult
    func secret(_ number: Int, in directory: String) throws -> String {
        try Shell.makeDirectory(directory)
        let path = directory + "/" + MailServer.name(number)
        try Shell.write("pw-u\(number)", to: path)
        return path
    }

    /// The product's URL of a user, with the secret where `secrets` has it.
    func url(_ number: Int, secrets: String) throws -> String {
        let path = try secret(number, in: secrets)
        return "imap://u\(number)%40example.test@127.0.0.1:\(port)/?secret=file:\(path.replacing("@", with: "%40"))"
    }
}

/// A connection that says commands and reads answers as fast as a machine can, and keeps nothing of them: the ceiling.
final class WireSession {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)
    private var begin = 0
    private var end = 0
    private var count = 0

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        guard isConnected == 0 else { throw BenchFailure("port \(port): \(String(cString: strerror(errno)))") }
        _ = try line()
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { throw BenchFailure("send: \(String(cString: strerror(errno)))") }
            sent += written
        }
    }

    /// Says a command that takes no literal; returns its tag.
    func say(_ command: String) throws -> String {
        count += 1
        try send(Array("t\(count) \(command)\r\n".utf8))
        return "t\(count)"
    }

    /// Reads until that command has ended; each line to `line`, each literal to `literal`. Returns how it ended.
    @discardableResult
    func wait(_ tag: String, line each: (String) -> Void = { _ in }, literal: (ArraySlice<UInt8>) -> Void = { _ in })
        throws -> String
    {
        while true {
            let text = try line()
            if text.hasPrefix(tag + " ") { return String(text.dropFirst(tag.utf8.count + 1)) }
            each(text)
            if text.utf8.last == UInt8(ascii: "}"), let brace = text.lastIndex(of: "{"),
                let size = Int(text[text.index(after: brace)...].dropLast())
            {
                try pass(size, literal)
            }
        }
    }

    func answer(_ command: String, line: (String) -> Void = { _ in }) throws -> String {
        try wait(try say(command), line: line)
    }

    /// For one that has to succeed.
    @discardableResult
    func run(_ command: String, line: (String) -> Void = { _ in }) throws -> String {
        let end = try answer(command, line: line)
        guard end.hasPrefix("OK") else { throw BenchFailure("\(command.prefix(60)): \(end)") }
        return end
    }

    func uids(of folder: String) throws -> [Int] {
        try run("SELECT \(folder)")
        var found: [Int] = []
        try run("UID SEARCH ALL") { line in
            if line.hasPrefix("* SEARCH") { found = line.split(separator: " ").compactMap { Int($0) } }
        }
        return found
    }

    /// Puts messages into a folder: a hundred or 8 MiB a command, the next sent before the last is answered.
    func append(_ messages: some Collection<CorpusMessage>, to folder: String) throws {
        var tags: [String] = []
        var rest = messages[...]
        while !rest.isEmpty {
            count += 1
            var bytes = Array("t\(count) APPEND \(folder)".utf8)
            var taken = 0
            while let message = rest.first, taken == 0 || (taken < 100 && bytes.count < 8 << 20) {
                bytes += Array(" (\(message.flags)) \"\(message.date)\" {\(message.bytes.count)+}\r\n".utf8)
                bytes += message.bytes
                taken += 1
                rest = rest.dropFirst()
            }
            try send(bytes + [13, 10])
            tags.append("t\(count)")
        }
        for tag in tags {
            let end = try wait(tag)
            guard end.hasPrefix("OK") else { throw BenchFailure("APPEND: \(end)") }
        }
    }

    /// Reads every message of these folders and keeps nothing; `each` gets the bytes, a piece at a time when they are large.
    func fetch(_ folders: [String], each: (String, [UInt8]) -> Void) throws {
        let tags = try folders.map { folder in
            (folder, try say("EXAMINE \(folder)"), try say("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])"))
        }
        for (folder, examine, fetch) in tags {
            try wait(examine)
            var message: [UInt8] = []
            try wait(
                fetch,
                line: { line in
                    // What follows a literal closes its row.
                    if line.hasSuffix(")"), !message.isEmpty {
                        each(folder, message)
                        message.removeAll(keepingCapacity: true)
                    }
                }, literal: { message += $0 })
        }
    }

    /// The same, and nobody looks at the bytes.
    func drain(_ folders: [String]) throws -> Int {
        var total = 0
        let tags = try folders.map { folder in
            (try say("EXAMINE \(folder)"), try say("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])"))
        }
        for (examine, fetch) in tags {
            try wait(examine)
            try wait(fetch, literal: { total += $0.count })
        }
        return total
    }

    // MARK: Bytes

    private func fill() throws {
        if begin > 0 {
            let left = end - begin
            let first = begin
            buffer.withUnsafeMutableBytes { _ = memmove($0.baseAddress!, $0.baseAddress! + first, left) }
            (begin, end) = (0, left)
        }
        let place = end
        let received = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + place, $0.count - place, 0) }
        guard received > 0 else { throw BenchFailure("the server closed the connection") }
        end += received
    }

    private func line() throws -> String {
        var looked = 0
        while true {
            let (from, to) = (begin + looked, end)
            let place = buffer.withUnsafeBytes { bytes -> Int? in
                guard to > from, let found = memchr(bytes.baseAddress! + from, 10, to - from) else { return nil }
                return UnsafeRawPointer(found) - bytes.baseAddress!
            }
            guard let place else {
                looked = end - begin
                guard looked < buffer.count else { throw BenchFailure("a line of a megabyte") }
                try fill()
                continue
            }
            let last = place > begin && buffer[place - 1] == 13 ? place - 1 : place
            let text = String(decoding: buffer[begin..<last], as: UTF8.self)
            begin = place + 1
            return text
        }
    }

    private func pass(_ size: Int, _ each: (ArraySlice<UInt8>) -> Void) throws {
        var left = size
        while left > 0 {
            if begin == end { try fill() }
            let count = min(left, end - begin)
            each(buffer[begin..<begin + count])
            begin += count
            left -= count
        }
    }
}

/// A message to put onto a server.
struct CorpusMessage {
    var bytes: [UInt8]
    var flags: String
    var date: String
}
