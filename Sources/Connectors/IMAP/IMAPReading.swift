internal import Events
internal import IMAP

/// Messages of one mailbox, read one behind the other as the server sends them.
final class IMAPReading {
    private let session: IMAPSession
    private let mailbox: MailboxName
    private let uidValidity: UInt32
    /// Named only behind their bytes, and too large to be held: each is asked for alone.
    private var unnamed = 0

    init(_ session: IMAPSession, _ mailbox: MailboxName, _ uidValidity: UInt32) {
        (self.session, self.mailbox, self.uidValidity) = (session, mailbox, uidValidity)
    }

    /// Gives each message that is still there to `each`, in the server's order. What `each` gets is there only during the call.
    func read(
        _ uids: [UInt32], _ each: (UInt32, Result<any SourceMessage, SourceFailure>) throws -> Void
    ) throws {
        try open()
        var wanted = Set(uids)
        for part in UIDSet(uids).parts(ofAtMost: 4_000) {
            let refusal = try fetch(part, &wanted, each)
            guard refusal != nil || unnamed > 0 else { continue }
            unnamed = 0
            // One message spoils the answer, or several: alone each says for itself.
            let left = part.ranges.flatMap { Array($0) }.filter { wanted.contains($0) }
            for uid in left {
                guard let words = try fetch(UIDSet([uid]), &wanted, each), wanted.remove(uid) != nil else { continue }
                try each(uid, .failure(.unreadable(code: 5, "message \(uid) of \(shownName): \(words)")))
            }
        }
    }

    /// How large each message is; nil for one that has gone.
    func sizes(_ uids: [UInt32]) throws -> [UInt64?] {
        try open()
        var found: [UInt32: UInt64] = [:]
        for part in UIDSet(uids).parts(ofAtMost: 4_000) {
            try session.run(.fetch(.set(part), [.uid, .size])) { response in
                if case .fetch(let row) = response, let uid = row.uid, let size = row.size { found[uid] = size }
            }
        }
        return uids.map { found[$0] }
    }

    /// What the server knows each message by; nil where it has nothing of the kind, or refuses to say it.
    func marks(_ uids: [UInt32]) throws -> [ServerMarks]? {
        let items = session.markItems
        guard !items.isEmpty else { return nil }
        try open()
        var found: [UInt32: ServerMarks] = [:]
        for part in UIDSet(uids).parts(ofAtMost: 4_000) {
            let status = try session.attempt(.fetch(.set(part), [.uid] + items)) { response in
                if case .fetch(let row) = response, let uid = row.uid { found[uid] = row.marks }
            }
            guard status.condition == .ok else { return nil }
        }
        return uids.map { found[$0] ?? ServerMarks() }
    }

    private var shownName: String { String(decoding: mailbox.bytes, as: UTF8.self) }

    /// Opens the mailbox, unless it is.
    func open() throws {
        if let opened = session.opened, opened.name == mailbox, opened.uidValidity == uidValidity { return }
        session.opened = nil
        var validity: UInt32?
        let status = try session.attempt(.select(mailbox, isReadOnly: true, nil)) { response in
            if case .status(let status) = response, case .uidValidity(let found)? = status.code { validity = found }
        }
        guard status.condition == .ok, validity == uidValidity else {
            throw SourceFailure.unavailable("\(shownName) was made anew, renamed or deleted while it was read")
        }
        session.opened = (mailbox, uidValidity)
    }

    /// Returns the server's words when it did not give all it could.
    private func fetch(
        _ uids: UIDSet, _ wanted: inout Set<UInt32>,
        _ each: (UInt32, Result<any SourceMessage, SourceFailure>) throws -> Void
    ) throws -> String? {
        let only = uids.count == 1 ? uids.ranges[0].lowerBound : nil
        let tag = try session.start(.fetch(.set(uids), [.uid, .internalDate] + session.markItems + [.body]))
        var whole: [UInt8]?
        while true {
            switch try session.next(session.soon) {
            case .body(let section, let bytes): if IMAPReading.isWhole(section) { whole = bytes }
            case .largeBody(let row, let size):
                let large = LargeMessage(session, row, size: size)
                if let uid = row.uid ?? only, wanted.remove(uid) != nil {
                    try each(uid, .success(large))
                } else if row.uid == nil {
                    unnamed += 1
                }
                try large.finish()
                whole = nil
            case .response(let response):
                switch try session.event(response) {
                case .data(.fetch(let row)):
                    if let (uid, bytes) = IMAPReading.message(row, whole), wanted.remove(uid) != nil {
                        try each(uid, .success(WholeMessage(bytes, row)))
                    }
                    whole = nil
                case .completed(let ended, let status):
                    guard ended == tag else { throw SourceFailure.unavailable("it ended another command") }
                    if status.condition == .ok || status.code == .word(.expungeIssued) { return nil }
                    return IMAPSession.shown(status.text)
                default: break
                }
            case .piece, .largeBodyEnd: break
            }
        }
    }

    private static func isWhole(_ section: [UInt8]) -> Bool { section == Array("BODY[]".utf8) }

    /// The message of a row that has one.
    private static func message(_ row: FetchedAttributes, _ streamed: [UInt8]?) -> (UInt32, [UInt8])? {
        guard let uid = row.uid else { return nil }
        for body in row.bodies where isWhole(body.section) {
            switch body.content {
            case .streamed: return streamed.map { (uid, $0) }
            case .whole(let bytes): return (uid, bytes)
            // There, and without bytes: what a server says of a message that has gone.
            case .none: return nil
            }
        }
        return nil
    }
}

extension FetchedAttributes {
    /// What the server knows the message by.
    fileprivate var marks: ServerMarks {
        ServerMarks(
            emailID: emailID ?? guid ?? [], threadID: threadID ?? [],
            saveDate: saveDate.map { Timestamp(seconds: $0) })
    }
}

/// A message that fits.
private final class WholeMessage: SourceMessage, SourceMessageReader {
    private let bytes: [UInt8]
    let internalDate: Timestamp
    let marks: ServerMarks
    private var offset = 0

    init(_ bytes: [UInt8], _ row: FetchedAttributes) {
        (self.bytes, marks) = (bytes, row.marks)
        internalDate = Timestamp(seconds: row.internalDate ?? 0)
    }

    var size: UInt64 { UInt64(bytes.count) }
    func read(into buffer: inout [UInt8]) throws { buffer = bytes }
    func reader() throws -> any SourceMessageReader { self }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = min(buffer.count, bytes.count - offset)
        bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
        offset += count
        return count
    }
}

/// A message that is read as it comes.
private final class LargeMessage: SourceMessage, SourceMessageReader {
    private let session: IMAPSession
    private var row: FetchedAttributes
    let size: UInt64
    private var piece: [UInt8] = []
    private var offset = 0
    private var hasBytes = true
    private var isFinished = false

    init(_ session: IMAPSession, _ row: FetchedAttributes, size: UInt64) {
        (self.session, self.row, self.size) = (session, row, size)
    }

    /// Known at the latest when all of the message has come.
    var internalDate: Timestamp {
        // When the connection breaks here, the next thing that is read from it says so.
        if row.internalDate == nil { try? finish() }
        return Timestamp(seconds: row.internalDate ?? 0)
    }

    var marks: ServerMarks {
        // As with its date.
        try? finish()
        return row.marks
    }

    func read(into buffer: inout [UInt8]) throws {
        buffer.removeAll(keepingCapacity: true)
        while try more() {
            buffer += piece[offset...]
            offset = piece.count
        }
    }

    func reader() throws -> any SourceMessageReader { self }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard try more() else { return 0 }
        let count = min(buffer.count, piece.count - offset)
        piece.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
        offset += count
        return count
    }

    /// Whether there are bytes in ``piece``; waits for them.
    private func more() throws -> Bool {
        while hasBytes, offset == piece.count {
            switch try session.next(session.soon) {
            case .piece(let bytes): (piece, offset) = (bytes, 0)
            case .largeBodyEnd: hasBytes = false
            case .body, .largeBody, .response: throw SourceFailure.unavailable("a message is not whole")
            }
        }
        return offset < piece.count
    }

    /// Passes over what is left, to the end of the row.
    func finish() throws {
        guard !isFinished else { return }
        isFinished = true
        while try more() { offset = piece.count }
        while true {
            switch try session.next(session.soon) {
            case .response(let response):
                guard case .data(.fetch(let whole)) = try session.event(response) else {
                    throw SourceFailure.unavailable("a message is not whole")
                }
                row = whole
                return
            case .body: continue
            case .piece, .largeBody, .largeBodyEnd: throw SourceFailure.unavailable("a message is not whole")
            }
        }
    }
}
