internal import ArgumentParser
internal import Connectors
internal import Events
internal import Network
internal import Presentation
internal import Secrets

/// How to get into a mail server, for sources and targets alike.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the password or token is: file:PATH, cmd:COMMAND, env:NAME or systemd:NAME.", valueName: "ref"))
    var secret: String?

    @Option(help: ArgumentHelp("Who signs in on the users' behalf: an administrator.", valueName: "user"))
    var master: String?

    @Option(
        help: ArgumentHelp(
            "Where the server wants both in one name, as in anna*master: what stands between them.", valueName: "text"))
    var masterSeparator: String?

    @Option(
        help: ArgumentHelp("plain, login, xoauth2 or oauthbearer. Default: what the server offers.", valueName: "how"))
    var auth: String?

    @Flag(help: "TLS by STARTTLS, and nothing without it.") var starttls = false

    @Option(help: ArgumentHelp("A PEM file of the authorities to trust.", valueName: "file"), completion: .file())
    var ca: String?

    @Flag(help: "Let the password and the mail travel unprotected.") var allowPlaintext = false

    @Option(help: ArgumentHelp("For how long a silent server is waited for. Default: 60.", valueName: "seconds"))
    var timeout: Int?

    @Option(
        help: ArgumentHelp(
            "How the server tells at once what has changed: spool:PATH (Dovecot) or cyrus:PATH.", valueName: "channel"))
    var hints: String?

    var isEmpty: Bool {
        secret == nil && master == nil && masterSeparator == nil && auth == nil && ca == nil && !starttls
            && !allowPlaintext && timeout == nil && hints == nil
    }

    /// Whether the text is a server's URL, which these options are for.
    static func isServer(_ url: String) -> Bool {
        ServerLocation.schemes.contains { url.lowercased().hasPrefix($0 + ":") }
    }

    /// The server's account of that address. In the URL's user and in the path of a secret file, `%d`, `%n` and `%u` stand
    /// for the address.
    func location(_ url: String, _ address: Address?) throws -> ServerLocation {
        var options = ServerLocation.Options()
        options.user = address?.text
        options.master = master
        options.masterSeparator = masterSeparator
        options.isStartTLS = starttls
        options.allowsPlaintext = allowPlaintext
        options.timeoutSeconds = timeout
        if let hints {
            guard let channel = HintChannel(hints) else {
                throw Failure(
                    .usage, "'\(TerminalText.safe(hints, maxColumns: 80))' tells of nothing",
                    hint: "Write spool:/PATH of our hook's spool, or cyrus:/PATH of the notify socket")
            }
            options.hints = channel
        }
        if let auth {
            guard let mechanism = ServerAccess.Mechanism(rawValue: auth), mechanism != .automatic else {
                throw Failure(
                    .usage, "'\(TerminalText.safe(auth, maxColumns: 40))' is no way to sign in",
                    hint: "There are plain, login, xoauth2 and oauthbearer")
            }
            options.mechanism = mechanism
        }
        if let ca { options.authorities = VaultPlace.absolute(ca) }
        if let secret {
            do { options.secret = try SecretReference(try ServerOptions.completed(secret, address)) } catch let failure
                as SecretFailure
            {
                throw Failure(.usage, "\(failure)", hint: failure.hint)
            }
        }
        return try ServerLocation(try ServerOptions.withUser(url, address), options)
    }

    /// A relative path of a secret file becomes an absolute one, and an address takes its place in it.
    private static func completed(_ secret: String, _ address: Address?) throws -> String {
        guard secret.hasPrefix("file:") else { return secret }
        let path = VaultPlace.absolute(String(secret.dropFirst(5)))
        guard let template = try MailboxTemplate(path) else { return "file:" + path }
        guard let address, let own = template.path(address) else {
            throw Failure(.usage, "no address can take its place in the path of the secret file")
        }
        return "file:" + own
    }

    /// `imaps://%n@host`: the local part signs in.
    private static func withUser(_ url: String, _ address: Address?) throws -> String {
        guard let address, let begin = url.firstRange(of: "://"), let at = url.lastIndex(of: "@"), begin.upperBound < at
        else {
            return url
        }
        let parts: [(String, String)] = [
            ("%u", address.text), ("%n", address.local), ("%d", address.domain),
        ]
        var user = String(url[begin.upperBound..<at])
        // Percent signs that are followed by hexadecimal digits stand for bytes, as in any URL.
        guard !user.contains("%25") else { return url }
        for (place, text) in parts {
            while let found = user.firstRange(of: place) {
                user.replaceSubrange(found, with: ServerLocation.encodedUser(text))
            }
        }
        return url[..<begin.upperBound] + user + url[at...]
    }
}
