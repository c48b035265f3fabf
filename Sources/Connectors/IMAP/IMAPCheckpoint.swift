internal import Events
internal import IMAP

/// The four numbers that say whether anything in a mailbox is new: what a pass remembers of it (RFC 7162).
struct IMAPCheckpoint: Hashable, Sendable {
    var uidValidity: UInt32
    var modSequence: UInt64
    var uidNext: UInt32
    var messages: UInt32

    /// nil where the server cannot count changes: then every pass has to look.
    init?(_ status: MailboxStatus) {
        guard let validity = status.uidValidity, let sequence = status.highestModSequence, sequence > 0,
            let next = status.uidNext, let messages = status.messages
        else { return nil }
        (uidValidity, modSequence, uidNext, self.messages) = (validity, sequence, next, messages)
    }

    init(uidValidity: UInt32, modSequence: UInt64, uidNext: UInt32, messages: UInt32) {
        (self.uidValidity, self.modSequence) = (uidValidity, modSequence)
        (self.uidNext, self.messages) = (uidNext, messages)
    }

    /// nil for what was not written by ``bytes``.
    init?(_ bytes: [UInt8]) {
        let parts = bytes.split(separator: UInt8(ascii: " ")).compactMap { UInt64(String(decoding: $0, as: UTF8.self)) }
        guard parts.count == 4, let validity = UInt32(exactly: parts[0]), let next = UInt32(exactly: parts[2]),
            let messages = UInt32(exactly: parts[3])
        else { return nil }
        self.init(uidValidity: validity, modSequence: parts[1], uidNext: next, messages: messages)
    }

    var bytes: [UInt8] { Array("\(uidValidity) \(modSequence) \(uidNext) \(messages)".utf8) }
}
