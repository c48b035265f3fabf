/// One command of a client as RFC 9051's grammar and those of its extensions have it, letter by letter, from bytes alone: a second
/// implementation that shares nothing with the encoders. Whatever is allowed only by being generous is refused.
struct StrictCommand: Hashable {
    var verb: String
    /// All names and texts, in their order.
    var strings: [[UInt8]] = []
    /// All atoms that are somebody's: flags.
    var atoms: [[UInt8]] = []

    struct Broken: Error, Hashable {
        var why: String
        var at: Int
    }

    /// Reads exactly one command, to its last byte. Literals stand where they were sent.
    static func read(_ bytes: [UInt8]) throws(Broken) -> StrictCommand {
        var reader = Reader(bytes: bytes)
        let command = try reader.command()
        guard reader.at == bytes.count else { throw Broken(why: "more than one command", at: reader.at) }
        return command
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0
        var found = StrictCommand(verb: "")

        init(bytes: [UInt8]) { self.bytes = bytes }

        // MARK: Characters

        func fail(_ why: String) -> Broken { Broken(why: why, at: at) }
        var next: UInt8? { at < bytes.count ? bytes[at] : nil }

        mutating func expect(_ text: String) throws(Broken) {
            guard bytes[at...].starts(with: text.utf8) else { throw fail("\(text) expected") }
            at += text.utf8.count
        }

        mutating func take(_ text: String) -> Bool {
            guard bytes[at...].starts(with: text.utf8) else { return false }
            at += text.utf8.count
            return true
        }

        mutating func space() throws(Broken) { try expect(" ") }

        /// ATOM-CHAR: no control, no blank, none of `(){%*"\]`, nothing of eight bits.
        static func isAtom(_ byte: UInt8) -> Bool {
            (0x21...0x7E).contains(byte) && !Array("(){%*\"\\]".utf8).contains(byte)
        }

        mutating func atom() throws(Broken) -> [UInt8] {
            let found = bytes[at...].prefix(while: Reader.isAtom)
            guard !found.isEmpty else { throw fail("an atom expected") }
            at += found.count
            return Array(found)
        }

        mutating func word(_ allowed: [String]) throws(Broken) {
            let found = String(decoding: try atom(), as: UTF8.self)
            guard allowed.contains(found) else { throw fail("\(found) is none of \(allowed)") }
        }

        mutating func number(_ largest: UInt64 = .max) throws(Broken) -> UInt64 {
            let digits = bytes[at...].prefix { (0x30...0x39).contains($0) }
            guard let value = UInt64(String(decoding: digits, as: UTF8.self)), value <= largest,
                digits.count == 1 || digits.first != 0x30
            else { throw fail("a number expected") }
            at += digits.count
            return value
        }

        // MARK: Strings

        /// quoted, or literal: never an atom, so nothing has to be an atom to be sent.
        mutating func string() throws(Broken) {
            if take("\"") {
                var found: [UInt8] = []
                while let byte = next, byte != 0x22 {
                    at += 1
                    guard (0x20...0x7E).contains(byte) else { throw fail("a byte that cannot be quoted") }
                    guard byte == 0x5C else {
                        found.append(byte)
                        continue
                    }
                    guard let escaped = next, escaped == 0x22 || escaped == 0x5C else {
                        throw fail("nothing to escape")
                    }
                    found.append(escaped)
                    at += 1
                }
                try expect("\"")
                self.found.strings.append(found)
            } else {
                let content = try literal()
                guard !content.contains(0) else { throw fail("a zero byte in a literal") }
                found.strings.append(content)
            }
        }

        mutating func literal() throws(Broken) -> [UInt8] {
            try expect("{")
            let size = Int(try number(1 << 32))
            _ = take("+")
            try expect("}\r\n")
            guard at + size <= bytes.count else { throw fail("a literal has no end") }
            at += size
            return Array(bytes[at - size..<at])
        }

        mutating func nstring() throws(Broken) { if !take("NIL") { try string() } }

        /// `(a b c)`, at least one.
        mutating func list(_ each: (inout Reader) throws(Broken) -> Void) throws(Broken) {
            try expect("(")
            try each(&self)
            while next == 0x20 {
                try space()
                try each(&self)
            }
            try expect(")")
        }

        mutating func uids() throws(Broken) {
            repeat {
                if take("*") { continue }
                guard try number(UInt64(UInt32.max)) > 0 else { throw fail("0 is no UID") }
                if take(":"), !take("*") { guard try number(UInt64(UInt32.max)) > 0 else { throw fail("0") } }
            } while take(",")
        }

        mutating func flags() throws(Broken) {
            if take("()") { return }
            try list { (reader) throws(Broken) in
                let isSystem = reader.take("\\")
                let name = try reader.atom()
                if isSystem {
                    guard
                        ["Seen", "Answered", "Flagged", "Deleted", "Draft"].contains(
                            String(decoding: name, as: UTF8.self))
                    else { throw reader.fail("no system flag") }
                } else {
                    reader.found.atoms.append(name)
                }
            }
        }

        // MARK: Commands

        mutating func command() throws(Broken) -> StrictCommand {
            _ = try atom()
            try space()
            var verb = String(decoding: try atom(), as: UTF8.self)
            if verb == "UID" {
                try space()
                verb += " " + String(decoding: try atom(), as: UTF8.self)
            }
            found.verb = verb
            try arguments(verb)
            try expect("\r\n")
            return found
        }

        private mutating func arguments(_ verb: String) throws(Broken) {
            switch verb {
            case "CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "NAMESPACE", "UNSELECT", "CLOSE", "IDLE": break
            case "DELETE", "SUBSCRIBE", "UNSUBSCRIBE", "GETACL", "MYRIGHTS", "GETQUOTAROOT": try strings(1)
            case "LOGIN", "RENAME", "LSUB", "DELETEACL": try strings(2)
            case "SETACL": try strings(3)
            case "AUTHENTICATE": try authenticate()
            case "ENABLE":
                repeat {
                    try space()
                    try word(["CONDSTORE", "QRESYNC", "UTF8=ACCEPT"])
                } while next == 0x20
            case "ID":
                try space()
                if !take("NIL") { try list { (reader) throws(Broken) in try reader.pair() } }
            case "LIST": try mailboxes()
            case "STATUS":
                try strings(1)
                try space()
                try statusItems()
            case "SELECT", "EXAMINE": try select()
            case "CREATE":
                try strings(1)
                guard next == 0x20 else { return }
                try expect(" (USE ")
                try list { (reader) throws(Broken) in
                    try reader.expect("\\")
                    try reader.word(["All", "Archive", "Drafts", "Flagged", "Important", "Junk", "Sent", "Trash"])
                }
                try expect(")")
            case "GETMETADATA":
                try expect(" (DEPTH infinity)")
                try strings(1)
                try expect(" (/private /shared)")
            case "SETMETADATA":
                try strings(1)
                try space()
                try list { (reader) throws(Broken) in try reader.pair() }
            case "NOTIFY":
                if take(" NONE") { return }
                try expect(
                    " SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))")
            case "APPEND": try append()
            default: try selected(verb)
            }
        }

        private mutating func selected(_ verb: String) throws(Broken) {
            switch verb {
            case "UID SEARCH":
                if take(" RETURN (ALL)") {}
                try expect(" ALL")
            case "UID FETCH": try fetch()
            case "UID STORE":
                try space()
                try uids()
                if take(" (UNCHANGEDSINCE ") {
                    _ = try number()
                    try expect(")")
                }
                guard take(" FLAGS.SILENT ") || take(" +FLAGS.SILENT ") || take(" -FLAGS.SILENT ") else {
                    throw fail("no action")
                }
                try flags()
            case "UID COPY", "UID MOVE":
                try space()
                try uids()
                try strings(1)
            case "UID EXPUNGE":
                try space()
                try uids()
            default: throw fail("no such command")
            }
        }

        private mutating func strings(_ count: Int) throws(Broken) {
            for _ in 0..<count {
                try space()
                try string()
            }
        }

        private mutating func pair() throws(Broken) {
            try string()
            try space()
            try nstring()
        }

        private mutating func authenticate() throws(Broken) {
            try space()
            try word(["PLAIN", "XOAUTH2", "OAUTHBEARER"])
            guard next == 0x20 else { return }
            try space()
            let letters = bytes[at...].prefix { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2B || byte == 0x2F
            }
            at += letters.count
            var padding = 0
            while take("=") { padding += 1 }
            guard padding < 3, (letters.count + padding) % 4 == 0 else { throw fail("no base64") }
        }

        private mutating func statusItems() throws(Broken) {
            try list { (reader) throws(Broken) in
                try reader.word([
                    "MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", "SIZE", "MAILBOXID", "X-GUID",
                ])
            }
        }

        private mutating func mailboxes() throws(Broken) {
            try strings(2)
            guard next == 0x20 else { return }
            try expect(" RETURN ")
            try list { (reader) throws(Broken) in
                if reader.take("STATUS ") { return try reader.statusItems() }
                try reader.word(["SUBSCRIBED", "SPECIAL-USE"])
            }
        }

        private mutating func select() throws(Broken) {
            try strings(1)
            guard next == 0x20 else { return }
            if take(" (CONDSTORE)") { return }
            try expect(" (QRESYNC (")
            guard try number(UInt64(UInt32.max)) > 0 else { throw fail("no validity") }
            try space()
            _ = try number(UInt64(Int64.max))
            try expect("))")
        }

        private mutating func fetch() throws(Broken) {
            try space()
            try uids()
            try space()
            try list { (reader) throws(Broken) in
                if reader.take("BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]") { return }
                if reader.take("BODY.PEEK[]") || reader.take("BINARY.PEEK[]") { return }
                try reader.word([
                    "UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "MODSEQ", "EMAILID", "THREADID", "SAVEDATE",
                    "X-GUID",
                ])
            }
            guard take(" (CHANGEDSINCE ") else { return }
            _ = try number()
            _ = take(" VANISHED")
            try expect(")")
        }

        private mutating func append() throws(Broken) {
            try strings(1)
            repeat {
                try space()
                try flags()
                try space()
                if take("\"") {
                    let date = Array(bytes[at...].prefix(26))
                    // 01-Feb-2020 09:00:00 +0000
                    let shape = String(
                        decoding: date.map { byte -> UInt8 in
                            (0x30...0x39).contains(byte)
                                ? 0x39
                                : (0x41...0x5A).contains(byte) ? 0x41 : (0x61...0x7A).contains(byte) ? 0x61 : byte
                        }, as: UTF8.self)
                    guard shape == "99-Aaa-9999 99:99:99 +9999" else { throw fail("no date") }
                    at += 26
                    try expect("\" ")
                }
                let isBinary = take("~")
                let message = try literal()
                guard isBinary || !message.contains(0) else { throw fail("a zero byte in a message") }
                found.strings.append(message)
            } while next == 0x20
        }
    }
}
