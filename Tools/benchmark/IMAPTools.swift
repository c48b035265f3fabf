import Glibc
import Synthesis

/// A program that copies a user's mail from a server, and perhaps back. Everything it keeps is below `home`.
protocol IMAPTool {
    var name: String { get }
    /// Whether one run is enough, because it takes minutes.
    var isSlow: Bool { get }
    func missing() -> String?
    func prepare() throws -> [Command]
    func capture() -> Command
    /// Everything to another, empty user of the same server; nil for a program that cannot.
    func restore(to user: Int) throws -> Command?
}

extension IMAPTool {
    var isSlow: Bool { false }
    func missing() -> String? { nil }
    func restore(to user: Int) throws -> Command? { nil }
    func onPath(_ program: String) -> String? {
        Shell.output(["sh", "-c", "command -v \(program)"]) == nil ? "\(program) is not installed" : nil
    }
}

struct YestermailIMAP: IMAPTool {
    let name = "yestermail"
    let server: MailServer
    let user: Int
    let home: String
    private var vault: String { home + "/vault" }

    private func command(_ arguments: [String]) -> Command {
        Command(arguments: [Yestermail.builtBinary, "--vault", vault] + arguments)
    }
    func missing() -> String? {
        Shell.output([Yestermail.builtBinary, "--version"]) == nil ? "\(Yestermail.builtBinary) does not run" : nil
    }
    func prepare() throws -> [Command] {
        let source = try server.url(user, secrets: home + "/secrets")
        return [
            command(["init"]), command(["account", "add", "bench@example.org", "--source", source]),
        ]
    }
    func capture() -> Command { command(["scan", "--quiet"]) }
    func restore(to user: Int) throws -> Command? {
        let target = try server.url(user, secrets: home + "/secrets")
        return command(["restore", "account", "bench@example.org", "--at", "last", "--to", target, "--quiet"])
    }
}

struct Mbsync: IMAPTool {
    let server: MailServer
    let user: Int
    let home: String
    let syncs: Bool
    var name: String { "mbsync, FSync \(syncs ? "yes" : "no")" }

    func missing() -> String? { onPath("mbsync") }
    private func configuration(_ user: Int, _ store: String, isPush: Bool) -> String {
        """
        FSync \(syncs ? "yes" : "no")

        IMAPAccount a
        Host 127.0.0.1
        Port \(server.port)
        User \(MailServer.name(user))
        Pass pw-u\(user)
        SSLType None
        AuthMechs LOGIN

        IMAPStore far
        Account a

        MaildirStore near
        Path \(store)/
        Inbox \(store)/INBOX
        SubFolders Verbatim

        Channel c
        Far :far:
        Near :near:
        Patterns *
        Create \(isPush ? "Both" : "Near")
        Sync \(isPush ? "Push" : "Pull")
        Expunge \(isPush ? "None" : "Near")
        SyncState *

        """
    }
    func prepare() throws -> [Command] {
        try Shell.makeDirectory(home + "/mail")
        try Shell.write(configuration(user, home + "/mail", isPush: false), to: home + "/rc")
        return []
    }
    func capture() -> Command { Command(arguments: ["mbsync", "-q", "-c", home + "/rc", "-a"]) }
    func restore(to user: Int) throws -> Command? {
        // To a server that knows nothing of it: without the state of the way here.
        _ = Shell.output(["rm", "-rf", home + "/push"])
        _ = Shell.output(["cp", "-a", home + "/mail", home + "/push"])
        _ = Shell.output(["find", home + "/push", "-name", ".mbsyncstate*", "-delete"])
        try Shell.write(configuration(user, home + "/push", isPush: true), to: home + "/push-rc")
        return Command(arguments: ["mbsync", "-q", "-c", home + "/push-rc", "-a"])
    }
}

struct OfflineIMAP: IMAPTool {
    let name = "offlineimap"
    let isSlow = true
    let server: MailServer
    let user: Int
    let home: String

    func missing() -> String? { onPath("offlineimap") }
    func prepare() throws -> [Command] {
        try Shell.write(
            """
            [general]
            accounts = a
            metadata = \(home)/meta
            maxsyncaccounts = 1

            [Account a]
            localrepository = l
            remoterepository = r

            [Repository l]
            type = Maildir
            localfolders = \(home)/mail

            [Repository r]
            type = IMAP
            remotehost = 127.0.0.1
            remoteport = \(server.port)
            remoteuser = \(MailServer.name(user))
            remotepass = pw-u\(user)
            ssl = no
            starttls = no
            usecompression = no
            auth_mechanisms = LOGIN

            """, to: home + "/rc")
        return []
    }
    func capture() -> Command {
        Command(arguments: ["env", "HOME=\(home)", "offlineimap", "-c", home + "/rc", "-o", "-u", "quiet"])
    }
}

struct Getmail: IMAPTool {
    let name = "getmail6 (new mail only)"
    let isSlow = true
    let server: MailServer
    let user: Int
    let home: String
    let folders: [String]

    func missing() -> String? { onPath("getmail") }
    func prepare() throws -> [Command] {
        let mailboxes = folders.map { "\"\($0)\"" }.joined(separator: ", ")
        // It delivers to nobody as root.
        try Shell.write(
            """
            [retriever]
            type = SimpleIMAPRetriever
            server = 127.0.0.1
            port = \(server.port)
            username = \(MailServer.name(user))
            password = pw-u\(user)
            mailboxes = (\(mailboxes),)

            [destination]
            type = Maildir
            path = \(home)/mail/
            user = \(getuid() == 0 ? "nobody" : Shell.output(["id", "-un"])?.filter { $0 != "\n" } ?? "nobody")

            [options]
            read_all = false
            delete = false
            delivered_to = false
            received = false
            verbose = 0

            """, to: home + "/getmailrc")
        let owner = getuid() == 0 ? "chown -R nobody \"$1/mail\"; chmod 755 \"$1\"" : ":"
        return [
            Command(arguments: [
                "sh", "-c", "mkdir -p \"$1\"/mail/cur \"$1\"/mail/new \"$1\"/mail/tmp; \(owner)", "sh", home,
            ])
        ]
    }
    func capture() -> Command { Command(arguments: ["getmail", "--getmaildir", home, "-q"]) }
}
