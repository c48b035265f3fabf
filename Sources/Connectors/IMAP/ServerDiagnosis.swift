internal import Events
internal import Glibc
internal import IMAP
internal import Threads

/// What a look at a mail server says: whether it lets us in, what it offers, and whether it tells what has changed.
public struct ServerDiagnosis: Sendable {
    /// In capitals, sorted.
    public let capabilities: [String]
    public let folders: Int
    /// Bytes; nil when it is not known.
    public let room: UInt64?
    private let server: ServerLocation

    /// Connects, signs in, and lists. Throws ``Failure``.
    public init(_ server: ServerLocation) throws {
        self.server = server
        do {
            let view = try IMAPTargetView(server.access, patience: server.patience)
            capabilities = try view.capabilities()
            folders = try view.folders().count
            room = try view.room()
        } catch let failure as SourceFailure {
            throw Failure(.unreachable, "the mail server cannot be read: \(failure)")
        }
    }

    /// Whether changes come by number: then a scan reads only what is new.
    public var countsChanges: Bool { capabilities.contains("QRESYNC") }
    /// Whether it tells one user's changes as they happen.
    public var tellsUsers: Bool { capabilities.contains("NOTIFY") || capabilities.contains("IDLE") }

    /// What becomes of hints.
    public enum Hints: Hashable, Sendable {
        case none
        /// The channel is there; nothing was tried.
        case ready
        /// Somebody hears them already, and there can be only one.
        case taken
        /// A folder was made and removed, and was told of after so many milliseconds.
        case heard(milliseconds: Int)
        /// It was not told of.
        case silent
        /// Why the channel cannot be used.
        case broken(String)
    }

    /// Looks at the channel. With `trying`, makes a folder, removes it, and waits for word of it.
    public func hints(trying: Bool) throws -> Hints {
        guard let channel = server.hints else { return .none }
        if case .cyrusSocket(let path) = channel {
            if isRead(path) { return .taken }
            // To listen, the socket has to be made, and Cyrus's own daemon would lose it: only on demand.
            if !trying { return .ready }
        }
        let reader: any HintReader
        do { reader = try channel.open() } catch { return .broken("\(error)") }
        guard trying else { return .ready }
        let name = "Yestermail doctor \(getpid())"
        let user = Array(server.user.utf8)
        let begin = Deadline.now
        do {
            let target = try IMAPTarget(server.access, patience: server.patience)
            _ = try target.folder(FolderState(path: [Array(name.utf8)], sourceName: []))
            try target.removeEmptyFolder(Array(name.utf8))
        } catch let failure as TargetFailure {
            throw Failure(.unreachable, "the mail server cannot be written: \(failure)")
        }
        let end = begin.later(milliseconds: 5_000)
        while let left = end.millisecondsLeft, left > 0 {
            for hint in try reader.next(timeoutMilliseconds: left) where hint.user == user {
                return .heard(milliseconds: 5_000 - (end.millisecondsLeft ?? 0))
            }
        }
        return .silent
    }

    /// Whether somebody reads the socket.
    private func isRead(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
