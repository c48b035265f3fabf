public import Connectors
public import Events
internal import Glibc
internal import Synchronization

/// A source in memory: what it holds can be changed at any time, and it fails when it is told to.
public final class MemorySource: Source {
    public struct Message: Hashable, Sendable {
        public var name: [UInt8]
        public var bytes: [UInt8]
        public var flags: MessageFlags = []
        public var keywords: [[UInt8]] = []
        public var internalDate = Timestamp(seconds: 1_700_000_000)
        public var marks = ServerMarks()
        /// Its bytes cannot be had: an `errno`.
        public var unreadable: UInt32?
        /// Gone when it is opened, though it is listed.
        public var vanishes = false

        public init(_ name: String, _ text: String, _ flags: MessageFlags = [], _ keywords: [String] = []) {
            self.init(name: Array(name.utf8), bytes: Array(text.utf8))
            self.flags = flags
            self.keywords = keywords.map { Array($0.utf8) }
        }

        public init(name: [UInt8], bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }
    }

    public struct Folder: Hashable, Sendable {
        public var name: [UInt8]
        public var path: [[UInt8]]
        public var identity: [UInt8]
        public var isSubscribed = false
        public var uidValidity: UInt64 = 0
        public var messages: [Message] = []
        /// Listed as a folder that cannot be looked into.
        public var problem: SourceFailure?
        /// Thrown when it is listed.
        public var listFailure: SourceFailure?

        public init(name: [UInt8], path: [[UInt8]], identity: [UInt8], messages: [Message] = []) {
            (self.name, self.path, self.identity, self.messages) = (name, path, identity, messages)
        }
    }

    public struct Contents: Sendable {
        public var folders: [Folder] = []
        public var identity: [UInt8] = [1]
        /// Thrown when the folders are asked for.
        public var foldersFailure: SourceFailure?
        /// Runs after each listing, with the number of listings so far: what happens while a pass looks.
        public var afterListing: (@Sendable (Int, inout Contents) -> Void)?
        /// Messages opened so far.
        public internal(set) var opened = 0
        public var listings = 0
        var nextIdentity: UInt8 = 1

        /// Adds a folder; `/` parts its path, and its name is the path.
        public mutating func add(_ path: String, _ messages: [Message] = []) {
            let names = path.split(separator: "/").map { Array($0.utf8) }
            folders.append(
                Folder(name: Array(path.utf8), path: names, identity: [9, nextIdentity], messages: messages))
            nextIdentity += 1
        }

        public subscript(path: String) -> Folder {
            get {
                guard let folder = folders.first(where: { $0.name == Array(path.utf8) }) else {
                    fatalError("no folder \(path)")
                }
                return folder
            }
            set {
                guard let index = folders.firstIndex(where: { $0.name == Array(path.utf8) }) else {
                    fatalError("no folder \(path)")
                }
                folders[index] = newValue
            }
        }

        public mutating func remove(_ path: String) { folders.removeAll { $0.name == Array(path.utf8) } }

        /// Renames a folder and all below it; identities stay.
        public mutating func rename(_ path: String, to new: String) {
            let old = path.split(separator: "/").map { Array($0.utf8) }
            let fresh = new.split(separator: "/").map { Array($0.utf8) }
            for index in folders.indices where folders[index].path.starts(with: old) {
                folders[index].path = fresh + folders[index].path.dropFirst(old.count)
                folders[index].name = Array(folders[index].path.joined(separator: [47]))
            }
        }

        /// Takes a message out of a folder and returns it.
        public mutating func take(_ name: String, from path: String) -> Message {
            guard let index = self[path].messages.firstIndex(where: { $0.name == Array(name.utf8) }) else {
                fatalError("no message \(name) in \(path)")
            }
            return self[path].messages.remove(at: index)
        }
    }

    private let contents: Mutex<Contents>

    public let hasUniqueNames: Bool

    public init(hasUniqueNames: Bool = false, _ build: (inout Contents) -> Void) {
        self.hasUniqueNames = hasUniqueNames
        var contents = Contents()
        build(&contents)
        self.contents = Mutex(contents)
    }

    @discardableResult
    public func change<Result: Sendable>(_ body: (inout Contents) -> Result) -> Result {
        contents.withLock { contents in body(&contents) }
    }

    public func identity() throws -> [UInt8] { change { $0.identity } }

    public func folders() throws -> [SourceFolder] {
        let now = change { $0 }
        if let failure = now.foldersFailure { throw failure }
        return now.folders.map {
            SourceFolder(
                name: $0.name, path: $0.path, identity: $0.identity, isSubscribed: $0.isSubscribed,
                uidValidity: $0.uidValidity, problem: $0.problem)
        }
    }

    public func list(_ folder: SourceFolder) throws -> any SourceListing {
        let now = change { $0 }
        guard let found = now.folders.first(where: { $0.name == folder.name }) else {
            throw SourceFailure.unreadable(code: UInt32(ENOENT), String(decoding: folder.name, as: UTF8.self))
        }
        if let failure = found.listFailure ?? found.problem { throw failure }
        change { contents in
            contents.listings += 1
            let hook = contents.afterListing
            hook?(contents.listings, &contents)
        }
        return Listing(source: self, folder: found.name, messages: found.messages)
    }

    private struct Listing: SourceListing {
        let source: MemorySource
        let folder: [UInt8]
        let messages: [Message]

        var count: Int { messages.count }
        func name(_ position: Int) -> ArraySlice<UInt8> { messages[position].name[...] }
        func position(_ name: [UInt8]) -> Int? { messages.firstIndex { $0.name == name } }
        func flags(_ position: Int) -> MessageFlags { messages[position].flags }
        func keywords(_ position: Int) -> [[UInt8]] { messages[position].keywords }
        var passedOver: [String] { [] }

        func marks(_ positions: [Int]) throws -> [ServerMarks]? { positions.map { messages[$0].marks } }

        func open(_ position: Int) throws -> any SourceMessage {
            let name = messages[position].name
            let now = source.change { contents -> Message? in
                contents.opened += 1
                return contents.folders.first { $0.name == folder }?.messages.first { $0.name == name }
            }
            guard let now, !now.vanishes else { throw SourceFailure.vanished(String(decoding: name, as: UTF8.self)) }
            if let code = now.unreadable {
                throw SourceFailure.unreadable(code: code, String(decoding: name, as: UTF8.self))
            }
            return Opened(now)
        }
    }

    private final class Opened: SourceMessage, SourceMessageReader {
        let bytes: [UInt8]
        let internalDate: Timestamp
        let marks: ServerMarks
        private var offset = 0

        init(_ message: Message) {
            (bytes, internalDate, marks) = (message.bytes, message.internalDate, message.marks)
        }

        var size: UInt64 { UInt64(bytes.count) }
        func read(into buffer: inout [UInt8]) throws { buffer = bytes }
        func reader() throws -> any SourceMessageReader { self }
        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            let count = min(buffer.count, bytes.count - offset)
            bytes.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
            }
            offset += count
            return count
        }
    }
}
