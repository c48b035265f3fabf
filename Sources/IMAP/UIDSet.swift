/// A set of UIDs (or of sequence numbers), as ranges: `1:5,9`. Never holds 0, and never `*`.
public struct UIDSet: Hashable, Sendable {
    /// Ascending; neither overlapping nor touching.
    public private(set) var ranges: [ClosedRange<UInt32>] = []

    public init() {}

    public init(_ range: ClosedRange<UInt32>) {
        precondition(range.lowerBound > 0, "0 is no UID")
        ranges = [range]
    }

    /// In any order, each any number of times.
    public init(_ uids: some Sequence<UInt32>) { self.init(ranges: uids.map { $0...$0 }) }

    /// In any order, overlapping or not.
    public init(ranges unordered: [ClosedRange<UInt32>]) {
        var sorted = unordered
        if zip(sorted, sorted.dropFirst()).contains(where: { $0.lowerBound > $1.lowerBound }) {
            sorted.sort { $0.lowerBound < $1.lowerBound }
        }
        ranges.reserveCapacity(sorted.count)
        for range in sorted {
            precondition(range.lowerBound > 0, "0 is no UID")
            if let last = ranges.last, last.upperBound == .max || range.lowerBound <= last.upperBound + 1 {
                if range.upperBound > last.upperBound {
                    ranges[ranges.count - 1] = last.lowerBound...range.upperBound
                }
            } else {
                ranges.append(range)
            }
        }
    }

    public var isEmpty: Bool { ranges.isEmpty }

    public var count: Int { ranges.reduce(0) { $0 + $1.count } }

    public func contains(_ uid: UInt32) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < uid { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(uid)
    }

    public mutating func formUnion(_ other: UIDSet) { self = UIDSet(ranges: ranges + other.ranges) }

    /// In parts whose text has at most `bytes` bytes: a server may refuse a longer line.
    public func parts(ofAtMost bytes: Int) -> [UIDSet] {
        var parts: [UIDSet] = []
        var part: [ClosedRange<UInt32>] = []
        var length = 0
        for range in ranges {
            let text = UIDSet.length(range) + 1
            if length + text > bytes, !part.isEmpty {
                parts.append(UIDSet(ranges: part))
                (part, length) = ([], 0)
            }
            part.append(range)
            length += text
        }
        if !part.isEmpty { parts.append(UIDSet(ranges: part)) }
        return parts
    }

    private static func length(_ range: ClosedRange<UInt32>) -> Int {
        "\(range.lowerBound)".utf8.count + (range.count > 1 ? "\(range.upperBound)".utf8.count + 1 : 0)
    }

    func write(into bytes: inout [UInt8]) {
        for (index, range) in ranges.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += "\(range.lowerBound)".utf8
            if range.lowerBound < range.upperBound {
                bytes.append(UInt8(ascii: ":"))
                bytes += "\(range.upperBound)".utf8
            }
        }
    }
}
