public import Events
public import Network

/// A user's mailboxes on an IMAP server, as a URL says it: `imaps://[USER@]HOST[:PORT][?NAME=VALUE&…]`.
///
/// | name | value |
/// |---|---|
/// | `secret` | where the password or token is, never the thing itself: `file:PATH`, `cmd:COMMAND`, `env:NAME`, `systemd:NAME` |
/// | `master` | who signs in on the user's behalf |
/// | `auth` | `plain`, `login`, `xoauth2`, `oauthbearer` |
/// | `starttls` | `yes`, with `imap://` |
/// | `ca` | a PEM file of the authorities to trust |
/// | `plaintext` | `yes`: without TLS to a host that is not this one |
public struct ServerLocation: Hashable, Sendable, CustomStringConvertible {
    public var endpoint: Endpoint
    public var security: ServerAccess.Security
    /// nil: the account's address.
    public var user: String?
    public var secret: String?
    public var master: String?
    public var mechanism: ServerAccess.Mechanism = .automatic
    public var authorities: String?
    /// Whether somebody has said that bytes may go unprotected to another machine.
    public var allowsPlaintext = false

    public init(endpoint: Endpoint, security: ServerAccess.Security) {
        (self.endpoint, self.security) = (endpoint, security)
    }

    /// Whether a URL is one of these, by its scheme.
    public static func isOne(_ text: String) -> Bool { text.hasPrefix("imap://") || text.hasPrefix("imaps://") }

    public init(_ text: String) throws(Failure) {
        let isTLS = text.hasPrefix("imaps://")
        guard ServerLocation.isOne(text) else { throw ServerLocation.wrong("it does not begin with imaps://") }
        var rest = text.dropFirst(isTLS ? 8 : 7)
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        if rest.last == "/" { rest.removeLast() }
        if let at = rest.lastIndex(of: "@") {
            let name = rest[..<at]
            guard !name.contains(":") else { throw ServerLocation.wrong("a password has no place in it") }
            user = try ServerLocation.decoded(name)
            guard user?.isEmpty == false else { throw ServerLocation.wrong("the user has no name") }
            rest = rest[rest.index(after: at)...]
        }
        endpoint = try ServerLocation.endpoint(rest, defaultPort: isTLS ? 993 : 143)
        security = isTLS ? .tls : .plaintext
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw ServerLocation.wrong("\(pair) is not NAME=VALUE") }
            try take(String(parts[0]), try ServerLocation.decoded(parts[1]), isTLS: isTLS)
        }
        guard security != .plaintext || endpoint.isLoopback || allowsPlaintext else {
            throw Failure(
                .refused, "\(endpoint) would be sent the password and the mail unprotected",
                hint: "Write imaps://, or give --starttls; --allow-plaintext if the way there is safe by other means")
        }
    }

    private mutating func take(_ name: String, _ value: String, isTLS: Bool) throws(Failure) {
        switch (name, value) {
        case ("secret", _): secret = value
        case ("master", _): master = value
        case ("ca", _): authorities = value
        case ("auth", _):
            guard let known = ServerAccess.Mechanism(rawValue: value) else {
                throw ServerLocation.wrong("\(value) is no way to sign in: plain, login, xoauth2, oauthbearer")
            }
            mechanism = known
        case ("starttls", "yes"):
            guard !isTLS else { throw ServerLocation.wrong("imaps:// has TLS from the beginning and no STARTTLS") }
            security = .startTLS
        case ("plaintext", "yes"): allowsPlaintext = true
        default: throw ServerLocation.wrong("\(name)=\(value) means nothing")
        }
    }

    private static func endpoint(_ text: Substring, defaultPort: Int) throws(Failure) -> Endpoint {
        var host = text
        var port = defaultPort
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw wrong("an address has no end") }
            host = text[text.index(after: text.startIndex)..<end]
            let behind = text[text.index(after: end)...]
            if !behind.isEmpty {
                guard behind.first == ":", let number = UInt16(behind.dropFirst()), number > 0 else {
                    throw wrong("no such port")
                }
                port = Int(number)
            }
        } else if let colon = text.firstIndex(of: ":") {
            guard let number = UInt16(text[text.index(after: colon)...]), number > 0 else {
                throw wrong("no such port")
            }
            host = text[..<colon]
            port = Int(number)
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }) else {
            throw wrong("it names no server")
        }
        return Endpoint(host: String(host), port: port)
    }

    private static func wrong(_ why: String) -> Failure {
        Failure(.usage, "the URL of an IMAP server cannot be read: \(why)", hint: "Write imaps://USER@HOST")
    }

    /// As it is written in the journal: read again it is the same.
    public var description: String {
        var text = security == .tls ? "imaps://" : "imap://"
        if let user { text += ServerLocation.encoded(user) + "@" }
        text += "\(endpoint)"
        var pairs: [(String, String)] = []
        if let secret { pairs.append(("secret", secret)) }
        if let master { pairs.append(("master", master)) }
        if mechanism != .automatic { pairs.append(("auth", mechanism.rawValue)) }
        if security == .startTLS { pairs.append(("starttls", "yes")) }
        if let authorities { pairs.append(("ca", authorities)) }
        if allowsPlaintext { pairs.append(("plaintext", "yes")) }
        for (index, pair) in pairs.enumerated() {
            text += (index == 0 ? "/?" : "&") + pair.0 + "=" + ServerLocation.encoded(pair.1)
        }
        return text
    }

    /// Percent-encoded, but for what is nowhere special.
    private static func encoded(_ text: String) -> String {
        let plain = Array(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:,*+ ".utf8.filter { $0 != 0x20 })
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func decoded(_ text: Substring) throws(Failure) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                value > 0
            else { throw wrong("% stands for itself as %25") }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw wrong("it is not UTF-8") }
        return text
    }

    /// How the server is reached for the account `address`. `secret` gives what a reference like `file:PATH` refers to.
    public func access(
        for address: String, secret resolve: @escaping @Sendable (_ reference: String, _ user: String) throws -> [UInt8]
    ) throws(Failure) -> ServerAccess {
        guard let secret else {
            throw Failure(
                .signIn, "there is no password for \(address) at \(endpoint)",
                hint: "Add the account with --secret file:PATH, cmd:COMMAND, env:NAME or systemd:NAME")
        }
        let name = user ?? address
        return ServerAccess(
            endpoint: endpoint, security: security, authorities: authorities, user: name, master: master,
            mechanism: mechanism, secret: { try resolve(secret, name) })
    }
}
