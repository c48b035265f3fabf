/// The words of one command, parsed by rules of its own: nothing of it is shared with the encoder it is held against.
indirect enum WireToken: Equatable {
    case atom(String)
    case string([UInt8])
    case list([WireToken])

    /// An atom or string, as bytes.
    var bytes: [UInt8]? {
        switch self {
        case .atom(let text): Array(text.utf8)
        case .string(let bytes): bytes
        case .list: nil
        }
    }

    var text: String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "" }

    var items: [WireToken] { if case .list(let items) = self { items } else { [] } }
}

/// Reads commands out of a stream of bytes, with their literals.
struct WireReader {
    private var buffer: [UInt8] = []
    /// How many literals of the command at the front have been asked for.
    private var asked = 0

    enum Event {
        /// The client waits to be asked for a literal.
        case wantsToSend(Int)
        case command([WireToken])
        /// What came is no command; the line.
        case malformed([UInt8])
    }

    mutating func append(_ bytes: some Sequence<UInt8>) { buffer += bytes }

    /// The next thing that is complete; nil when more bytes are needed. `isIdle`: a line that says DONE is expected.
    mutating func next() -> Event? {
        var position = 0
        var literals = 0
        var tokens = Tokens()
        while true {
            guard let end = buffer[position...].firstIndex(of: 10) else { return nil }
            var line = buffer[position..<end]
            if line.last == 13 { line = line.dropLast() }
            guard let literal = WireReader.literal(line) else {
                tokens.add(line)
                buffer.removeSubrange(...end)
                asked = 0
                if let found = tokens.finish() { return .command(found) }
                return .malformed(Array(line))
            }
            tokens.add(line[..<literal.brace])
            literals += 1
            if !literal.isEager, literals > asked {
                asked = literals
                return .wantsToSend(literal.size)
            }
            let begin = end + 1
            guard buffer.count >= begin + literal.size else { return nil }
            tokens.add(literal: Array(buffer[begin..<begin + literal.size]))
            position = begin + literal.size
        }
    }

    private static func literal(_ line: ArraySlice<UInt8>) -> (size: Int, isEager: Bool, brace: Int)? {
        guard line.last == UInt8(ascii: "}"), let open = line.lastIndex(of: UInt8(ascii: "{")) else { return nil }
        var digits = line[(open + 1)...].dropLast()
        let isEager = digits.last == UInt8(ascii: "+") || digits.last == UInt8(ascii: "-")
        if isEager { digits = digits.dropLast() }
        guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }), digits.count < 11,
            let size = Int(String(decoding: digits, as: UTF8.self))
        else { return nil }
        let brace = open > line.startIndex && line[open - 1] == UInt8(ascii: "~") ? open - 1 : open
        return (size, isEager, brace)
    }

    /// Tokens as the lines of a command come.
    private struct Tokens {
        private var levels: [[WireToken]] = [[]]
        private var isBroken = false

        mutating func add(literal: [UInt8]) { levels[levels.count - 1].append(.string(literal)) }

        mutating func add(_ line: ArraySlice<UInt8>) {
            var rest = line
            while let byte = rest.first {
                switch byte {
                case UInt8(ascii: " "): rest = rest.dropFirst()
                case UInt8(ascii: "("):
                    levels.append([])
                    rest = rest.dropFirst()
                case UInt8(ascii: ")"):
                    guard levels.count > 1 else {
                        isBroken = true
                        return
                    }
                    let list = levels.removeLast()
                    levels[levels.count - 1].append(.list(list))
                    rest = rest.dropFirst()
                case UInt8(ascii: "\""):
                    rest = rest.dropFirst()
                    var text: [UInt8] = []
                    while let next = rest.popFirst(), next != UInt8(ascii: "\"") {
                        if next == UInt8(ascii: "\\") {
                            guard let escaped = rest.popFirst(),
                                escaped == UInt8(ascii: "\\") || escaped == UInt8(ascii: "\"")
                            else {
                                isBroken = true
                                return
                            }
                            text.append(escaped)
                        } else {
                            text.append(next)
                        }
                    }
                    levels[levels.count - 1].append(.string(text))
                default:
                    var word: [UInt8] = []
                    var depth = 0
                    // `BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]` is one word.
                    while let next = rest.first {
                        if next == UInt8(ascii: "[") { depth += 1 }
                        if next == UInt8(ascii: "]") { depth -= 1 }
                        if depth <= 0, [UInt8(ascii: " "), UInt8(ascii: "("), UInt8(ascii: ")")].contains(next) {
                            break
                        }
                        word.append(next)
                        rest = rest.dropFirst()
                    }
                    if word.contains(where: { $0 < 0x20 || $0 == 0x7F }) { isBroken = true }
                    levels[levels.count - 1].append(.atom(String(decoding: word, as: UTF8.self)))
                }
            }
        }

        func finish() -> [WireToken]? { isBroken || levels.count != 1 ? nil : levels[0] }
    }
}
