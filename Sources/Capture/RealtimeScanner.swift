public import Connectors
internal import Events
internal import Files
internal import Journal
internal import Projections
public import Vault

/// Records changes as they happen: waits for hints, lets a moment pass so that what belongs together comes together, and
/// runs a pass where the hints say. A hint is never the truth; the pass is.
public struct RealtimeScanner<S: WatchableSource> {
    private let vault: OpenVault
    private let captures: [(capture: AccountCapture, source: S)]
    private let options: RealtimeOptions

    /// What a watch tells whoever started it.
    public enum Event: Sendable {
        /// From here on nothing will be missed.
        case ready
        case recorded(Account, PassReport)
        /// A pass failed; it is tried again. What could not be seen meanwhile is a gap if it lasts.
        case failed(Account, String)
        case recovered(Account)
    }

    /// Takes the right to capture each of `accounts`.
    public init(
        _ vault: OpenVault, _ accounts: [(account: Account, source: S)], options: RealtimeOptions = RealtimeOptions()
    ) throws {
        (self.vault, self.options) = (vault, options)
        captures = try accounts.map { (try AccountCapture(vault, $0.account, $0.source), $0.source) }
        for (capture, _) in captures { capture.confirmedLossPercent = options.lossPercent }
    }

    /// Watches until `isStopped` says so (it is asked whenever the watch wakes). `waker` is given what wakes it.
    public func run(
        isStopped: () -> Bool, waker: (@escaping @Sendable () -> Void) -> Void, report: (Event) -> Void
    ) throws {
        let watch = try S.watch(captures.map(\.source))
        waker(watch.wake)
        for (capture, _) in captures { try capture.beginCoverage(.watchBegan) }
        // First everything: what happened while nobody watched.
        var pending = Array(repeating: Pending.everything, count: captures.count)
        var failing = Array(repeating: Trouble(), count: captures.count)
        var isReady = false
        // Something waits to be looked at again, because it may be one half of a move.
        var isHolding = false
        // When the last pass of each has ended.
        var lastPasses = Array(repeating: Timestamp(rawValue: 0), count: captures.count)
        var lastSweep = vault.clock.now()
        var lastHeartbeat = lastSweep
        defer { for (capture, _) in captures { try? capture.endCoverage() } }
        while !isStopped() {
            isHolding = false
            for index in captures.indices where !pending[index].isEmpty && failing[index].isOver(vault.clock) {
                let scope = pending[index].scope
                pending[index] = .nothing
                defer { lastPasses[index] = vault.clock.now() }
                let capture = captures[index].capture
                do {
                    let result = try capture.pass(
                        scope, origin: isReady ? .realtime : .scan, holdsBack: isReady,
                        meanwhile: {
                            // What moved has left its two hints behind, and the second may not have been asked for yet. It
                            // stays, for what else it may be about.
                            for (source, hint) in try watch.next(timeoutMilliseconds: 0) { pending[source].add(hint) }
                            return pending[index].isEmpty ? nil : pending[index].scope
                        })
                    if failing[index].isThere { report(.recovered(capture.account)) }
                    failing[index] = Trouble()
                    if !result.isEmpty || !result.isComplete { report(.recorded(capture.account, result)) }
                    // Now, and not when the next change waits for it.
                    if !result.isEmpty { _ = try vault.projections() }
                    for folder in result.held { pending[index].add(.folder(folder)) }
                    isHolding = isHolding || !result.held.isEmpty
                    if !result.unlistable.isEmpty || result.vanished > 0 { pending[index].add(.everything) }
                } catch {
                    // The vault's own trouble ends the watch; the source's is waited out.
                    guard let why = sourceTrouble(error) else { throw error }
                    if !failing[index].isThere { report(.failed(capture.account, why)) }
                    failing[index].again(vault.clock, options)
                    pending[index] = .everything
                }
            }
            // After the first pass over everything; an account that failed has been reported, and is tried again.
            if !isReady {
                isReady = true
                report(.ready)
            }
            let isRetrying = pending.contains { !$0.isEmpty }
            let longest = isRetrying ? options.retryMilliseconds : options.sweepMilliseconds
            try wait(watch, isHolding ? options.longestCoalescingMilliseconds : longest, lastPasses, &pending)
            let now = vault.clock.now()
            if now.rawValue - lastSweep.rawValue >= Int64(options.sweepMilliseconds) * 1_000 {
                lastSweep = now
                for index in pending.indices { pending[index] = .everything }
                try vault.journal.sealFullSegments()
            }
            if now.rawValue - lastHeartbeat.rawValue >= 5_000_000 {
                lastHeartbeat = now
                try heartbeat()
            }
        }
    }

    /// Waits for hints, then until none has come for the coalescing window (or it has been long enough). A first one after a quiet
    /// time is not kept waiting, where the source shows whole changes: only what follows it is taken together.
    private func wait(
        _ watch: any SourceWatch, _ milliseconds: Int, _ lastPasses: [Timestamp], _ pending: inout [Pending]
    ) throws {
        var hints = try watch.next(timeoutMilliseconds: milliseconds)
        guard !hints.isEmpty else { return }
        let begin = vault.clock.now()
        if isFirst(hints, begin, lastPasses) {
            for (source, hint) in hints { pending[source].add(hint) }
            return
        }
        while true {
            for (source, hint) in hints { pending[source].add(hint) }
            let elapsed = (vault.clock.now().rawValue - begin.rawValue) / 1_000
            guard elapsed < Int64(options.longestCoalescingMilliseconds) else { return }
            hints = try watch.next(timeoutMilliseconds: options.coalescingMilliseconds)
            if hints.isEmpty { return }
        }
    }

    private func isFirst(
        _ hints: [(source: Int, hint: SourceHint)], _ now: Timestamp, _ lastPasses: [Timestamp]
    ) -> Bool {
        let quiet = Int64(options.longestCoalescingMilliseconds) * 1_000
        return hints.allSatisfy { source, hint in
            guard case .folder = hint else { return false }
            return now.rawValue - lastPasses[source].rawValue >= quiet && captures[source].source.showsWholeChanges
        }
    }

    private func sourceTrouble(_ error: any Error) -> String? {
        switch error {
        case let failure as Failure where [.unreachable, .sourceDamaged, .refused, .signIn].contains(failure.code):
            "\(failure)"
        case let failure as SourceFailure: "\(failure)"
        default: nil
        }
    }

    /// Leaves word that the accounts were watched until now, for the day this process dies.
    private func heartbeat() throws {
        for (capture, _) in captures { try capture.touchHeartbeat() }
    }
}

/// How a watch waits.
public struct RealtimeOptions: Sendable {
    /// Quiet that ends a group of changes.
    public var coalescingMilliseconds = 20
    /// A group is not waited for any longer than this.
    public var longestCoalescingMilliseconds = 60
    /// A full pass at least this often: what no hint told of is found.
    public var sweepMilliseconds = 600_000
    /// ``AccountCapture/confirmedLossPercent``
    public var lossPercent = AccountCapture.usualLossPercent
    /// After a failure; after each further one twice as long, up to a minute.
    public var retryMilliseconds = 1_000

    public init() {}
}

/// An account whose passes fail, and since when it is left alone.
private struct Trouble {
    private var failures = 0
    private var until: Timestamp?

    private static let longestMilliseconds = 60_000

    var isThere: Bool { failures > 0 }

    /// Whether it is time to try; also when a clock was set back.
    func isOver(_ clock: WallClock) -> Bool {
        guard let until else { return true }
        let left = until.rawValue - clock.now().rawValue
        return left <= 0 || left > Int64(Trouble.longestMilliseconds) * 1_000
    }

    mutating func again(_ clock: WallClock, _ options: RealtimeOptions) {
        let milliseconds = min(options.retryMilliseconds << min(failures, 10), Trouble.longestMilliseconds)
        failures += 1
        until = Timestamp(rawValue: clock.now().rawValue + Int64(milliseconds) * 1_000)
    }
}

/// Where a pass has to look next.
private enum Pending {
    case nothing
    case folders(Set<[UInt8]>)
    case everything

    var isEmpty: Bool { if case .nothing = self { true } else { false } }

    var scope: PassScope { if case .folders(let names) = self { .folders(names) } else { .all } }

    mutating func add(_ hint: SourceHint) {
        switch (self, hint) {
        case (.everything, _): break
        case (_, .everything), (_, .gone): self = .everything
        case (.nothing, .folders): self = .folders([])
        case (.folders, .folders): break
        case (.nothing, .folder(let name)): self = .folders([name])
        case (.folders(var names), .folder(let name)):
            names.insert(name)
            self = .folders(names)
        }
    }
}
