internal import NIOCore
internal import NIOPosix
internal import NIOSSL
public import Threads

/// A connection for a thread that waits: SwiftNIO carries it, this class blocks, and no event loop is ever blocked by it.
///
/// One thread uses a connection; only ``wake()`` and ``close()`` may be called by others. After a failure it can only be closed.
public final class Connection {
    public let endpoint: Endpoint
    private let channel: any Channel
    private let inbox: Inbox
    private let authorities: String?
    /// Whether what is sent and received is protected by TLS.
    public private(set) var isProtected: Bool

    /// Connects to `endpoint`, to whichever of its addresses answers, and agrees on TLS when `security` asks for it from the
    /// first byte.
    public init(
        to endpoint: Endpoint, security: ServerAccess.Security, authorities: String? = nil, deadline: Deadline
    ) throws(NetworkFailure) {
        (self.endpoint, self.authorities) = (endpoint, authorities)
        let inbox = Inbox()
        let context = security == .tls ? try TLSContext.make(authorities, endpoint) : nil
        let left = deadline.millisecondsLeft.map { Int64(max($0, 1)) } ?? 3_600_000
        let connecting = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.milliseconds(left))
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Inbox.pieceBytes))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            try TLSContext.handler(context, endpoint.host))
                    }
                    try channel.pipeline.syncOperations.addHandler(InboxHandler(inbox))
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
        let answer = Waiting<any Channel>()
        connecting.whenComplete { result in
            // Nobody waits any more: nobody would close it either.
            if !answer.set(result), case .success(let late) = result { late.close(promise: nil) }
        }
        guard let result = answer.wait(until: deadline) else {
            throw NetworkFailure(.deadline, endpoint, "the connection was not made")
        }
        switch result {
        case .failure(let error): throw Connection.failure(connecting: error, endpoint)
        case .success(let channel): self.channel = channel
        }
        self.inbox = inbox
        isProtected = context != nil
        inbox.connected(channel)
        if context != nil {
            do { try finishHandshake(deadline) } catch {
                close()
                throw error
            }
        }
    }

    deinit { channel.close(promise: nil) }

    /// Waits for bytes and lends them to `body`: all that came at once, never none. Returns nil when the other side has
    /// ended the connection in good order, or when ``wake()`` was called (``isWoken`` tells them apart).
    public func receive<Result>(
        _ deadline: Deadline, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result? {
        switch inbox.take(deadline) {
        case .bytes(let buffer):
            inbox.readOn()
            return try buffer.withUnsafeReadableBytes { try body($0) }
        case .ended, .woken: return nil
        case .failed(let failed): throw failed.failure(endpoint)
        case nil: throw NetworkFailure(.deadline, endpoint, "nothing came")
        }
    }

    /// Whether ``wake()`` made the last ``receive(_:_:)`` return. Asking forgets it.
    public func takeWake() -> Bool { inbox.takeWake() }

    /// Makes a waiting ``receive(_:_:)``, or the next one, return nil. From any thread.
    public var wake: @Sendable () -> Void {
        let inbox = inbox
        return { inbox.wake() }
    }

    /// Sends the pieces, one behind the other, and waits until the system has taken them.
    public func send(_ pieces: [[UInt8]], _ deadline: Deadline) throws(NetworkFailure) {
        let answer = Waiting<Void>()
        guard pieces.contains(where: { !$0.isEmpty }) else { return }
        let promise = channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ = answer.set($0) }
        let total = pieces.reduce(0) { $0 + $1.count }
        var buffer = channel.allocator.buffer(capacity: total)
        for piece in pieces { buffer.writeBytes(piece) }
        channel.writeAndFlush(buffer, promise: promise)
        switch answer.wait(until: deadline) {
        case .success: return
        case .failure(let error):
            if let failed = inbox.failed { throw failed.failure(endpoint) }
            throw NetworkFailure(.closed, endpoint, Connection.words(error))
        case nil: throw NetworkFailure(.deadline, endpoint, "it takes no data")
        }
    }

    /// Agrees on TLS after a command that asked for it. Nothing may have come behind the other side's consent: that was
    /// said by who knows whom, and refusing is the only safe answer.
    public func startTLS(_ deadline: Deadline) throws(NetworkFailure) {
        precondition(!isProtected, "TLS is there already")
        let context = try TLSContext.make(authorities, endpoint)
        let (channel, inbox, host) = (channel, inbox, endpoint.host)
        let answer = Waiting<Bool>()
        channel.eventLoop.submit { () -> Bool in
            guard inbox.isEmpty else { return false }
            try channel.pipeline.syncOperations.addHandler(
                try TLSContext.handler(context, host), position: .first)
            return true
        }.whenComplete { _ = answer.set($0) }
        switch answer.wait(until: deadline) {
        case .success(true): break
        case .success(false):
            throw NetworkFailure(.plaintextInjected, endpoint, "there was more behind its consent to TLS")
        case .failure(let error): throw NetworkFailure(.tlsRefused, endpoint, Connection.words(error))
        case nil: throw NetworkFailure(.deadline, endpoint, "TLS was not begun")
        }
        try finishHandshake(deadline)
        isProtected = true
    }

    /// Ends the connection without waiting. From any thread.
    public func close() { channel.close(promise: nil) }

    private func finishHandshake(_ deadline: Deadline) throws(NetworkFailure) {
        inbox.readOn()
        switch inbox.handshake(deadline) {
        case .done: return
        case .failed(let failed): throw NetworkFailure(.tlsRefused, endpoint, failed.words)
        case .ended: throw NetworkFailure(.tlsRefused, endpoint, "it closed the connection instead of agreeing on TLS")
        case nil: throw NetworkFailure(.deadline, endpoint, "TLS was not agreed upon")
        }
    }

    private static func failure(connecting error: any Error, _ endpoint: Endpoint) -> NetworkFailure {
        if let failure = error as? NetworkFailure { return failure }
        if case ChannelError.connectTimeout? = error as? ChannelError {
            return NetworkFailure(.deadline, endpoint, "the connection was not made")
        }
        if let tried = error as? NIOConnectionError {
            if tried.connectionErrors.isEmpty, let why = tried.dnsAAAAError ?? tried.dnsAError {
                return NetworkFailure(.unreachable, endpoint, "its name is not known (\(why))")
            }
            let isLate = tried.connectionErrors.contains { error in
                if case ChannelError.connectTimeout? = error.error as? ChannelError { true } else { false }
            }
            let why = tried.connectionErrors.map { "\($0.target): \(words($0.error))" }.joined(separator: "; ")
            return NetworkFailure(isLate ? .deadline : .unreachable, endpoint, why)
        }
        return NetworkFailure(.unreachable, endpoint, words(error))
    }

    static func words(_ error: any Error) -> String { "\(error)" }
}

/// One answer from an event loop, for a thread that waits for it.
private final class Waiting<Value: Sendable>: Sendable {
    private enum State: Sendable {
        case waiting
        case answered(Result<Value, any Error>)
        case abandoned
    }

    private let monitor = Monitor<State>(.waiting)

    /// False when nobody waits any more.
    func set(_ result: Result<Value, any Error>) -> Bool {
        monitor.change { state in
            if case .abandoned = state { return false }
            state = .answered(result)
            return true
        }
    }

    func wait(until deadline: Deadline) -> Result<Value, any Error>? {
        let found = monitor.wait(until: deadline) { state -> Result<Value, any Error>? in
            if case .answered(let result) = state { result } else { nil }
        }
        if let found { return found }
        return monitor.change { state in
            if case .answered(let result) = state { return result }
            state = .abandoned
            return nil
        }
    }
}
