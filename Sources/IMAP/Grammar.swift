// The productions of RFC 9051, 9 ("response"), and of the extensions, one function each.

extension Scanner {
    mutating func response() throws(ProtocolViolation) -> Response {
        if take(UInt8(ascii: "+")) {
            _ = take(UInt8(ascii: " "))
            return .continuation(takeText())
        }
        guard take(UInt8(ascii: "*")) else { return try taggedResponse() }
        try space()
        if let byte = next, (0x30...0x39).contains(byte) { return try numbered() }
        if let status = try statusIfAny() { return .status(status) }
        let start = position
        let keyword = try word()
        guard let known = try data(keyword) else {
            position = start
            return .other(Array(try atom()))
        }
        try end()
        return known
    }

    private mutating func taggedResponse() throws(ProtocolViolation) -> Response {
        let tag = Array(try atom())
        try space()
        guard let status = try statusIfAny(), [.ok, .no, .bad].contains(status.condition) else {
            throw fail("OK, NO or BAD expected")
        }
        return .tagged(tag, status)
    }

    private mutating func numbered() throws(ProtocolViolation) -> Response {
        let number = try number32()
        try space()
        switch try word() {
        case "EXISTS": return try ended(.exists(number))
        case "RECENT": return try ended(.recent(number))
        case "EXPUNGE":
            guard number > 0 else { throw fail("0 is no message") }
            return try ended(.expunge(number))
        case "FETCH":
            guard number > 0 else { throw fail("0 is no message") }
            try space()
            return try ended(.fetch(try fetched(number)))
        case let other: return .other(Array(other.utf8))
        }
    }

    private mutating func ended(_ response: Response) throws(ProtocolViolation) -> Response {
        try end()
        return response
    }

    /// Data by its keyword; nil for a keyword this grammar does not know.
    private mutating func data(_ keyword: String) throws(ProtocolViolation) -> Response? {
        switch keyword {
        case "CAPABILITY": return .capability(try capabilities())
        case "ENABLED": return .enabled(try capabilities())
        case "LIST", "XLIST": return .list(try mailboxEntry())
        case "LSUB": return .subscribed(try mailboxEntry())
        case "STATUS": return .mailboxStatus(try mailboxStatus())
        case "FLAGS":
            try space()
            return .flags(try flagList())
        case "SEARCH": return try search()
        case "ESEARCH": return .extendedSearch(try extendedSearch())
        case "VANISHED":
            try space()
            var isEarlier = false
            if take(UInt8(ascii: "(")) {
                guard takeWord("EARLIER") else { throw fail("EARLIER expected") }
                try expect(UInt8(ascii: ")"), "the end of a list")
                try space()
                isEarlier = true
            }
            return .vanished(try uidSet(), isEarlier: isEarlier)
        case "NAMESPACE": return .namespace(try namespaces())
        case "QUOTA": return try quota()
        case "QUOTAROOT": return try quotaRoots()
        case "ACL": return try accessControl()
        case "MYRIGHTS":
            try space()
            let name = try mailbox()
            try space()
            return .myRights(name, try astring())
        case "METADATA": return try metadata()
        case "ID":
            try space()
            if takeWord("NIL") { return .id([]) }
            return .id(try pairs())
        default: return nil
        }
    }

    // MARK: Status

    mutating func takeText() -> [UInt8] {
        defer { position = bytes.count }
        return Array(bytes[position...])
    }

    private mutating func statusIfAny() throws(ProtocolViolation) -> StatusLine? {
        let condition: StatusLine.Condition
        if takeWord("OK") {
            condition = .ok
        } else if takeWord("NO") {
            condition = .no
        } else if takeWord("BAD") {
            condition = .bad
        } else if takeWord("BYE") {
            condition = .bye
        } else if takeWord("PREAUTH") {
            condition = .preauth
        } else {
            return nil
        }
        if isAtEnd { return StatusLine(condition, text: []) }
        try space()
        let code = next == UInt8(ascii: "[") ? try code() : nil
        return StatusLine(condition, code, text: takeText())
    }

    /// A code that has the form is read; a text that merely begins with a bracket is a text.
    private mutating func code() throws(ProtocolViolation) -> ResponseCode? {
        let start = position
        position += 1
        guard let name = try? word(stoppingAtBracket: ()) else {
            // "[" and no word: a text.
            position = start
            return nil
        }
        let code = try codeValue(name)
        // What a code we do not know has for a value is passed over, up to its bracket.
        if case .other = code, next != UInt8(ascii: "]") {
            guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "]")) else {
                position = start
                return nil
            }
            position = end
        }
        try expect(UInt8(ascii: "]"), "the end of a response code")
        skipSpaces()
        return code
    }

    private mutating func word(stoppingAtBracket: Void) throws(ProtocolViolation) -> String {
        let word = try atom { $0 == UInt8(ascii: "]") }
        return String(decoding: word, as: UTF8.self).uppercased()
    }

    private mutating func codeValue(_ name: String) throws(ProtocolViolation) -> ResponseCode {
        switch name {
        case "APPENDUID":
            try space()
            let validity = try nonzero()
            try space()
            return .appendUID(validity: validity, try uidSet())
        case "COPYUID":
            try space()
            let validity = try nonzero()
            try space()
            let from = try uidSet()
            try space()
            return .copyUID(validity: validity, from: from, to: try uidSet())
        case "CAPABILITY": return .capability(try capabilities())
        case "HIGHESTMODSEQ":
            try space()
            return .highestModSequence(try number())
        case "MAILBOXID":
            try space()
            return .mailboxID(try objectID())
        case "MODIFIED":
            try space()
            return .modified(try uidSet())
        case "PERMANENTFLAGS":
            try space()
            return .permanentFlags(try flagList())
        case "UIDNEXT":
            try space()
            return .uidNext(try number32())
        case "UIDVALIDITY":
            try space()
            return .uidValidity(try number32())
        case "UNSEEN":
            try space()
            return .unseen(try number32())
        default: return ResponseCode.Word(rawValue: name).map { .word($0) } ?? .other(Array(name.utf8))
        }
    }

    /// Up to the end of the response, or the bracket of a code.
    private mutating func capabilities() throws(ProtocolViolation) -> CapabilitySet {
        var names: [String] = []
        skipSpaces()
        while let byte = next, byte != UInt8(ascii: "]") {
            guard names.count < 1024 else { throw fail("there are too many capabilities") }
            names.append(String(decoding: try atom { $0 == UInt8(ascii: "]") }, as: UTF8.self))
            skipSpaces()
        }
        return CapabilitySet(names)
    }

    /// `(id)`; one server sends it without the parentheses.
    private mutating func objectID() throws(ProtocolViolation) -> [UInt8] {
        guard take(UInt8(ascii: "(")) else { return try astring() }
        let id = Array(try atom())
        try expect(UInt8(ascii: ")"), "the end of a list")
        return id
    }

    // MARK: Mailboxes

    private mutating func delimiter() throws(ProtocolViolation) -> UInt8? {
        guard let string = try nstring() else { return nil }
        guard string.count <= 1 else { throw fail("a delimiter of one byte expected") }
        return string.first
    }

    private mutating func mailboxEntry() throws(ProtocolViolation) -> MailboxEntry {
        try space()
        let attributes = try flagList()
        try space()
        let delimiter = try delimiter()
        try space()
        var entry = MailboxEntry(attributes: attributes, delimiter: delimiter, name: try mailbox())
        skipSpaces()
        guard next == UInt8(ascii: "(") else { return entry }
        let extended = try list { (scanner: inout Scanner) throws(ProtocolViolation) -> MailboxName? in
            let tag = try scanner.astring()
            try scanner.space()
            guard isSameWord(tag[...], "OLDNAME") else {
                try scanner.skipValue()
                return nil
            }
            let names = try scanner.list { (scanner: inout Scanner) throws(ProtocolViolation) in
                try scanner.mailbox()
            }
            return names.first
        }
        entry.oldName = extended.compactMap { $0 }.first
        return entry
    }

    private mutating func mailboxStatus() throws(ProtocolViolation) -> MailboxStatus {
        try space()
        var status = MailboxStatus(name: try mailbox())
        try space()
        _ = try list { (scanner: inout Scanner) throws(ProtocolViolation) in
            let name = try scanner.word()
            try scanner.space()
            switch name {
            case "MESSAGES": status.messages = try scanner.number32()
            case "UIDNEXT": status.uidNext = try scanner.number32()
            case "UIDVALIDITY": status.uidValidity = try scanner.number32()
            case "UNSEEN": status.unseen = try scanner.number32()
            case "HIGHESTMODSEQ": status.highestModSequence = try scanner.number()
            case "SIZE": status.size = try scanner.number()
            case "MAILBOXID": status.mailboxID = try scanner.objectID()
            case "X-GUID": status.guid = try scanner.astring()
            default: try scanner.skipValue()
            }
        }
        return status
    }

    private mutating func namespaces() throws(ProtocolViolation) -> Namespaces {
        try space()
        let personal = try namespaceList()
        try space()
        let others = try namespaceList()
        try space()
        return Namespaces(personal: personal, otherUsers: others, shared: try namespaceList())
    }

    private mutating func namespaceList() throws(ProtocolViolation) -> [Namespaces.Namespace] {
        if takeWord("NIL") { return [] }
        try expect(UInt8(ascii: "("), "a list")
        var found: [Namespaces.Namespace] = []
        while !take(UInt8(ascii: ")")) {
            try expect(UInt8(ascii: "("), "a namespace")
            let prefix = try string()
            try space()
            found.append(Namespaces.Namespace(prefix: prefix, delimiter: try delimiter()))
            while next == UInt8(ascii: " ") {
                try space()
                try skipValue()
            }
            try expect(UInt8(ascii: ")"), "the end of a namespace")
            skipSpaces()
        }
        return found
    }

    private mutating func quota() throws(ProtocolViolation) -> Response {
        try space()
        let root = try astring()
        try space()
        let resources = try list { (scanner: inout Scanner) throws(ProtocolViolation) in
            let name = try scanner.word()
            try scanner.space()
            let used = try scanner.number()
            try scanner.space()
            return QuotaResource(name: name, used: used, limit: try scanner.number())
        }
        return .quota(root: root, resources)
    }

    private mutating func quotaRoots() throws(ProtocolViolation) -> Response {
        try space()
        let name = try mailbox()
        skipSpaces()
        var roots: [[UInt8]] = []
        while !isAtEnd {
            roots.append(try astring())
            skipSpaces()
        }
        return .quotaRoots(name, roots)
    }

    private mutating func accessControl() throws(ProtocolViolation) -> Response {
        try space()
        let name = try mailbox()
        skipSpaces()
        var rights: [AccessRight] = []
        while !isAtEnd {
            let identifier = try astring()
            try space()
            rights.append(AccessRight(identifier: identifier, rights: try astring()))
            skipSpaces()
        }
        return .accessControl(name, rights)
    }

    private mutating func metadata() throws(ProtocolViolation) -> Response {
        try space()
        let name = try mailbox()
        try space()
        if next == UInt8(ascii: "(") { return .metadata(name, try pairs()) }
        var entries: [[UInt8]] = []
        while !isAtEnd {
            entries.append(try astring())
            skipSpaces()
        }
        return .metadataChanged(name, entries)
    }

    private mutating func pairs() throws(ProtocolViolation) -> [MetadataEntry] {
        try list { (scanner: inout Scanner) throws(ProtocolViolation) in
            let name = try scanner.astring()
            try scanner.space()
            return MetadataEntry(name: name, value: try scanner.nstring())
        }
    }

    // MARK: Searches

    private mutating func search() throws(ProtocolViolation) -> Response {
        var found: [UInt32] = []
        var modSequence: UInt64?
        skipSpaces()
        while let byte = next {
            if byte == UInt8(ascii: "(") {
                position += 1
                guard takeWord("MODSEQ") else { throw fail("MODSEQ expected") }
                try space()
                modSequence = try number()
                try expect(UInt8(ascii: ")"), "the end of a list")
            } else {
                found.append(try nonzero())
            }
            if !isAtEnd { try space() }
        }
        return .search(found, modSequence: modSequence)
    }

    private mutating func extendedSearch() throws(ProtocolViolation) -> ExtendedSearch {
        var result = ExtendedSearch()
        skipSpaces()
        if take(UInt8(ascii: "(")) {
            guard takeWord("TAG") else { throw fail("TAG expected") }
            try space()
            result.tag = try astring()
            try expect(UInt8(ascii: ")"), "the end of a list")
            skipSpaces()
        }
        if takeWord("UID") {
            result.isUID = true
            skipSpaces()
        }
        while !isAtEnd {
            let name = try word()
            try space()
            switch name {
            case "ALL": result.all = try uidSet()
            case "COUNT": result.count = try number()
            case "MIN": result.minimum = try number()
            case "MAX": result.maximum = try number()
            case "MODSEQ": result.modSequence = try number()
            default: try skipValue()
            }
            skipSpaces()
        }
        return result
    }
}
