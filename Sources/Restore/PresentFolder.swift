internal import Connectors
internal import Events

/// A folder of the target as it is before a restore, and which of its messages were found to be wanted ones.
struct PresentFolder {
    let folder: SourceFolder
    let listing: any SourceListing
    /// By position: it is one of the messages wanted, or stands in the place of one.
    private(set) var claimed: [Bool]
    /// Whether it is far away: then much is asked at once, and what was read is remembered.
    private let isDistant: Bool
    private var sizes: [UInt64?]?
    private var bySize: [UInt64: [Int]]?
    private var contents: [Int: Content] = [:]
    /// By what the server knows them by, where that is asked for.
    private var byMark: [[UInt8]: [Int]]?
    /// Sizes of messages that will be looked for; nil: any.
    private var expected: Set<UInt64>? = []

    /// What was read of a message.
    struct Content {
        var digest: Digest
        var size: UInt64
        var date: Timestamp
    }

    init(_ folder: SourceFolder, in target: any TargetView) throws {
        self.folder = folder
        isDistant = !target.takesNames
        if folder.problem != nil {
            listing = NoMessages()
        } else {
            listing = try target.list(folder)
        }
        claimed = Array(repeating: false, count: listing.count)
    }

    /// A folder whose messages do not matter.
    init(unlisted folder: SourceFolder) {
        self.folder = folder
        (listing, claimed, isDistant) = (NoMessages(), [], false)
    }

    /// A folder that is not there yet.
    init(missing name: [UInt8], _ path: [[UInt8]]) {
        folder = SourceFolder(name: name, path: path, identity: [])
        (listing, claimed, isDistant) = (NoMessages(), [], false)
    }

    /// The newest message's name, where the listing is in their order.
    var lastName: [UInt8] { listing.count == 0 ? [] : Array(listing.name(listing.count - 1)) }

    var hasUnclaimed: Bool { claimed.contains(false) }

    /// Messages of these sizes (nil: of any) will be asked for: they are read together.
    mutating func expect(sizes: Set<UInt64>?) { expected = sizes.flatMap { expected?.union($0) } }

    /// The first message with one of these names that nobody has claimed; it is known to be the one wanted.
    mutating func claim(anyOf names: [[UInt8]]) -> PresentMessage? {
        for name in names {
            guard let position = listing.position(name), !claimed[position] else { continue }
            claimed[position] = true
            return PresentMessage(position: position, isSame: true)
        }
        return nil
    }

    /// A message that the server knows by the same mark as the one wanted, and that is as large. Only a server that gave the mark
    /// is asked.
    mutating func find(mark: [UInt8], _ size: UInt64) throws -> PresentMessage? {
        guard !mark.isEmpty, listing.count > 0 else { return nil }
        if byMark == nil {
            let found = try listing.marks(Array(0..<listing.count)) ?? []
            byMark = Dictionary(grouping: found.indices.filter { !found[$0].emailID.isEmpty }) { found[$0].emailID }
        }
        guard let position = try byMark?[mark]?.first(where: { try !claimed[$0] && self.size($0) == size }) else {
            return nil
        }
        claimed[position] = true
        return PresentMessage(position: position, isSame: true)
    }

    /// The message that has that name, or else those bytes under another name; nil when there is neither.
    /// A message of that name and size is believed to be the same; unless `believing`, its bytes are read.
    mutating func find(
        _ name: [UInt8], _ digest: Digest, _ size: UInt64, believing: Bool
    ) throws -> PresentMessage? {
        if let position = listing.position(name) {
            guard !claimed[position] else { return PresentMessage(position: position, isSame: false) }
            claimed[position] = true
            let isSame = try self.size(position) == size && (believing || content(position).digest == digest)
            return PresentMessage(position: position, isSame: isSame)
        }
        return try find(digest, size)
    }

    /// A message with those bytes.
    mutating func find(_ digest: Digest, _ size: UInt64, where isWanted: (Int) -> Bool = { _ in true }) throws
        -> PresentMessage?
    {
        if listing.count == 0 { return nil }
        for position in try sameSize(size) where !claimed[position] && isWanted(position) {
            if try content(position).digest == digest {
                claimed[position] = true
                return PresentMessage(position: position, isSame: true)
            }
        }
        return nil
    }

    private mutating func sameSize(_ size: UInt64) throws -> [Int] {
        if bySize == nil {
            if isDistant { try doubtSizes() }
            var sizes: [UInt64: [Int]] = [:]
            for position in 0..<listing.count {
                if let size = try self.size(position) { sizes[size, default: []].append(position) }
            }
            bySize = sizes
        }
        return bySize?[size] ?? []
    }

    /// Reads a few messages: a server that lies about a size is not believed any.
    private mutating func doubtSizes() throws {
        let sample = [0, listing.count / 2, listing.count - 1].filter { !claimed[$0] }
        try load(Array(Set(sample)))
        guard contents.contains(where: { sizes?[$0.key] != $0.value.size }) else { return }
        try load((0..<listing.count).filter { contents[$0] == nil })
        for (position, content) in contents { sizes?[position] = content.size }
    }

    /// Nil when it has vanished.
    private mutating func size(_ position: Int) throws -> UInt64? {
        if let sizes { return sizes[position] }
        if isDistant {
            let found = try listing.sizes()
            sizes = found
            return found[position]
        }
        do { return try listing.open(position).size } catch SourceFailure.vanished { return nil }
    }

    mutating func content(_ position: Int) throws -> Content {
        if let known = contents[position] { return known }
        guard isDistant else { return try PresentFolder.read(try listing.open(position)) }
        _ = try size(position)
        let positions = (0..<listing.count).filter { other in
            guard contents[other] == nil, !claimed[other] || other == position else { return false }
            return other == position || expected.map { $0.contains(sizes?[other] ?? 0) } ?? true
        }
        try load(positions)
        guard let found = contents[position] else { throw SourceFailure.vanished("a message") }
        return found
    }

    private mutating func load(_ positions: [Int]) throws {
        _ = try positions.first.map { try size($0) }
        var found: [Int: Content] = [:]
        try listing.read(positions) { position, message in found[position] = try PresentFolder.read(try message.get()) }
        contents.merge(found) { $1 }
    }

    private static func read(_ message: any SourceMessage) throws -> Content {
        let reader = try message.reader()
        var hash = DigestBuilder()
        var size: UInt64 = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { break }
            size += UInt64(count)
            hash.update(buffer.span.bytes.extracting(first: count))
        }
        return Content(digest: hash.finish(), size: size, date: message.internalDate)
    }
}

/// A message that is there.
struct PresentMessage {
    var position: Int
    /// Whether it has the bytes wanted.
    var isSame: Bool
}

/// The listing of a folder that cannot be looked into.
private struct NoMessages: SourceListing {
    var count: Int { 0 }
    func name(_ position: Int) -> ArraySlice<UInt8> { [] }
    func position(_ name: [UInt8]) -> Int? { nil }
    func flags(_ position: Int) -> MessageFlags { [] }
    func keywords(_ position: Int) -> [[UInt8]] { [] }
    func open(_ position: Int) throws -> any SourceMessage { throw SourceFailure.vanished("") }
    var passedOver: [String] { [] }
}
