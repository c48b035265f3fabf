internal import Events
internal import IMAP
internal import Network
internal import Threads

/// How long a server is waited for.
public struct IMAPPatience: Hashable, Sendable {
    /// Until there is a connection, TLS included.
    public var connectMilliseconds = 30_000
    /// Until the next byte comes.
    public var silenceMilliseconds = 60_000
    /// Until a command has ended; while messages are read, until the next one has.
    public var commandMilliseconds = 600_000

    public init() {}
}

/// One signed-in connection to an IMAP server, for one thread: commands go out, their answers come back, and whatever goes
/// wrong is a ``SourceFailure/unavailable(_:)`` after which the session is of no more use.
final class IMAPSession {
    /// One thing the server said, in order.
    enum Item {
        case response(Response)
        /// A body that fits.
        case body(section: [UInt8], [UInt8])
        /// A body that does not: its pieces follow, then its end.
        case largeBody(FetchedAttributes, size: UInt64)
        case piece([UInt8])
        case largeBodyEnd
    }

    /// The largest message that is held as a whole.
    static let wholeBytes: UInt64 = 4 << 20
    private let connection: Connection
    private let patience: IMAPPatience
    private let inbound = Inbound()
    private var parser = ResponseParser()
    private var dialogue = Dialogue()
    /// Whether it may be used further.
    private(set) var isUsable = true
    /// Whether something was asked of it since it was last taken.
    var hasWorked = false
    /// When it was last used.
    var lastUse = Deadline.now
    /// The mailbox that is open, and under which validity.
    var opened: (name: MailboxName, uidValidity: UInt32)?
    /// Whether the server has Dovecot's GUIDs.
    private(set) var hasGUIDs = false
    /// Where whose mailboxes are; nil where the server does not say.
    private(set) var namespaces: Namespaces?
    /// Commands of which only the end is of interest, and only if it is not `OK`.
    private var unwatched: Set<Dialogue.Tag> = []

    /// What a message can be known by here.
    var markItems: [Command.FetchItem] {
        var items: [Command.FetchItem] = []
        if capabilities.has("OBJECTID") { items += [.emailID, .threadID] } else if hasGUIDs { items.append(.guid) }
        if capabilities.has("SAVEDATE") { items.append(.saveDate) }
        return items
    }

    var capabilities: CapabilitySet { dialogue.capabilities }
    var enabled: CapabilitySet { dialogue.enabled }

    /// Connects and signs in. Throws ``SourceFailure``, and a ``Failure`` where the server refuses the user.
    init(_ access: ServerAccess, patience: IMAPPatience) throws {
        self.patience = patience
        let deadline = Deadline.after(milliseconds: patience.connectMilliseconds)
        do {
            connection = try Connection(
                to: access.endpoint, security: access.security, authorities: access.authorities, deadline: deadline)
        } catch {
            throw SourceFailure.unavailable("\(error). \(error.hint)")
        }
        do {
            try begin(access)
        } catch {
            connection.close()
            throw error
        }
    }

    deinit { connection.close() }

    func close() {
        isUsable = false
        connection.close()
    }

    var wake: @Sendable () -> Void { connection.wake }

    // MARK: Commands

    /// Sends a command and gives each answer that comes before its end to `each`. Throws for `NO` and `BAD` as well.
    @discardableResult
    func run(_ command: Command, _ each: (Response) throws -> Void = { _ in }) throws -> StatusLine {
        let status = try attempt(command, each)
        guard status.condition == .ok else { throw refusal(status, of: command) }
        return status
    }

    /// The same, but `NO` is an answer: some things a server may refuse.
    func attempt(_ command: Command, _ each: (Response) throws -> Void = { _ in }) throws -> StatusLine {
        let begun = try start(command)
        let deadline = Deadline.after(milliseconds: patience.commandMilliseconds)
        var isFirst = true
        while true {
            guard case .response(let response) = try next(deadline) else { continue }
            switch try event(response) {
            case .completed(let tag, let status):
                guard tag == begun else { throw broken("it ended another command than was begun") }
                if status.condition == .bad { throw refusal(status, of: command) }
                return status
            case .wanted:
                guard let answer = Dialogue.answer(to: command, isFirst: isFirst) else {
                    throw broken("it asks for more of a command that is whole")
                }
                isFirst = false
                try send([answer])
            case .data(let response): try each(response)
            case .greeted, .farewell: throw broken("it speaks out of turn")
            }
        }
    }

    /// Leaves the mailbox that is open. One opened with `EXAMINE` can be closed without anything being expunged.
    func unselect() throws {
        guard opened != nil else { return }
        opened = nil
        // Nobody waits for it: what is asked next is answered behind it.
        unwatched.insert(
            try start(capabilities.has("UNSELECT") || capabilities.has("IMAP4REV2") ? .unselect : .close))
    }

    /// Leaves whatever mailbox is open for writing, without expunging anything.
    func unselectAny() throws {
        if capabilities.has("UNSELECT") || capabilities.has("IMAP4REV2") { try run(.unselect) }
    }

    /// Sends commands one behind the other without waiting, and gives each answer to `each` and each end to `ended`, with the
    /// place of its command.
    func pipeline(
        _ commands: [Command], _ each: (Response) throws -> Void, ended: (Int, StatusLine) throws -> Void
    ) throws {
        var first = 0
        while first < commands.count {
            let end = min(commands.count, first + 32)
            var places: [Dialogue.Tag: Int] = [:]
            for place in first..<end { places[try start(commands[place])] = place }
            let deadline = Deadline.after(milliseconds: patience.commandMilliseconds)
            while !places.isEmpty {
                guard case .response(let response) = try next(deadline) else { continue }
                switch try event(response) {
                case .completed(let tag, let status):
                    guard let place = places.removeValue(forKey: tag) else {
                        throw broken("it ended another command than was begun")
                    }
                    try ended(place, status)
                case .data(let response): try each(response)
                case .wanted, .greeted, .farewell: throw broken("it speaks out of turn")
                }
            }
            first = end
        }
    }

    /// Begins a command and sends all of it, each part when the server asks for it.
    func start(_ command: Command) throws -> Dialogue.Tag {
        let begun: Dialogue.Begun
        do { begun = try dialogue.begin(command) } catch {
            throw SourceFailure.unavailable("it cannot be asked: \(error)")
        }
        try send([begun.parts[0]])
        for part in begun.parts.dropFirst() {
            let deadline = Deadline.after(milliseconds: patience.commandMilliseconds)
            waiting: while true {
                guard case .response(let response) = try next(deadline) else { continue }
                switch try event(response) {
                case .wanted: break waiting
                case .data: continue
                case .completed(_, let status): throw refusal(status, of: command)
                case .greeted, .farewell: throw broken("it speaks out of turn")
                }
            }
            try send([part])
        }
        return begun.tag
    }

    /// Begins an `APPEND`, which is sent piece by piece.
    func beginAppend() -> (tag: Dialogue.Tag, writer: AppendWriter) { dialogue.beginAppend() }

    /// The next data the server sends by itself; nil when nothing came until `deadline`, or somebody has woken it.
    func listen(until deadline: Deadline) throws -> Response? {
        while true {
            while let item = inbound.take() {
                guard case .response(let response) = item else { continue }
                if case .data(let data) = try event(response) { return data }
            }
            var violation: ProtocolViolation?
            do {
                let isThere: Void? = try connection.receive(deadline) { bytes in
                    do throws(ProtocolViolation) { try parser.receive(bytes, inbound) } catch { violation = error }
                }
                if isThere == nil, connection.takeWake() { return nil }
                if isThere == nil { throw broken("it closed the connection") }
            } catch let failure as NetworkFailure {
                if failure.kind == .deadline { return nil }
                throw broken("\(failure)")
            }
            if let violation { throw broken("\(violation)") }
        }
    }

    /// Waits for the end of a command that was begun.
    func finish(_ begun: Dialogue.Tag, _ each: (Response) throws -> Void) throws {
        while true {
            guard case .response(let response) = try next(soon) else { continue }
            switch try event(response) {
            case .completed(let tag, _) where tag == begun: return
            case .data(let response): try each(response)
            default: continue
            }
        }
    }

    /// What a response means. Throws at a `BYE`: an answer that was under way is not complete.
    func event(_ response: Response) throws -> Dialogue.Event {
        let event: Dialogue.Event
        do { event = try dialogue.receive(response) } catch { throw broken("\(error)") }
        switch event {
        case .farewell(let status): throw broken("it says goodbye: \(IMAPSession.shown(status.text))")
        case .completed(let tag, let status) where unwatched.remove(tag) != nil:
            guard status.condition == .ok else { throw broken("it refused: \(IMAPSession.shown(status.text))") }
            return .data(.status(status))
        default: return event
        }
    }

    /// The next thing the server says.
    func next(_ deadline: Deadline) throws -> Item {
        while true {
            if let item = inbound.take() {
                if inbound.isTooLarge { throw broken("it announces a message of more than 4 GiB") }
                return item
            }
            // Whoever says something all the time does not get more time for it.
            guard !deadline.hasPassed else { throw broken("it did not come to an end in time") }
            let soon = Deadline.after(milliseconds: patience.silenceMilliseconds)
            var violation: ProtocolViolation?
            let isThere: Void?
            do {
                isThere = try connection.receive(min(soon, deadline)) { bytes in
                    do throws(ProtocolViolation) { try parser.receive(bytes, inbound) } catch { violation = error }
                }
            } catch let failure as NetworkFailure {
                throw broken("\(failure)")
            }
            if let violation { throw broken("\(violation)") }
            if isThere == nil { throw broken("it closed the connection") }
        }
    }

    func send(_ pieces: [[UInt8]]) throws {
        do {
            try connection.send(pieces, .after(milliseconds: patience.silenceMilliseconds))
        } catch { throw broken("\(error)") }
    }

    /// A moment by which the next message has to be there.
    var soon: Deadline { .after(milliseconds: patience.commandMilliseconds) }

    // MARK: Failures

    private func broken(_ why: String) -> SourceFailure {
        close()
        return .unavailable("\(connection.endpoint): \(why)")
    }

    private func refusal(_ status: StatusLine, of command: Command) -> SourceFailure {
        // The session goes on, but what was asked for is not known: as good as not having been reached.
        .unavailable(
            "\(connection.endpoint) refused \(IMAPSession.name(of: command)): \(IMAPSession.shown(status.text))")
    }

    /// The server's words, cut to a length a person reads.
    static func shown(_ text: [UInt8]) -> String {
        let shown = String(decoding: text.prefix(300).map { $0 < 0x20 || $0 == 0x7F ? 0x3F : $0 }, as: UTF8.self)
        return shown.isEmpty ? "it does not say why" : shown
    }

    /// Its name only: what comes with it may be a secret.
    private static func name(of command: Command) -> String {
        String("\(command)".prefix { $0 != "(" })
    }

    // MARK: Signing in

    private func begin(_ access: ServerAccess) throws {
        guard case .response(let greeting) = try next(.after(milliseconds: patience.connectMilliseconds)) else {
            throw broken("it does not greet")
        }
        guard case .greeted(var isAuthenticated) = try event(greeting) else { throw broken("it does not greet") }
        let words: [UInt8] = if case .status(let status) = greeting { status.text } else { [] }
        if access.security == .startTLS {
            // Signed in before TLS: as whom, and who said so?
            guard !isAuthenticated else { throw broken("it does without a password before TLS was begun") }
            try run(.startTLS)
            guard parser.isBetweenResponses, inbound.isEmpty else {
                throw broken("it sent unprotected words behind its consent to TLS")
            }
            do {
                try connection.startTLS(.after(milliseconds: patience.connectMilliseconds))
            } catch { throw broken("\(error)") }
            dialogue.protected()
            isAuthenticated = false
        }
        try askCapabilities()
        if !isAuthenticated { try signIn(access) }
        try askCapabilities()
        try introduce(isDovecot: String(decoding: words, as: UTF8.self).contains("Dovecot"))
    }

    /// What is to be known before anything else, asked at once.
    private func introduce(isDovecot: Bool) throws {
        var commands: [Command] = []
        if capabilities.has("ENABLE") {
            if capabilities.has("QRESYNC") {
                commands.append(.enable([.qresync]))
            } else if capabilities.has("CONDSTORE") {
                commands.append(.enable([.condstore]))
            }
        }
        let needed = commands.count
        if capabilities.has("NAMESPACE") || capabilities.has("IMAP4REV2") { commands.append(.namespace) }
        if capabilities.has("ID") {
            commands.append(.id([MetadataEntry(name: Array("name".utf8), value: Array("Yestermail".utf8))]))
        }
        // Not in its capabilities, and not in its documentation; so it is asked. Where the greeting does not tell its name, the
        // answer to `ID` may.
        if isDovecot { commands.append(.status(.inbox, [.guid])) }
        var isNamedDovecot = false
        var refusal: StatusLine?
        try pipeline(commands) { response in
            switch response {
            case .namespace(let spaces): namespaces = spaces
            case .id(let fields):
                isNamedDovecot = fields.contains {
                    $0.name == Array("name".utf8) && $0.value == Array("Dovecot".utf8)
                }
            default: break
            }
        } ended: { place, status in
            if place < needed, status.condition != .ok { refusal = status }
            if isDovecot, place == commands.count - 1 { hasGUIDs = status.condition == .ok }
        }
        if let refusal { throw self.refusal(refusal, of: commands[0]) }
        guard isNamedDovecot, !isDovecot else { return }
        try pipeline([.status(.inbox, [.guid])]) { _ in
        } ended: { _, status in
            hasGUIDs = status.condition == .ok
        }
    }

    private func askCapabilities() throws {
        if !dialogue.knowsCapabilities { try run(.capability) }
    }

    private func signIn(_ access: ServerAccess) throws {
        let secret = try access.secret()
        let command: Command
        do { command = try signInCommand(access, secret) } catch let refusal as EncodingRefusal {
            throw Failure(.signIn, "\(access) cannot sign in: \(refusal)")
        }
        let status: StatusLine
        do { status = try attempt(command) } catch let failure as SourceFailure {
            guard isUsable else { throw failure }
            throw Failure(.signIn, "\(access) cannot sign in: \(failure)")
        }
        guard status.condition == .ok else {
            if case .word(.unavailable)? = status.code {
                throw SourceFailure.unavailable("\(access.endpoint): \(IMAPSession.shown(status.text))")
            }
            throw Failure(
                .signIn, "\(access.endpoint) refused \(access.user): \(IMAPSession.shown(status.text))",
                hint: "Look at the account's --secret, and whether this user may sign in by IMAP")
        }
    }

    private func signInCommand(_ access: ServerAccess, _ secret: [UInt8]) throws -> Command {
        let user = Array(access.user.utf8)
        let isInitial = capabilities.has("SASL-IR") || capabilities.has("IMAP4REV2")
        func plain() throws -> Command {
            let response = try SASLResponse.plain(
                authorization: access.master == nil ? [] : user, user: access.master.map { Array($0.utf8) } ?? user,
                password: secret)
            return .authenticate(response, isInitial: isInitial)
        }
        switch access.mechanism {
        case .automatic:
            if capabilities.has("AUTH=PLAIN") || access.master != nil { return try plain() }
            guard !capabilities.has("LOGINDISABLED") else {
                throw Failure(
                    .signIn, "\(access.endpoint) lets nobody sign in with a password on this connection",
                    hint: "Use imaps:// or --starttls, or --auth for another way to sign in")
            }
            return .login(user: user, password: secret)
        case .plain: return try plain()
        case .login: return .login(user: user, password: secret)
        case .xoauth2:
            return .authenticate(try .xoauth2(user: user, token: secret), isInitial: isInitial)
        case .oauthbearer:
            return .authenticate(
                try .oauthBearer(
                    user: user, host: Array(access.endpoint.host.utf8), port: access.endpoint.port, token: secret),
                isInitial: isInitial)
        }
    }
}

/// What the parser has said and nobody has taken yet: never more than comes of one piece of the connection, and one message
/// that fits.
private final class Inbound: ResponseHandler {
    private var items: [IMAPSession.Item] = []
    private var next = 0
    private var section: [UInt8] = []
    private var body: [UInt8] = []
    private var isLarge = false
    private(set) var isTooLarge = false

    var isEmpty: Bool { next == items.count }

    func take() -> IMAPSession.Item? {
        guard next < items.count else { return nil }
        defer {
            next += 1
            if next == items.count {
                items.removeAll(keepingCapacity: true)
                next = 0
            }
        }
        return items[next]
    }

    func response(_ response: Response) { items.append(.response(response)) }

    func bodyBegins(_ row: FetchedAttributes, section: [UInt8], size: UInt64) {
        isLarge = size > IMAPSession.wholeBytes
        if size > 4 << 30 { isTooLarge = true }
        self.section = section
        if isLarge {
            items.append(.largeBody(row, size: size))
        } else {
            body = []
            body.reserveCapacity(Int(size))
        }
    }

    func bodyBytes(_ bytes: UnsafeRawBufferPointer) {
        if isLarge { items.append(.piece(Array(bytes))) } else { body.append(contentsOf: bytes) }
    }

    func bodyEnds() {
        items.append(isLarge ? .largeBodyEnd : .body(section: section, body))
        body = []
    }
}
