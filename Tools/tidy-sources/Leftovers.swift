/// What is left lying about: unfinished work, traps, names that say nothing, traces of the workshop.
struct Leftovers {
    private let tree: Tree

    init(_ tree: Tree) { self.tree = tree }

    private static let longest = 700
    /// Written in two pieces, so that this file passes its own rules.
    private static let unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    private static let workshop = [
        "/wo" + "rk/", "/ro" + "ot/", "iss" + "ue #", "this ses" + "sion", "last ses" + "sion", "next ses" + "sion",
        "previous ses" + "sion",
    ]
    private static let emptyNames = ["Manager", "Helper", "Utils", "Util", "Utilities", "Impl", "Info"]
    private static let declarations = ["class", "struct", "enum", "protocol", "actor", "typealias", "extension"]

    func findings() -> [Finding] { tree.files.flatMap { text($0) + code($0) } }

    private func text(_ file: TextFile) -> [Finding] {
        var found: [Finding] = []
        func say(_ line: Int, _ sentence: String) {
            found.append(Finding(path: file.path, line: line, sentence: sentence))
        }
        if file.path.hasSuffix("/Placeholder.swift") {
            say(1, "a placeholder: the module has no contents yet, or has them")
        }
        if file.lines.last?.isEmpty == false { say(file.lines.count, "the last line does not end") }
        if file.isSwift, file.lines.count > Leftovers.longest {
            say(
                Leftovers.longest,
                "the file has \(file.lines.count) lines: is it one thing? (At most \(Leftovers.longest))")
        }
        for (index, line) in file.lines.enumerated() {
            let number = index + 1
            let bytes = line.utf8
            if bytes.contains(9) { say(number, "a tab") }
            if bytes.last == 32 || bytes.last == 13 { say(number, "space at the end of the line") }
            for word in Leftovers.unfinished where hasWord(line, word) { say(number, "unfinished work: \(word)") }
            for trace in Leftovers.workshop where hasText(line, trace) {
                say(number, "\"\(trace)\" is about the place where this was written, not about the program")
            }
        }
        return found
    }

    private func code(_ file: TextFile) -> [Finding] {
        guard file.isSwift else { return [] }
        var found: [Finding] = []
        func say(_ line: Int, _ sentence: String) {
            found.append(Finding(path: file.path, line: line, sentence: sentence))
        }
        let isProduct = file.path.hasPrefix("Sources/")
        for (index, line) in file.code.enumerated() {
            let number = index + 1
            if let name = declaredName(line), let bad = Leftovers.emptyNames.first(where: { name.hasSuffix($0) }) {
                say(number, "\(name): \(bad) says nothing; name it for what it is")
            }
            guard isProduct else { continue }
            if file.module != "yestermail", hasCall(line, "print") {
                say(number, "print in \(file.module ?? ""): results go up as values, and only the command line talks")
            }
            for trap in ["try!", "as!"] where hasText(line, trap) {
                say(number, "\(trap) stops the program on what it did not expect")
            }
            // `try? reader.…` is an idiom of failable initializers: nil says all there is to say.
            if hasText(line, "try?"), !hasText(line, "try? reader."), !hasReason(file, index) {
                say(number, "try? hides an error; say in a comment why it may be hidden")
            }
            if hasForcedUnwrap(line), !ForcedUnwraps.isAllowed(file, index) {
                say(
                    number,
                    "a forced unwrap; what comes from outside must not stop the program (allow-list: ForcedUnwraps.swift)"
                )
            }
            if file.module == "Capture", hasText(line, "Target") {
                say(number, "Capture knows a target: a source is only read (Specs/Invariants.md, 11)")
            }
        }
        return found
    }

    /// A comment on the line, or on one of the few above it, or a `defer`, which cleans up.
    private func hasReason(_ file: TextFile, _ index: Int) -> Bool {
        if file.lines[index].contains("// ") || file.code[index].contains("defer ") { return true }
        return file.lines[max(0, index - 6)..<index].contains { trimmed($0).hasPrefix("//") }
    }

    private func declaredName(_ line: Substring) -> String? {
        let words = line.split(whereSeparator: { !isIdentifier($0.utf8.first ?? 0) })
        guard let place = words.firstIndex(where: { Leftovers.declarations.contains(String($0)) && $0 != "extension" }),
            place + 1 < words.count
        else { return nil }
        return String(words[place + 1])
    }

    private func hasForcedUnwrap(_ line: Substring) -> Bool {
        let bytes = Array(line.utf8)
        for index in bytes.indices.dropFirst() where bytes[index] == UInt8(ascii: "!") {
            let before = bytes[index - 1]
            let after = index + 1 < bytes.count ? bytes[index + 1] : 32
            let isOperand =
                isIdentifier(before) || [UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "?")].contains(before)
            guard isOperand, after != UInt8(ascii: "=") else { continue }
            let word = bytes[..<index].reversed().prefix { isIdentifier($0) }.reversed()
            if ["try", "as"].contains(String(decoding: Array(word), as: UTF8.self)) { continue }
            return true
        }
        return false
    }
}

func isIdentifier(_ byte: UInt8) -> Bool {
    byte == 95 || byte >= 128 || (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
}

/// Whether `text` stands in `line`.
func hasText(_ line: Substring, _ text: String) -> Bool { !places(line, text).isEmpty }

/// Whether it stands there as a word of its own.
func hasWord(_ line: Substring, _ word: String) -> Bool {
    let bytes = Array(line.utf8)
    return places(line, word).contains { place in
        let end = place + word.utf8.count
        return (place == 0 || !isIdentifier(bytes[place - 1])) && (end == bytes.count || !isIdentifier(bytes[end]))
    }
}

/// Whether the free function of that name is called.
func hasCall(_ line: Substring, _ name: String) -> Bool {
    let bytes = Array(line.utf8)
    return places(line, name + "(").contains { place in
        place == 0 || !(isIdentifier(bytes[place - 1]) || bytes[place - 1] == UInt8(ascii: "."))
    } && !hasText(line, "func " + name)
}

private func places(_ line: Substring, _ text: String) -> [Int] {
    let bytes = Array(line.utf8)
    let wanted = Array(text.utf8)
    guard let first = wanted.first, bytes.count >= wanted.count else { return [] }
    return (0...bytes.count - wanted.count).filter { place in
        bytes[place] == first && bytes[place..<place + wanted.count].elementsEqual(wanted)
    }
}
