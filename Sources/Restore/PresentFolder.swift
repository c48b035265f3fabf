internal import Connectors
internal import Events

/// A folder of the target as it is before a restore, and which of its messages were found to be wanted ones.
struct PresentFolder {
    let folder: SourceFolder
    let listing: any SourceListing
    /// By position: it is one of the messages wanted, or stands in the place of one.
    private(set) var claimed: [Bool]
    private var bySize: [UInt64: [Int]]?

    init(_ folder: SourceFolder, in target: any TargetView) throws {
        self.folder = folder
        if folder.problem != nil {
            listing = NoMessages()
        } else {
            listing = try target.list(folder)
        }
        claimed = Array(repeating: false, count: listing.count)
    }

    /// A folder that is not there yet.
    init(missing name: [UInt8], _ path: [[UInt8]]) {
        folder = SourceFolder(name: name, path: path, identity: [])
        (listing, claimed) = (NoMessages(), [])
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
        if listing.count == 0 { return nil }
        for position in try sameSize(size) where !claimed[position] {
            if try content(position).digest == digest {
                claimed[position] = true
                return PresentMessage(position: position, isSame: true)
            }
        }
        return nil
    }

    private mutating func sameSize(_ size: UInt64) throws -> [Int] {
        if let known = bySize { return known[size] ?? [] }
        var sizes: [UInt64: [Int]] = [:]
        for position in 0..<listing.count {
            if let size = try self.size(position) { sizes[size, default: []].append(position) }
        }
        bySize = sizes
        return sizes[size] ?? []
    }

    /// Nil when it has vanished.
    private func size(_ position: Int) throws -> UInt64? {
        do { return try listing.open(position).size } catch SourceFailure.vanished { return nil }
    }

    func content(_ position: Int) throws -> (digest: Digest, size: UInt64, date: Timestamp) {
        let message = try listing.open(position)
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
        return (hash.finish(), size, message.internalDate)
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
