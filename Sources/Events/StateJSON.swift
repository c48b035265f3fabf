/// Where a state stands in the history of its item: what surrounds the state in its JSON object.
public struct StateContext: Sendable {
    public var transaction: TransactionID
    public var start: Timestamp
    public var item: ItemID
    public var kinds: ChangeKinds
    public var origin: Origin
    /// The path of the folder a message is in, as it was at `transaction`; nil where it is not known.
    public var folderPath: [UInt8]?

    public init(
        transaction: TransactionID, start: Timestamp, item: ItemID, kinds: ChangeKinds, origin: Origin,
        folderPath: [UInt8]?
    ) {
        (self.transaction, self.start, self.item) = (transaction, start, item)
        (self.kinds, self.origin, self.folderPath) = (kinds, origin, folderPath)
    }
}

extension JSONWriter {
    /// The keys of `txid` to `origin` of one state, as in `Specs/Interfaces/JSON.md`, without `end_date`, which only
    /// the next state knows.
    public mutating func stateMembers(_ state: ItemState, _ context: StateContext) {
        key("txid")
        value(context.transaction.rawValue)
        key("start_date")
        value(context.start)
        key("type")
        value(context.item.kind.name)
        key("item")
        value(context.item)
        key("deleted")
        value(state.isDeleted)
        switch state.content {
        case .message(let message): messageMembers(message, context)
        case .folder(let folder): folderMembers(folder)
        case .account(let account): accountMembers(account)
        case .other(let bytes):
            key("size")
            value(bytes.count)
        }
        key("change")
        changeKinds(context.kinds)
        key("origin")
        value(ascii: context.origin.name)
    }

    private mutating func messageMembers(_ message: MessageState, _ context: StateContext) {
        key("folder")
        value(ItemID(.folder, message.folder))
        key("folder_path")
        if let path = context.folderPath { name(path, "folder_path_b64") } else { null() }
        flagMembers(message.flags, message.keywords)
        key("digest")
        switch message.content {
        case .blob(let digest, let size):
            value(digest)
            key("size")
            value(size)
        case .unreadable(let reason):
            null()
            key("size")
            null()
            key("unreadable_errno")
            value(reason)
        }
        key("internal_date")
        value(message.internalDate)
        if !message.marks.emailID.isEmpty {
            key("email_id")
            name(message.marks.emailID, "email_id_b64")
        }
        if !message.marks.threadID.isEmpty {
            key("thread_id")
            name(message.marks.threadID, "thread_id_b64")
        }
        if let date = message.marks.saveDate {
            key("save_date")
            value(date)
        }
    }

    /// The keys `flags` and `tags`.
    public mutating func flagMembers(_ flags: MessageFlags, _ keywords: [[UInt8]]) {
        key("flags")
        beginArray()
        for (flag, _, escaped) in MessageFlags.names where flags.contains(flag) { value(ascii: escaped) }
        endArray()
        key("tags")
        beginArray()
        let passed = flags.contains(.passed)
        if passed { value(ascii: "$Forwarded") }
        for keyword in keywords where !(passed && keyword.elementsEqual("$Forwarded".utf8)) {
            value(utf8: keyword.span)
        }
        endArray()
        if keywords.contains(where: { !isUTF8($0.span) }) {
            key("tags_b64")
            beginArray()
            for keyword in keywords { value(base64: keyword) }
            endArray()
        }
    }

    /// The keys of a folder's own.
    public mutating func folderMembers(_ folder: FolderState) {
        key("path")
        name(folder.joinedPath, "path_b64")
        key("subscribed")
        value(folder.isSubscribed)
        if folder.uidValidity != 0 {
            key("uid_validity")
            value(folder.uidValidity)
        }
        key("source_name")
        name(folder.sourceName, "source_name_b64")
        guard !folder.attributes.isEmpty else { return }
        key("attributes")
        beginArray()
        for attribute in folder.attributes {
            beginObject()
            key("name")
            name(attribute.name, "name_b64")
            key("value")
            name(attribute.value, "value_b64")
            endObject()
        }
        endArray()
    }

    private mutating func accountMembers(_ account: AccountState) {
        key("address")
        value(account.address)
        key("account_id")
        value(account.id.description)
        key("sources")
        beginArray()
        for source in account.sources { value(source) }
        endArray()
        key("enabled")
        value(account.isEnabled)
        key("held")
        value(account.isHeld)
    }

    public mutating func changeKinds(_ kinds: ChangeKinds) {
        beginArray()
        for (kind, name) in ChangeKinds.names where kinds.contains(kind) { value(ascii: name) }
        endArray()
    }

    /// A name that came as bytes: the nearest text, and the exact bytes in base64 where they are not Unicode.
    public mutating func name(_ bytes: [UInt8], _ exactKey: StaticString) {
        value(utf8: bytes.span)
        if !isUTF8(bytes.span) {
            key(exactKey)
            value(base64: bytes)
        }
    }

    /// The bytes in base64 (RFC 4648, 4).
    public mutating func value(base64 bytes: [UInt8]) {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let word =
                UInt32(bytes[index]) << 16 | (left > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
                | (left > 2 ? UInt32(bytes[index + 2]) : 0)
            text.append(alphabet[Int(word >> 18 & 63)])
            text.append(alphabet[Int(word >> 12 & 63)])
            text.append(left > 1 ? alphabet[Int(word >> 6 & 63)] : 61)
            text.append(left > 2 ? alphabet[Int(word & 63)] : 61)
            index += 3
        }
        value(utf8: text.span)
    }

    /// A note's fields as an object, with its kind as `type`.
    public mutating func note(_ note: Note) {
        beginObject()
        key("type")
        value(ascii: note.kind.name)
        for field in note.fields {
            key(text: field.name)
            switch field.value {
            case .number(let number): value(number)
            case .time(let time): value(time)
            case .text(let bytes): value(utf8: bytes.span)
            case .flag(let flag): value(flag)
            }
        }
        endObject()
    }
}

/// Whether all of `bytes` is valid UTF-8.
public func isUTF8(_ bytes: Span<UInt8>) -> Bool {
    var index = 0
    while index < bytes.count {
        if bytes[index] < 0x80 {
            index += 1
            continue
        }
        let (scalar, length) = decodeScalar(bytes, at: index)
        if scalar == nil { return false }
        index += length
    }
    return true
}
