internal import Events

/// Finds, for a message that appeared, the one that vanished and is the same mail: so a move is one change of one item,
/// never a deletion and a new item.
struct VanishedMatcher: Sendable {
    private var byDigest: [Digest: [VanishedMessage]] = [:]
    private var withoutDigest: [VanishedMessage] = []

    init(_ comparisons: [MessageComparison], _ others: [VanishedMessage]) {
        for message in comparisons.flatMap(\.vanished) + others {
            if let digest = message.state.digest {
                byDigest[digest, default: []].append(message)
            } else {
                withoutDigest.append(message)
            }
        }
    }

    /// Whether one with those bytes has vanished.
    func has(_ digest: Digest) -> Bool { byDigest[digest] != nil }

    /// The vanished message with those bytes: rather one with that name, then one of that folder, then the first.
    mutating func take(_ digest: Digest, name: [UInt8], folder: UInt32) -> VanishedMessage? {
        guard var candidates = byDigest[digest], !candidates.isEmpty else { return nil }
        let index =
            candidates.firstIndex { $0.state.sourceName == name } ?? candidates.firstIndex { $0.state.folder == folder }
            ?? 0
        let found = candidates.remove(at: index)
        byDigest[digest] = candidates.isEmpty ? nil : candidates
        return found
    }

    /// What nothing was found for: gone. By number.
    var left: [VanishedMessage] {
        (byDigest.values.flatMap { $0 } + withoutDigest).sorted { $0.number < $1.number }
    }
}
