internal import Glibc
internal import Synchronization

/// An IMAP server on loopback that serves a ``ModelMail`` well, but for what its script says. A thread for each connection.
public final class ScriptedServer: Sendable {
    /// What goes wrong, counted over all connections of the server.
    public struct Script: Sendable, CustomStringConvertible {
        /// At the response of that number.
        public var misbehaviour: Misbehaviour?
        public var at = 0
        /// At every response from then on.
        public var isLasting = false
        /// The connection is cut when so many bytes have been sent to clients.
        public var cutAfterSending: Int?
        /// The connection is cut when so many bytes have come from clients; what came before is acted upon.
        public var cutAfterReceiving: Int?
        /// The connection is cut instead of the message with that subject, whenever it is asked for.
        public var poison: String?
        /// The connection is cut at the end of the command of that number, which has been done, before its answer.
        public var cutBeforeAnswer: Int?

        public init() {}

        public init(_ misbehaviour: Misbehaviour, at: Int, isLasting: Bool = false) {
            (self.misbehaviour, self.at, self.isLasting) = (misbehaviour, at, isLasting)
        }

        public var description: String {
            if let misbehaviour {
                return "\(misbehaviour.rawValue) at response \(at)\(isLasting ? " and all later ones" : "")"
            }
            if let cutAfterSending { return "cut after sending \(cutAfterSending) bytes" }
            if let cutAfterReceiving { return "cut after receiving \(cutAfterReceiving) bytes" }
            if let cutBeforeAnswer { return "cut before the answer to command \(cutBeforeAnswer)" }
            return "no misbehaviour"
        }
    }

    /// What has happened so far.
    public struct Record: Sendable {
        public var connections = 0
        /// Responses that were due.
        public var responses = 0
        public var sent = 0
        public var received = 0
        public var commands = 0
        /// Whether the script has had its way.
        public var hasMisbehaved = false
        /// Everything clients have said, if it is kept.
        public var transcript: [UInt8] = []
    }

    private struct State {
        var record = Record()
        var script: Script
        var descriptors: Set<Int32> = []
        var isStopped = false
    }

    public let port: Int
    public let mail: ModelMail
    private let capabilities: [String]
    private let listener: Int32
    private let state: Mutex<State>
    private let keepsTranscript: Bool

    public init(
        _ mail: ModelMail, _ script: Script = Script(), capabilities: [String] = ModelSession.capabilities,
        keepsTranscript: Bool = false
    ) {
        (self.mail, self.capabilities, self.keepsTranscript) = (mail, capabilities, keepsTranscript)
        state = Mutex(State(script: script))
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { fatalError("no port on loopback: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        startThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                if descriptor < 0 {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    return
                }
                let isWanted = state.withLock { state -> Bool in
                    guard !state.isStopped else { return false }
                    state.descriptors.insert(descriptor)
                    state.record.connections += 1
                    return true
                }
                guard isWanted else {
                    close(descriptor)
                    return
                }
                startThread { self.serve(descriptor) }
            }
        }
    }

    /// Ends all connections and listens no more.
    public func stop() {
        state.withLock { state in
            state.isStopped = true
            for descriptor in state.descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    public var record: Record { state.withLock { $0.record } }

    /// Goes on with another script; numbers count from now.
    public func follow(_ script: Script) {
        state.withLock { state in
            state.script = script
            state.record = Record()
        }
    }

    // MARK: One connection

    private func serve(_ descriptor: Int32) {
        defer {
            state.withLock { _ = $0.descriptors.remove(descriptor) }
            close(descriptor)
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var session = ModelSession(mail, capabilities: capabilities)
        guard say(session.greeting(), descriptor) else { return }
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while !session.isOver {
            if session.isIdle {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                if poll(&waiting, 1, 5) == 0 {
                    guard say(session.changes(), descriptor) else { return }
                    continue
                }
            }
            let count = recv(descriptor, &piece, piece.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            let (taken, isCut) = state.withLock { state -> (Int, Bool) in
                let before = state.record.received
                state.record.received += count
                guard let limit = state.script.cutAfterReceiving, before + count >= limit else { return (count, false) }
                state.script.cutAfterReceiving = nil
                state.record.hasMisbehaved = true
                return (max(0, limit - before), true)
            }
            if keepsTranscript { state.withLock { $0.record.transcript += piece[..<taken] } }
            let replies = session.receive(piece[..<taken])
            if isCut { return }
            guard say(replies, descriptor) else { return }
        }
    }

    /// Sends responses, or what the script makes of them. False when the connection is over.
    private func say(_ replies: [ModelSession.Reply], _ descriptor: Int32) -> Bool {
        var pending: [UInt8] = []
        for reply in replies {
            let (misbehaviour, isCut) = state.withLock { state -> (Misbehaviour?, Bool) in
                let number = state.record.responses
                state.record.responses += 1
                let isEnd = reply.bytes.first != UInt8(ascii: "*") && reply.bytes.first != UInt8(ascii: "+")
                if isEnd {
                    state.record.commands += 1
                    if state.script.cutBeforeAnswer == state.record.commands - 1 {
                        state.record.hasMisbehaved = true
                        return (nil, true)
                    }
                }
                if let poison = state.script.poison, reply.kind == "FETCH",
                    reply.bytes.firstRange(of: Array("\r\nSubject: \(poison)\r\n".utf8)) != nil
                {
                    state.record.hasMisbehaved = true
                    return (nil, true)
                }
                guard let misbehaviour = state.script.misbehaviour,
                    number == state.script.at || state.script.isLasting && number > state.script.at
                else { return (nil, false) }
                state.record.hasMisbehaved = true
                return (misbehaviour, false)
            }
            if isCut {
                _ = send(pending, descriptor)
                return false
            }
            guard let misbehaviour else {
                pending += reply.bytes
                continue
            }
            guard send(pending, descriptor) else { return false }
            pending = []
            // The end of the command comes in the place of what is left of its answer.
            if misbehaviour == .endEarly, let last = replies.last {
                return send(last.bytes, descriptor)
            }
            for action in misbehaviour.actions(reply) where !perform(action, descriptor) { return false }
        }
        return send(pending, descriptor)
    }

    private func perform(_ action: Misbehaviour.Action, _ descriptor: Int32) -> Bool {
        switch action {
        case .send(let bytes): return send(bytes, descriptor)
        case .slowly(let bytes): return bytes.allSatisfy { send([$0], descriptor) }
        case .repeating(let bytes):
            var left = 64 << 20
            while left > 0 {
                guard send(bytes, descriptor) else { return false }
                left -= bytes.count
            }
            return false
        case .close: return false
        case .reset:
            var hard = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
            return false
        case .silence:
            // Until the client gives up.
            var piece = [UInt8](repeating: 0, count: 1 << 12)
            while recv(descriptor, &piece, piece.count, 0) > 0 {}
            return false
        }
    }

    /// False when the connection is over: the client has gone, or the script cuts it here.
    private func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        guard !bytes.isEmpty else { return true }
        let (allowed, isCut) = state.withLock { state -> (Int, Bool) in
            let before = state.record.sent
            state.record.sent += bytes.count
            guard let limit = state.script.cutAfterSending, before + bytes.count >= limit else {
                return (bytes.count, false)
            }
            state.script.cutAfterSending = nil
            state.record.hasMisbehaved = true
            return (max(0, limit - before), true)
        }
        var done = 0
        while done < allowed {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + done, allowed - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return !isCut
    }
}

/// Runs `body` on a thread nobody waits for.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    let code = pthread_create(
        &thread, nil,
        { pointer in
            Unmanaged<ThreadBody>.fromOpaque(pointer!).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    guard code == 0 else { fatalError("no thread: errno \(code)") }
    pthread_detach(thread)
}

private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
