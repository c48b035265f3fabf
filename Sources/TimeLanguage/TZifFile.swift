/// What a file of the time zone database says (RFC 9636, section 3).
struct TZifFile {
    var changes: [Int64] = []
    /// One more than `changes`: the first is what holds before the first change.
    var offsets: [Int32] = []
    var rule: ClockRule?

    /// No offset of a real zone is as far from UTC (RFC 9636, section 3.2: -25 to +26 hours).
    private static let offsetRange = Int32(-89_999)...93_599

    init?(_ bytes: [UInt8]) {
        guard let first = Block(bytes, at: 0, timeSize: 4) else { return nil }
        guard first.version >= UInt8(ascii: "2") else {
            guard read(bytes, first) else { return nil }
            return
        }
        guard let second = Block(bytes, at: first.end, timeSize: 8), read(bytes, second) else { return nil }
        // The footer: a rule between two line ends.
        guard second.end < bytes.count, bytes[second.end] == 10,
            let end = bytes[(second.end + 1)...].firstIndex(of: 10)
        else { return nil }
        let text = bytes[(second.end + 1)..<end]
        if !text.isEmpty {
            guard let rule = ClockRule(Array(text)) else { return nil }
            self.rule = rule
        }
    }

    private mutating func read(_ bytes: [UInt8], _ block: Block) -> Bool {
        guard block.typeCount > 0, block.leapCount == 0 else { return false }
        var types: [Int32] = []
        for index in 0..<block.typeCount {
            let offset = Int32(truncatingIfNeeded: number(bytes, block.types + 6 * index, size: 4))
            guard TZifFile.offsetRange.contains(offset) else { return false }
            types.append(offset)
        }
        offsets.append(types[0])
        for index in 0..<block.timeCount {
            let change = number(bytes, block.times + block.timeSize * index, size: block.timeSize)
            let type = Int(bytes[block.typeIndices + index])
            guard type < types.count, changes.last.map({ $0 < change }) ?? true else { return false }
            changes.append(change)
            offsets.append(types[type])
        }
        return true
    }

    /// One of the (up to) two blocks: where its parts are.
    private struct Block {
        let version: UInt8
        let timeSize, timeCount, typeCount, leapCount: Int
        let times, typeIndices, types, end: Int

        init?(_ bytes: [UInt8], at start: Int, timeSize: Int) {
            guard bytes.count - start >= 44, bytes[start..<(start + 4)].elementsEqual("TZif".utf8) else { return nil }
            version = bytes[start + 4]
            let counts = (0..<6).map { Int(number(bytes, start + 20 + 4 * $0, size: 4)) }
            // No file is larger than a few hundred KiB; this keeps the sums from overflowing.
            guard counts.allSatisfy({ (0...1_000_000).contains($0) }) else { return nil }
            self.timeSize = timeSize
            (leapCount, timeCount, typeCount) = (counts[2], counts[3], counts[4])
            times = start + 44
            typeIndices = times + timeCount * timeSize
            types = typeIndices + timeCount
            end = types + 6 * typeCount + counts[5] + leapCount * (timeSize + 4) + counts[1] + counts[0]
            guard end <= bytes.count else { return nil }
        }
    }
}

/// A big-endian two's complement number of 4 or 8 bytes.
private func number(_ bytes: [UInt8], _ start: Int, size: Int) -> Int64 {
    var value: UInt64 = 0
    for index in start..<(start + size) { value = value << 8 | UInt64(bytes[index]) }
    return size == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
}
