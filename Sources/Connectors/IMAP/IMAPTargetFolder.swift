internal import Events
internal import IMAP

/// A mailbox a restore writes into. Small messages are held back and go together (RFC 3502): each command costs the server a
/// transaction.
final class IMAPTargetFolder: TargetFolder {
    private unowned let target: IMAPTarget
    private let name: MailboxName
    private let box: IMAPTarget.OpenMailbox
    private var held: [Held] = []
    private var heldBytes = 0

    /// Messages of one command, and their bytes.
    private static let heldCount = 100
    private static let heldLimit = 8 << 20
    /// Longer ones are not held in memory.
    private static let wholeBytes: UInt64 = 4 << 20

    /// A message that waits to be sent.
    private struct Held {
        var bytes: [UInt8]
        var flags: [FlagName]
        var seconds: Int64
        var lostKeywords: [[UInt8]]
        var isAltered: Bool
        var done: (Result<Delivered, TargetFailure>) throws -> Void

        var isBinary: Bool { bytes.contains(0) }
    }

    init(_ target: IMAPTarget, _ name: MailboxName, _ box: IMAPTarget.OpenMailbox) {
        (self.target, self.name, self.box) = (target, name, box)
    }

    private var session: IMAPSession { target.session }

    // MARK: Delivering

    func deliver(
        _ message: Delivery, write: ((RawSpan) throws -> Void) throws -> Void,
        done: @escaping (Result<Delivered, TargetFailure>) throws -> Void
    ) throws {
        // A UID is the server's to give.
        guard message.name == nil else { throw TargetFailure.refused("a mail server gives names of its own") }
        let (flags, lost) = flagNames(message.flags, message.keywords)
        guard message.size <= IMAPTargetFolder.wholeBytes else {
            try flush()
            return try deliverLarge(message, flags, lost, write, done)
        }
        var bytes: [UInt8] = []
        var previous: UInt8 = 0
        var size = 0
        try write { piece in
            size += piece.byteCount
            DeliveredForm.networkLines.append(piece, after: &previous, to: &bytes)
        }
        held.append(
            Held(
                bytes: bytes, flags: flags, seconds: message.internalDate.seconds, lostKeywords: lost,
                isAltered: bytes.count != size, done: done))
        heldBytes += bytes.count
        if held.count >= IMAPTargetFolder.heldCount || heldBytes >= IMAPTargetFolder.heldLimit { try flush() }
    }

    func flush() throws {
        let messages = held
        (held, heldBytes) = ([], 0)
        guard !messages.isEmpty else { return }
        if session.capabilities.has("MULTIAPPEND") {
            // Zero bytes need a literal of another kind, and a server that takes one in an APPEND need not in several.
            try append(messages.filter { !$0.isBinary }[...])
            for message in messages where message.isBinary { try append([message]) }
        } else {
            for message in messages { try append([message]) }
        }
    }

    /// Sends messages in one command; when the server refuses them, in two, down to the one it does not want.
    private func append(_ messages: ArraySlice<Held>) throws {
        guard let first = messages.first else { return }
        let status = try TargetFailure.from {
            try command { writer in
                for message in messages {
                    try say(
                        writer.message(
                            flags: message.flags, internalDate: message.seconds, size: UInt64(message.bytes.count),
                            isBinary: message.isBinary && canBinary))
                    try session.send([message.bytes])
                }
            }
        }
        if status.condition == .ok {
            let names = names(of: status, count: messages.count)
            for (place, message) in messages.enumerated() {
                try message.done(
                    .success(
                        Delivered(name: names[place], lostKeywords: message.lostKeywords, isAltered: message.isAltered))
                )
            }
            return
        }
        if status.code == .word(.overQuota), messages.count == 1 { throw full(status) }
        guard messages.count > 1 else { return try first.done(.failure(.refused(IMAPSession.shown(status.text)))) }
        // All of them or none (RFC 3502): none is there.
        let middle = messages.startIndex + messages.count / 2
        try append(messages[..<middle])
        try append(messages[middle...])
    }

    private var canBinary: Bool { session.capabilities.has("BINARY") || session.capabilities.has("IMAP4REV2") }

    private func full(_ status: StatusLine) -> TargetFailure {
        .unavailable(
            "the server has no more room for this user: \(IMAPSession.shown(status.text))", isNoSpace: true,
            isPermission: false)
    }

    /// Sends one message in pieces. It is read twice: the protocol wants its size first.
    private func deliverLarge(
        _ message: Delivery, _ flags: [FlagName], _ lost: [[UInt8]],
        _ write: ((RawSpan) throws -> Void) throws -> Void,
        _ done: @escaping (Result<Delivered, TargetFailure>) throws -> Void
    ) throws {
        var total: UInt64 = 0
        var raw: UInt64 = 0
        var hasZero = false
        var previous: UInt8 = 0
        try write { piece in
            raw += UInt64(piece.byteCount)
            piece.withUnsafeBytes { bytes in
                for byte in bytes {
                    if byte == 0x0A, previous != 0x0D { total += 1 }
                    if byte == 0 { hasZero = true }
                    previous = byte
                }
            }
        }
        total += raw
        let status = try TargetFailure.from {
            try command { writer in
                try say(
                    writer.message(
                        flags: flags, internalDate: message.internalDate.seconds, size: total,
                        isBinary: hasZero && canBinary))
                var previous: UInt8 = 0
                var sent: UInt64 = 0
                var buffer: [UInt8] = []
                func send() throws {
                    sent += UInt64(buffer.count)
                    guard sent <= total else { throw SourceFailure.unavailable("a message changed while it was sent") }
                    try session.send([buffer])
                    buffer.removeAll(keepingCapacity: true)
                }
                do {
                    try write { piece in
                        DeliveredForm.networkLines.append(piece, after: &previous, to: &buffer)
                        if buffer.count >= 1 << 18 { try send() }
                    }
                    try send()
                } catch {
                    // Half of a message is on its way, and there is no word to take it back but this.
                    session.close()
                    throw error
                }
                guard sent == total else {
                    session.close()
                    throw SourceFailure.unavailable("a message changed while it was sent")
                }
            }
        }
        guard status.condition == .ok else {
            if status.code == .word(.overQuota) { throw full(status) }
            return try done(.failure(.refused(IMAPSession.shown(status.text))))
        }
        let name = names(of: status, count: 1)[0]
        try done(.success(Delivered(name: name, lostKeywords: lost, isAltered: total != raw)))
    }

    /// Thrown when the server has ended the command before all of it was sent.
    private struct Ended: Error { var status: StatusLine }

    private var tag: Dialogue.Tag?

    /// An `APPEND`, whose messages `body` sends. Returns how it ended.
    private func command(_ body: (AppendWriter) throws -> Void) throws -> StatusLine {
        let (tag, writer) = session.beginAppend()
        self.tag = tag
        do {
            let begin: AppendWriter.Piece
            do { begin = try writer.begin(mailbox: name) } catch {
                throw SourceFailure.unavailable("the folder's name cannot be sent: \(error)")
            }
            try say(begin)
            try body(writer)
            try say(writer.end())
        } catch let ended as Ended {
            return ended.status
        }
        guard case .ended(let status) = try hear() else {
            throw SourceFailure.unavailable("it asks for more of a command that is whole")
        }
        return status
    }

    /// Sends a piece of a command, each part when the server asks for it.
    private func say(_ piece: AppendWriter.Piece) throws {
        for (index, part) in piece.parts.enumerated() {
            if index > 0 { try waitUntilWanted() }
            try session.send([part])
        }
        if piece.waits { try waitUntilWanted() }
    }

    private func waitUntilWanted() throws {
        if case .ended(let status) = try hear() { throw Ended(status: status) }
    }

    private enum Heard {
        case wanted
        case ended(StatusLine)
    }

    /// Hears the server until it asks for more of the command, or ends it.
    private func hear() throws -> Heard {
        let deadline = session.soon
        while true {
            guard case .response(let response) = try session.next(deadline) else { continue }
            switch try session.event(response) {
            case .completed(let found, let status):
                guard found == tag else { throw SourceFailure.unavailable("it ended another command") }
                return .ended(status)
            case .wanted: return .wanted
            case .data: continue
            case .greeted, .farewell: throw SourceFailure.unavailable("it speaks out of turn")
            }
        }
    }

    /// What the server calls the messages; empty where it does not say, or says something that cannot be.
    private func names(of status: StatusLine, count: Int) -> [[UInt8]] {
        guard case .appendUID(let validity, let uids)? = status.code, validity == box.uidValidity, uids.count == count
        else { return Array(repeating: [], count: count) }
        return uids.ranges.flatMap { $0.map { IMAPMessageName(uidValidity: validity, uid: $0).bytes } }
    }

    // MARK: Flags

    /// What can be sent and will stay, and the keywords that cannot.
    private func flagNames(_ flags: MessageFlags, _ keywords: [[UInt8]]) -> (names: [FlagName], lost: [[UInt8]]) {
        var names: [FlagName] = []
        let system: [(MessageFlags, FlagName)] = [
            (.seen, .seen), (.answered, .answered), (.flagged, .flagged), (.deleted, .deleted), (.draft, .draft),
        ]
        for (flag, name) in system where flags.contains(flag) { names.append(name) }
        var lost: [[UInt8]] = []
        let forwarded = Array("$Forwarded".utf8)
        for keyword in (flags.contains(.passed) ? [forwarded] : []) + keywords {
            if let name = FlagName(keyword: keyword), stays(keyword) {
                names.append(name)
            } else {
                lost.append(keyword)
            }
        }
        return (names, lost)
    }

    private func stays(_ keyword: [UInt8]) -> Bool {
        guard let permanent = box.permanentFlags else { return true }
        let folded = String(decoding: keyword, as: UTF8.self).lowercased()
        return permanent.contains { flag in
            flag == Array("\\*".utf8) || String(decoding: flag, as: UTF8.self).lowercased() == folded
        }
    }

    func setFlags(_ name: [UInt8], _ flags: MessageFlags, _ keywords: [[UInt8]]) throws -> [[UInt8]] {
        try flush()
        let (names, lost) = flagNames(flags, keywords)
        try TargetFailure.from {
            let uid = try find(name)
            try session.run(.store(UIDSet([uid]), .set, names))
        }
        return lost
    }

    func setAttributes(_ attributes: [FolderAttribute], removing: [[UInt8]]) throws -> [RefusedAttribute] {
        try flush()
        return try TargetFailure.from {
            try IMAPAttributes(session: session).apply(attributes, removing: removing, to: name)
        }
    }

    func remove(_ name: [UInt8]) throws {
        try flush()
        // Without it, everything in the mailbox that is marked would go, and not all of it is ours.
        guard session.capabilities.has("UIDPLUS") || session.capabilities.has("IMAP4REV2") else {
            throw TargetFailure.refused("the server cannot remove a single message (it has no UIDPLUS)")
        }
        try TargetFailure.from {
            let uid = try find(name)
            try session.run(.store(UIDSet([uid]), .add, [.deleted]))
            try session.run(.expunge(UIDSet([uid])))
        }
    }

    /// The UID of a message that is there, in this very mailbox.
    private func find(_ name: [UInt8]) throws -> UInt32 {
        guard let found = IMAPMessageName(name), found.uidValidity == box.uidValidity else {
            throw TargetFailure.vanished
        }
        try target.open(self.name, box.uidValidity)
        var isThere = false
        try session.run(.fetch(.set(UIDSet([found.uid])), [.uid])) { response in
            if case .fetch(let row) = response, row.uid == found.uid { isThere = true }
        }
        guard isThere else { throw TargetFailure.vanished }
        return found.uid
    }
}
