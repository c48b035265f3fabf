internal import Threads

/// Listens to what a server tells of all its users.
struct ChannelListener: Sendable {
    private let channel: HintChannel
    private let board: HintBoard
    private let sources: [Int]
    private let byUser: [[UInt8]: [Int]]
    /// By what stands before the at sign, of users with and without a domain.
    private let byLocalPart: [[UInt8]: [(source: Int, hasDomain: Bool)]]

    /// What was not told of is looked for this often.
    private static let sweepMilliseconds = 60_000
    private static let longestPauseMilliseconds = 60_000

    init(_ channel: HintChannel, _ users: [(index: Int, user: [UInt8])], _ board: HintBoard) {
        (self.channel, self.board) = (channel, board)
        sources = users.map(\.index)
        byUser = Dictionary(grouping: users, by: \.user).mapValues { $0.map(\.index) }
        byLocalPart = Dictionary(grouping: users) { ChannelListener.localPart($0.user) }
            .mapValues { users in users.map { ($0.index, $0.user.contains(UInt8(ascii: "@"))) } }
    }

    func run() {
        var pause = 1_000
        while !board.isClosed {
            do {
                let reader = try channel.open()
                board.listen(sources[0], reader.wake)
                defer { board.listen(sources[0], nil) }
                pause = 1_000
                try listen(reader)
            } catch {
                // The next pass finds what was not told; here it is only tried again, later and later.
                lookEverywhere()
            }
            board.pause(milliseconds: pause)
            pause = min(pause * 2, ChannelListener.longestPauseMilliseconds)
        }
    }

    private func listen(_ reader: any HintReader) throws {
        // Whatever happened until now has been told to nobody.
        lookEverywhere()
        var sweep = Deadline.after(milliseconds: ChannelListener.sweepMilliseconds)
        while !board.isClosed {
            for hint in try reader.next(timeoutMilliseconds: sweep.millisecondsLeft) {
                guard let user = hint.user else {
                    lookEverywhere()
                    continue
                }
                for source in sources(of: user) { board.post(source, hint.hint) }
            }
            if sweep.hasPassed {
                lookEverywhere()
                sweep = .after(milliseconds: ChannelListener.sweepMilliseconds)
            }
        }
    }

    private func lookEverywhere() { for source in sources { board.post(source, .everything) } }

    /// A server with a domain of its own may leave it out; a look too many does no harm.
    func sources(of user: [UInt8]) -> [Int] {
        if let exact = byUser[user] { return exact }
        let hasDomain = user.contains(UInt8(ascii: "@"))
        return (byLocalPart[ChannelListener.localPart(user)] ?? []).filter { !hasDomain || !$0.hasDomain }.map(\.source)
    }

    private static func localPart(_ user: [UInt8]) -> [UInt8] { Array(user.prefix { $0 != UInt8(ascii: "@") }) }
}
