// `FETCH` rows (RFC 9051, 7.5.2), whole or up to a literal that has not come yet.

extension Scanner {
    mutating func fetched(_ sequence: UInt32) throws(ProtocolViolation) -> FetchedAttributes {
        var row = FetchedAttributes(sequence: sequence)
        try attributes(&row, upTo: nil)
        return row
    }

    /// Reads `* n FETCH (…` up to the head of a literal at `end`: what is known by then, and the section the literal is of. nil
    /// when it is not the body of a fetched message.
    mutating func fetchHead(
        upTo end: Int
    ) throws(ProtocolViolation) -> (row: FetchedAttributes, section: [UInt8])? {
        guard take(UInt8(ascii: "*")) else { return nil }
        try space()
        guard let byte = next, (0x30...0x39).contains(byte) else { return nil }
        let sequence = try nonzero()
        try space()
        guard takeWord("FETCH") else { return nil }
        try space()
        var row = FetchedAttributes(sequence: sequence)
        guard let section = try attributes(&row, upTo: end) else { return nil }
        return (row, section)
    }

    /// With `end`: the name of the body whose literal begins there, nil when that literal is another attribute's.
    @discardableResult
    private mutating func attributes(
        _ row: inout FetchedAttributes, upTo end: Int?
    ) throws(ProtocolViolation) -> [UInt8]? {
        try expect(UInt8(ascii: "("), "a list")
        skipSpaces()
        while !take(UInt8(ascii: ")")) {
            let name = try attributeName()
            try space()
            if isBody(name) {
                if position == end { return name }
                row.bodies.append(FetchedAttributes.Body(section: name, content: try body()))
            } else {
                if position == end { return nil }
                do {
                    try attribute(name, &row)
                } catch {
                    // A value that is cut cannot be read yet; it is no body, whatever it is.
                    if end != nil { return nil }
                    throw error
                }
            }
            if next != UInt8(ascii: ")") { try space() }
        }
        return nil
    }

    /// A name with its section: `BODY[HEADER.FIELDS (FROM)]<0>`.
    private mutating func attributeName() throws(ProtocolViolation) -> [UInt8] {
        var name = Array(try atom { $0 == UInt8(ascii: "[") }).map(capital)
        guard next == UInt8(ascii: "[") else { return name }
        guard let close = bytes[position...].firstIndex(of: UInt8(ascii: "]")), close - position < 8192 else {
            throw fail("a section has no end")
        }
        name += bytes[position...close].map(capital)
        position = close + 1
        if next == UInt8(ascii: "<") {
            guard let close = bytes[position...].firstIndex(of: UInt8(ascii: ">")), close - position < 32 else {
                throw fail("a section has no end")
            }
            name += bytes[position...close]
            position = close + 1
        }
        return name
    }

    private func isBody(_ name: [UInt8]) -> Bool {
        name.last == UInt8(ascii: "]") || name.last == UInt8(ascii: ">")
            || ["RFC822", "RFC822.HEADER", "RFC822.TEXT"].contains { isSameWord(name[...], $0) }
    }

    private mutating func body() throws(ProtocolViolation) -> FetchedAttributes.Body.Content {
        if next == UInt8(ascii: "{") || next == UInt8(ascii: "~") {
            let start = position
            if try literalHeader() != nil, let size = streamed[position] { return .streamed(size) }
            position = start
        }
        return try nstring().map { .whole($0) } ?? .none
    }

    private mutating func attribute(
        _ name: [UInt8], _ row: inout FetchedAttributes
    ) throws(ProtocolViolation) {
        switch String(decoding: name, as: UTF8.self) {
        case "UID": row.uid = try nonzero()
        case "FLAGS": row.flags = try flagList()
        case "INTERNALDATE": row.internalDate = ServerDate.seconds(try string())
        case "RFC822.SIZE": row.size = try number()
        case "MODSEQ":
            // In parentheses; one server sends it without.
            let isList = take(UInt8(ascii: "("))
            row.modSequence = try number()
            if isList { try expect(UInt8(ascii: ")"), "the end of a list") }
        case "EMAILID": row.emailID = try optionalID()
        case "THREADID": row.threadID = try optionalID()
        case "X-GUID": row.guid = try astring()
        case "SAVEDATE": row.saveDate = try nstring().flatMap(ServerDate.seconds)
        default: try skipValue()
        }
    }

    private mutating func optionalID() throws(ProtocolViolation) -> [UInt8]? {
        if takeWord("NIL") { return nil }
        guard take(UInt8(ascii: "(")) else { return Array(try atom()) }
        if takeWord("NIL") {
            try expect(UInt8(ascii: ")"), "the end of a list")
            return nil
        }
        let id = Array(try atom())
        try expect(UInt8(ascii: ")"), "the end of a list")
        return id
    }

    private func capital(_ byte: UInt8) -> UInt8 { (0x61...0x7A).contains(byte) ? byte & 0xDF : byte }
}
