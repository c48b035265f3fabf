/// The client's side of one connection, without the connection: commands go in and bytes come out, responses go in and come
/// back with what they mean. It gives the tags, knows which commands have not ended, what the server can do, and in which
/// state it is; several commands may be under way at once.
public struct Dialogue {
    /// RFC 9051, 3.
    public enum State: Hashable, Sendable {
        /// Nothing has been said yet.
        case greeting
        case notAuthenticated
        case authenticated
        case selected(MailboxName)
        case loggedOut
    }

    /// What a response means.
    public enum Event: Hashable, Sendable {
        /// The greeting; `isAuthenticated` for `PREAUTH`.
        case greeted(isAuthenticated: Bool)
        /// A command has ended.
        case completed(Tag, StatusLine)
        /// The server asks for more of the oldest command that waits for that.
        case wanted(Tag, [UInt8])
        /// Data, asked for or not.
        case data(Response)
        /// `BYE`: the server ends it. An answer that was under way is not complete.
        case farewell(StatusLine)
    }

    /// The name of one command.
    public struct Tag: Hashable, Sendable {
        public let number: UInt32

        var bytes: [UInt8] { Array("y\(number)".utf8) }
    }

    /// A command that has been begun: its bytes, and before which the server has to ask.
    public struct Begun: Hashable, Sendable {
        public let tag: Tag
        /// Before each but the first the server has to ask for it.
        public let parts: [[UInt8]]
    }

    private enum Kind {
        case command(Command)
        case append
    }

    public private(set) var state = State.greeting
    public private(set) var capabilities = CapabilitySet()
    /// Whether the capabilities are those of now: signing in and TLS make them void.
    public private(set) var knowsCapabilities = false
    public private(set) var enabled = CapabilitySet()
    private var outstanding: [(tag: Tag, kind: Kind)] = []
    private var nextTag: UInt32 = 1

    public init() {}

    public var literals: LiteralKind { LiteralKind(capabilities) }

    /// Whether a command has not ended.
    public var isBusy: Bool { !outstanding.isEmpty }

    // MARK: Out

    /// Begins a command; its bytes are to be sent.
    public mutating func begin(_ command: Command) throws(EncodingRefusal) -> Begun {
        let tag = Tag(number: nextTag)
        let parts = try command.encode(tag: tag.bytes, literals: literals)
        nextTag += 1
        outstanding.append((tag, .command(command)))
        return Begun(tag: tag, parts: parts)
    }

    /// Begins an `APPEND`; what is to be sent the writer says.
    public mutating func beginAppend() -> (tag: Tag, writer: AppendWriter) {
        let tag = Tag(number: nextTag)
        nextTag += 1
        outstanding.append((tag, .append))
        return (tag, AppendWriter(tag: tag.bytes, literals: literals))
    }

    /// What ends an `IDLE`.
    public static let done = Array("DONE\r\n".utf8)

    /// What is said when the server asks during ``Command/authenticate(_:isInitial:)``: the response the first time, and an
    /// empty line to whatever it asks after that, which makes it say no.
    public static func answer(to command: Command, isFirst: Bool) -> [UInt8]? {
        guard case .authenticate(let response, let isInitial) = command else { return nil }
        return (isFirst && !isInitial ? Base64.encode(response.response) : []) + [0x0D, 0x0A]
    }

    /// TLS is there: whatever was said before it is void.
    public mutating func protected() {
        capabilities = CapabilitySet()
        knowsCapabilities = false
    }

    // MARK: In

    public mutating func receive(_ response: Response) throws(ProtocolViolation) -> Event {
        if case .greeting = state { return try greeting(response) }
        switch response {
        case .tagged(let name, let status): return try completed(name, status)
        case .continuation(let text):
            guard let waiting = outstanding.first else {
                throw ProtocolViolation("it asks for more when nothing has been begun")
            }
            return .wanted(waiting.tag, text)
        case .status(let status):
            if status.condition == .bye {
                state = .loggedOut
                return .farewell(status)
            }
            note(status.code)
            return .data(response)
        case .capability(let set):
            capabilities = set
            knowsCapabilities = true
            return .data(response)
        case .enabled(let set):
            enabled.formUnion(set)
            return .data(response)
        default: return .data(response)
        }
    }

    private mutating func greeting(_ response: Response) throws(ProtocolViolation) -> Event {
        guard case .status(let status) = response else { throw ProtocolViolation("a greeting expected") }
        switch status.condition {
        case .ok: state = .notAuthenticated
        case .preauth: state = .authenticated
        case .bye:
            state = .loggedOut
            return .farewell(status)
        case .no, .bad: throw ProtocolViolation("a greeting expected")
        }
        note(status.code)
        return .greeted(isAuthenticated: state == .authenticated)
    }

    private mutating func note(_ code: ResponseCode?) {
        guard case .capability(let set) = code else { return }
        capabilities = set
        knowsCapabilities = true
    }

    private mutating func completed(_ name: [UInt8], _ status: StatusLine) throws(ProtocolViolation) -> Event {
        guard let index = outstanding.firstIndex(where: { $0.tag.bytes == name }) else {
            throw ProtocolViolation("it ends a command that has not been begun")
        }
        let (tag, kind) = outstanding.remove(at: index)
        if case .command(let command) = kind { follow(command, status) }
        note(status.code)
        return .completed(tag, status)
    }

    /// What the end of a command does to the state.
    private mutating func follow(_ command: Command, _ status: StatusLine) {
        let isDone = status.condition == .ok
        switch command {
        case .login, .authenticate:
            guard isDone else { return }
            state = .authenticated
            knowsCapabilities = false
        case .startTLS:
            // What it can do is asked for again under TLS.
            if isDone { knowsCapabilities = false }
        case .select(let name, _, _): state = isDone ? .selected(name) : .authenticated
        case .close, .unselect: if isDone { state = .authenticated }
        case .logout: state = .loggedOut
        default: break
        }
    }
}
