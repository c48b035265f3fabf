public import Connectors
public import Events
internal import Projections
public import Vault

/// The vault's newest state of an account, held against its source as that is now. Nothing is recorded, and nobody is kept from
/// capturing meanwhile: what happens while it looks may be named as it was or as it is.
public struct LiveComparison: Sendable {
    /// One thing that is not the same, as a scan would record it.
    public struct Difference: Hashable, Sendable {
        /// Nil for what the vault does not have.
        public var item: ItemID?
        public var kinds: ChangeKinds
        /// As the source has it; nil: it is gone.
        public var now: Present?
    }

    /// What the source has.
    public enum Present: Hashable, Sendable {
        case folder(FolderState)
        case message(folder: [UInt8], name: [UInt8], flags: MessageFlags, keywords: [[UInt8]])
    }

    /// Folders before messages, those of the vault by number.
    public private(set) var differences: [Difference] = []
    public private(set) var folders = 0
    public private(set) var messages = 0
    /// Folders that could not be looked into, and messages whose bytes could not be read: nothing is said about these.
    public private(set) var unlistable: [String] = []
    public private(set) var unreadable: [String] = []

    public var isComplete: Bool { unlistable.isEmpty && unreadable.isEmpty }

    /// With `deep`, the bytes of every message are read and compared.
    public init(_ vault: OpenVault, _ account: Account, _ source: any Source, deep: Bool = false) throws {
        do {
            try look(vault, account.number, source, deep: deep)
        } catch let failure as SourceFailure {
            throw Failure(failure, ofSource: account)
        }
    }

    private mutating func look(
        _ vault: OpenVault, _ account: AccountNumber, _ source: any Source, deep: Bool
    ) throws {
        let projections = try vault.projections()
        let listed = try source.folders()
        folders = listed.count
        var comparison = FolderComparison(
            known: try KnownFolder.all(of: account, vault, projections), listed: listed)
        for index in comparison.pairs.indices where comparison.pairs[index].source.problem == nil {
            comparison.pairs[index].source.attributes = try source.attributes(of: comparison.pairs[index].source)
        }
        for pair in comparison.pairs where !pair.kinds.isEmpty {
            differences.append(
                Difference(item: ItemID(.folder, pair.number), kinds: pair.kinds, now: .folder(pair.after)))
        }
        for folder in comparison.created {
            differences.append(Difference(kinds: .created, now: .folder(FolderState(of: folder))))
        }
        for folder in comparison.deleted {
            differences.append(Difference(item: ItemID(.folder, folder.number), kinds: .deleted))
        }
        try compareMessages(comparison, vault, projections, account, source, deep: deep)
    }

    private mutating func compareMessages(
        _ folders: FolderComparison, _ vault: OpenVault, _ projections: OpenProjections, _ account: AccountNumber,
        _ source: any Source, deep: Bool
    ) throws {
        var places: [Place] = []
        var next = try projections.highestNumber(account, .folder)
        for (number, folder) in folders.pairs.map({ ($0.number, $0.source) })
            + folders.created.map({ (nil as UInt32?, $0) })
        {
            next += number == nil ? 1 : 0
            do {
                if let problem = folder.problem { throw problem }
                let listing = try source.list(folder)
                messages += listing.count
                places.append(
                    Place(
                        path: Array(folder.path.joined(separator: [UInt8(ascii: "/")])),
                        comparison: try MessageComparison(
                            vault, projections, account: account, folder: number ?? next, listing: listing, deep: deep)
                    ))
            } catch let failure as SourceFailure {
                if case .unavailable = failure { throw failure }
                unlistable.append("\(failure)")
            }
        }
        var vanished = places.flatMap(\.comparison.vanished)
        for folder in folders.deleted { vanished += try VanishedMessage.all(in: folder.number, of: account, vault) }
        for place in places { try compare(place) }
        try findMoved(places, vanished, byName: source.hasUniqueNames)
    }

    /// A folder's messages, and what it is called.
    private struct Place {
        var path: [UInt8]
        var comparison: MessageComparison

        func message(_ position: Int) -> Present {
            let listing = comparison.listing
            return .message(
                folder: path, name: Array(listing.name(position)), flags: listing.flags(position),
                keywords: listing.keywords(position))
        }
    }

    /// What both have.
    private mutating func compare(_ place: Place) throws {
        let comparison = place.comparison
        for change in comparison.changed {
            guard let state = change.state.message, let position = comparison.listing.position(state.sourceName) else {
                continue
            }
            differences.append(Difference(item: change.item, kinds: change.kinds, now: place.message(position)))
        }
        let reread = Dictionary(
            comparison.reread.map { (Int($0.position), $0) }, uniquingKeysWith: { first, _ in first })
        var found: [Int: Digest] = [:]
        try read(Array(reread.keys), of: comparison.listing) { found[$0] = $1 }
        for (position, known) in reread.sorted(by: { $0.key < $1.key }) {
            var kinds = known.kinds
            if let digest = found[position], digest != known.state.digest { kinds.insert(.content) }
            guard !kinds.isEmpty else { continue }
            differences.append(
                Difference(item: ItemID(.message, known.number), kinds: kinds, now: place.message(position)))
        }
    }

    /// Tells what was moved from what is new and what is gone. Only messages as large as one that is gone are read.
    private mutating func findMoved(_ places: [Place], _ vanished: [VanishedMessage], byName: Bool) throws {
        var matcher = VanishedMatcher(vanished, byName: byName)
        let sizes = Set(vanished.map(\.state.size))
        for place in places {
            let comparison = place.comparison
            var digests: [Int: Digest] = [:]
            if !vanished.isEmpty, !comparison.new.isEmpty {
                let all = try comparison.listing.sizes()
                let likely = comparison.new.map(Int.init).filter { all[$0].map(sizes.contains) ?? false }
                try read(likely, of: comparison.listing) { digests[$0] = $1 }
            }
            for position in comparison.new.map(Int.init) {
                let listing = comparison.listing
                var state = MessageState(
                    folder: comparison.folder, content: .unreadable(0), internalDate: Timestamp(rawValue: 0),
                    flags: listing.flags(position), keywords: listing.keywords(position),
                    sourceName: Array(listing.name(position)))
                if let digest = digests[position] { state.content = .blob(digest, size: 0) }
                guard let before = matcher.take(like: state) else {
                    differences.append(Difference(kinds: .created, now: place.message(position)))
                    continue
                }
                // It has these bytes: only what is beside them may be other.
                state.content = before.state.content
                differences.append(
                    Difference(
                        item: ItemID(.message, before.number), kinds: before.kinds(as: state),
                        now: place.message(position)))
            }
        }
        for gone in matcher.left {
            differences.append(Difference(item: ItemID(.message, gone.number), kinds: .deleted))
        }
    }

    private mutating func read(
        _ positions: [Int], of listing: any SourceListing, _ each: (Int, Digest) -> Void
    ) throws {
        guard !positions.isEmpty else { return }
        var failures: [String] = []
        try listing.read(positions) { position, message in
            do { each(position, try Digest(of: try message.get())) } catch let failure as SourceFailure {
                if case .unavailable = failure { throw failure }
                if case .unreadable = failure { failures.append("\(failure)") }
            }
        }
        unreadable += failures
    }
}

extension Digest {
    /// Of the bytes of a message, piece by piece.
    fileprivate init(of message: any SourceMessage) throws {
        let reader = try message.reader()
        var hash = DigestBuilder()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { break }
            hash.update(buffer.span.bytes.extracting(first: count))
        }
        self = hash.finish()
    }
}
