public import Events

/// Where mailboxes live and changes come from. It is only read (`Specs/Invariants.md`, 11).
///
/// The contract every source keeps, tested by `checkSourceContract`:
/// - A listing is complete, or it throws. Absence is never told apart from an error by its caller.
/// - What was listed may be gone when it is opened; that is ``SourceFailure/vanished``, not an error of the source.
/// - Names are bytes, and stay the same as long as the thing is the same.
///
/// Calls block; they are made on threads of their own, never on Swift's cooperative pool.
public protocol Source: Sendable {
    /// Every folder there is.
    func folders() throws -> [SourceFolder]
    /// Every message of one folder, as it stands now.
    func list(_ folder: SourceFolder) throws -> any SourceListing
    /// What is new in a folder since the listing or the changes that had `checkpoint`; nil where the source cannot tell.
    func changes(in folder: SourceFolder, since checkpoint: [UInt8]) throws -> SourceChanges?
    /// What else the source keeps about a folder, sorted by name; nil where it keeps nothing of the kind. Asked only of folders in
    /// which something is new.
    func attributes(of folder: SourceFolder) throws -> [FolderAttribute]?
    /// What the source is as a whole: a directory's identity, a server's name. Another one under the same URL is not the
    /// same source.
    func identity() throws -> [UInt8]
    /// Whether no two messages of it ever have the same name, in whatever folders: then a name alone tells what a message
    /// is that cannot be read. A UID does not, a Maildir's base name does.
    var hasUniqueNames: Bool { get }
    /// Whether what a hint tells of can be looked at at once: the source is never seen in the middle of a change. Else what belongs
    /// together is waited for.
    var showsWholeChanges: Bool { get }
    /// Does ahead what the first call would have to wait for, as connecting and signing in. What fails fails again in that call,
    /// which says so. From any thread, before all other calls.
    func prepare()
}

extension Source {
    public func prepare() {}
    public var hasUniqueNames: Bool { false }
    public var showsWholeChanges: Bool { false }
}

extension Source {
    public func changes(in folder: SourceFolder, since checkpoint: [UInt8]) throws -> SourceChanges? { nil }
    public func attributes(of folder: SourceFolder) throws -> [FolderAttribute]? { nil }
}

/// What is new in a folder.
public struct SourceChanges: Sendable {
    /// The messages that are new, and those whose flags may be other ones, as they are now.
    public var listing: any SourceListing
    /// How many messages there are in all. Who knows another number has missed something, and lists the folder.
    public var count: Int
    /// Whether a message that was there, by its name, is gone.
    public var hasVanished: @Sendable ([UInt8]) -> Bool
    /// Messages that came and were gone again before anybody could look; nil: none is known of.
    public var missed: MissedMessages?

    public init(
        listing: any SourceListing, count: Int, missed: MissedMessages? = nil,
        hasVanished: @escaping @Sendable ([UInt8]) -> Bool
    ) {
        (self.listing, self.count, self.missed, self.hasVanished) = (listing, count, missed, hasVanished)
    }
}

/// Messages of which no more is known than that they were there.
public struct MissedMessages: Hashable, Sendable {
    public var count: Int
    /// What the source calls them, in its own short way.
    public var names: [UInt8]

    public init(count: Int, names: [UInt8]) { (self.count, self.names) = (count, names) }
}

/// A kind of source that can say that something has happened.
public protocol WatchableSource: Source {
    /// Begins to watch many sources at once; from the return on, nothing that happens in any of them is missed without a
    /// ``SourceHint/everything``.
    static func watch(_ sources: [Self]) throws -> any SourceWatch
}

/// Hints that something has happened. They are not the truth: they say where to look.
public protocol SourceWatch: AnyObject {
    /// Waits at most that long (for ever with nil) and returns what has happened since the last call, each with the number
    /// of its source in the order given; empty when nothing has.
    func next(timeoutMilliseconds: Int?) throws -> [(source: Int, hint: SourceHint)]
    /// What makes a waiting ``next(timeoutMilliseconds:)`` return, from any thread.
    var wake: @Sendable () -> Void { get }
}

/// Where to look.
public enum SourceHint: Hashable, Sendable {
    /// In the folder with that source name.
    case folder([UInt8])
    /// Folders came, went or were renamed.
    case folders
    /// Anywhere: hints may have been lost.
    case everything
    /// The source is gone; it is watched no more until it is there again.
    case gone
}

/// A folder as its source has it.
public struct SourceFolder: Hashable, Sendable {
    /// What the source calls it, exactly.
    public var name: [UInt8]
    /// The names from the top down, for people and other sources.
    public var path: [[UInt8]]
    /// Stays when it is renamed, and is another when it is made anew.
    public var identity: [UInt8]
    public var isSubscribed: Bool
    public var uidValidity: UInt64
    /// What else is known about it; nil where it was not looked at.
    public var attributes: [FolderAttribute]?
    /// Why it cannot be listed, when it cannot: then nothing may be concluded from what it does not show.
    public var problem: SourceFailure?
    /// What its next listing would have as ``SourceListing/checkpoint`` if nothing happened until then; empty where the source
    /// cannot tell. Equal checkpoints: nothing is new.
    public var checkpoint: [UInt8]

    public init(
        name: [UInt8], path: [[UInt8]], identity: [UInt8], isSubscribed: Bool = false, uidValidity: UInt64 = 0,
        problem: SourceFailure? = nil, checkpoint: [UInt8] = []
    ) {
        (self.name, self.path, self.identity) = (name, path, identity)
        (self.isSubscribed, self.uidValidity, self.problem) = (isSubscribed, uidValidity, problem)
        self.checkpoint = checkpoint
    }
}

/// All messages of a folder at one moment, by position.
public protocol SourceListing: Sendable {
    var count: Int { get }
    /// What the source calls it within the folder.
    func name(_ position: Int) -> ArraySlice<UInt8>
    func position(_ name: [UInt8]) -> Int?
    func flags(_ position: Int) -> MessageFlags
    /// Sorted, each once.
    func keywords(_ position: Int) -> [[UInt8]]
    /// What the source knows these messages by beside their names, in their order; nil where it has nothing of the kind. Throws
    /// ``SourceFailure``.
    func marks(_ positions: [Int]) throws -> [ServerMarks]?
    /// Opens a message to read it. Throws ``SourceFailure``.
    func open(_ position: Int) throws -> any SourceMessage
    /// Reads several messages, in whatever order the source has them at hand, and gives each to `each`, which has it for the
    /// call only. A message that is not given has vanished.
    func read(_ positions: [Int], _ each: (Int, Result<any SourceMessage, SourceFailure>) throws -> Void) throws
    /// How large each message is, as the source has it; nil for one that has vanished. Throws ``SourceFailure``.
    func sizes() throws -> [UInt64?]
    /// Entries that are no messages and were passed over, for a person.
    var passedOver: [String] { get }
    /// What the source needs to be told to say what was new since this listing; empty where it cannot.
    var checkpoint: [UInt8] { get }
    /// The same positions in the order in which the messages came, where the source can tell: neighbours in time are
    /// alike and compress together.
    func inOrderOfArrival(_ positions: [Int32]) -> [Int32]
}

extension SourceListing {
    public func inOrderOfArrival(_ positions: [Int32]) -> [Int32] { positions }
    public var checkpoint: [UInt8] { [] }
    public func marks(_ positions: [Int]) throws -> [ServerMarks]? { nil }

    public func sizes() throws -> [UInt64?] {
        try (0..<count).map { position in
            do { return try open(position).size } catch SourceFailure.vanished { return nil }
        }
    }

    public func read(
        _ positions: [Int], _ each: (Int, Result<any SourceMessage, SourceFailure>) throws -> Void
    ) throws {
        for position in positions {
            let message: any SourceMessage
            do { message = try open(position) } catch let failure as SourceFailure {
                if case .unavailable = failure { throw failure }
                if case .unreadable = failure { try each(position, .failure(failure)) }
                continue
            }
            try each(position, .success(message))
        }
    }
}

/// A message that is being read.
public protocol SourceMessage {
    var size: UInt64 { get }
    var internalDate: Timestamp { get }
    /// What the source knows it by beside its name; known when it has been read.
    var marks: ServerMarks { get }
    /// All of it, into `buffer`, which is emptied first. Throws ``SourceFailure``.
    func read(into buffer: inout [UInt8]) throws
    /// For a message that is too large to be held: its bytes in pieces.
    func reader() throws -> any SourceMessageReader
}

extension SourceMessage {
    public var marks: ServerMarks { ServerMarks() }
}

/// The bytes of a message one piece after the other.
public protocol SourceMessageReader {
    /// Writes the next bytes into `buffer` and returns how many; 0 at the end. Throws ``SourceFailure``.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// Why a source did not give what it was asked for.
public enum SourceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Gone since it was listed.
    case vanished(String)
    /// There, but its bytes cannot be had: an `errno`, and what it is.
    case unreadable(code: UInt32, String)
    /// The source as a whole cannot be reached or read; try later.
    case unavailable(String)

    public var description: String {
        switch self {
        case .vanished(let what): "\(what) has vanished"
        case .unreadable(_, let what): "\(what) cannot be read"
        case .unavailable(let what): what
        }
    }
}
