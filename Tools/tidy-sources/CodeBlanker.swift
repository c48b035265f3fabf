/// Replaces comments, and what stands in string literals, by blanks: what is left is code, at the same places.
struct CodeBlanker {
    private let input: [UInt8]
    private var output: [UInt8]
    private var at = 0

    static func blank(_ text: String) -> String {
        var blanker = CodeBlanker(input: Array(text.utf8))
        blanker.code(untilParenthesis: false)
        return String(decoding: blanker.output, as: UTF8.self)
    }

    private init(input: [UInt8]) {
        self.input = input
        output = input
    }

    private func looking(_ text: StaticString, at offset: Int) -> Bool {
        guard offset + text.utf8CodeUnitCount <= input.count else { return false }
        for index in 0..<text.utf8CodeUnitCount where input[offset + index] != text.utf8Start[index] { return false }
        return true
    }

    private mutating func blankOne() {
        if input[at] != UInt8(ascii: "\n") { output[at] = UInt8(ascii: " ") }
        at += 1
    }

    /// Code, to the end or, inside an interpolation, to the parenthesis that closes it.
    private mutating func code(untilParenthesis: Bool) {
        var depth = 0
        while at < input.count {
            let byte = input[at]
            if looking("//", at: at) {
                while at < input.count, input[at] != UInt8(ascii: "\n") { blankOne() }
            } else if looking("/*", at: at) {
                comment()
            } else if byte == UInt8(ascii: "\"") {
                string(hashes: 0)
            } else if byte == UInt8(ascii: "#") {
                var hashes = 0
                while at < input.count, input[at] == UInt8(ascii: "#") { (at, hashes) = (at + 1, hashes + 1) }
                if at < input.count, input[at] == UInt8(ascii: "\"") { string(hashes: hashes) }
            } else {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if untilParenthesis, depth == 0 { return }
                    depth -= 1
                }
                at += 1
            }
        }
    }

    private mutating func comment() {
        var depth = 0
        while at < input.count {
            if looking("/*", at: at) { depth += 1 }
            if looking("*/", at: at) {
                depth -= 1
                if depth == 0 {
                    blankOne()
                    blankOne()
                    return
                }
            }
            blankOne()
        }
    }

    private mutating func string(hashes: Int) {
        let isLong = looking("\"\"\"", at: at)
        for _ in 0..<(isLong ? 3 : 1) { at += 1 }
        while at < input.count {
            let byte = input[at]
            if byte == UInt8(ascii: "\\"), marks(at + 1, hashes) {
                blankOne()
                for _ in 0..<hashes { blankOne() }
                guard at < input.count else { return }
                if input[at] == UInt8(ascii: "(") {
                    at += 1
                    code(untilParenthesis: true)
                } else {
                    blankOne()
                }
            } else if byte == UInt8(ascii: "\""), !isLong || looking("\"\"\"", at: at),
                marks(at + (isLong ? 3 : 1), hashes)
            {
                at += (isLong ? 3 : 1) + hashes
                return
            } else if byte == UInt8(ascii: "\n"), !isLong {
                // No string: a C character, or a quote in something that is not Swift.
                return
            } else {
                blankOne()
            }
        }
    }

    private func marks(_ offset: Int, _ count: Int) -> Bool {
        guard offset + count <= input.count else { return count == 0 }
        return input[offset..<offset + count].allSatisfy { $0 == UInt8(ascii: "#") }
    }
}
