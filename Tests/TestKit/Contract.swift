public import Connectors
internal import Events

/// A rule of a contract that an implementation has broken.
public struct ContractBroken: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}

private func require(_ holds: Bool, _ rule: String) throws {
    if !holds { throw ContractBroken(description: rule) }
}

/// Holds a source that stands still against the contract of ``Connectors/Source``. Returns what it has: by folder name,
/// by message name, the bytes.
@discardableResult
public func checkSourceContract(_ source: any Source) throws -> [[UInt8]: [[UInt8]: [UInt8]]] {
    var contents: [[UInt8]: [[UInt8]: [UInt8]]] = [:]
    let identity = try source.identity()
    let folders = try source.folders()
    try require(!identity.isEmpty, "a source has an identity")
    try require(try source.folders() == folders, "two looks at the folders give the same")
    try require(Set(folders.map(\.name)).count == folders.count, "no two folders have one name")
    let identities = folders.map(\.identity).filter { !$0.isEmpty }
    try require(Set(identities).count == identities.count, "no two folders have one identity")
    for folder in folders where folder.problem == nil {
        try require(!folder.name.isEmpty && !folder.path.isEmpty, "a folder has a name and a path")
        let listing = try source.list(folder)
        let again = try source.list(folder)
        try require(listing.count == again.count, "two listings have as many messages")
        try require(listing.position(Array("no such message".utf8)) == nil, "an unknown name has no position")
        var messages: [[UInt8]: [UInt8]] = [:]
        for position in 0..<listing.count {
            let name = Array(listing.name(position))
            try require(!name.isEmpty, "a message has a name")
            try require(listing.position(name) == position, "a name leads back to its position")
            guard let other = again.position(name) else {
                throw ContractBroken(description: "a name stays the same from listing to listing")
            }
            try require(
                again.flags(other) == listing.flags(position) && again.keywords(other) == listing.keywords(position),
                "flags and keywords stay the same")
            let keywords = listing.keywords(position)
            try require(
                zip(keywords, keywords.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) },
                "keywords are sorted and each once")
            messages[name] = try checkMessage(listing, position)
        }
        contents[folder.name] = messages
    }
    try require(try source.identity() == identity, "the identity stays the same")
    return contents
}

private func checkMessage(_ listing: any SourceListing, _ position: Int) throws -> [UInt8] {
    let message = try listing.open(position)
    var bytes: [UInt8] = [1, 2, 3]
    try message.read(into: &bytes)
    try require(UInt64(bytes.count) == message.size, "a message that stands still is as long as it says")
    let reader = try listing.open(position).reader()
    var pieces: [UInt8] = []
    while true {
        var count = 0
        let piece = try [UInt8](unsafeUninitializedCapacity: 7_001) { buffer, filled in
            count = try reader.read(into: UnsafeMutableRawBufferPointer(buffer))
            filled = count
        }
        if count == 0 { break }
        pieces += piece
    }
    try require(pieces == bytes, "in pieces a message is the same as whole")
    try require(try listing.open(position).internalDate == message.internalDate, "its date stays the same")
    return bytes
}

/// Holds an empty target against the contract of ``Connectors/Target``. `view` and `source` show what is there.
public func checkTargetContract(_ target: any Target, view: any TargetView, source: any Source) throws {
    let state = FolderState(path: [Array("Box".utf8), Array("Inner".utf8)], sourceName: [])
    let folder = try target.folder(state)
    let name = try view.name(of: state)
    let date = Timestamp(seconds: 1_600_000_000)
    func delivery(_ name: String?, _ size: Int, _ flags: MessageFlags = [], _ keywords: [String] = []) -> Delivery {
        Delivery(
            name: name.map { Array($0.utf8) }, flags: flags, keywords: keywords.map { Array($0.utf8) },
            internalDate: date, size: UInt64(size))
    }
    func put(_ delivery: Delivery, _ pieces: [[UInt8]]) throws -> [UInt8] {
        let delivered = try folder.deliver(delivery) { write in
            for piece in pieces { try write(piece.span.bytes) }
        }
        return delivered.name
    }
    func found() throws -> [[UInt8]: [UInt8]] { try checkSourceContract(source)[name] ?? [:] }

    let first = try put(delivery("1.one", 5, [.seen, .flagged]), [[1, 2], [], [3, 4, 5]])
    let empty = try put(delivery(nil, 0), [])
    do {
        _ = try put(delivery("1.one", 3), [[7, 8, 9]])
        throw ContractBroken(description: "a name that is taken, under whatever flags, is taken")
    } catch TargetFailure.exists {}
    let second = try put(delivery("2.two", 3), [[7, 8, 9]])
    try target.sync()
    try require(Set([first, empty, second]).count == 3, "nothing that is there is overwritten")
    try require(
        try found() == [first: [1, 2, 3, 4, 5], empty: [], second: [7, 8, 9]], "what was delivered is there, whole")

    struct Broken: Error {}
    do {
        _ = try folder.deliver(delivery("1.broken", 9)) { write in
            try write([1, 2, 3].span.bytes)
            throw Broken()
        }
        throw ContractBroken(description: "an error of the one who writes comes back")
    } catch is Broken {}
    try require(try found().count == 3, "what was not delivered to its end is not there at all")

    guard let listed = try source.folders().first(where: { $0.name == name }) else {
        throw ContractBroken(description: "a folder has the name that was foretold")
    }
    try require(listed.path == state.path, "a folder has the path that was asked for")
    var listing = try source.list(listed)
    guard let position = listing.position(first) else { throw ContractBroken(description: "it is listed") }
    try require(listing.flags(position) == [.seen, .flagged], "it has the flags it was given")
    try require(try listing.open(position).internalDate == date, "it has the date it was given")

    let lost = try folder.setFlags(first, [.answered], [Array("$Work".utf8)])
    listing = try source.list(listed)
    guard let position = listing.position(first) else {
        throw ContractBroken(description: "other flags do not change a name")
    }
    try require(listing.flags(position) == [.answered], "flags are set, not added")
    try require(
        listing.keywords(position) == (lost.isEmpty ? [Array("$Work".utf8)] : []),
        "a keyword is kept, or named as lost")
    try folder.remove(second)
    try require(try found()[second] == nil && found()[first] != nil, "only what was to be removed is removed")
    do {
        try folder.remove(second)
        throw ContractBroken(description: "what is not there cannot be removed")
    } catch TargetFailure.vanished {}

    for hostile in [[0x0A], Array(repeating: 0x78, count: 300), Array("../x".utf8), [0xFF, 0xFE], []] as [[UInt8]] {
        var message = delivery(nil, 1)
        message.name = hostile
        do {
            _ = try folder.deliver(message) { write in
                let byte: [UInt8] = [1]
                try write(byte.span.bytes)
            }
        } catch TargetFailure.refused {}
    }
    let unkept = try target.setSubscriptions([state.path])
    let after = try source.folders().first { $0.name == name }
    try require(after?.isSubscribed == unkept.isEmpty, "a subscription is kept, or named as lost")
    _ = try target.setSubscriptions([])
    try require(
        try source.folders().allSatisfy { !$0.isSubscribed }, "exactly the folders named are subscribed")
    try target.sync()
}
