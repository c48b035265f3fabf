public import Events
internal import Threads

/// A source of any kind that can be watched: what makes sources of several kinds one watch.
public struct AnySource: WatchableSource {
    public let base: any WatchableSource

    public init(_ base: any WatchableSource) { self.base = base }

    public func folders() throws -> [SourceFolder] { try base.folders() }
    public func list(_ folder: SourceFolder) throws -> any SourceListing { try base.list(folder) }
    public func identity() throws -> [UInt8] { try base.identity() }
    public func prepare() { base.prepare() }

    public var hasUniqueNames: Bool { base.hasUniqueNames }
    public var showsWholeChanges: Bool { base.showsWholeChanges }

    public func changes(in folder: SourceFolder, since checkpoint: [UInt8]) throws -> SourceChanges? {
        try base.changes(in: folder, since: checkpoint)
    }

    public func attributes(of folder: SourceFolder) throws -> [FolderAttribute]? { try base.attributes(of: folder) }

    public static func watch(_ sources: [AnySource]) throws -> any SourceWatch {
        let maildirs = sources.enumerated().compactMap { place, source in
            (source.base as? MaildirSource).map { (place, $0) }
        }
        let servers = sources.enumerated().compactMap { place, source in
            (source.base as? IMAPSource).map { (place, $0) }
        }
        guard maildirs.count + servers.count == sources.count else {
            throw SourceFailure.unavailable("a source cannot be watched together with others")
        }
        if servers.isEmpty { return try MaildirSource.watch(maildirs.map(\.1)) }
        if maildirs.isEmpty { return try IMAPSource.watch(servers.map(\.1)) }
        return JoinedWatch([
            (try MaildirSource.watch(maildirs.map(\.1)), maildirs.map(\.0)),
            (try IMAPSource.watch(servers.map(\.1)), servers.map(\.0)),
        ])
    }
}

/// Several watches, each waited for by a thread of its own, as one.
private final class JoinedWatch: SourceWatch {
    private let board = HintBoard()
    private let wakes: [@Sendable () -> Void]

    /// Held by one thread.
    private struct Part: @unchecked Sendable {
        // SAFETY: only the thread that it is given to uses it.
        let watch: any SourceWatch
        let places: [Int]
    }

    init(_ watches: [(watch: any SourceWatch, places: [Int])]) {
        wakes = watches.map(\.watch.wake)
        for (watch, places) in watches {
            let part = Part(watch: watch, places: places)
            let board = board
            _ = WorkerThread {
                while !board.isClosed {
                    do {
                        for (source, hint) in try part.watch.next(timeoutMilliseconds: nil) {
                            board.post(part.places[source], hint)
                        }
                    } catch {
                        // It hears nothing any more: then everything may have happened, until it does again.
                        for place in part.places { board.post(place, .everything) }
                        board.pause(milliseconds: 1_000)
                    }
                }
            }
        }
    }

    deinit {
        board.close()
        for wake in wakes { wake() }
    }

    var wake: @Sendable () -> Void {
        let board = board
        return { board.wake() }
    }

    func next(timeoutMilliseconds: Int?) throws -> [(source: Int, hint: SourceHint)] {
        board.take(timeoutMilliseconds.map { Deadline.after(milliseconds: $0) } ?? .never)
    }
}
