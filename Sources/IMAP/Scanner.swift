/// Reads the tokens of one response (RFC 9051, 9). Literals stand in it as they came, but for those that were handed on.
struct Scanner {
    let bytes: [UInt8]
    /// Where literals that were handed on would stand, and how long they were.
    let streamed: [Int: UInt64]
    var position = 0
    private var depth = 0
    private let depthLimit: Int

    init(_ bytes: [UInt8], streamed: [Int: UInt64] = [:], depthLimit: Int = 64) {
        (self.bytes, self.streamed, self.depthLimit) = (bytes, streamed, depthLimit)
    }

    var isAtEnd: Bool { position >= bytes.count }
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    func fail(_ what: String) -> ProtocolViolation { ProtocolViolation(what, at: position) }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    mutating func expect(_ byte: UInt8, _ what: String) throws(ProtocolViolation) {
        guard take(byte) else { throw fail("\(what) expected") }
    }

    /// One space; more are passed over, as some servers send them.
    mutating func space() throws(ProtocolViolation) {
        try expect(UInt8(ascii: " "), "a space")
        skipSpaces()
    }

    mutating func skipSpaces() { while next == UInt8(ascii: " ") { position += 1 } }

    /// Nothing but spaces may be left.
    mutating func end() throws(ProtocolViolation) {
        skipSpaces()
        guard isAtEnd else { throw fail("the end of the response expected") }
    }

    // MARK: Atoms and numbers

    /// A run of bytes that are not special; never empty. What is above ASCII is taken as it is.
    mutating func atom(stopping: (UInt8) -> Bool = { _ in false }) throws(ProtocolViolation) -> ArraySlice<UInt8> {
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte <= 0x20 || byte == 0x7F || isSpecial(byte) || stopping(byte) { break }
            position += 1
        }
        guard position > start else { throw fail("a word expected") }
        return bytes[start..<position]
    }

    private func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "{"), UInt8(ascii: "\""): true
        default: false
        }
    }

    mutating func word() throws(ProtocolViolation) -> String {
        String(decoding: try atom(), as: UTF8.self).uppercased()
    }

    /// Whether the next word is this one; then it is taken.
    mutating func takeWord(_ word: String) -> Bool {
        let end = position + word.utf8.count
        guard end <= bytes.count, isSameWord(bytes[position..<end], word) else { return false }
        if end < bytes.count {
            let byte = bytes[end]
            guard byte <= 0x20 || isSpecial(byte) || byte == UInt8(ascii: "]") else { return false }
        }
        position = end
        return true
    }

    mutating func number() throws(ProtocolViolation) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        while let byte = next, (0x30...0x39).contains(byte) {
            let (product, a) = value.multipliedReportingOverflow(by: 10)
            let (sum, b) = product.addingReportingOverflow(UInt64(byte - 0x30))
            guard !a, !b else { throw fail("a number is too large") }
            value = sum
            position += 1
        }
        guard position > start else { throw fail("a number expected") }
        return value
    }

    mutating func number32() throws(ProtocolViolation) -> UInt32 {
        guard let value = UInt32(exactly: try number()) else { throw fail("a number is too large") }
        return value
    }

    /// A UID or a sequence number: not 0.
    mutating func nonzero() throws(ProtocolViolation) -> UInt32 {
        let value = try number32()
        guard value > 0 else { throw fail("0 is no UID") }
        return value
    }

    /// `1:5,9`. `*` is a client's word and never a server's.
    mutating func uidSet() throws(ProtocolViolation) -> UIDSet {
        var ranges: [ClosedRange<UInt32>] = []
        repeat {
            let first = try nonzero()
            if take(UInt8(ascii: ":")) {
                let last = try nonzero()
                ranges.append(min(first, last)...max(first, last))
            } else {
                ranges.append(first...first)
            }
        } while take(UInt8(ascii: ","))
        return UIDSet(ranges: ranges)
    }

    // MARK: Strings

    /// A quoted string or a literal; nil when neither stands here.
    mutating func stringIfAny() throws(ProtocolViolation) -> [UInt8]? {
        switch next {
        case UInt8(ascii: "\""): return try quoted()
        case UInt8(ascii: "{"), UInt8(ascii: "~"):
            guard let size = try literalHeader() else { return nil }
            guard streamed[position] == nil else { throw fail("a literal is where none can be") }
            guard size <= UInt64(bytes.count - position) else { throw fail("a literal is cut short") }
            defer { position += Int(size) }
            return Array(bytes[position..<position + Int(size)])
        default: return nil
        }
    }

    /// `{n}` or `~{n}` with its line end.
    mutating func literalHeader() throws(ProtocolViolation) -> UInt64? {
        var end = position
        if end < bytes.count, bytes[end] == UInt8(ascii: "~") { end += 1 }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "{") else { return nil }
        position = end + 1
        let size = try number()
        try expect(UInt8(ascii: "}"), "the end of a literal's length")
        try expect(0x0D, "a line end")
        try expect(0x0A, "a line end")
        return size
    }

    private mutating func quoted() throws(ProtocolViolation) -> [UInt8] {
        position += 1
        var result: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return result
            case UInt8(ascii: "\\"):
                guard let escaped = next, escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") else {
                    throw fail("a backslash in a string stands before nothing it could")
                }
                position += 1
                result.append(escaped)
            case 0, 0x0A, 0x0D: throw fail("a string has no end")
            default: result.append(byte)
            }
        }
        throw fail("a string has no end")
    }

    mutating func string() throws(ProtocolViolation) -> [UInt8] {
        guard let string = try stringIfAny() else { throw fail("a string expected") }
        return string
    }

    mutating func astring() throws(ProtocolViolation) -> [UInt8] {
        if let string = try stringIfAny() { return string }
        return Array(try atom())
    }

    /// nil for `NIL`.
    mutating func nstring() throws(ProtocolViolation) -> [UInt8]? {
        if let string = try stringIfAny() { return string }
        guard takeWord("NIL") else { throw fail("a string or NIL expected") }
        return nil
    }

    mutating func mailbox() throws(ProtocolViolation) -> MailboxName { MailboxName(try astring()) }

    // MARK: Lists

    /// `(a b c)`, also `()`.
    mutating func list<Element>(
        _ element: (inout Scanner) throws(ProtocolViolation) -> Element
    ) throws(ProtocolViolation) -> [Element] {
        try open()
        var found: [Element] = []
        skipSpaces()
        while !take(UInt8(ascii: ")")) {
            found.append(try element(&self))
            if next != UInt8(ascii: ")") { try space() }
        }
        depth -= 1
        return found
    }

    private mutating func open() throws(ProtocolViolation) {
        try expect(UInt8(ascii: "("), "a list")
        depth += 1
        guard depth <= depthLimit else { throw fail("lists are nested too deeply") }
    }

    /// Passes over one value of any kind.
    mutating func skipValue() throws(ProtocolViolation) {
        if next == UInt8(ascii: "(") {
            _ = try list { (scanner: inout Scanner) throws(ProtocolViolation) in
                // Parts of a body structure follow each other without a space.
                repeat { try scanner.skipValue() } while scanner.next == UInt8(ascii: "(")
            }
        } else if try stringIfAny() == nil {
            _ = try atom()
        }
    }

    /// Flags: atoms, most with a backslash.
    mutating func flagList() throws(ProtocolViolation) -> [[UInt8]] {
        try list { (scanner: inout Scanner) throws(ProtocolViolation) in Array(try scanner.atom()) }
    }
}

/// Whether they are the same but for the case of ASCII letters; `word` is in any case itself.
func isSameWord(_ bytes: ArraySlice<UInt8>, _ word: String) -> Bool {
    guard bytes.count == word.utf8.count else { return false }
    return zip(bytes, word.utf8).allSatisfy { lowercased($0) == lowercased($1) }
}

private func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
