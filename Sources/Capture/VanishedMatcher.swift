internal import Events

/// Finds, for a message that appeared, the one that vanished and is the same mail: so a move is one change of one item,
/// never a deletion and a new item.
struct VanishedMatcher: Sendable {
    private var byDigest: [Digest: [VanishedMessage]] = [:]
    private var withoutDigest: [VanishedMessage] = []
    /// Whether the source gives a name to one message only, in whatever folder: then a name tells, too.
    private let byName: Bool

    init(_ vanished: [VanishedMessage], byName: Bool) {
        self.byName = byName
        for message in vanished {
            if let digest = message.state.digest {
                byDigest[digest, default: []].append(message)
            } else {
                withoutDigest.append(message)
            }
        }
    }

    /// Whether one with those bytes has vanished.
    func has(_ digest: Digest) -> Bool { byDigest[digest] != nil }

    /// The vanished message with those bytes: rather one the server knows by the same mark, then one with that name, then one of
    /// that folder, then the first. A mark alone is not believed: the same mark and other bytes is a lie.
    mutating func take(like state: MessageState) -> VanishedMessage? {
        guard let digest = state.digest, let candidates = byDigest[digest], !candidates.isEmpty else { return nil }
        let mark = state.marks.emailID
        let marked = candidates.indices.filter { !mark.isEmpty && candidates[$0].state.marks.emailID == mark }
        let likely = marked.isEmpty ? Array(candidates.indices) : marked
        let index =
            likely.first { candidates[$0].state.sourceName == state.sourceName }
            ?? likely.first { candidates[$0].state.folder == state.folder } ?? likely[0]
        return take(digest, index)
    }

    /// The only vanished message of that name, whose bytes were never read.
    mutating func take(unreadable name: [UInt8]) -> VanishedMessage? {
        guard byName else { return nil }
        let found = withoutDigest.indices.filter { withoutDigest[$0].state.sourceName == name }
        return found.count == 1 ? withoutDigest.remove(at: found[0]) : nil
    }

    /// The only vanished message of that name.
    mutating func take(named name: [UInt8]) -> VanishedMessage? {
        guard byName else { return nil }
        var found: [(digest: Digest, index: Int)] = []
        for (digest, messages) in byDigest {
            for index in messages.indices where messages[index].state.sourceName == name {
                found.append((digest, index))
            }
        }
        if found.isEmpty { return take(unreadable: name) }
        return found.count == 1 ? take(found[0].digest, found[0].index) : nil
    }

    private mutating func take(_ digest: Digest, _ index: Int) -> VanishedMessage? {
        guard var candidates = byDigest[digest] else { return nil }
        let found = candidates.remove(at: index)
        byDigest[digest] = candidates.isEmpty ? nil : candidates
        return found
    }

    /// What nothing was found for: gone. By number.
    var left: [VanishedMessage] {
        (byDigest.values.flatMap { $0 } + withoutDigest).sorted { $0.number < $1.number }
    }
}
