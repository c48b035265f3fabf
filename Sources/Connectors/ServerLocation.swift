public import Events
public import Network
public import Secrets

/// A mail server, and how to sign in to it, as one line of text: what an account of the vault keeps of where it lives.
/// `Specs/Interfaces/Servers.md`, "The URL".
public struct ServerLocation: Hashable, Sendable {
    public var security: ServerAccess.Security
    public var endpoint: Endpoint
    /// Whose mailboxes they are.
    public var user: String
    /// Where the password or token is.
    public var secret: SecretReference
    /// Who signs in on that user's behalf.
    public var master: String?
    /// Where the server wants master and user in one name: what stands between them.
    public var masterSeparator: String?
    public var mechanism: ServerAccess.Mechanism
    /// A PEM file.
    public var authorities: String?
    /// Whether somebody has said that the password may travel unprotected.
    public var allowsPlaintext: Bool
    /// For how long a silent server is waited for, in seconds; nil: for as long as usual.
    public var timeoutSeconds: Int?
    /// How the server tells at once what has changed, where it does.
    public var hints: HintChannel?

    public init(
        security: ServerAccess.Security, endpoint: Endpoint, user: String, secret: SecretReference,
        master: String? = nil, masterSeparator: String? = nil, mechanism: ServerAccess.Mechanism = .automatic,
        authorities: String? = nil, allowsPlaintext: Bool = false, timeoutSeconds: Int? = nil,
        hints: HintChannel? = nil
    ) throws(Failure) {
        (self.security, self.endpoint, self.user, self.secret) = (security, endpoint, user, secret)
        (self.master, self.masterSeparator, self.mechanism) = (master, masterSeparator, mechanism)
        (self.authorities, self.allowsPlaintext) = (authorities, allowsPlaintext)
        (self.timeoutSeconds, self.hints) = (timeoutSeconds, hints)
        try check()
    }

    private func check() throws(Failure) {
        guard !user.isEmpty, !user.utf8.contains(where: { $0 < 0x20 }) else {
            throw Failure(.usage, "the server's URL names no user", hint: "Write imaps://USER@HOST")
        }
        guard security != .plaintext || allowsPlaintext || endpoint.isLoopback else {
            throw Failure(
                .usage, "the password and all mail would travel to \(endpoint) unprotected",
                hint: "Write imaps://, or add --starttls; --allow-plaintext if that network is yours")
        }
        guard masterSeparator == nil || master != nil else {
            throw Failure(.usage, "a separator without a master user has no meaning", hint: "Add --master USER")
        }
        if master != nil, [.xoauth2, .oauthbearer].contains(mechanism) {
            throw Failure(.usage, "a token is its user's own: a master user signs in with a password")
        }
        if let timeoutSeconds, !(1...86_400).contains(timeoutSeconds) {
            throw Failure(.usage, "a timeout of \(timeoutSeconds) seconds", hint: "Write 1 to 86400 seconds")
        }
        if let authorities, !authorities.hasPrefix("/") {
            throw Failure(
                .usage, "the path of the authorities is relative: \(authorities)", hint: "Write the whole path")
        }
    }

    /// How long to wait for the server.
    public var patience: IMAPPatience {
        var patience = IMAPPatience()
        guard let seconds = timeoutSeconds else { return patience }
        patience.silenceMilliseconds = seconds * 1_000
        patience.connectMilliseconds = min(patience.connectMilliseconds, seconds * 1_000)
        patience.commandMilliseconds = seconds * 10_000
        return patience
    }

    public static let schemes = ["imap", "imaps"]

    /// The port where none is named.
    static func usualPort(_ security: ServerAccess.Security) -> Int { security == .tls ? 993 : 143 }

    /// How to connect and sign in. The secret is read each time it is asked for.
    public var access: ServerAccess {
        let (secret, user) = (secret, user)
        let isJoined = master != nil && masterSeparator != nil
        return ServerAccess(
            endpoint: endpoint, security: security, authorities: authorities,
            user: isJoined ? user + (masterSeparator ?? "") + (master ?? "") : user, master: isJoined ? nil : master,
            mechanism: mechanism,
            secret: {
                do throws(SecretFailure) { return try secret.read(user: user) } catch {
                    throw Failure(.signIn, "\(error)", hint: error.hint)
                }
            })
    }
}

// MARK: As text

extension ServerLocation: CustomStringConvertible {
    public var description: String {
        var text = security == .tls ? "imaps://" : "imap://"
        text += ServerLocation.encodedUser(user) + "@"
        text += endpoint.host.utf8.contains(UInt8(ascii: ":")) ? "[\(endpoint.host)]" : endpoint.host
        if endpoint.port != ServerLocation.usualPort(security) { text += ":\(endpoint.port)" }
        var options = ["secret=" + PercentText.encoded("\(secret)")]
        if let master { options.append("master=" + PercentText.encoded(master)) }
        if let masterSeparator { options.append("master_separator=" + PercentText.encoded(masterSeparator)) }
        if mechanism != .automatic { options.append("auth=" + mechanism.rawValue) }
        if security == .startTLS { options.append("starttls") }
        if let authorities { options.append("ca=" + PercentText.encoded(authorities)) }
        if allowsPlaintext { options.append("allow_plaintext") }
        if let timeoutSeconds { options.append("timeout=\(timeoutSeconds)") }
        if let hints { options.append("hints=" + PercentText.encoded("\(hints)")) }
        return text + "/?" + options.joined(separator: "&")
    }
}

extension ServerLocation {
    /// What a person may give beside the URL; it must not say again what the URL says.
    public struct Options: Hashable, Sendable {
        public var user: String?
        public var secret: SecretReference?
        public var master: String?
        public var masterSeparator: String?
        public var mechanism: ServerAccess.Mechanism?
        public var authorities: String?
        public var isStartTLS = false
        public var allowsPlaintext = false
        public var timeoutSeconds: Int?
        public var hints: HintChannel?

        public init() {}
    }

    /// Reads `imap[s]://[USER@]HOST[:PORT][/?OPTIONS]`. `options` say what the URL leaves out. No error repeats the URL: a
    /// person may have written a password into it.
    public init(_ text: String, _ options: Options = Options()) throws(Failure) {
        guard let begin = text.firstRange(of: "://") else { throw ServerLocation.unreadable("it has no ://") }
        let scheme = text[..<begin.lowerBound]
        guard ServerLocation.schemes.contains(String(scheme)) else {
            throw ServerLocation.unreadable("it is not imap or imaps")
        }
        var rest = text[begin.upperBound...]
        var found = options
        if let mark = rest.firstIndex(of: "?") {
            try ServerLocation.read(rest[rest.index(after: mark)...], into: &found)
            rest = rest[..<mark]
        }
        if rest.last == "/" { rest = rest.dropLast() }
        guard !rest.contains("/"), !rest.contains("#") else {
            throw ServerLocation.unreadable("it names a folder; an account is all of a user's folders")
        }
        if let at = rest.lastIndex(of: "@") {
            let name = rest[..<at]
            guard !name.contains(":") else {
                throw Failure(
                    .usage, "the URL has a password in it, which is now in the shell's history",
                    hint: "Change that password, and give the new one with --secret file:PATH")
            }
            found.user = try PercentText.decoded(name)
            rest = rest[rest.index(after: at)...]
        }
        let isTLS = scheme == "imaps"
        guard !isTLS || !found.isStartTLS else {
            throw Failure(
                .usage, "imaps:// is TLS from the first byte, and STARTTLS is TLS later",
                hint: "Write imaps://HOST without --starttls, or imap://HOST with it")
        }
        let security: ServerAccess.Security = isTLS ? .tls : found.isStartTLS ? .startTLS : .plaintext
        guard let secret = found.secret else {
            throw Failure(
                .usage, "nothing says where the password is",
                hint: "Add --secret file:PATH, cmd:COMMAND, env:NAME or systemd:NAME")
        }
        try self.init(
            security: security, endpoint: try ServerLocation.endpoint(rest, security), user: found.user ?? "",
            secret: secret, master: found.master, masterSeparator: found.masterSeparator,
            mechanism: found.mechanism ?? .automatic, authorities: found.authorities,
            allowsPlaintext: found.allowsPlaintext, timeoutSeconds: found.timeoutSeconds,
            hints: found.hints)
    }

    /// A user's name as it stands in a URL.
    public static func encodedUser(_ name: String) -> String { PercentText.encoded(name, keeping: "") }

    private static func unreadable(_ why: String) -> Failure {
        Failure(
            .usage, "the server's URL cannot be read: \(why)", hint: "Write imaps://USER@HOST or imaps://USER@HOST:PORT"
        )
    }

    private static func endpoint(_ text: Substring, _ security: ServerAccess.Security) throws(Failure) -> Endpoint {
        var host = text
        var port = usualPort(security)
        var digits: Substring?
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { throw unreadable("its address has no ]") }
            host = text[text.index(after: text.startIndex)..<close]
            let behind = text[text.index(after: close)...]
            guard behind.isEmpty || behind.first == ":" else {
                throw unreadable("there is something behind its address")
            }
            digits = behind.isEmpty ? nil : behind.dropFirst()
            guard host.utf8.allSatisfy({ isHexadecimal($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
            else {
                throw unreadable("that is no address")
            }
        } else {
            if let colon = text.firstIndex(of: ":") {
                host = text[..<colon]
                digits = text[text.index(after: colon)...]
            }
            guard host.utf8.allSatisfy({ $0 > 0x7F || isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }),
                host.first != "-"
            else { throw unreadable("that is no host name") }
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { throw unreadable("it names no host") }
        if let digits {
            guard digits.utf8.count <= 5, let number = Int(digits), (1...65_535).contains(number) else {
                throw unreadable("that is no port")
            }
            port = number
        }
        return Endpoint(host: String(host), port: port)
    }

    private static func read(_ text: Substring, into options: inout Options) throws(Failure) {
        for part in text.split(separator: "&") {
            let key = part.prefix { $0 != "=" }
            let value =
                key.endIndex == part.endIndex ? "" : try PercentText.decoded(part[part.index(after: key.endIndex)...])
            switch key {
            case "secret":
                do throws(SecretFailure) { options.secret = try SecretReference(value) } catch {
                    throw Failure(.usage, "\(error)", hint: error.hint)
                }
            case "master": options.master = value
            case "master_separator": options.masterSeparator = value
            case "auth":
                guard let mechanism = ServerAccess.Mechanism(rawValue: value) else {
                    throw unreadable("it does not know that auth")
                }
                options.mechanism = mechanism
            case "starttls": options.isStartTLS = true
            case "ca": options.authorities = value
            case "allow_plaintext": options.allowsPlaintext = true
            case "timeout":
                guard let seconds = Int(value) else { throw unreadable("its timeout is no number") }
                options.timeoutSeconds = seconds
            case "hints":
                guard let channel = HintChannel(value) else { throw unreadable("it does not know such hints") }
                options.hints = channel
            default: throw unreadable("it has an option of another kind")
            }
        }
    }
}

private func isHexadecimal(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...102).contains(byte | 0x20) }
private func isLetterOrDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...122).contains(byte | 0x20) }

/// RFC 3986, 2.1.
enum PercentText {
    static func encoded(_ text: String, keeping kept: String = "/:,") -> String {
        var result = ""
        for byte in text.utf8 {
            if isLetterOrDigit(byte) || "-._~".utf8.contains(byte) || kept.utf8.contains(byte) {
                result.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                let digits = Array("0123456789ABCDEF".unicodeScalars)
                result.unicodeScalars += ["%", digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return result
    }

    static func decoded(_ text: Substring) throws(Failure) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = digit(rest.popFirst()), let low = digit(rest.popFirst()) else {
                throw Failure(
                    .usage, "in the server's URL, a percent sign is not followed by two digits",
                    hint: "Write %25 for a percent sign")
            }
            bytes.append(high << 4 | low)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.usage, "a part of the server's URL is no UTF-8")
        }
        return text
    }

    private static func digit(_ byte: UInt8?) -> UInt8? {
        guard let byte, isHexadecimal(byte) else { return nil }
        return byte < 58 ? byte - 48 : (byte | 0x20) - 87
    }
}
