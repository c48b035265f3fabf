public import Events

extension AccountHistory {
    /// The script as JSON Lines, one event a line: for players in other languages, and to compare two machines.
    public var script: [UInt8] {
        var writer = JSONWriter(capacity: events.count * 120)
        for event in events { event.write(to: &writer) }
        return writer.bytes
    }

    /// The SHA-256 of ``script``: what must be equal everywhere.
    public var scriptDigest: Digest { Digest(hashing: script.span.bytes) }
}

extension MailboxEvent {
    /// Writes the event as a line of JSON. Names are the bytes on disk, `\xNN` for what is not printable ASCII.
    func write(to writer: inout JSONWriter) {
        func number(_ value: Int, _ key: StaticString = "message") {
            writer.key(key)
            writer.value(value)
        }
        func folder(_ value: FolderPath, _ key: StaticString = "folder") {
            writer.key(key)
            writer.value(value.description)
        }
        func flags(_ flags: MessageFlags, _ keywords: [[UInt8]]) {
            writer.key("flags")
            writer.value(printable(flags.letters))
            writer.key("keywords")
            writer.beginArray()
            for keyword in keywords { writer.value(printable(keyword)) }
            writer.endArray()
        }
        writer.beginObject()
        writer.key("time")
        writer.value(time)
        writer.key("event")
        switch change {
        case .arrived(let message, let content, let into, let internalDate, let set, let keywords):
            writer.value(ascii: "arrived")
            number(message)
            number(content, "content")
            folder(into)
            writer.key("internal_date")
            writer.value(Timestamp(seconds: internalDate))
            flags(set, keywords)
        case .flagsChanged(let message, let set, let keywords):
            writer.value(ascii: "flags")
            number(message)
            flags(set, keywords)
        case .moved(let message, let target):
            writer.value(ascii: "moved")
            number(message)
            folder(target)
        case .expunged(let message):
            writer.value(ascii: "expunged")
            number(message)
        case .opened(let path):
            writer.value(ascii: "opened")
            folder(path)
        case .folderCreated(let path):
            writer.value(ascii: "folder_created")
            folder(path)
        case .folderRenamed(let old, let new):
            writer.value(ascii: "folder_renamed")
            folder(old)
            folder(new, "to")
        case .folderDeleted(let path):
            writer.value(ascii: "folder_deleted")
            folder(path)
        case .uidValidityChanged(let path):
            writer.value(ascii: "uidvalidity")
            folder(path)
        case .subscribed(let path):
            writer.value(ascii: "subscribed")
            folder(path)
        case .unsubscribed(let path):
            writer.value(ascii: "unsubscribed")
            folder(path)
        case .accountRemoved: writer.value(ascii: "account_removed")
        case .accountCreated: writer.value(ascii: "account_created")
        }
        writer.endObject()
        writer.endLine()
    }
}
