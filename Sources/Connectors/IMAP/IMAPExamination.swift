internal import Events
internal import IMAP

/// One look into one mailbox: what is in it, or what is new in it.
struct IMAPExamination {
    let session: IMAPSession
    let name: MailboxName
    let folder: SourceFolder

    init(_ session: IMAPSession, _ name: MailboxName, _ folder: SourceFolder) {
        (self.session, self.name, self.folder) = (session, name, folder)
    }

    /// What `EXAMINE` said, and what came with it.
    struct Opening {
        var uidValidity: UInt32?
        var uidNext: UInt32?
        var modSequence: UInt64?
        var exists: UInt32?
        var rows = IMAPRows()
    }

    func open(_ parameter: Command.SelectParameter?) throws -> Opening {
        session.opened = nil
        var opening = Opening()
        let status = try session.attempt(.select(name, isReadOnly: true, parameter)) { response in
            switch response {
            case .exists(let count): opening.exists = count
            case .status(let status):
                switch status.code {
                case .uidValidity(let validity): opening.uidValidity = validity
                case .uidNext(let next): opening.uidNext = next
                case .highestModSequence(let sequence): opening.modSequence = sequence
                // The mailbox that was open before is closed only here; what was said until now was of that one.
                case .word(.closed): opening = Opening()
                default: break
                }
            default: opening.rows.take(response)
            }
        }
        guard status.condition == .ok else {
            let isGone = status.code == .word(.nonexistent)
            throw SourceFailure.unreadable(code: isGone ? 2 : 13, "\(shownName): \(IMAPSession.shown(status.text))")
        }
        guard let validity = opening.uidValidity, validity > 0, opening.exists != nil else {
            throw SourceFailure.unavailable("the server does not say what is in \(shownName)")
        }
        session.opened = (name, validity)
        return opening
    }

    private var shownName: String { String(decoding: name.bytes, as: UTF8.self) }

    /// Every message. As many rows as there are messages, or it is not complete.
    func everything(source: IMAPSource) throws -> IMAPListing {
        for _ in 0..<3 {
            let opening = try open(nil)
            guard let validity = opening.uidValidity, let exists = opening.exists else { continue }
            guard folder.uidValidity == 0 || folder.uidValidity == UInt64(validity) else {
                throw SourceFailure.unreadable(code: 11, "\(shownName): it was made anew while it was looked at")
            }
            var rows = opening.rows
            if exists > 0 {
                try session.run(.fetch(.all, [.uid, .flags])) { response in rows.take(response) }
            }
            // Less is a listing that was cut; more came while it was made.
            guard !rows.isUncertain, rows.flags.count + rows.removed >= Int(exists) else { continue }
            var checkpoint: [UInt8] = []
            if let sequence = opening.modSequence, sequence > 0, let next = opening.uidNext {
                checkpoint =
                    IMAPCheckpoint(uidValidity: validity, modSequence: sequence, uidNext: next, messages: exists).bytes
            }
            return IMAPListing(source, name, validity, rows.flags, checkpoint)
        }
        throw SourceFailure.unreadable(
            code: 11, "\(shownName): the server lists fewer messages than it says there are")
    }

    /// What is new since `before`; nil where that cannot be known.
    func changes(since before: IMAPCheckpoint, source: IMAPSource) throws -> SourceChanges? {
        guard folder.uidValidity == UInt64(before.uidValidity) else { return nil }
        let opening = try open(.qresync(uidValidity: before.uidValidity, modSequence: before.modSequence))
        // A server whose counter went back has forgotten what happened; asked for more than it has, it says nothing.
        guard opening.uidValidity == before.uidValidity, let sequence = opening.modSequence,
            sequence >= before.modSequence, let next = opening.uidNext, let exists = opening.exists,
            !opening.rows.isUncertain
        else { return nil }
        let after = IMAPCheckpoint(
            uidValidity: before.uidValidity, modSequence: sequence, uidNext: next, messages: exists)
        let vanished = opening.rows.vanished
        return SourceChanges(
            listing: IMAPListing(source, name, before.uidValidity, opening.rows.flags, after.bytes),
            count: Int(exists), missed: IMAPExamination.missed(before, after, opening.rows),
            hasVanished: { bytes in
                guard let name = IMAPMessageName(bytes) else { return true }
                return name.uidValidity != before.uidValidity || vanished.contains(name.uid)
            })
    }
}

extension IMAPExamination {
    /// The same of a server that does not say what has gone: it is asked what is there.
    func changesBySearch(since before: IMAPCheckpoint, source: IMAPSource) throws -> SourceChanges? {
        guard folder.uidValidity == UInt64(before.uidValidity) else { return nil }
        let opening = try open(.condstore)
        guard opening.uidValidity == before.uidValidity, let sequence = opening.modSequence,
            sequence >= before.modSequence, let next = opening.uidNext, let exists = opening.exists
        else { return nil }
        var rows = opening.rows
        var present = UIDSet()
        var isAnswered = exists == 0
        if exists > 0 {
            try session.run(.fetch(.all, [.uid, .flags], changedSince: before.modSequence)) { rows.take($0) }
            let isExtended = session.capabilities.has("ESEARCH") || session.capabilities.has("IMAP4REV2")
            try session.run(.searchAll(isExtended: isExtended)) { response in
                switch response {
                case .search(let uids, _):
                    present.formUnion(UIDSet(uids))
                    isAnswered = true
                case .extendedSearch(let found):
                    if let all = found.all { present.formUnion(all) }
                    isAnswered = true
                default: rows.take(response)
                }
            }
        }
        // Fewer than there are is an answer that was cut; more came meanwhile.
        guard isAnswered, !rows.isUncertain, rows.removed == 0, present.count == Int(exists),
            rows.flags.keys.allSatisfy({ present.contains($0) })
        else { return nil }
        let after = IMAPCheckpoint(
            uidValidity: before.uidValidity, modSequence: sequence, uidNext: next, messages: exists)
        let left = present
        return SourceChanges(
            listing: IMAPListing(source, name, before.uidValidity, rows.flags, after.bytes), count: Int(exists),
            missed: IMAPExamination.missed(before, after, rows),
            hasVanished: { bytes in
                guard let name = IMAPMessageName(bytes) else { return true }
                return name.uidValidity != before.uidValidity || !left.contains(name.uid)
            })
    }
}

extension IMAPExamination {
    /// UIDs that were given since `before`, and are there no more: of messages that were expunged, or moved on, at once.
    private static func missed(
        _ before: IMAPCheckpoint, _ after: IMAPCheckpoint, _ rows: IMAPRows
    ) -> MissedMessages? {
        // Further ahead than mail comes: a server that counts in another way.
        guard before.uidNext > 0, after.uidNext > before.uidNext, after.uidNext - before.uidNext < 1 << 20 else {
            return nil
        }
        let gone = UIDSet((before.uidNext..<after.uidNext).filter { rows.flags[$0] == nil })
        guard gone.count > 0 else { return nil }
        let ranges = gone.ranges.prefix(100).map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound):\($0.upperBound)"
        }
        let rest = gone.ranges.count > 100 ? ",…" : ""
        return MissedMessages(
            count: gone.count, names: Array("\(after.uidValidity).\(ranges.joined(separator: ","))\(rest)".utf8))
    }
}

/// Messages by UID, as rows come and messages go.
struct IMAPRows {
    /// What the flags of each are.
    private(set) var flags: [UInt32: [[UInt8]]] = [:]
    private(set) var vanished = UIDSet()
    /// How many went while it was looked.
    private(set) var removed = 0
    /// A message went of which only the place is known: what is where is no longer certain.
    private(set) var isUncertain = false

    mutating func take(_ response: Response) {
        switch response {
        case .fetch(let row):
            // A row without a UID is of a change that comes again with one.
            guard let uid = row.uid, let now = row.flags else { return }
            flags[uid] = now
        case .vanished(let uids, let isEarlier):
            vanished.formUnion(uids)
            if !isEarlier { removed += uids.count }
            if uids.count < flags.count {
                for range in uids.ranges { for uid in range { flags[uid] = nil } }
            } else {
                flags = flags.filter { !uids.contains($0.key) }
            }
        case .expunge: isUncertain = true
        default: break
        }
    }
}
