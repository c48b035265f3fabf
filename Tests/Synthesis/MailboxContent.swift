public import Events

/// What a mailbox holds, without UIDs, numbers and file names: two mailboxes with equal contents are the same to their
/// user. Made by the oracle, and by reading a Maildir from disk.
public struct MailboxContent: Hashable, Sendable {
    /// A message.
    public struct Message: Hashable, Comparable, Sendable {
        public var folder: FolderPath
        /// Of the raw bytes.
        public var digest: Digest
        public var flags: MessageFlags
        /// Sorted.
        public var keywords: [[UInt8]]
        /// Seconds since 1970.
        public var internalDate: Int64

        public static func < (left: Message, right: Message) -> Bool {
            left.line.lexicographicallyPrecedes(right.line)
        }

        /// `folder NUL flags NUL keywords NUL internal date NUL digest`: what is sorted and hashed.
        var line: [UInt8] {
            var line = folder.directoryName + [0] + flags.letters + [0]
            line += Array(keywords.joined(separator: [UInt8(ascii: " ")]))
            line += [0] + Array(String(internalDate).utf8) + [0] + Array(digest.hex.utf8)
            return line
        }
    }

    /// Sorted; INBOX among them.
    public let folders: [FolderPath]
    /// Sorted.
    public let subscriptions: [FolderPath]
    /// Sorted; a message that is there twice is here twice.
    public let messages: [Message]

    public init(
        folders: some Sequence<FolderPath>, subscriptions: some Sequence<FolderPath>, messages: some Sequence<Message>
    ) {
        self.folders = folders.sorted()
        self.subscriptions = subscriptions.sorted()
        // Lines are dear to make: once for each, not once for each comparison.
        self.messages = messages.map { (line: $0.line, message: $0) }
            .sorted { $0.line.lexicographicallyPrecedes($1.line) }.map(\.message)
    }

    /// The canonical digest: SHA-256 over the sorted lines, each with a letter for its kind and its length before it.
    public var digest: Digest {
        var bytes: [UInt8] = []
        func append(_ kind: UInt8, _ line: [UInt8]) {
            bytes.append(kind)
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: line.count >> shift)) }
            bytes += line
        }
        for folder in folders { append(UInt8(ascii: "f"), folder.directoryName) }
        for folder in subscriptions { append(UInt8(ascii: "s"), folder.directoryName) }
        for message in messages { append(UInt8(ascii: "m"), message.line) }
        return Digest(hashing: bytes.span.bytes)
    }

    /// What is missing and what is too much in this one, compared with `expected`: lines for a person, at most `limit`.
    public func differences(from expected: MailboxContent, limit: Int = 20) -> [String] {
        var lines: [String] = []
        func compare<Element: Hashable>(
            _ kind: String, _ mine: [Element], _ theirs: [Element], _ text: (Element) -> String
        ) {
            var balance: [Element: Int] = [:]
            for element in theirs { balance[element, default: 0] += 1 }
            for element in mine { balance[element, default: 0] -= 1 }
            lines += balance.filter { $0.value != 0 }
                .map { ($0.value > 0 ? "missing " : "too much ") + kind + " " + text($0.key) }.sorted()
        }
        compare("folder", folders, expected.folders, \.description)
        compare("subscription", subscriptions, expected.subscriptions, \.description)
        compare("message", messages, expected.messages) { message in
            let keywords = message.keywords.map(printable).joined(separator: " ")
            return
                "\(message.digest.hex.prefix(12)) in \(message.folder) [\(printable(message.flags.letters)) \(keywords)] "
                + "\(message.internalDate)"
        }
        return lines.count > limit ? lines.prefix(limit) + ["… and \(lines.count - limit) more"] : lines
    }
}
