internal import Glibc
internal import Maildir
internal import Synchronization
internal import Threads

/// The socket that Cyrus sends a datagram to for each change, read in the place of Cyrus's own `notifyd`.
///
/// Cyrus waits for a reader that is slow, holding the mailbox: so a thread does nothing but take datagrams off the socket.
final class CyrusNotifications: HintReader {
    private let inbox: NotificationInbox
    private let reader: WorkerThread

    init(_ path: String) throws {
        inbox = try NotificationInbox(path)
        let inbox = inbox
        reader = WorkerThread { inbox.run() }
    }

    deinit {
        inbox.stop()
        reader.join()
    }

    var wake: @Sendable () -> Void {
        let inbox = inbox
        return { inbox.wake() }
    }

    func next(timeoutMilliseconds: Int?) throws -> [UserHint] { inbox.take(timeoutMilliseconds) }

    /// What a datagram says: strings that end with a zero byte, one of them a JSON object. Nil when it tells of nothing that
    /// is captured; ``UserHint/everything`` when it cannot be read.
    static func hints(_ datagram: some Collection<UInt8>) -> [UserHint] {
        guard let object = datagram.split(separator: 0).first(where: { $0.first == UInt8(ascii: "{") }),
            let event = JSONText.string("event", in: Array(object))
        else { return [.everything] }
        let name = String(decoding: event, as: UTF8.self)
        if ["Login", "Logout", "QuotaExceed", "QuotaWithin", "QuotaChange"].contains(name) { return [] }
        // Calendars, contacts and files are mailboxes, too, and not of those that are captured by IMAP.
        if let type = JSONText.string("vnd.cmu.mbtype", in: Array(object)), !type.isEmpty, type != [UInt8(ascii: "e")] {
            return []
        }
        let isFolder = name == "AclChange" || name.hasPrefix("Mailbox") && name != "MailboxModseq"
        var found: [UserHint] = []
        for key in ["uri", "oldMailboxID"] {
            guard let uri = JSONText.string(key, in: Array(object)) else { continue }
            guard let (user, folder) = mailbox(uri) else { return [.everything] }
            guard let user else { continue }
            found.append(UserHint(user: user, hint: isFolder ? .folders : .folder(folder)))
        }
        return found
    }

    /// The user and the folder, as that user's IMAP spells it, of `imap://server/user/anna/Work%40example.org;UIDVALIDITY=1`;
    /// a nil user for a mailbox that is nobody's.
    static func mailbox(_ uri: [UInt8]) -> (user: [UInt8]?, folder: [UInt8])? {
        let scheme = Array("imap://".utf8)
        guard uri.starts(with: scheme), let slash = uri.dropFirst(scheme.count).firstIndex(of: UInt8(ascii: "/")) else {
            return nil
        }
        let encoded = uri[(slash + 1)...].prefix { $0 != UInt8(ascii: ";") }
        guard var name = percentDecoded(encoded) else { return nil }
        guard name.count > 5, name.starts(with: Array("user".utf8)), [0x2E, 0x2F].contains(name[4]) else {
            return (nil, [])
        }
        let separator = name[4]
        var domain: [UInt8] = []
        if let at = name.lastIndex(of: UInt8(ascii: "@")) {
            domain = Array(name[at...])
            name.removeSubrange(at...)
        }
        let parts = name.split(separator: separator, omittingEmptySubsequences: false).dropFirst()
        guard let user = parts.first, !user.isEmpty else { return nil }
        let folder = Array(parts.dropFirst().joined(separator: [separator]))
        guard let wire = folder.isEmpty ? Array("INBOX".utf8) : ModifiedUTF7.encode(folder) else { return nil }
        return (Array(user) + domain, wire)
    }
}

/// The socket, and what has come through it.
private final class NotificationInbox: Sendable {
    private struct State {
        var hints: Set<UserHint> = []
        var isWoken = false
    }

    private let socket: Int32
    private let path: String
    private let waker: Waker
    private let monitor = Monitor(State())
    private let isStopped = Atomic(false)
    private static let longestDatagram = 128 << 10

    init(_ path: String) throws {
        self.path = path
        waker = try Waker()
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var found = stat()
        // Of a reader before us; Cyrus goes on with whatever stands at the path.
        if lstat(path, &found) == 0, found.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let socket = socket
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard isBound else {
            let why = String(cString: strerror(errno))
            close(socket)
            throw SourceFailure.unavailable("the socket \(path) cannot be made: \(why)")
        }
        // Cyrus runs as another user; who may come near the socket, its directory says.
        chmod(path, 0o666)
        var size: Int32 = 4 << 20
        setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(socket) }

    func run() {
        var buffer = [UInt8](repeating: 0, count: NotificationInbox.longestDatagram)
        while !isStopped.load(ordering: .acquiring) {
            guard waker.wait(for: socket, milliseconds: nil) else { continue }
            let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT) | Int32(MSG_TRUNC))
            if count < 0, [EINTR, EAGAIN].contains(errno) { continue }
            let hints = count < 0 || count > buffer.count ? [.everything] : CyrusNotifications.hints(buffer[..<count])
            if !hints.isEmpty { monitor.change { $0.hints.formUnion(hints) } }
        }
    }

    func take(_ milliseconds: Int?) -> [UserHint] {
        let deadline = milliseconds.map { Deadline.after(milliseconds: $0) } ?? .never
        let found = monitor.wait(until: deadline) { state -> Set<UserHint>? in
            guard !state.hints.isEmpty || state.isWoken else { return nil }
            defer { (state.hints, state.isWoken) = ([], false) }
            return state.hints
        }
        guard let found else { return [] }
        return found.contains(.everything) ? [.everything] : Array(found)
    }

    func wake() { monitor.change { $0.isWoken = true } }

    func stop() {
        isStopped.store(true, ordering: .releasing)
        waker.wake()
        unlink(path)
    }
}

/// As much of JSON as a notification needs: the value of a key that is a string, at whatever level.
enum JSONText {
    static func string(_ key: String, in text: [UInt8]) -> [UInt8]? {
        let wanted = Array("\"\(key)\":\"".utf8)
        guard text.count > wanted.count else { return nil }
        var index = 0
        // Inside of a string, what looks like a key is none.
        while index < text.count {
            guard text[index] == UInt8(ascii: "\"") else {
                index += 1
                continue
            }
            if text[index...].starts(with: wanted) { return value(text, from: index + wanted.count) }
            index += 1
            while index < text.count, text[index] != UInt8(ascii: "\"") {
                index += text[index] == UInt8(ascii: "\\") ? 2 : 1
            }
            index += 1
        }
        return nil
    }

    private static func value(_ text: [UInt8], from begin: Int) -> [UInt8]? {
        var result: [UInt8] = []
        var index = begin
        while index < text.count {
            let byte = text[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return result }
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard index < text.count else { return nil }
            let escaped = text[index]
            index += 1
            switch escaped {
            case UInt8(ascii: "u"):
                guard index + 4 <= text.count,
                    let number = UInt32(String(decoding: text[index..<index + 4], as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(number)
                else { return nil }
                result += String(Character(scalar)).utf8
                index += 4
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "t"): result.append(0x09)
            default: result.append(escaped)
            }
        }
        return nil
    }
}
