internal import Events
internal import IMAP

/// Messages of a mailbox at one moment: all, or those that are new or have changed.
struct IMAPListing: SourceListing {
    private let source: IMAPSource
    private let mailbox: MailboxName
    private let uidValidity: UInt32
    /// Ascending.
    private let uids: [UInt32]
    private let systemFlags: [MessageFlags]
    /// Of the few messages that have any.
    private let keywordsOf: [UInt32: [[UInt8]]]
    let checkpoint: [UInt8]

    init(
        _ source: IMAPSource, _ mailbox: MailboxName, _ uidValidity: UInt32, _ rows: [UInt32: [[UInt8]]],
        _ checkpoint: [UInt8]
    ) {
        (self.source, self.mailbox, self.uidValidity) = (source, mailbox, uidValidity)
        self.checkpoint = checkpoint
        uids = rows.keys.sorted()
        var found: [MessageFlags] = []
        var keywords: [UInt32: [[UInt8]]] = [:]
        found.reserveCapacity(uids.count)
        for uid in uids {
            let (flags, words) = IMAPFlags.split(rows[uid] ?? [])
            found.append(flags)
            if !words.isEmpty { keywords[uid] = words }
        }
        (systemFlags, keywordsOf) = (found, keywords)
    }

    var count: Int { uids.count }
    var passedOver: [String] { [] }

    func name(_ position: Int) -> ArraySlice<UInt8> {
        IMAPMessageName(uidValidity: uidValidity, uid: uids[position]).bytes[...]
    }

    func position(_ name: [UInt8]) -> Int? {
        guard let name = IMAPMessageName(name), name.uidValidity == uidValidity else { return nil }
        return position(uid: name.uid)
    }

    private func position(uid: UInt32) -> Int? {
        var (low, high) = (0, uids.count)
        while low < high {
            let middle = (low + high) / 2
            if uids[middle] < uid { low = middle + 1 } else { high = middle }
        }
        return low < uids.count && uids[low] == uid ? low : nil
    }

    func flags(_ position: Int) -> MessageFlags { systemFlags[position] }
    func keywords(_ position: Int) -> [[UInt8]] { keywordsOf[uids[position]] ?? [] }

    func open(_ position: Int) throws -> any SourceMessage {
        var found: (any SourceMessage)?
        try read([position]) { _, message in
            // It is read outside of the call, so all of it has to be here: pieces of a large one go to a file without a name.
            found = try SpooledMessage(try message.get())
        }
        guard let found else { throw SourceFailure.vanished("\(String(decoding: name(position), as: UTF8.self))") }
        return found
    }

    func sizes() throws -> [UInt64?] {
        guard !uids.isEmpty else { return [] }
        return try source.withSession { session in
            try IMAPReading(session, mailbox, uidValidity).sizes(uids)
        }
    }

    func marks(_ positions: [Int]) throws -> [ServerMarks]? {
        guard !positions.isEmpty else { return [] }
        return try source.withSession { session in
            try IMAPReading(session, mailbox, uidValidity).marks(positions.map { uids[$0] })
        }
    }

    /// A message at which the connection breaks, alone and again and again, cannot be read; the others can.
    func read(
        _ positions: [Int], _ each: (Int, Result<any SourceMessage, SourceFailure>) throws -> Void
    ) throws {
        var left = positions.map { uids[$0] }.sorted()
        var (tries, givenUp) = (0, 0)
        while let first = left.first {
            let asked = tries == 0 ? left : [first]
            var given: Set<UInt32> = []
            var isOpen = false
            do {
                try source.withSession { session in
                    let reading = IMAPReading(session, mailbox, uidValidity)
                    try reading.open()
                    isOpen = true
                    try reading.read(asked) { uid, message in
                        guard let position = position(uid: uid) else { return }
                        try each(position, message)
                        given.insert(uid)
                    }
                }
                // What was asked for and not given has vanished.
                left.removeFirst(asked.count)
                tries = 0
            } catch let failure as SourceFailure {
                guard case .unavailable(let why) = failure, isOpen, givenUp < IMAPListing.mostGivenUp else {
                    throw failure
                }
                left.removeAll { given.contains($0) }
                tries = given.isEmpty ? tries + 1 : 1
                guard tries == IMAPListing.tries, let position = position(uid: first) else { continue }
                let name = String(decoding: mailbox.bytes, as: UTF8.self)
                try each(
                    position,
                    .failure(.unreadable(code: 5, "message \(first) of \(name): each time it is read, \(why)")))
                left.removeFirst()
                (tries, givenUp) = (0, givenUp + 1)
            }
        }
    }

    /// How often one message is asked for when the connection breaks.
    private static let tries = 4
    /// Where more messages than this break connections it is the server that is broken.
    private static let mostGivenUp = 16
}

/// Flags as a server says them, in our words.
enum IMAPFlags {
    private static let forwarded = Array("$Forwarded".utf8)

    /// System flags, and keywords sorted, each once. `\Recent` is a matter of a session.
    static func split(_ names: [[UInt8]]) -> (flags: MessageFlags, keywords: [[UInt8]]) {
        var flags: MessageFlags = []
        var keywords: Set<[UInt8]> = []
        for name in names {
            guard name.first == UInt8(ascii: "\\") else {
                if name == forwarded { flags.insert(.passed) } else { keywords.insert(name) }
                continue
            }
            switch String(decoding: name, as: UTF8.self).lowercased() {
            case "\\seen": flags.insert(.seen)
            case "\\answered": flags.insert(.answered)
            case "\\flagged": flags.insert(.flagged)
            case "\\deleted": flags.insert(.deleted)
            case "\\draft": flags.insert(.draft)
            case "\\recent": break
            // One we do not know is kept as it came.
            default: keywords.insert(name)
            }
        }
        return (flags, keywords.sorted { $0.lexicographicallyPrecedes($1) })
    }
}
