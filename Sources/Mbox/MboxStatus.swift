/// The flags that mail programs keep in the header of a message in an mbox: `Status`, `X-Status`, `X-Keywords`. They are
/// read; the header stays as it is.
public struct MboxStatus: Hashable, Sendable {
    /// `R` in `Status`.
    public private(set) var isSeen = false
    /// `O` in `Status`: not recent.
    public private(set) var isOld = false
    /// `A` in `X-Status`.
    public private(set) var isAnswered = false
    /// `F` in `X-Status`.
    public private(set) var isFlagged = false
    /// `T` in `X-Status`.
    public private(set) var isDraft = false
    /// `D` in either.
    public private(set) var isDeleted = false
    /// Of `X-Keywords`, in their order, each once.
    public private(set) var keywords: [[UInt8]] = []

    /// Reads the header at the beginning of `message`, which may be cut off anywhere.
    public init(parsing message: Span<UInt8>) {
        var position = 0
        while position < message.count {
            let start = position
            while position < message.count, message[position] != UInt8(ascii: "\n") { position += 1 }
            var end = position
            position += 1
            if end > start, message[end - 1] == UInt8(ascii: "\r") { end -= 1 }
            if end == start { return }
            // Only these three are looked at closer.
            let first = MboxHeader.lower(message[start])
            guard first == UInt8(ascii: "s") || first == UInt8(ascii: "x"), end - start < 4_096 else { continue }
            var line: [UInt8] = []
            for index in start..<end { line.append(message[index]) }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            read(name: line[..<colon].map(MboxHeader.lower), value: line[(colon + 1)...])
        }
    }

    private mutating func read(name: [UInt8], value: ArraySlice<UInt8>) {
        if name.elementsEqual("status".utf8) {
            if value.contains(UInt8(ascii: "R")) { isSeen = true }
            if value.contains(UInt8(ascii: "O")) { isOld = true }
            if value.contains(UInt8(ascii: "D")) { isDeleted = true }
        } else if name.elementsEqual("x-status".utf8) {
            if value.contains(UInt8(ascii: "A")) { isAnswered = true }
            if value.contains(UInt8(ascii: "F")) { isFlagged = true }
            if value.contains(UInt8(ascii: "T")) { isDraft = true }
            if value.contains(UInt8(ascii: "D")) { isDeleted = true }
        } else if name.elementsEqual("x-keywords".utf8) {
            for word in value.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) {
                let word = Array(word)
                if !keywords.contains(word) { keywords.append(word) }
            }
        }
    }
}
