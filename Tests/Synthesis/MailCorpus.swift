/// A Maildir for benchmarks, without a history: the shape, sizes and redundancy of real corpora, made from a seed.
///
/// The four groups of `real` stand for four public corpora that were measured (`Specs/Performance.md`), `business` for
/// mail with office files that are sent again and again.
public struct MailCorpus: Sendable {
    /// Which Maildir.
    public enum Kind: String, CaseIterable, Sendable {
        /// About 19,100 messages, 380 MB: mean 19.9 KB, 62 % under 16 KB; four folders.
        case real
        /// About 1,000 messages, 300 MB: 1 to 3 of 393 files each, used 3.8 times on average.
        case biz
        /// `real` and `biz`: five folders.
        case mixed
        /// 100,000 messages of 2 to 4 KB in five folders.
        case small100k
    }

    public let kind: Kind
    public let seed: UInt64
    /// How many messages of the full number, per mille.
    public let scale: Int
    public let bodies: Bodies

    public init(_ kind: Kind, seed: UInt64 = 1, scale: Int = 1_000, bodies: Bodies = .available) {
        (self.kind, self.seed, self.scale, self.bodies) = (kind, seed, scale, bodies)
    }

    /// The folders and what goes into each.
    var folders: [(folder: FolderPath, group: CorpusGroup)] {
        let real: [(FolderPath, CorpusGroup)] = [
            (.inbox, .offers), (FolderPath("Lists"), .lists), (FolderPath("Office"), .office),
            (FolderPath("News"), .news),
        ]
        let business: [(FolderPath, CorpusGroup)] = [(FolderPath("Business"), .business)]
        switch kind {
        case .real: return real
        case .biz: return business
        case .mixed: return real + business
        case .small100k:
            return ["", "A", "B", "C", "D"].map { ($0.isEmpty ? .inbox : FolderPath($0), .small) }
        }
    }

    /// Writes the Maildir to `root`, which must not be there; messages in `cur`, with flags and times.
    ///
    /// - Throws: what a call of the operating system said.
    public func write(to root: String) throws -> CorpusStatistics {
        var statistics = CorpusStatistics()
        let rootBytes = Array(root.utf8)
        try FileSystem.makeDirectory(rootBytes)
        for (folder, group) in folders {
            let directory = folder.isInbox ? rootBytes : rootBytes + [UInt8(ascii: "/")] + folder.directoryName
            if !folder.isInbox { try FileSystem.makeDirectory(directory) }
            for name in ["/tmp", "/new", "/cur"] { try FileSystem.makeDirectory(directory + Array(name.utf8)) }
            var text = CorpusText(group, seed: seed, stream: folder.description, bodies: bodies)
            var names = RandomStream(seed: seed, "corpus/\(folder.description)/names")
            for number in 0..<(group.count * scale / 1_000) {
                let message = text.next(number)
                let time = 1_600_000_000 + Int64(number) * 911
                let flags: StaticString = names.chance(880) ? (names.chance(150) ? "RS" : "S") : ""
                let name = "/cur/\(time).M\(names.below(1_000_000))P\(number).bench,S=\(message.count):2,\(flags)"
                try FileSystem.write(message, to: directory + Array(name.utf8), modified: time)
                statistics.add(message.count, to: folder)
            }
        }
        return statistics
    }
}

/// How many messages, and how large.
public struct CorpusStatistics: Sendable {
    /// In the order they were made.
    public private(set) var folders: [(folder: FolderPath, messages: Int, bytes: Int)] = []
    /// Of all messages, octets.
    public private(set) var sizes: [Int] = []

    public init() {}

    public mutating func add(_ size: Int, to folder: FolderPath) {
        if folders.last?.folder != folder { folders.append((folder, 0, 0)) }
        folders[folders.count - 1].messages += 1
        folders[folders.count - 1].bytes += size
        sizes.append(size)
    }

    public var messages: Int { sizes.count }
    public var bytes: Int { sizes.reduce(0, +) }
    public var mean: Int { messages == 0 ? 0 : bytes / messages }

    /// Of all messages, how many per mille are smaller than `limit`, and how many per mille of the octets they hold.
    public func share(below limit: Int) -> (messages: Int, bytes: Int) {
        let small = sizes.filter { $0 < limit }
        return (small.count * 1_000 / max(messages, 1), small.reduce(0, +) * 1_000 / max(bytes, 1))
    }
}
