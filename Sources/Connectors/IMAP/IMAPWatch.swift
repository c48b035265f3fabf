internal import Events
internal import IMAP
internal import Network
internal import Threads

extension IMAPSource: WatchableSource {
    /// Watches the users of a server that tells of all of them by one thread; else each by a connection and a thread: NOTIFY (RFC 5465) where the server has it, else IDLE on INBOX.
    /// Whatever they do not tell is found by a sweep each minute.
    public static func watch(_ sources: [IMAPSource]) throws -> any SourceWatch { IMAPWatch(sources) }
}

/// What servers tell of many users, as hints.
private final class IMAPWatch: SourceWatch {
    private let board: HintBoard

    init(_ sources: [IMAPSource]) {
        let board = HintBoard()
        self.board = board
        var told: [HintChannel: [(index: Int, user: [UInt8])]] = [:]
        for (index, source) in sources.enumerated() {
            if let channel = source.hints {
                told[channel, default: []].append((index, source.hintedUser))
                continue
            }
            _ = WorkerThread { IMAPListener(index, source, board).run() }
        }
        for (channel, users) in told {
            let listener = ChannelListener(channel, users, board)
            _ = WorkerThread { listener.run() }
        }
    }

    // The threads know only the board, and end when it is closed.
    deinit { board.close() }

    var wake: @Sendable () -> Void {
        let board = board
        return { board.wake() }
    }

    func next(timeoutMilliseconds: Int?) throws -> [(source: Int, hint: SourceHint)] {
        board.take(timeoutMilliseconds.map { Deadline.after(milliseconds: $0) } ?? .never)
    }
}

/// Where threads that listen leave what they heard.
final class HintBoard: Sendable {
    private struct State {
        var hints: [(source: Int, hint: SourceHint)] = []
        var isWoken = false
        var isClosed = false
        /// What interrupts the listeners.
        var listeners: [Int: @Sendable () -> Void] = [:]
    }

    private let monitor = Monitor(State())

    func post(_ source: Int, _ hint: SourceHint) {
        monitor.change { state in
            // Nobody takes them for a while: the same thing is said once.
            guard !state.hints.contains(where: { $0.source == source && ($0.hint == hint || $0.hint == .everything) })
            else { return }
            state.hints.append((source, hint))
        }
    }

    func take(_ deadline: Deadline) -> [(source: Int, hint: SourceHint)] {
        monitor.wait(until: deadline) { state -> [(source: Int, hint: SourceHint)]? in
            guard !state.hints.isEmpty || state.isWoken else { return nil }
            state.isWoken = false
            defer { state.hints = [] }
            return state.hints
        } ?? []
    }

    func wake() { monitor.change { $0.isWoken = true } }

    var isClosed: Bool { monitor.change { $0.isClosed } }

    func close() {
        let listeners = monitor.change { state in
            state.isClosed = true
            return Array(state.listeners.values)
        }
        for interrupt in listeners { interrupt() }
    }

    /// Says what interrupts a listener; nil: nothing does.
    func listen(_ source: Int, _ interrupt: (@Sendable () -> Void)?) {
        let isClosed = monitor.change { state in
            state.listeners[source] = interrupt
            return state.isClosed
        }
        if isClosed { interrupt?() }
    }

    /// Waits, unless it is closed meanwhile.
    func pause(milliseconds: Int) {
        _ = monitor.wait(until: .after(milliseconds: milliseconds)) { $0.isClosed ? true : nil }
    }
}

/// Listens for one user.
private struct IMAPListener {
    private let index: Int
    private let source: IMAPSource
    private let board: HintBoard

    /// What was not told of is looked for this often.
    private static let sweepMilliseconds = 60_000
    /// Servers end an IDLE that lasts half an hour; those behind a NAT are forgotten sooner.
    private static let idleSweeps = 9
    private static let longestPauseMilliseconds = 60_000

    init(_ index: Int, _ source: IMAPSource, _ board: HintBoard) {
        (self.index, self.source, self.board) = (index, source, board)
    }

    func run() {
        var pause = 1_000
        while !board.isClosed {
            do {
                let session = try source.openSession()
                board.listen(index, session.wake)
                defer { board.listen(index, nil) }
                pause = 1_000
                try listen(session)
            } catch {
                // The pass that this brings about says what is wrong; here it is only tried again, later and later.
                board.post(index, .everything)
            }
            board.pause(milliseconds: pause)
            pause = min(pause * 2, IMAPListener.longestPauseMilliseconds)
        }
    }

    private func listen(_ session: IMAPSession) throws {
        if session.capabilities.has("NOTIFY"), try session.attempt(.notifyPersonal).condition == .ok {
            // Whatever happened until now has been told to nobody.
            board.post(index, .everything)
            while !board.isClosed {
                try hear(session)
                // Answers at once, or the connection is dead.
                try session.run(.noop) { post($0) }
            }
            return
        }
        _ = try session.attempt(.select(.inbox, isReadOnly: true, nil))
        board.post(index, .everything)
        guard session.capabilities.has("IDLE") else {
            while !board.isClosed {
                try hear(session)
                try session.run(.noop) { post($0) }
            }
            return
        }
        while !board.isClosed {
            let tag = try session.start(.idle)
            for _ in 0..<IMAPListener.idleSweeps where !board.isClosed { try hear(session) }
            try session.send([Dialogue.done])
            try session.finish(tag) { post($0) }
        }
    }

    /// Listens for a minute, then says that it is time to look everywhere.
    private func hear(_ session: IMAPSession) throws {
        let end = Deadline.after(milliseconds: IMAPListener.sweepMilliseconds)
        while !board.isClosed, let response = try session.listen(until: end) { post(response) }
        board.post(index, .everything)
    }

    private func post(_ response: Response) {
        switch response {
        case .mailboxStatus(let status): board.post(index, .folder(status.name.bytes))
        case .list: board.post(index, .folders)
        case .exists, .expunge, .vanished, .fetch, .recent: board.post(index, .folder(MailboxName.inbox.bytes))
        case .status(let status):
            if status.code == .word(.notificationOverflow) { board.post(index, .everything) }
        default: break
        }
    }
}
