/// The whole of an item's metadata at a moment: a photograph, not a difference.
public struct ItemState: Hashable, Sendable {
    /// Gone from the mailbox. (In the trash folder is not deleted.) Everything else is as it was just before.
    public var isDeleted: Bool
    public var content: Content

    public enum Content: Hashable, Sendable {
        case message(MessageState)
        case folder(FolderState)
        case account(AccountState)
        /// A kind this program does not know: carried through unread, never dropped.
        case other([UInt8])
    }

    public init(_ content: Content, isDeleted: Bool = false) {
        self.content = content
        self.isDeleted = isDeleted
    }

    public init(_ message: MessageState, isDeleted: Bool = false) { self.init(.message(message), isDeleted: isDeleted) }
    public init(_ folder: FolderState, isDeleted: Bool = false) { self.init(.folder(folder), isDeleted: isDeleted) }
    public init(_ account: AccountState, isDeleted: Bool = false) { self.init(.account(account), isDeleted: isDeleted) }

    public var message: MessageState? {
        if case .message(let state) = content { state } else { nil }
    }

    public var folder: FolderState? {
        if case .folder(let state) = content { state } else { nil }
    }

    public var account: AccountState? {
        if case .account(let state) = content { state } else { nil }
    }
}

extension ItemState {
    /// Writes the canonical bytes of the state (`Specs/Format/Events.md`, "State"): equal states, equal bytes.
    public func encode(into writer: inout ByteWriter) {
        writer.integer(UInt8(isDeleted ? 1 : 0))
        switch content {
        case .message(let state): state.encode(into: &writer)
        case .folder(let state): state.encode(into: &writer)
        case .account(let state): state.encode(into: &writer)
        case .other(let bytes): writer.raw(bytes)
        }
    }

    /// Reads the bytes of the state of an item of that kind.
    public init(_ kind: ItemKind, decoding bytes: RawSpan) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        let bits: UInt8 = try reader.integer()
        // Bits of a later version mean something: a state without them would be another state.
        guard bits & ~1 == 0 else { throw DecodingFailure(offset: 0, reason: .outOfRange) }
        isDeleted = bits & 1 != 0
        switch kind {
        case .message: content = .message(try MessageState(from: &reader))
        case .folder: content = .folder(try FolderState(from: &reader))
        case .account: content = .account(try AccountState(from: &reader))
        case .contact, .contactGroup, .appointment, .task, .document, .mailingList, .domain, .classOfService:
            let rest = reader.takeRest()
            content = .other(rest.withUnsafeBytes { Array($0) })
        }
        try reader.finish()
    }
}
