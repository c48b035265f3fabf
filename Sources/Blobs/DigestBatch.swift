internal import CKernels
internal import Events

/// Digests of many spans of one buffer or two, side by side where the processor has no SHA instructions.
struct DigestBatch {
    /// Where a span to be hashed lies: in the first or the second buffer.
    struct Item {
        let isSecond: Bool
        let start: Int
        let count: Int
    }

    private static let lanes = Int(ck_sha256_lanes())
    /// How much longer one message takes in a lane than alone.
    private static let laneCost = lanes == 16 ? 2.8 : 2.4

    /// The digests of `items`, in their order.
    static func digests(_ items: [Item], _ first: RawSpan, _ second: RawSpan) -> [Digest] {
        guard lanes > 0, items.count > 2 else {
            return items.map { Digest(hashing: ($0.isSecond ? second : first).part($0.start, $0.count)) }
        }
        // Longest first: the lanes then end at about the same time. Those too long for that are hashed alone.
        let order = items.indices.sorted { items[$0].count > items[$1].count }
        var alone = 0
        var rest = items.reduce(0) { $0 + $1.count }
        var before = 0
        var best = Double.infinity
        for position in 0...order.count {
            let longest = position < order.count ? items[order[position]].count : 0
            let cost = Double(before) + max(Double(longest), Double(rest) / Double(lanes)) * laneCost
            if cost >= best { break }
            best = cost
            alone = position
            before += longest
            rest -= longest
        }
        var results = [Digest](repeating: .zero, count: items.count)
        for index in order[..<alone] {
            let item = items[index]
            results[index] = Digest(hashing: (item.isSecond ? second : first).part(item.start, item.count))
        }
        let together = order[alone...]
        if together.isEmpty { return results }
        let output = ByteBuffer(capacity: together.count * Digest.byteCount)
        // Bounds are checked here, before addresses go to C.
        for index in together {
            let item = items[index]
            precondition(item.start >= 0 && item.start + item.count <= (item.isSecond ? second : first).byteCount)
        }
        unsafe first.withUnsafeBytes { first in
            unsafe second.withUnsafeBytes { second in
                let empty: StaticString = "-"
                var messages: [UnsafeRawPointer?] = unsafe []
                var lengths: [Int] = []
                for index in together {
                    let item = items[index]
                    // An empty span may have no address; nothing of it is read.
                    var base = first.baseAddress
                    if item.isSecond { unsafe base = second.baseAddress }
                    if let base = unsafe base {
                        unsafe messages.append(base + item.start)
                    } else {
                        unsafe messages.append(UnsafeRawPointer(empty.utf8Start))
                    }
                    lengths.append(item.count)
                }
                unsafe output.appendTail(together.count * Digest.byteCount) { room in
                    unsafe ck_sha256_many(messages, lengths, together.count, room.baseAddress)
                    return room.count
                }
            }
        }
        for (position, index) in together.enumerated() {
            results[index] = Digest(output.bytes(position * Digest.byteCount, Digest.byteCount))
        }
        return results
    }
}
