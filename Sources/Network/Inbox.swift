internal import Glibc
internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import Threads

/// What has come and was not taken yet. The event loop fills it, the thread of the connection empties it; when it is full
/// the event loop stops reading, and the other side has to wait.
final class Inbox: Sendable {
    /// Read from the socket at once.
    static let pieceBytes = 128 << 10
    /// Above it nothing more is read.
    private static let fullBytes = 1 << 20

    private struct State {
        var pieces: [ByteBuffer] = []
        var next = 0
        var bytes = 0
        /// Whether the event loop has been asked to read and has not finished.
        var isReading = false
        var isWoken = false
        var isProtected = false
        var hasEnded = false
        var failed: Failed?
        var channel: (any Channel)?
    }

    /// What broke a connection.
    struct Failed: Sendable {
        var words: String
        var isTLS: Bool

        func failure(_ endpoint: Endpoint) -> NetworkFailure {
            NetworkFailure(isTLS ? .tlsRefused : .closed, endpoint, words)
        }
    }

    enum Taken {
        case bytes(ByteBuffer)
        case ended, woken
        case failed(Failed)
    }
    enum Handshake {
        case done, ended
        case failed(Failed)
    }

    private let monitor = Monitor(State())

    func connected(_ channel: any Channel) { monitor.change { $0.channel = channel } }

    var isEmpty: Bool { monitor.change { $0.bytes == 0 } }
    var failed: Failed? { monitor.change { $0.failed } }

    func take(_ deadline: Deadline) -> Taken? {
        readOn()
        return monitor.wait(until: deadline) { state -> Taken? in
            if state.next < state.pieces.count {
                let piece = state.pieces[state.next]
                state.next += 1
                if state.next == state.pieces.count {
                    state.pieces.removeAll(keepingCapacity: true)
                    state.next = 0
                }
                state.bytes -= piece.readableBytes
                return .bytes(piece)
            }
            if let failed = state.failed { return .failed(failed) }
            if state.hasEnded { return .ended }
            return state.isWoken ? .woken : nil
        }
    }

    func handshake(_ deadline: Deadline) -> Handshake? {
        monitor.wait(until: deadline) { state -> Handshake? in
            if state.isProtected { return .done }
            if let failed = state.failed { return .failed(failed) }
            return state.hasEnded ? .ended : nil
        }
    }

    func wake() { monitor.change { $0.isWoken = true } }

    func takeWake() -> Bool {
        monitor.change { state in
            defer { state.isWoken = false }
            return state.isWoken
        }
    }

    /// Asks the event loop to read when there is room and it does not read already.
    func readOn() {
        let channel = monitor.change { state -> (any Channel)? in
            guard !state.isReading, state.bytes < Inbox.fullBytes / 2, !state.hasEnded else { return nil }
            state.isReading = state.channel != nil
            return state.channel
        }
        channel?.read()
    }

    // MARK: The event loop's side

    func put(_ piece: ByteBuffer) {
        guard piece.readableBytes > 0 else { return }
        monitor.change { state in
            state.pieces.append(piece)
            state.bytes += piece.readableBytes
        }
    }

    /// Whether to go on reading.
    func readCompleted() -> Bool {
        monitor.change { state in
            state.isReading = state.bytes < Inbox.fullBytes && state.channel != nil
            return state.isReading
        }
    }

    func protected() { monitor.change { $0.isProtected = true } }
    func ended() { monitor.change { $0.hasEnded = true } }
    func fail(_ failed: Failed) { monitor.change { if $0.failed == nil { $0.failed = failed } } }
}

/// The last handler of the channel.
final class InboxHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let quickAcknowledgement = NIOBSDSocket.Option(rawValue: TCP_QUICKACK)
    private let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { inbox.put(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) {
        // A server that writes an answer in two pieces, with Nagle's algorithm, keeps the second until the first is
        // acknowledged; and the system would let it wait for 40 ms. Linux forgets this option by itself. Where it cannot be
        // set all is as it was, only later.
        try? context.channel.syncOptions?.setOption(.tcpOption(InboxHandler.quickAcknowledgement), value: 1)
        if inbox.readCompleted() { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent { inbox.protected() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Who closes TCP without closing TLS first has still closed it; what is missing is missed by the protocol above.
        if case NIOSSLError.uncleanShutdown? = error as? NIOSSLError {
            inbox.ended()
        } else {
            inbox.fail(
                Inbox.Failed(
                    words: Connection.words(error),
                    isTLS: error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError))
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.ended()
        context.fireChannelInactive()
    }
}
