internal import Glibc

/// Quotes or undoes the quoting of `From ` lines, over chunks of any size: six octets at most are held back between
/// them, however many `>` a line begins with. (It makes no difference which `>` of many is taken away: the last is.)
struct FromQuoting {
    enum Direction {
        /// One `>` more before `>*From `.
        case quoteAll
        /// `>` before `From `.
        case quoteBare
        /// One `>` less before `>+From `.
        case unquote
    }

    private static let word = Array("From ".utf8)
    private let direction: Direction
    /// Beyond the beginning of the line, where nothing matters.
    private var isInside = false
    /// A `>` was read and not yet written (unquoting).
    private var holdsMark = false
    /// A `>` was read (quoting).
    private var hasMark = false
    /// How much of the word was read and not yet written.
    private var matched = 0
    /// Whether a line was quoted, or its quoting undone.
    private(set) var hasActed = false

    init(_ direction: Direction) { self.direction = direction }

    mutating func process(_ input: Span<UInt8>, into output: inout [UInt8]) {
        input.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                if isInside {
                    let end = Self.nextInteresting(bytes, from: position)
                    output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[position..<end.position]))
                    position = end.position
                    if end.isLineStart { isInside = false }
                    continue
                }
                let byte = bytes[position]
                if matched == 0, byte == UInt8(ascii: ">") {
                    if direction == .unquote {
                        if holdsMark { output.append(byte) }
                        holdsMark = true
                    } else {
                        output.append(byte)
                        hasMark = true
                    }
                    position += 1
                } else if byte == Self.word[matched] {
                    matched += 1
                    position += 1
                    if matched == Self.word.count { complete(&output) }
                } else {
                    flush(&output)
                    isInside = true
                }
            }
        }
    }

    /// Writes what is held back: the message is over.
    mutating func finish(into output: inout [UInt8]) { flush(&output) }

    private mutating func complete(_ output: inout [UInt8]) {
        switch direction {
        case .unquote:
            if holdsMark { hasActed = true }
            holdsMark = false
        case .quoteAll, .quoteBare:
            if direction == .quoteAll || !hasMark {
                output.append(UInt8(ascii: ">"))
                hasActed = true
            }
        }
        flush(&output)
        isInside = true
    }

    private mutating func flush(_ output: inout [UInt8]) {
        if holdsMark { output.append(UInt8(ascii: ">")) }
        output.append(contentsOf: Self.word[..<matched])
        (holdsMark, hasMark, matched) = (false, false, 0)
    }

    /// The beginning of the next line that could be meant, or the end of the chunk; and whether a line begins there.
    private static func nextInteresting(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) -> (position: Int, isLineStart: Bool) {
        var position = start
        guard let base = bytes.baseAddress else { return (bytes.count, false) }
        while position < bytes.count {
            guard let found = memchr(base + position, Int32(UInt8(ascii: "\n")), bytes.count - position) else {
                return (bytes.count, false)
            }
            position = base.distance(to: UnsafeRawPointer(found)) + 1
            guard position < bytes.count else { return (position, true) }
            let next = bytes[position]
            if next == UInt8(ascii: ">") || next == UInt8(ascii: "F") { return (position, true) }
        }
        return (bytes.count, false)
    }
}
