/// Where a password or token is, never the thing itself: what is written on a command line and kept in the journal.
public enum SecretReference: Hashable, Sendable {
    /// The content of a file that only its owner (and a group) may read.
    case file(path: String)
    /// What a command prints, run by `/bin/sh`.
    case command(String)
    /// The value of an environment variable.
    case environment(name: String)
    /// A credential that systemd has put into the directory `$CREDENTIALS_DIRECTORY`.
    case systemd(name: String)

    /// Reads `file:PATH`, `cmd:COMMAND`, `env:NAME` or `systemd:NAME`. A text that is none of them may be a secret itself, and
    /// is in no error.
    public init(_ text: String) throws(SecretFailure) {
        let utf8 = text.utf8
        guard let colon = utf8.firstIndex(of: UInt8(ascii: ":")) else { throw SecretFailure(.notAReference) }
        let rest = String(text[utf8.index(after: colon)...])
        guard !rest.isEmpty, !rest.utf8.contains(0) else { throw SecretFailure(.notAReference) }
        switch text[..<colon] {
        case "file":
            guard rest.hasPrefix("/") else { throw SecretFailure(.relative(path: rest)) }
            self = .file(path: rest)
        case "cmd": self = .command(rest)
        case "env":
            guard !rest.utf8.contains(UInt8(ascii: "=")) else { throw SecretFailure(.notAReference) }
            self = .environment(name: rest)
        case "systemd":
            guard !rest.contains("/"), rest != ".", rest != ".." else { throw SecretFailure(.notAReference) }
            self = .systemd(name: rest)
        default: throw SecretFailure(.notAReference)
        }
    }
}

extension SecretReference: CustomStringConvertible {
    public var description: String {
        switch self {
        case .file(let path): "file:\(path)"
        case .command(let command): "cmd:\(command)"
        case .environment(let name): "env:\(name)"
        case .systemd(let name): "systemd:\(name)"
        }
    }
}

/// Why a secret could not be had. It never has a byte of one.
public struct SecretFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var reason: Reason

    public enum Reason: Hashable, Sendable {
        case notAReference
        case relative(path: String)
        case unreadable(String, code: Int32)
        case notAFile(String)
        case open(String, mode: UInt32)
        case foreign(String)
        case noVariable(String)
        case noCredentials(String)
        case notStarted(code: Int32)
        case commandFailed(status: Int32)
        case commandTooSlow(seconds: Int)
        case empty(String)
        case tooLong(String)
        case severalLines(String)
    }

    init(_ reason: Reason) { self.reason = reason }

    public var description: String {
        switch reason {
        case .notAReference: "that does not say where a secret is"
        case .relative(let path): "the path of the secret file \(path) is relative"
        case .unreadable(let what, let code): "\(what) cannot be read: \(errorText(code))"
        case .notAFile(let what): "\(what) is not a regular file"
        case .open(let what, let mode): "\(what) may be used by everybody (mode \(octal(mode)))"
        case .foreign(let what): "\(what) belongs to another user"
        case .noVariable(let name): "the environment has no variable \(name)"
        case .noCredentials(let name): "there is no credential \(name): systemd has given this process none"
        case .notStarted(let code): "the command that prints the secret could not be started: \(errorText(code))"
        case .commandFailed(let status): "the command that prints the secret ended with status \(status)"
        case .commandTooSlow(let seconds):
            "the command that prints the secret did not end within \(seconds) seconds and was killed"
        case .empty(let what): "\(what) is empty"
        case .tooLong(let what): "\(what) is longer than any password or token"
        case .severalLines(let what): "\(what) has more than one line, or a zero byte"
        }
    }

    /// What to do about it.
    public var hint: String? {
        switch reason {
        case .notAReference:
            "Write file:PATH, cmd:COMMAND, env:NAME or systemd:NAME; a password itself is never given on a command line"
        case .relative: "Write the whole path: it is read again by every scan"
        case .unreadable: "May this user read it?"
        case .open(let what, _): "Run: chmod 600 \(what.split(separator: " ").last ?? "")"
        case .foreign: "It must belong to the user who runs this, or to root"
        case .noVariable: "It must be there each time an account is scanned, not only now"
        case .noCredentials: "See LoadCredential= in systemd.exec(5)"
        case .severalLines:
            "Only the secret itself belongs there; of a command's output, take the first line with | head -n 1"
        case .commandFailed: "Run it yourself to see what it says"
        case .notAFile, .notStarted, .commandTooSlow, .empty, .tooLong: nil
        }
    }
}

private func octal(_ mode: UInt32) -> String {
    let digits = String(mode, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
}
