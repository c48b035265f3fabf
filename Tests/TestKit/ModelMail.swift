internal import Synchronization

/// Mailboxes in memory: the truth behind a ``ScriptedServer``, for tests to fill, change and look at.
public final class ModelMail: Sendable {
    public struct Message: Sendable {
        public var uid: UInt32
        /// As on the wire, sorted.
        public var flags: [String]
        /// As on the wire, without quotes.
        public var date: String
        public var bytes: [UInt8]
        public var modSequence: UInt64
        public var emailID: String
    }

    public struct Mailbox: Sendable {
        public var id: String
        public var uidValidity: UInt32
        public var uidNext: UInt32 = 1
        public var messages: [Message] = []
        public var isSubscribed = false
        public var attributes: [String] = []
        public var rights: [String: String] = [:]
        var highestModSequence: UInt64 = 1
        var vanished: [(uid: UInt32, modSequence: UInt64)] = []

        mutating func next() -> UInt64 {
            highestModSequence += 1
            return highestModSequence
        }

        mutating func remove(_ isWanted: (Message) -> Bool) -> [UInt32] {
            let gone = messages.filter(isWanted).map(\.uid)
            guard !gone.isEmpty else { return [] }
            let sequence = next()
            vanished += gone.map { ($0, sequence) }
            messages.removeAll(where: isWanted)
            return gone
        }

        mutating func put(_ bytes: [UInt8], _ flags: [String], _ date: String, emailID: String) -> UInt32 {
            let message = Message(
                uid: uidNext, flags: Set(flags).sorted(), date: date, bytes: bytes, modSequence: next(),
                emailID: emailID)
            messages.append(message)
            uidNext += 1
            return message.uid
        }
    }

    struct Contents {
        var mailboxes: [[UInt8]: Mailbox] = [:]
        var nextValidity: UInt32 = 1_700_000_000
        var nextID = 1
        var quota: Int?
        /// What the server makes of messages, unknown to the client.
        var alters: (@Sendable ([UInt8]) -> [UInt8])?

        mutating func newID() -> String {
            nextID += 1
            return "M\(nextID)"
        }

        mutating func create(_ name: [UInt8]) -> Bool {
            guard mailboxes[name] == nil else { return false }
            nextValidity += 1
            mailboxes[name] = Mailbox(id: newID(), uidValidity: nextValidity)
            return true
        }

        var size: Int { mailboxes.values.reduce(0) { $0 + $1.messages.reduce(0) { $0 + $1.bytes.count } } }
    }

    let contents: Mutex<Contents>

    /// With an `INBOX`.
    public init() {
        var contents = Contents()
        _ = contents.create(Array("INBOX".utf8))
        self.contents = Mutex(contents)
    }

    /// Every mailbox by its name.
    public var mailboxes: [String: Mailbox] {
        contents.withLock { contents in
            Dictionary(
                uniqueKeysWithValues: contents.mailboxes.map { (String(decoding: $0, as: UTF8.self), $1) })
        }
    }

    /// At most that many bytes of mail; nil: any number.
    public var quota: Int? {
        get { contents.withLock { $0.quota } }
        set { contents.withLock { $0.quota = newValue } }
    }

    /// Changes every message that is appended from now on, as servers do.
    public func alter(_ body: @escaping @Sendable ([UInt8]) -> [UInt8]) { contents.withLock { $0.alters = body } }

    /// Changes a mailbox, which is made where it is missing.
    public func change<Result: Sendable>(_ name: String, _ body: (inout Mailbox) -> Result) -> Result {
        contents.withLock { contents in
            _ = contents.create(Array(name.utf8))
            return body(&contents.mailboxes[Array(name.utf8)]!)
        }
    }

    @discardableResult
    public func append(
        _ name: String, _ message: String, flags: [String] = [], date: String = "01-Feb-2020 10:00:00 +0000"
    ) -> UInt32 {
        contents.withLock { contents in
            _ = contents.create(Array(name.utf8))
            let id = contents.newID()
            return contents.mailboxes[Array(name.utf8)]!.put(Array(message.utf8), flags, date, emailID: id)
        }
    }

    @discardableResult
    public func expunge(_ name: String, _ uids: Set<UInt32>) -> [UInt32] {
        change(name) { $0.remove { uids.contains($0.uid) } }
    }

    public func setFlags(_ name: String, _ uid: UInt32, _ flags: [String]) {
        change(name) { mailbox in
            guard let index = mailbox.messages.firstIndex(where: { $0.uid == uid }) else { return }
            mailbox.messages[index].flags = Set(flags).sorted()
            mailbox.messages[index].modSequence = mailbox.next()
        }
    }

    /// A user who has just been made: mailboxes that come later have validities of their own.
    public func clear() {
        contents.withLock { contents in
            contents.mailboxes = [:]
            _ = contents.create(Array("INBOX".utf8))
        }
    }

    public func remove(_ name: String) { contents.withLock { $0.mailboxes[Array(name.utf8)] = nil } }

    public func rename(_ name: String, to other: String) {
        contents.withLock { contents in
            contents.mailboxes[Array(other.utf8)] = contents.mailboxes.removeValue(forKey: Array(name.utf8))
        }
    }
}
