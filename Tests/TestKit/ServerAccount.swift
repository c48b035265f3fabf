internal import Synchronization
internal import SystemPackage

/// A user of a server on this machine, as the product's URL for it.
public enum ServerAccount {
    private static let scratch = Scratch("secrets")
    private static let written = Mutex<Set<String>>([])

    /// `imap://USER@127.0.0.1:PORT` with the password in a file.
    public static func url(port: Int, user: String, password: String, timeout: Int? = nil) -> String {
        let name = user.map { $0 == "@" ? "%40" : String($0) }.joined()
        let file = scratch.appending("\(name)-\(password)")
        written.withLock { if $0.insert(file.string).inserted { Tree.write(file, Array(password.utf8)) } }
        let path = file.string.map { $0 == "%" ? "%25" : String($0) }.joined()
        return "imap://\(name)@127.0.0.1:\(port)/?secret=file%3A\(path)" + (timeout.map { "&timeout=\($0)" } ?? "")
    }

    /// A client of a user who has an `INBOX` then.
    public static func client(of user: (name: String, password: String), on server: RealServer) throws -> WireClient {
        if server.kind.isCyrus {
            let administrator = try WireClient(port: server.port)
            try administrator.done("LOGIN cyrus pw-cyrus")
            try administrator.done("CREATE user/\(user.name)")
        }
        return try WireClient(server, user)
    }

    /// A user of a real server whom nobody else uses, with an `INBOX`.
    public static func fresh(on server: RealServer) throws -> (url: String, client: WireClient) {
        let user = server.nextUser()
        let client = try WireClient(server, user)
        return (url(port: server.port, user: user.name, password: user.password), client)
    }
}
