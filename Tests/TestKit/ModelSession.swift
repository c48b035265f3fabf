internal import Synchronization

/// The server's side of one connection to a ``ModelMail``, without the connection: bytes in, responses out.
public struct ModelSession {
    /// One response, whole, with its line end and its literals.
    public struct Reply: Sendable {
        public var bytes: [UInt8]
        /// The keyword: `OK`, `FETCH`, `LIST`, `+`.
        public var kind: String
        /// The command it answers; empty for the greeting.
        public var command: String

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    public static let capabilities = """
        IMAP4rev1 SASL-IR LITERAL+ ENABLE ID UIDPLUS CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS SPECIAL-USE MULTIAPPEND MOVE \
        UNSELECT ESEARCH NAMESPACE OBJECTID QUOTA ACL STATUS=SIZE IDLE NOTIFY
        """.split(separator: " ").map(String.init)

    private let mail: ModelMail
    private let capabilities: [String]
    private var reader = WireReader()
    private var replies: [Reply] = []
    private var command = ""
    private var tag = ""
    private var isAuthenticated = false
    private var isQResync = false
    private var authenticating: String?
    /// The mailbox that is selected, and the UIDs the client knows of it, by sequence number.
    private var selected: (name: [UInt8], uids: [UInt32])?
    public private(set) var isIdle = false
    /// The connection is to be closed.
    public private(set) var isOver = false

    public init(_ mail: ModelMail, capabilities: [String] = ModelSession.capabilities) {
        (self.mail, self.capabilities) = (mail, capabilities)
    }

    public mutating func greeting() -> [Reply] {
        say("OK", "* OK [CAPABILITY \(capabilities.joined(separator: " ")) AUTH=PLAIN] ready")
        return take()
    }

    /// What is said to these bytes.
    public mutating func receive(_ bytes: some Sequence<UInt8>) -> [Reply] {
        reader.append(bytes)
        while !isOver, let event = reader.next() {
            switch event {
            case .wantsToSend: say("+", "+ send it")
            case .malformed(let line):
                say(
                    "BAD",
                    "* BAD that is no command: \(String(decoding: line.prefix(40), as: UTF8.self).filter { $0.isASCII })"
                )
            case .command(let tokens): perform(tokens)
            }
        }
        return take()
    }

    /// What is said unasked to a client that idles.
    public mutating func changes() -> [Reply] {
        command = "IDLE"
        update()
        return take()
    }

    private mutating func take() -> [Reply] {
        defer { replies = [] }
        return replies
    }

    private mutating func say(_ kind: String, _ text: String) { say(kind, Array(text.utf8)) }

    private mutating func say(_ kind: String, _ bytes: [UInt8]) {
        replies.append(Reply(bytes: bytes + [13, 10], kind: kind, command: command))
    }

    private mutating func end(_ text: String) {
        say(String(text.prefix { $0 != " " }), "\(tag) \(text)")
    }

    private mutating func perform(_ tokens: [WireToken]) {
        if isIdle {
            isIdle = false
            update()
            return end("OK idled")
        }
        if let waiting = authenticating {
            (authenticating, tag) = (nil, waiting)
            isAuthenticated = true
            return end("OK signed in")
        }
        tag = tokens.first?.text ?? "*"
        guard tokens.count > 1 else { return say("BAD", "* BAD an empty command") }
        command = tokens[1].text.uppercased()
        var arguments = Array(tokens.dropFirst(2))
        if command == "UID", let next = arguments.first {
            command += " " + next.text.uppercased()
            arguments.removeFirst()
        }
        switch command {
        case "CAPABILITY":
            say("CAPABILITY", "* CAPABILITY \(capabilities.joined(separator: " "))")
            end("OK")
        case "NOOP", "CHECK":
            update()
            end("OK")
        case "ID":
            say("ID", "* ID (\"name\" \"model\")")
            end("OK")
        case "LOGOUT":
            say("BYE", "* BYE until then")
            end("OK")
            isOver = true
        case "LOGIN":
            isAuthenticated = true
            end("OK [CAPABILITY \(capabilities.joined(separator: " "))] signed in")
        case "AUTHENTICATE":
            guard arguments.count < 2 else {
                isAuthenticated = true
                return end("OK signed in")
            }
            authenticating = tag
            say("+", "+ ")
        default:
            guard isAuthenticated else { return end("BAD sign in first") }
            performAuthenticated(arguments)
        }
    }

    private mutating func performAuthenticated(_ arguments: [WireToken]) {
        let first = arguments.first?.bytes.map(ModelSession.name)
        switch command {
        case "ENABLE":
            isQResync = arguments.contains { $0.text.uppercased() == "QRESYNC" } || isQResync
            say("ENABLED", "* ENABLED \(arguments.map(\.text).joined(separator: " "))")
            end("OK")
        case "NAMESPACE":
            say("NAMESPACE", "* NAMESPACE ((\"\" \"/\")) NIL NIL")
            end("OK")
        case "LIST", "LSUB": list(arguments)
        case "NOTIFY": end("OK")
        case "IDLE":
            say("+", "+ idling")
            isIdle = true
        case "STATUS":
            guard let first, arguments.count == 2, let status = status(first, arguments[1].items) else {
                return end("NO [NONEXISTENT] no such mailbox")
            }
            say("STATUS", status)
            end("OK")
        case "SELECT", "EXAMINE": select(first, Array(arguments.dropFirst()))
        case "CLOSE", "UNSELECT":
            selected = nil
            end("OK")
        case "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE": folders(first, arguments)
        case "GETQUOTAROOT":
            let quota = mail.contents.withLock { ($0.quota, $0.size) }
            say("QUOTAROOT", Array("* QUOTAROOT ".utf8) + ModelSession.quoted(first ?? []) + Array(" \"\"".utf8))
            if let limit = quota.0 {
                say("QUOTA", "* QUOTA \"\" (STORAGE \((quota.1 + 1023) / 1024) \(limit / 1024))")
            }
            end("OK")
        case "GETACL":
            let rights = mail.contents.withLock { $0.mailboxes[first ?? []]?.rights ?? [:] }
            var pairs: [UInt8] = []
            for (identifier, letters) in rights.sorted(by: { $0.key < $1.key }) {
                pairs += [32] + ModelSession.quoted(Array(identifier.utf8)) + [32] + Array(letters.utf8)
            }
            say("ACL", Array("* ACL ".utf8) + ModelSession.quoted(first ?? []) + pairs)
            end("OK")
        case "SETACL":
            guard let first, arguments.count == 3 else { return end("BAD arguments") }
            mail.contents.withLock { $0.mailboxes[first]?.rights[arguments[1].text] = arguments[2].text }
            end("OK")
        case "DELETEACL":
            guard let first, arguments.count == 2 else { return end("BAD arguments") }
            mail.contents.withLock { $0.mailboxes[first]?.rights[arguments[1].text] = nil }
            end("OK")
        case "APPEND": append(first, Array(arguments.dropFirst()))
        default:
            guard selected != nil else { return end("BAD select a mailbox first") }
            performSelected(arguments)
        }
    }

    private mutating func folders(_ name: [UInt8]?, _ arguments: [WireToken]) {
        guard let name, !name.isEmpty else { return end("BAD a name is missing") }
        let other = arguments.count > 1 ? arguments[1].bytes : nil
        let command = command
        let isDone = mail.contents.withLock { contents -> Bool in
            switch command {
            case "CREATE": return contents.create(name)
            case "DELETE": return contents.mailboxes.removeValue(forKey: name) != nil
            case "RENAME":
                guard let other, contents.mailboxes[other] == nil, contents.mailboxes[name] != nil else { return false }
                for old in contents.mailboxes.keys where old == name || old.starts(with: name + [47]) {
                    contents.mailboxes[other + old.dropFirst(name.count)] = contents.mailboxes.removeValue(forKey: old)
                }
                return true
            default:
                guard contents.mailboxes[name] != nil else { return false }
                contents.mailboxes[name]?.isSubscribed = command == "SUBSCRIBE"
                return true
            }
        }
        let code = command == "CREATE" ? "ALREADYEXISTS" : "NONEXISTENT"
        end(isDone ? "OK" : "NO [\(code)] cannot")
    }

    private mutating func list(_ arguments: [WireToken]) {
        let mailboxes = mail.contents.withLock { $0.mailboxes }
        var items: [WireToken]?
        if let index = arguments.firstIndex(where: { $0.text.uppercased() == "RETURN" }), index + 1 < arguments.count {
            let options = arguments[index + 1].items
            if let status = options.firstIndex(where: { $0.text.uppercased() == "STATUS" }), status + 1 < options.count
            {
                items = options[status + 1].items
            }
        }
        for (name, mailbox) in mailboxes.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            if command == "LSUB", !mailbox.isSubscribed { continue }
            let attributes = mailbox.attributes + (mailbox.isSubscribed ? ["\\Subscribed"] : [])
            say(
                command,
                Array("* \(command) (\(attributes.joined(separator: " "))) \"/\" ".utf8) + ModelSession.quoted(name))
            if let items, let status = status(name, items) { say("STATUS", status) }
        }
        end("OK")
    }

    private func status(_ name: [UInt8], _ items: [WireToken]) -> [UInt8]? {
        guard let mailbox = mail.contents.withLock({ $0.mailboxes[name] }) else { return nil }
        let values = items.compactMap { item -> String? in
            let key = item.text.uppercased()
            switch key {
            case "MESSAGES": return "\(key) \(mailbox.messages.count)"
            case "UIDNEXT": return "\(key) \(mailbox.uidNext)"
            case "UIDVALIDITY": return "\(key) \(mailbox.uidValidity)"
            case "UNSEEN": return "\(key) \(mailbox.messages.count { !$0.flags.contains("\\Seen") })"
            case "HIGHESTMODSEQ": return "\(key) \(mailbox.highestModSequence)"
            case "SIZE": return "\(key) \(mailbox.messages.reduce(0) { $0 + $1.bytes.count })"
            case "MAILBOXID": return "\(key) (\(mailbox.id))"
            default: return nil
            }
        }
        return Array("* STATUS ".utf8) + ModelSession.quoted(name) + Array(" (\(values.joined(separator: " ")))".utf8)
    }

    private mutating func select(_ name: [UInt8]?, _ parameters: [WireToken]) {
        selected = nil
        guard let name, let mailbox = mail.contents.withLock({ $0.mailboxes[name] }) else {
            return end("NO [NONEXISTENT] no such mailbox")
        }
        selected = (name, mailbox.messages.map(\.uid))
        say("FLAGS", "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        say("OK", "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] any")
        say("EXISTS", "* \(mailbox.messages.count) EXISTS")
        say("OK", "* OK [UIDVALIDITY \(mailbox.uidValidity)] valid")
        say("OK", "* OK [UIDNEXT \(mailbox.uidNext)] next")
        say("OK", "* OK [HIGHESTMODSEQ \(mailbox.highestModSequence)] highest")
        if capabilities.contains("OBJECTID") { say("OK", "* OK [MAILBOXID (\(mailbox.id))] id") }
        let flat = parameters.first?.items ?? []
        if let index = flat.firstIndex(where: { $0.text.uppercased() == "QRESYNC" }), index + 1 < flat.count,
            let validity = UInt32(flat[index + 1].items.first?.text ?? ""),
            let since = flat[index + 1].items.dropFirst().first.flatMap({ UInt64($0.text) }),
            validity == mailbox.uidValidity
        {
            let gone = mailbox.vanished.filter { $0.modSequence > since }.map(\.uid)
            if !gone.isEmpty { say("VANISHED", "* VANISHED (EARLIER) \(ModelSession.set(gone))") }
            for (position, message) in mailbox.messages.enumerated() where message.modSequence > since {
                say(
                    "FETCH",
                    "* \(position + 1) FETCH (UID \(message.uid) FLAGS (\(message.flags.joined(separator: " "))) MODSEQ (\(message.modSequence)))"
                )
            }
        }
        end("OK [\(command == "SELECT" ? "READ-WRITE" : "READ-ONLY")] selected")
    }

    private mutating func append(_ name: [UInt8]?, _ arguments: [WireToken]) {
        guard let name, mail.contents.withLock({ $0.mailboxes[name] != nil }) else {
            return end("NO [TRYCREATE] no such mailbox")
        }
        var rest = arguments[...]
        var new: [(flags: [String], date: String, bytes: [UInt8])] = []
        while !rest.isEmpty {
            var message = (flags: [String](), date: "01-Jan-1970 00:00:00 +0000", bytes: [UInt8]())
            if case .list(let flags)? = rest.first {
                message.flags = flags.map(\.text)
                rest = rest.dropFirst()
            }
            if rest.count > 1, case .string(let date)? = rest.first, case .string = rest[rest.startIndex + 1],
                date.count == 26
            {
                message.date = String(decoding: date, as: UTF8.self)
                rest = rest.dropFirst()
            }
            guard case .string(let bytes)? = rest.popFirst() else { return end("BAD a message is missing") }
            message.bytes = bytes
            new.append(message)
        }
        guard !new.isEmpty else { return end("BAD no message") }
        guard !new.contains(where: { $0.bytes.contains(0) }) else { return end("NO zero bytes are not taken") }
        let added = mail.contents.withLock { contents -> (UInt32, [UInt32])? in
            if let quota = contents.quota, contents.size + new.reduce(0, { $0 + $1.bytes.count }) > quota { return nil }
            var uids: [UInt32] = []
            for message in new {
                let id = contents.newID()
                uids.append(
                    contents.mailboxes[name]!.put(
                        contents.alters?(message.bytes) ?? message.bytes, message.flags, message.date, emailID: id))
            }
            return (contents.mailboxes[name]!.uidValidity, uids)
        }
        guard let added else { return end("NO [OVERQUOTA] too much") }
        update()
        end("OK [APPENDUID \(added.0) \(ModelSession.set(added.1))] stored")
    }

    private mutating func performSelected(_ arguments: [WireToken]) {
        switch command {
        case "UID FETCH": fetch(arguments)
        case "UID SEARCH":
            let uids = selected?.uids ?? []
            if arguments.first?.text.uppercased() == "RETURN" {
                say(
                    "ESEARCH", "* ESEARCH (TAG \"\(tag)\") UID" + (uids.isEmpty ? "" : " ALL \(ModelSession.set(uids))")
                )
            } else {
                say("SEARCH", "* SEARCH" + uids.map { " \($0)" }.joined())
            }
            end("OK")
        case "UID STORE": store(arguments)
        case "UID EXPUNGE", "EXPUNGE":
            let wanted = arguments.first.map { ModelSession.contains($0.text) }
            let name = selected?.name ?? []
            mail.contents.withLock { contents in
                _ = contents.mailboxes[name]?.remove { $0.flags.contains("\\Deleted") && wanted?($0.uid) ?? true }
            }
            update()
            end("OK")
        case "UID COPY", "UID MOVE": copy(arguments)
        default: end("BAD unknown: \(command)")
        }
    }

    private mutating func fetch(_ arguments: [WireToken]) {
        guard let selected, arguments.count >= 2, let mailbox = mail.contents.withLock({ $0.mailboxes[selected.name] })
        else { return end("NO [NONEXISTENT] it has gone") }
        let isWanted = ModelSession.contains(arguments[0].text, last: mailbox.messages.last?.uid)
        let items = arguments[1].items.isEmpty ? [arguments[1]] : arguments[1].items
        var since: UInt64?
        if arguments.count > 2,
            let index = arguments[2].items.firstIndex(where: { $0.text.uppercased() == "CHANGEDSINCE" }),
            index + 1 < arguments[2].items.count
        {
            since = UInt64(arguments[2].items[index + 1].text)
            if arguments[2].items.contains(where: { $0.text.uppercased() == "VANISHED" }) {
                let gone = mailbox.vanished.filter { $0.modSequence > since ?? 0 && isWanted($0.uid) }.map(\.uid)
                if !gone.isEmpty { say("VANISHED", "* VANISHED (EARLIER) \(ModelSession.set(gone))") }
            }
        }
        let byUID = Dictionary(uniqueKeysWithValues: mailbox.messages.map { ($0.uid, $0) })
        for (position, uid) in selected.uids.enumerated() where isWanted(uid) {
            guard let message = byUID[uid], since.map({ message.modSequence > $0 }) ?? true else { continue }
            var row = Array("* \(position + 1) FETCH (UID \(uid)".utf8)
            for item in items {
                let name = item.text.uppercased()
                switch name {
                case "FLAGS": row += " FLAGS (\(message.flags.joined(separator: " ")))".utf8
                case "INTERNALDATE": row += " INTERNALDATE \"\(message.date)\"".utf8
                case "RFC822.SIZE": row += " RFC822.SIZE \(message.bytes.count)".utf8
                case "MODSEQ": row += " MODSEQ (\(message.modSequence))".utf8
                case "EMAILID": row += " EMAILID (\(message.emailID))".utf8
                case "THREADID": row += " THREADID NIL".utf8
                case "BODY.PEEK[]", "BINARY.PEEK[]":
                    row += " \(name == "BODY.PEEK[]" ? "BODY[]" : "BINARY[]") {\(message.bytes.count)}\r\n".utf8
                    row += message.bytes
                case _ where name.hasPrefix("BODY.PEEK[HEADER.FIELDS"):
                    let header = ModelSession.messageID(message.bytes)
                    row += " BODY[HEADER.FIELDS (MESSAGE-ID)] {\(header.count)}\r\n".utf8
                    row += header
                default: break
                }
            }
            say("FETCH", row + [UInt8(ascii: ")")])
        }
        update(isExpungeAllowed: true)
        end("OK")
    }

    private mutating func store(_ arguments: [WireToken]) {
        guard let selected, arguments.count >= 3 else { return end("BAD arguments") }
        let arguments = arguments.filter { token in
            token.items.first?.text.uppercased() != "UNCHANGEDSINCE"
        }
        let isWanted = ModelSession.contains(arguments[0].text)
        let action = arguments[1].text.uppercased()
        let flags = arguments[2].items.map(\.text)
        let changed = mail.contents.withLock { contents -> [ModelMail.Message] in
            guard var mailbox = contents.mailboxes[selected.name] else { return [] }
            defer { contents.mailboxes[selected.name] = mailbox }
            var changed: [ModelMail.Message] = []
            for index in mailbox.messages.indices where isWanted(mailbox.messages[index].uid) {
                var now = Set(mailbox.messages[index].flags)
                switch action.first {
                case "+": now.formUnion(flags)
                case "-": now.subtract(flags)
                default: now = Set(flags)
                }
                mailbox.messages[index].flags = now.sorted()
                mailbox.messages[index].modSequence = mailbox.next()
                changed.append(mailbox.messages[index])
            }
            return changed
        }
        for message in changed {
            guard let position = selected.uids.firstIndex(of: message.uid) else { continue }
            let flags = action.contains("SILENT") ? "" : " FLAGS (\(message.flags.joined(separator: " ")))"
            say("FETCH", "* \(position + 1) FETCH (UID \(message.uid)\(flags) MODSEQ (\(message.modSequence)))")
        }
        end("OK")
    }

    private mutating func copy(_ arguments: [WireToken]) {
        guard let selected, arguments.count == 2, let to = arguments[1].bytes else { return end("BAD arguments") }
        let isWanted = ModelSession.contains(arguments[0].text)
        let isMove = command == "UID MOVE"
        let answer = mail.contents.withLock { contents -> String? in
            guard let from = contents.mailboxes[selected.name], contents.mailboxes[to] != nil else { return nil }
            let moved = from.messages.filter { isWanted($0.uid) }
            var uids: [UInt32] = []
            for message in moved {
                uids.append(
                    contents.mailboxes[to]!.put(message.bytes, message.flags, message.date, emailID: message.emailID))
            }
            if isMove { _ = contents.mailboxes[selected.name]!.remove { isWanted($0.uid) } }
            let validity = contents.mailboxes[to]!.uidValidity
            return "[COPYUID \(validity) \(ModelSession.set(moved.map(\.uid))) \(ModelSession.set(uids))]"
        }
        guard let answer else { return end("NO [TRYCREATE] no such mailbox") }
        if isMove { say("OK", "* OK \(answer) moved") }
        update()
        end(isMove ? "OK" : "OK \(answer) copied")
    }

    /// Tells the client what has come and gone in the mailbox it has selected.
    private mutating func update(isExpungeAllowed: Bool = true) {
        guard let (name, known) = selected else { return }
        let now = mail.contents.withLock { $0.mailboxes[name]?.messages.map(\.uid) } ?? []
        let there = Set(now)
        let gone = known.filter { !there.contains($0) }
        if !gone.isEmpty {
            if isQResync {
                say("VANISHED", "* VANISHED \(ModelSession.set(gone))")
            } else {
                var left = known
                for uid in gone {
                    let position = left.firstIndex(of: uid)!
                    say("EXPUNGE", "* \(position + 1) EXPUNGE")
                    left.remove(at: position)
                }
            }
        }
        selected?.uids = now
        if now.count != known.count - gone.count { say("EXISTS", "* \(now.count) EXISTS") }
    }

    // MARK: Spelling

    private static func name(_ bytes: [UInt8]) -> [UInt8] {
        String(decoding: bytes, as: UTF8.self).uppercased() == "INBOX" ? Array("INBOX".utf8) : bytes
    }

    static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return Array("{\(bytes.count)}\r\n".utf8) + bytes
        }
        let special = [UInt8(ascii: "\""), UInt8(ascii: "\\")]
        return [special[0]] + bytes.flatMap { special.contains($0) ? [special[1], $0] : [$0] } + [special[0]]
    }

    static func set(_ uids: [UInt32]) -> String {
        var ranges: [(UInt32, UInt32)] = []
        for uid in uids.sorted() {
            if let last = ranges.last, last.1 + 1 == uid {
                ranges[ranges.count - 1].1 = uid
            } else {
                ranges.append((uid, uid))
            }
        }
        return ranges.map { $0 == $1 ? "\($0)" : "\($0):\($1)" }.joined(separator: ",")
    }

    static func contains(_ set: String, last: UInt32? = nil) -> (UInt32) -> Bool {
        let ranges = set.split(separator: ",").map { part -> ClosedRange<UInt32> in
            let ends = part.split(separator: ":").map { $0 == "*" ? last ?? .max : UInt32($0) ?? 0 }
            let (one, other) = (ends.first ?? 0, ends.last ?? 0)
            return min(one, other)...max(one, other)
        }
        return { uid in ranges.contains { $0.contains(uid) } }
    }

    static func messageID(_ bytes: [UInt8]) -> [UInt8] {
        let text = String(decoding: bytes.prefix(8_192), as: UTF8.self)
        for line in text.split(separator: "\r\n", omittingEmptySubsequences: false) {
            if line.isEmpty { break }
            if line.lowercased().hasPrefix("message-id:") { return Array("\(line)\r\n\r\n".utf8) }
        }
        return [13, 10]
    }
}
