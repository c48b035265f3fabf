internal import Glibc

extension SecretReference {
    /// A command has this long.
    public static let commandSeconds = 30
    /// More is no password and no token.
    private static let maximumBytes = 64 << 10

    /// The secret, without the line end behind it. Read anew each time: it may have been renewed.
    ///
    /// A command finds whose secret is wanted in `YESTERMAIL_ACCOUNT`; what it says on standard error goes where that of
    /// this process goes.
    public func read(user: String, commandSeconds: Int = commandSeconds) throws(SecretFailure) -> [UInt8] {
        let found: [UInt8]
        let what: String
        switch self {
        case .file(let path):
            what = "the secret file \(path)"
            found = try SecretReference.content(path, what)
        case .systemd(let name):
            what = "the credential \(name)"
            guard let directory = getenv("CREDENTIALS_DIRECTORY") else { throw SecretFailure(.noCredentials(name)) }
            found = try SecretReference.content("\(String(cString: directory))/\(name)", what)
        case .environment(let name):
            what = "the variable \(name)"
            guard let value = getenv(name) else { throw SecretFailure(.noVariable(name)) }
            found = Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
        case .command(let command):
            what = "what the command printed"
            found = try SecretCommand.output(command, user, commandSeconds, limit: SecretReference.maximumBytes)
        }
        return try SecretReference.line(found, what)
    }

    /// Strips one line end and refuses what no password can have: it is sent in one line of a protocol.
    private static func line(_ bytes: [UInt8], _ what: String) throws(SecretFailure) -> [UInt8] {
        guard bytes.count <= maximumBytes else { throw SecretFailure(.tooLong(what)) }
        var bytes = bytes
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw SecretFailure(.empty(what)) }
        guard !bytes.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) else {
            throw SecretFailure(.severalLines(what))
        }
        return bytes
    }

    private static func content(_ path: String, _ what: String) throws(SecretFailure) -> [UInt8] {
        // Not to wait for the other end of a FIFO that stands there.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SecretFailure(.unreadable(what, code: errno)) }
        defer { close(descriptor) }
        var found = stat()
        guard fstat(descriptor, &found) == 0 else { throw SecretFailure(.unreadable(what, code: errno)) }
        guard found.st_mode & S_IFMT == S_IFREG else { throw SecretFailure(.notAFile(what)) }
        guard found.st_mode & 0o007 == 0 else { throw SecretFailure(.open(what, mode: found.st_mode & 0o7777)) }
        guard found.st_uid == geteuid() || found.st_uid == 0 else { throw SecretFailure(.foreign(what)) }
        var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled)
            }
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw SecretFailure(.unreadable(what, code: errno))
            }
            filled += count
        }
        bytes.removeLast(bytes.count - filled)
        return bytes
    }
}

func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
