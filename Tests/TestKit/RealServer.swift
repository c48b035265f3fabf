internal import Glibc
internal import Synchronization
public import SystemPackage

/// A mail server of Debian's packages, started for tests by `Tools/servers`: on loopback, in a directory of its own, and
/// stopped, by its process id, within a second of this process's end, whatever ends it.
public final class RealServer: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case dovecot, cyrus
        /// Dovecot, keeping what is expunged.
        case dovecotLazy = "dovecot-lazy"
        /// Another Cyrus, for the one test that reads its notify socket, which can have one reader only.
        case cyrusNotifying = "notifying"

        public var isCyrus: Bool { self == .cyrus || self == .cyrusNotifying }
    }

    public let kind: Kind
    /// The ports without and with TLS.
    public let port, tlsPort: Int
    /// The certificate of the authority that the server's was made with.
    public let authority: FilePath
    public let directory: FilePath
    /// Everything `Tools/servers` said about it.
    public let properties: [String: String]

    /// Accounts nobody else has: `u0@example.test`, … with the password `pw-u0`, ….
    public static let users = 400
    /// Signs in on behalf of anybody.
    public static let master = (name: "yestermail", password: "pw-yestermail")

    private init(_ kind: Kind, _ directory: FilePath, _ properties: [String: String]) throws {
        guard let port = properties["imap"].flatMap({ Int($0) }),
            let tlsPort = properties["imaps"].flatMap({ Int($0) }),
            let authority = properties["ca"]
        else { throw Unavailable(reason: "Tools/servers did not say where \(kind.rawValue) listens") }
        (self.kind, self.directory, self.properties) = (kind, directory, properties)
        (self.port, self.tlsPort, self.authority) = (port, tlsPort, FilePath(authority))
    }

    /// Why there is no such server here; for the comment of a skipped test.
    public struct Unavailable: Error, CustomStringConvertible {
        public let reason: String
        public var description: String { reason }
    }

    /// The server of that kind, started the first time it is asked for in this process. Throws ``Unavailable``.
    public static func shared(_ kind: Kind) throws -> RealServer {
        try SharedServers.server(kind)
    }

    /// Whether ``shared(_:)`` gives one: for `.enabled(if:)`. Says on standard error why it does not.
    public static func isAvailable(_ kind: Kind) -> Bool {
        do {
            _ = try shared(kind)
            return true
        } catch {
            let line = Array("\(error)\n".utf8)
            _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
            return false
        }
    }

    /// A user whom no other test of this process uses, with the password.
    public func nextUser() -> (name: String, password: String) {
        let number = SharedServers.nextNumber()
        precondition(number < RealServer.users, "more users than Tools/servers was asked for")
        return ("u\(number)@example.test", "pw-u\(number)")
    }

    fileprivate static func start(_ kind: Kind) throws -> RealServer {
        let base = getenv("YESTERMAIL_TEST_SERVERS").map { String(cString: $0) } ?? "/tmp"
        // Short, because sockets have paths of at most 107 bytes; and open, because as root the server runs as somebody else.
        var template = Array("\(base)/ym-\(kind.rawValue.prefix(3))-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Unavailable(reason: "no directory in \(base): errno \(errno)") }
        let directory = FilePath(template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
        let lazy = kind == .dovecotLazy ? ["--lazy-expunge"] : []
        let (status, output, errors) = runTool(
            [
                "up", kind.isCyrus ? "cyrus" : "dovecot", directory.string, "--users", "\(users)", "--until",
                "\(getpid())",
            ] + lazy)
        guard status == 0 else {
            Tree.remove(directory)
            let why = errors.split(separator: "\n").last.map(String.init) ?? "status \(status)"
            throw Unavailable(reason: "\(kind.rawValue) cannot be started here: \(why)")
        }
        var properties: [String: String] = [:]
        for line in output.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            let key = String(line[..<equals])
            if properties[key] == nil { properties[key] = String(line[line.index(after: equals)...]) }
        }
        return try RealServer(kind, directory, properties)
    }

    /// Runs `Tools/servers` of this package.
    private static func runTool(_ arguments: [String]) -> (status: Int32, output: String, errors: String) {
        let tool = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
            .appending("Tools").appending("servers")
        let scratch = Scratch("servers")
        let (output, errors) = (scratch.appending("output"), scratch.appending("errors"))
        let script = "\"$0\" \"$@\" >'\(output)' 2>'\(errors)' </dev/null"
        let status = Tree.run("/bin/bash", ["-c", script, tool.string] + arguments)
        func text(_ path: FilePath) -> String { String(decoding: Tree.read(path) ?? [], as: UTF8.self) }
        return (status, text(output), text(errors))
    }
}

/// The servers of this process.
private enum SharedServers {
    private struct State {
        var servers: [RealServer.Kind: Result<RealServer, RealServer.Unavailable>] = [:]
        var number = 0
    }

    private static let state = Mutex(State())

    /// Started under the lock: who asks for the same one waits for it.
    static func server(_ kind: RealServer.Kind) throws -> RealServer {
        try state.withLock { state in
            if let known = state.servers[kind] { return known }
            let result = Result { try RealServer.start(kind) }
                .mapError { $0 as? RealServer.Unavailable ?? RealServer.Unavailable(reason: "\($0)") }
            state.servers[kind] = result
            return result
        }.get()
    }

    static func nextNumber() -> Int {
        state.withLock { state in
            state.number += 1
            return state.number - 1
        }
    }
}
