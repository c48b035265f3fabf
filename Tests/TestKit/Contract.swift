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
    let again = try source.folders()
    // A server may count a change that is none between the two.
    func lasting(_ folders: [SourceFolder]) -> [SourceFolder] {
        folders.map { folder in
            var folder = folder
            folder.checkpoint = []
            return folder
        }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
    try require(
        lasting(again) == lasting(folders), "two looks at the folders give the same, in whatever order")
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
        try checkTogether(listing, again, messages)
        try checkFolder(source, folder, listing)
        contents[folder.name] = messages
    }
    try require(try source.identity() == identity, "the identity stays the same")
    return contents
}

/// What is asked of many messages at once is what each says for itself.
private func checkTogether(
    _ listing: any SourceListing, _ again: any SourceListing, _ messages: [[UInt8]: [UInt8]]
) throws {
    let all = Array(0..<listing.count)
    let sizes = try listing.sizes()
    try require(
        sizes == all.map { UInt64(messages[Array(listing.name($0))]?.count ?? -1) }, "sizes are those of the messages")
    var read: [Int: [UInt8]] = [:]
    try listing.read(all.reversed()) { position, message in
        try require(read[position] == nil, "each message is given once")
        var bytes: [UInt8] = []
        try message.get().read(into: &bytes)
        read[position] = bytes
    }
    try require(
        read == Dictionary(uniqueKeysWithValues: all.map { ($0, messages[Array(listing.name($0))] ?? []) }),
        "read together, messages are what they are alone")
    var order = listing.inOrderOfArrival(all.map(Int32.init))
    order.sort()
    try require(order == all.map(Int32.init), "the order of arrival has every message once")
    guard let marks = try listing.marks(all) else { return }
    try require(marks.count == listing.count, "every message has its marks")
    for position in all {
        guard let other = again.position(Array(listing.name(position))) else { continue }
        try require(try again.marks([other]) == [marks[position]], "marks stay the same")
        try require(
            try listing.open(position).marks.emailID == marks[position].emailID, "a message read has its marks, too")
    }
}

/// What a source says of a folder beside its messages.
private func checkFolder(_ source: any Source, _ folder: SourceFolder, _ listing: any SourceListing) throws {
    let attributes = try source.attributes(of: folder)
    try require(try source.attributes(of: folder) == attributes, "what a source keeps about a folder stays the same")
    let names = attributes?.map(\.name) ?? []
    try require(
        zip(names, names.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) },
        "it is sorted by name, each name once")
    guard !listing.checkpoint.isEmpty, let changes = try source.changes(in: folder, since: listing.checkpoint) else {
        return
    }
    try require(changes.count == listing.count, "where nothing has happened, there is as much as before")
    for position in 0..<changes.listing.count {
        try require(
            listing.position(Array(changes.listing.name(position))) != nil, "where nothing has happened, nothing is new"
        )
    }
    for position in 0..<listing.count {
        try require(!changes.hasVanished(Array(listing.name(position))), "where nothing has happened, nothing is gone")
    }
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
    let state = FolderState(path: [Array("Box".utf8), Array("Inner é & ü".utf8)], sourceName: [])
    let check = TargetCheck(
        target: target, source: source, folder: try target.folder(state), name: try view.name(of: state),
        takesNames: view.takesNames)
    let first = try check.deliveries(forms: view.forms)
    try check.state(state, first)
    try check.changes(first)
    try check.subscriptions(state)
    try check.attributes(view)
    try target.sync()
}

private struct TargetCheck {
    let target: any Target
    let source: any Source
    let folder: any TargetFolder
    let name: [UInt8]
    let takesNames: Bool

    private static let date = Timestamp(seconds: 1_600_000_000)
    private static let text = Array("Subject: one\r\n\r\none\r\n".utf8)
    private static let other = Array("Subject: two\r\n\r\ntwo\r\n".utf8)

    private func delivery(_ name: String?, _ size: Int, _ flags: MessageFlags = [], _ keywords: [String] = [])
        -> Delivery
    {
        Delivery(
            name: takesNames ? name.map { Array($0.utf8) } : nil, flags: flags,
            keywords: keywords.map { Array($0.utf8) }, internalDate: TargetCheck.date, size: UInt64(size))
    }

    private func put(_ delivery: Delivery, _ pieces: [[UInt8]]) throws -> Delivered {
        try folder.deliver(delivery) { write in
            for piece in pieces { try write(piece.span.bytes) }
        }
    }

    private func found() throws -> [[UInt8]: [UInt8]] { try checkSourceContract(source)[name] ?? [:] }

    /// Returns the name of the first message.
    func deliveries(forms: [DeliveredForm]) throws -> [UInt8] {
        let (text, other) = (TargetCheck.text, TargetCheck.other)
        let first = try put(
            delivery("1.one", text.count, [.seen, .flagged]), [Array(text[..<2]), [], Array(text[2...])])
        try require(first == Delivered(name: first.name), "what is delivered as it is, is not called altered")
        if takesNames {
            do {
                _ = try put(delivery("1.one", 3), [[7, 8, 9]])
                throw ContractBroken(description: "a name that is taken, under whatever flags, is taken")
            } catch TargetFailure.exists {}
        }
        let second = try put(delivery("2.two", other.count), [other])
        var expected = [first.name: text, second.name: other]
        // The same bytes twice are two messages.
        expected[try put(delivery(nil, text.count), [text]).name] = text
        if takesNames { expected[try put(delivery(nil, 0), []).name] = [] }
        try require(expected.count == (takesNames ? 4 : 3), "nothing that is there is overwritten")

        // Held back or not, each hears what became of it.
        var heard: [Int: [UInt8]] = [:]
        for number in 0..<102 {
            let message = Array("Subject: \(number)\r\n\r\n".utf8)
            try folder.deliver(delivery(nil, message.count)) {
                try $0(message.span.bytes)
            } done: { result in
                try require(heard[number] == nil, "each is told once what became of it")
                let delivered = try result.get()
                heard[number] = delivered.name
                expected[delivered.name] = message
            }
        }
        try target.sync()
        try require(Set(heard.values).count == 102, "each is told what became of it, at the latest when all is synced")
        let large = Array("Subject: large\r\n\r\n".utf8) + Array(repeating: UInt8(ascii: "x"), count: 4_400_000)
        let largeName = try put(delivery(nil, large.count), [Array(large[..<3_000_000]), Array(large[3_000_000...])])
            .name
        expected[largeName] = large
        if !forms.isEmpty {
            let bare = Array("Subject: bare\n\nline\r\nline\n".utf8)
            let altered = try put(delivery(nil, bare.count), [Array(bare[..<20]), Array(bare[20...])])
            try require(altered.isAltered, "what cannot be kept as it is, is called altered")
            var previous: UInt8 = 0
            var made: [UInt8] = []
            forms[0].append(bare.span.bytes, after: &previous, to: &made)
            expected[altered.name] = made
        }
        try require(try found() == expected, "what was delivered is there, whole")

        struct Broken: Error {}
        do {
            _ = try folder.deliver(delivery("2.broken", 9)) { write in
                try write([1, 2, 3].span.bytes)
                throw Broken()
            }
            throw ContractBroken(description: "an error of the one who writes comes back")
        } catch is Broken {}
        try target.sync()
        try folder.remove(second.name)
        expected[second.name] = nil
        try require(
            try found() == expected,
            "only what was to be removed is removed, and what was not delivered to its end is not there at all")
        do {
            try folder.remove(second.name)
            throw ContractBroken(description: "what is not there cannot be removed")
        } catch TargetFailure.vanished {}
        return first.name
    }

    func state(_ state: FolderState, _ first: [UInt8]) throws {
        guard let listed = try source.folders().first(where: { $0.name == name }) else {
            throw ContractBroken(description: "a folder has the name that was foretold")
        }
        try require(listed.path == state.path, "a folder has the path that was asked for")
        var listing = try source.list(listed)
        guard let position = listing.position(first) else { throw ContractBroken(description: "it is listed") }
        try require(listing.flags(position) == [.seen, .flagged], "it has the flags it was given")
        try require(try listing.open(position).internalDate == TargetCheck.date, "it has the date it was given")
        try require(
            try listing.sizes()[position] == UInt64(TargetCheck.text.count), "a listing has the sizes of its messages")

        let lost = try folder.setFlags(first, [.answered], [Array("$Work".utf8)])
        listing = try source.list(listed)
        guard let position = listing.position(first) else {
            throw ContractBroken(description: "other flags do not change a name")
        }
        try require(listing.flags(position) == [.answered], "flags are set, not added")
        try require(
            listing.keywords(position) == (lost.isEmpty ? [Array("$Work".utf8)] : []),
            "a keyword is kept, or named as lost")
    }

    func changes(_ first: [UInt8]) throws {
        do {
            _ = try folder.setFlags(Array("no such message".utf8), [.seen], [])
            throw ContractBroken(description: "what is not there has no flags")
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
        let hostile = [Array("a b".utf8), Array("(".utf8), [0xFF], Array("x\r\nNOOP".utf8)]
        let lost = try folder.setFlags(first, [], hostile)
        guard let listed = try source.folders().first(where: { $0.name == name }) else { return }
        let listing = try source.list(listed)
        guard let position = listing.position(first) else { throw ContractBroken(description: "it is listed") }
        try require(
            Set(listing.keywords(position)) == Set(hostile).subtracting(lost),
            "hostile keywords are kept or named as lost")
    }

    /// Rights and annotations are given, or it is said that they are not.
    func attributes(_ view: any TargetView) throws {
        func attribute(_ name: String, _ value: String) -> FolderAttribute {
            FolderAttribute(name: Array(name.utf8), value: Array(value.utf8))
        }
        let wanted = [
            attribute("acl bob@example.test", "lrs"), attribute("acl no\r\nbody \"x", "lr"),
            attribute("metadata /private/comment", "a \"b\" ü\r\nc"),
            attribute("metadata /private/no such entry/*", "x"),
        ]
        func there() throws -> [FolderAttribute] {
            guard let listed = try source.folders().first(where: { $0.name == name }) else { return [] }
            return try view.attributes(of: listed) ?? []
        }
        let before = try there()
        let refused = Set(try folder.setAttributes(wanted, removing: []).map(\.name))
        let after = try there()
        for attribute in wanted {
            let isKept = after.contains { $0.name == attribute.name && Set($0.value).isSuperset(of: attribute.value) }
            try require(
                isKept || refused.contains(attribute.name),
                "\(String(decoding: attribute.name, as: UTF8.self)) is kept, or named as refused")
            try require(
                view.canHave(attribute: attribute.name) || refused.contains(attribute.name),
                "what a target cannot have it refuses")
        }
        let names = wanted.map(\.name).filter { !refused.contains($0) }
        let left = Set(try folder.setAttributes([], removing: names).map(\.name))
        try require(
            try there().filter { !left.contains($0.name) } == before, "what is taken away is gone, and nothing else is")
    }

    func subscriptions(_ state: FolderState) throws {
        let unkept = try target.setSubscriptions([state.path])
        let after = try source.folders().first { $0.name == name }
        try require(after?.isSubscribed == unkept.isEmpty, "a subscription is kept, or named as lost")
        _ = try target.setSubscriptions([])
        // A server may insist on some folders of its own.
        try require(
            try source.folders().first { $0.name == name }?.isSubscribed == false, "what is not named is unsubscribed")
    }
}
