/// Plays a script into a real Maildir++ tree, as a delivery agent, a Dovecot and its clients would: with code of its
/// own, nothing of the product. Event by event, so that a test can look in between.
public struct MaildirPlayer {
    /// What failed, at which event.
    public struct Failure: Error, CustomStringConvertible {
        public let eventIndex: Int
        public let reason: String
        public var description: String { "event \(eventIndex): \(reason)" }
    }

    public let history: AccountHistory
    /// The root of the Maildir: INBOX.
    public let root: String
    /// How many events were played.
    public private(set) var played = 0
    /// The oracle's state after them: what the tree must hold now.
    public private(set) var model = MailboxModel()

    private let rootBytes: [UInt8]
    private var files: [MessageNumber: File] = [:]
    private var keywords: [FolderPath: [[UInt8]]] = [:]
    private var lastName = 0

    private struct File {
        var base: [UInt8]
        /// Its name as it is, with flags if it is in `cur`.
        var name: [UInt8]
        var isNew: Bool
    }

    /// Makes the root, which must not be there, with an empty INBOX.
    public init(history: AccountHistory, root: String) throws {
        (self.history, self.root, rootBytes) = (history, root, Array(root.utf8))
        try makeFolder(.inbox)
    }

    /// What the tree must hold now.
    public var expected: MailboxContent { history.content(of: model) }

    /// The event that comes next.
    public var next: MailboxEvent? { played < history.events.count ? history.events[played] : nil }

    /// Plays the next `count` events, or as many as are left; returns how many.
    @discardableResult
    public mutating func play(next count: Int) throws -> Int {
        let end = min(played + max(count, 0), history.events.count)
        let first = played
        while played < end {
            do {
                try play(history.events[played])
            } catch {
                throw Failure(eventIndex: played, reason: "\(history.events[played].change): \(error)")
            }
            model.apply(history.events[played])
            played += 1
        }
        return played - first
    }

    /// Plays until `count` events have been played in all.
    public mutating func play(through count: Int) throws { try play(next: count - played) }

    // `model` is the state before the event here.
    private mutating func play(_ event: MailboxEvent) throws {
        switch event.change {
        case .arrived(let number, let content, let folder, let internalDate, let flags, let keywords):
            try deliver(number, content, folder, internalDate, flags, keywords)
        case .flagsChanged(let number, let flags, let keywords):
            if let message = model.messages[number] {
                try put(number, from: message.folder, into: message.folder, flags, keywords)
            }
        case .moved(let number, let folder):
            if let message = model.messages[number] {
                try put(number, from: message.folder, into: folder, message.flags, message.keywords)
            }
        case .expunged(let number):
            if let message = model.messages[number], let file = files.removeValue(forKey: number) {
                try FileSystem.unlink(path(message.folder, file))
            }
        case .opened(let folder):
            for message in model.messages(in: folder) where files[message.number]?.isNew == true {
                try put(message.number, from: folder, into: folder, message.flags, message.keywords)
            }
        case .folderCreated(let folder): try makeFolder(folder)
        case .folderRenamed(let old, let new): try rename(old, to: new)
        case .folderDeleted(let folder):
            for message in model.messages(in: folder) { files[message.number] = nil }
            keywords[folder] = nil
            try FileSystem.removeTree(directory(folder))
        case .uidValidityChanged(let folder):
            for message in model.messages(in: folder) {
                let base = newBase(message.internalDate, size: nil)
                files[message.number]?.base = base
                try put(message.number, from: folder, into: folder, message.flags, message.keywords)
            }
        case .subscribed(let folder): try writeSubscriptions(model.subscriptions.union([folder]))
        case .unsubscribed(let folder): try writeSubscriptions(model.subscriptions.subtracting([folder]))
        case .accountRemoved:
            (files, keywords) = ([:], [:])
            try FileSystem.removeTree(rootBytes)
        case .accountCreated: try makeFolder(.inbox)
        }
    }

    private func directory(_ folder: FolderPath) -> [UInt8] {
        folder.isInbox ? rootBytes : rootBytes + [UInt8(ascii: "/")] + folder.directoryName
    }

    private func path(_ folder: FolderPath, _ file: File) -> [UInt8] {
        directory(folder) + Array((file.isNew ? "/new/" : "/cur/").utf8) + file.name
    }

    private mutating func newBase(_ seconds: Int64, size: Int?) -> [UInt8] {
        lastName += 1
        let name = "\(seconds).M\(lastName * 7 % 1_000_000)P\(history.account)Q\(lastName).synth"
        // Dovecot says the size in the name, others do not.
        return Array((size.map { "\(name),S=\($0)" } ?? name).utf8)
    }

    private mutating func makeFolder(_ folder: FolderPath) throws {
        let directory = directory(folder)
        try FileSystem.makeDirectory(directory)
        for name in ["/tmp", "/new", "/cur"] { try FileSystem.makeDirectory(directory + Array(name.utf8)) }
        if !folder.isInbox { try FileSystem.write([], to: directory + Array("/maildirfolder".utf8)) }
    }

    private mutating func deliver(
        _ number: MessageNumber, _ content: ContentNumber, _ folder: FolderPath, _ internalDate: Int64,
        _ flags: MessageFlags, _ keywords: [[UInt8]]
    ) throws {
        let bytes = history.bytes(ofContent: content)
        let base = newBase(internalDate, size: number % 5 == 0 ? nil : bytes.count)
        let temporary = directory(folder) + Array("/tmp/".utf8) + base
        try FileSystem.write(bytes, to: temporary, modified: internalDate)
        let isNew = flags.isEmpty && keywords.isEmpty
        let file = File(base: base, name: isNew ? base : try name(base, folder, flags, keywords), isNew: isNew)
        try FileSystem.rename(temporary, to: path(folder, file))
        files[number] = file
    }

    /// Renames a message's file to what its folder and flags ask for; out of `new`.
    private mutating func put(
        _ number: MessageNumber, from old: FolderPath, into new: FolderPath, _ flags: MessageFlags,
        _ keywords: [[UInt8]]
    ) throws {
        guard let before = files[number] else { return }
        let after = File(base: before.base, name: try name(before.base, new, flags, keywords), isNew: false)
        let (source, target) = (path(old, before), path(new, after))
        if source != target { try FileSystem.rename(source, to: target) }
        files[number] = after
    }

    private mutating func name(
        _ base: [UInt8], _ folder: FolderPath, _ flags: MessageFlags, _ keywords: [[UInt8]]
    ) throws -> [UInt8] {
        let letters = try keywords.map { try letter($0, in: folder) }.sorted()
        return base + Array(":2,".utf8) + flags.letters + letters
    }

    /// The letter of a keyword in a folder; the first time, it is written to `dovecot-keywords`.
    private mutating func letter(_ keyword: [UInt8], in folder: FolderPath) throws -> UInt8 {
        var known = keywords[folder] ?? []
        if let index = known.firstIndex(of: keyword) { return UInt8(ascii: "a") + UInt8(index) }
        known.append(keyword)
        keywords[folder] = known
        var lines: [UInt8] = []
        for (index, keyword) in known.enumerated() { lines += Array("\(index) ".utf8) + keyword + [10] }
        try replace(directory(folder) + Array("/dovecot-keywords".utf8), with: lines)
        return UInt8(ascii: "a") + UInt8(known.count - 1)
    }

    /// As Dovecot does: a new file beside it, then renamed over it.
    private func replace(_ path: [UInt8], with bytes: [UInt8]) throws {
        let temporary = path + Array(".lock".utf8)
        try FileSystem.write(bytes, to: temporary)
        try FileSystem.rename(temporary, to: path)
    }

    private mutating func rename(_ old: FolderPath, to new: FolderPath) throws {
        for folder in model.folders where folder.isWithin(old) {
            let target = folder.replacing(old, by: new)
            try FileSystem.rename(directory(folder), to: directory(target))
            keywords[target] = keywords.removeValue(forKey: folder)
        }
    }

    private func writeSubscriptions(_ folders: Set<FolderPath>) throws {
        var lines: [UInt8] = []
        for folder in folders.sorted() { lines += folder.directoryName.dropFirst() + [10] }
        try replace(rootBytes + Array("/subscriptions".utf8), with: lines)
    }
}
