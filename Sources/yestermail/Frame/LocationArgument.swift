internal import Connectors
internal import Events
internal import Presentation
internal import Vault

extension Location {
    /// Reads a source or target as a person writes it: a path may be relative, or begin with `~/`.
    init(argument text: String) throws { self = .maildir(path: try Location.maildirPath(text)) }

    /// Where the account lives.
    init(of account: Account) throws {
        guard let url = account.state.sources.first else {
            throw Failure(
                .usage, "\(account.state.address) has no source", hint: "Remove it and add it again with --source")
        }
        try self.init(url)
    }

    /// The absolute path of a `maildir:` URL.
    static func maildirPath(_ url: String) throws -> String {
        let scheme = url.prefix { $0 != ":" }
        guard scheme.utf8.count < url.utf8.count else {
            throw Failure(
                .usage, "'\(TerminalText.safe(url, maxColumns: 120))' does not say what kind of source it is",
                hint: "Write maildir:\(TerminalText.safe(url, maxColumns: 120))")
        }
        guard scheme == "maildir" else {
            throw Failure(
                .usage, "this version cannot read \(TerminalText.safe(String(scheme), maxColumns: 40)): sources",
                hint: "It knows maildir:PATH")
        }
        var path = String(url.dropFirst(scheme.count + 1))
        guard !path.isEmpty else {
            throw Failure(.usage, "maildir: needs a path", hint: "Write maildir:/var/mail/anna")
        }
        if path.hasPrefix("//") {
            throw Failure(
                .usage,
                "a Maildir is a directory of this machine, and \(TerminalText.safe(url, maxColumns: 120)) names another",
                hint: "Write maildir:/var/mail/anna")
        }
        if path.hasPrefix("~/"), let home = VaultPlace.environment("HOME") { path = home + path.dropFirst(1) }
        path = VaultPlace.absolute(path)
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }
}
