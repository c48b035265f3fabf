public import Events

/// Where an account lives or a restore goes: a URL as in `Specs/Interfaces/CommandLine.md`, "Sources".
public enum Location: Hashable, Sendable, CustomStringConvertible {
    case maildir(path: String)
    /// A new directory with an mbox for each folder, or a directory for each with a file for each message: a target only.
    case mbox(path: String)
    case eml(path: String)
    case server(ServerLocation)

    /// Reads `maildir:PATH` or a mail server's URL. Throws ``Failure`` for what is no location, or one this program cannot use.
    public init(_ text: String) throws(Failure) {
        guard let colon = text.firstIndex(of: ":") else {
            throw Failure(
                .usage, "\(text) does not say where it is",
                hint: "Write maildir:PATH, for example maildir:/home/anna/Maildir")
        }
        let rest = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "maildir", "mbox", "eml":
            guard !rest.isEmpty, !rest.utf8.contains(0) else {
                throw Failure(.usage, "\(text) names no directory", hint: "Write maildir:PATH")
            }
            self =
                text[..<colon] == "mbox"
                ? .mbox(path: rest) : text[..<colon] == "eml" ? .eml(path: rest) : .maildir(path: rest)
        case "imap", "imaps": self = .server(try ServerLocation(text))
        default:
            throw Failure(
                .usage, "\(text[..<colon]): is not a kind of source or target this program knows",
                hint: "Write maildir:PATH or imaps://USER@HOST")
        }
    }

    public var description: String {
        switch self {
        case .maildir(let path): "maildir:\(path)"
        case .mbox(let path): "mbox:\(path)"
        case .eml(let path): "eml:\(path)"
        case .server(let server): "\(server)"
        }
    }

    /// Whether both are mailboxes of one mail server; `source` as an account has it.
    public func isSameServer(as source: String) -> Bool {
        guard case .server(let own) = self, case .server(let other)? = try? Location(source) else { return false }
        return own.endpoint == other.endpoint
    }

    /// Who signs in there, or is signed in for: that one's own rights are the server's to give. Nil: nobody does.
    public var owner: [UInt8]? { if case .server(let server) = self { Array(server.user.utf8) } else { nil } }

    /// Whether only one thread may write there.
    public var wantsOneWriter: Bool { if case .mbox = self { true } else { false } }

    /// Opens it to read. Throws ``Failure`` when it cannot be reached.
    public func openSource() throws -> any Source {
        switch self {
        case .maildir(let path):
            do {
                return try MaildirSource(path: path)
            } catch let failure as SourceFailure {
                throw Failure(
                    .unreachable, "the Maildir \(path) cannot be read: \(failure)",
                    hint: "Is it mounted, and may this user read it? Nothing was concluded from its absence")
            }
        case .mbox, .eml:
            throw Failure(.usage, "\(self) is a place to write to", hint: "Take it in with: yestermail import")
        case .server(let server):
            return IMAPSource(
                server.access, patience: server.patience, hints: server.hints, hintedUser: server.user)
        }
    }

    /// What is there, for a plan. Writes nothing.
    public func view() throws -> any TargetView {
        switch self {
        case .maildir(let path):
            do {
                return try MaildirTargetView(path: path)
            } catch let failure as SourceFailure {
                throw Failure(
                    .refused, "\(path) is neither a Maildir nor empty: \(failure)",
                    hint: "Name a Maildir, or a directory that does not exist yet")
            }
        case .mbox(let path): return try FileTargetView(path: path, shape: .mbox)
        case .eml(let path): return try FileTargetView(path: path, shape: .eml)
        case .server(let server):
            do {
                return try IMAPTargetView(server.access, patience: server.patience)
            } catch let failure as SourceFailure {
                throw Failure(.unreachable, "the mail server cannot be looked at: \(failure)", hint: "Try again later")
            }
        }
    }

    /// Opens it to write. Throws ``Failure``.
    public func openTarget() throws -> any Target {
        switch self {
        case .maildir(let path):
            do {
                return try MaildirTarget(path: path)
            } catch let failure as TargetFailure {
                throw Failure(targetFailure: failure, "the Maildir \(path) cannot be written")
            }
        case .mbox(let path), .eml(let path):
            do {
                return try FileTarget(path: path, shape: wantsOneWriter ? .mbox : .eml)
            } catch let failure as TargetFailure {
                throw Failure(targetFailure: failure, "the directory \(path) cannot be written")
            }
        case .server(let server):
            do {
                return try IMAPTarget(server.access, patience: server.patience)
            } catch let failure as TargetFailure {
                throw Failure(targetFailure: failure, "the mail server cannot be written")
            }
        }
    }
}

extension Failure {
    /// What a target's refusal means for a whole restore.
    public init(targetFailure failure: TargetFailure, _ what: String) {
        switch failure {
        case .unavailable(_, isNoSpace: true, _):
            self.init(
                .noSpace, "\(what): \(failure)", hint: "Free some space and run it again: what is done is skipped")
        case .unavailable(_, _, isPermission: true):
            self.init(.permission, "\(what): \(failure)", hint: "Run as the user who owns it")
        case .unavailable, .refused, .exists, .vanished:
            self.init(.unreachable, "\(what): \(failure)")
        }
    }
}
