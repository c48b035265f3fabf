/// A pool of text lines from which any amount of other text is made: runs of its lines, some words changed.
struct TextPool: Sendable {
    private let bytes: [UInt8]
    private let lineStarts: [Int]
    /// Words of the pool by their length: what a word is replaced by.
    private let words: [[[UInt8]]]

    /// The lines of `text`, which must be ended by LF.
    init(_ text: [UInt8]) {
        bytes = text + [10]
        var starts = [0]
        var words: [[[UInt8]]] = Array(repeating: [], count: 16)
        var wordStart: Int? = nil
        for (index, byte) in bytes.enumerated() {
            if byte == 10 { starts.append(index + 1) }
            if byte | 0x20 >= UInt8(ascii: "a"), byte | 0x20 <= UInt8(ascii: "z") {
                if wordStart == nil { wordStart = index }
            } else {
                if let start = wordStart, index - start >= 3, index - start < 16, words[index - start].count < 2_000 {
                    words[index - start].append(Array(bytes[start..<index]))
                }
                wordStart = nil
            }
        }
        starts.removeLast()
        lineStarts = starts.count > 1 ? starts : [0]
        self.words = words
    }

    var count: Int { bytes.count }

    /// Appends `count` octets and the rest of a line: runs of 1 to `maximumRun` lines, and about every `interval`
    /// octets a word replaced by another one of its length.
    func append(
        _ count: Int, maximumRun: Int, replacingEvery interval: Int, using stream: inout RandomStream,
        to output: inout [UInt8]
    ) {
        let end = output.count + count
        while output.count < end {
            let start = lineStarts[stream.below(lineStarts.count)]
            var stop = start
            var lines = 1 + stream.below(maximumRun)
            // Long lines (HTML) are cut, not taken whole.
            while stop < bytes.count, lines > 0, stop - start < end - output.count + 80 {
                if bytes[stop] == 10 { lines -= 1 }
                stop += 1
            }
            let place = output.count
            output.append(contentsOf: bytes[start..<stop])
            replaceWords(from: place, every: interval, using: &stream, in: &output)
        }
        if output.last != 10 { output.append(10) }
    }

    /// Replaces, about every `interval` octets from `start` on, a word by another of its length.
    func replaceWords(from start: Int, every interval: Int, using stream: inout RandomStream, in output: inout [UInt8])
    {
        guard interval > 0 else { return }
        var index = start + stream.below(interval)
        while index < output.count {
            while index < output.count, isLetter(output[index]) { index += 1 }
            while index < output.count, !isLetter(output[index]) { index += 1 }
            var stop = index
            while stop < output.count, isLetter(output[stop]) { stop += 1 }
            let length = stop - index
            if length >= 3, length < 16, !words[length].isEmpty {
                let word = words[length][stream.below(words[length].count)]
                for offset in 0..<length { output[index + offset] = word[offset] }
            }
            index = stop + stream.below(2 * interval)
        }
    }

    @inline(__always)
    private func isLetter(_ byte: UInt8) -> Bool {
        byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }
}
