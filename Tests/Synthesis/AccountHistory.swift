public import Events
import Synchronization

/// The history of one account: the same events and bytes for the same seed, size, scenarios and bodies, on any machine
/// and any day.
public struct AccountHistory: Sendable {
    public let seed: UInt64
    public let account: Int
    /// Sorted by time.
    public let events: [MailboxEvent]
    /// Which texts the messages are made of.
    public let bodies: Bodies
    private let text: MessageText
    private let spans: [Scenario: Range<Int>]
    private let snapshots: [MailboxModel]
    private let digests = DigestCache()
    private static let snapshotDistance = 512

    /// Makes the events (1,700 of ``HistorySize/extraSmall`` in some milliseconds); the bytes are made when asked for.
    ///
    /// - `scenarios`: what is laid over the ordinary traffic.
    /// - `hostileNames`: whether folders get names that are not ordinary too.
    public init(
        seed: UInt64, account: Int = 0, size: HistorySize = .extraSmall, scenarios: [Scenario] = Scenario.allCases,
        bodies: Bodies = .available, hostileNames: Bool = true
    ) {
        var writer = HistoryWriter(
            seed: seed, account: account, size: size, scenarios: scenarios, nastyCount: bodies.nasty.count,
            hostileNames: hostileNames)
        writer.write()
        (self.seed, self.account, self.bodies) = (seed, account, bodies)
        (events, spans) = (writer.events, writer.spans)
        text = MessageText(seed: seed, account: account, size: size, bodies: bodies, contents: writer.contents)
        var model = MailboxModel()
        var snapshots: [MailboxModel] = []
        for (index, event) in writer.events.enumerated() {
            if index % AccountHistory.snapshotDistance == 0 { snapshots.append(model) }
            model.apply(event)
        }
        self.snapshots = snapshots
    }

    /// `user17@synth.example`.
    public var address: String { text.address(0) }

    /// How many different contents there are; they are numbered from 0.
    public var contentCount: Int { text.contents.count }

    /// The raw bytes of a content, made anew each time.
    public func bytes(ofContent number: ContentNumber) -> [UInt8] { text.bytes(of: number) }

    /// The SHA-256 of a content; kept.
    public func digest(ofContent number: ContentNumber) -> Digest {
        digests.digest(of: number) { Digest(hashing: text.bytes(of: number).span.bytes) }
    }

    /// The events of a scenario, by index: from its first to its last, with what happened besides. nil when it is not
    /// in this history.
    public func span(of scenario: Scenario) -> Range<Int>? { spans[scenario] }

    /// The account after the first `count` events.
    public func mailbox(after count: Int) -> MailboxModel {
        guard count > 0, !snapshots.isEmpty else { return MailboxModel() }
        let nearest = min(count / AccountHistory.snapshotDistance, snapshots.count - 1)
        var model = snapshots[nearest]
        for event in events[(nearest * AccountHistory.snapshotDistance)..<min(count, events.count)] {
            model.apply(event)
        }
        return model
    }

    /// How many events happened at or before `time`.
    public func eventCount(at time: Timestamp) -> Int {
        var (low, high) = (0, events.count)
        while low < high {
            let middle = (low + high) / 2
            if events[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What a state of this account holds, with digests in place of numbers.
    public func content(of model: MailboxModel) -> MailboxContent {
        MailboxContent(
            folders: model.folders, subscriptions: model.subscriptions,
            messages: model.messages.values.map {
                MailboxContent.Message(
                    folder: $0.folder, digest: digest(ofContent: $0.content), flags: $0.flags, keywords: $0.keywords,
                    internalDate: $0.internalDate)
            })
    }

    /// What the account holds after the first `count` events.
    public func content(after count: Int) -> MailboxContent { content(of: mailbox(after: count)) }
}

/// Digests of contents that were asked for once.
private final class DigestCache: Sendable {
    private let digests = Mutex<[ContentNumber: Digest]>([:])

    func digest(of number: ContentNumber, make: () -> Digest) -> Digest {
        if let known = digests.withLock({ $0[number] }) { return known }
        let digest = make()
        digests.withLock { $0[number] = digest }
        return digest
    }
}
