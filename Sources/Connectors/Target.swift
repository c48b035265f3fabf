public import Events

/// Where a restore writes. One thread uses a target; a restore opens one for each of its workers.
///
/// The contract every target keeps, tested by `checkTargetContract`:
/// - What is delivered is there whole or not at all, whenever the process dies.
/// - Nothing that is there is overwritten.
/// - What was written before ``sync()`` returned is on the disk.
public protocol Target: AnyObject {
    /// Opens the folder, and makes it where it is missing. Throws ``TargetFailure``.
    func folder(_ state: FolderState) throws -> any TargetFolder
    /// Removes the folder listed as `name`, which must hold no message and nothing that is not the target's own. Throws
    /// ``TargetFailure/refused(_:)`` otherwise.
    func removeFolder(_ name: [UInt8]) throws
    /// Makes exactly these folders subscribed; returns those that could not be.
    func setSubscriptions(_ paths: [[[UInt8]]]) throws -> [[[UInt8]]]
    /// Puts all that was written on the disk.
    func sync() throws
}

/// What a target has before anything is written, and what it would call things: all that a plan needs.
public protocol TargetView: Sendable {
    /// The folders there are; none when the target is not there yet. Throws ``SourceFailure``.
    func folders() throws -> [SourceFolder]
    func list(_ folder: SourceFolder) throws -> any SourceListing
    /// What the folder would be called there. Throws ``TargetFailure`` for one that cannot be.
    func name(of state: FolderState) throws -> [UInt8]
    /// Whether a message can be called that.
    func accepts(name: [UInt8]) -> Bool
    /// Whether a message can be asked to be called something; else the target gives names of its own.
    var takesNames: Bool { get }
    /// What it makes of messages it cannot keep as they are, likeliest first.
    var forms: [DeliveredForm] { get }
    /// How many bytes may be delivered; nil when that is not known. Throws ``SourceFailure``.
    func room() throws -> UInt64?
    /// Why the folder, once its messages are gone, cannot be removed; nil when it can.
    func obstacle(removing folder: SourceFolder) throws -> String?
    /// Rights and annotations the folder has; nil where that is not known. Throws ``SourceFailure``.
    func attributes(of folder: SourceFolder) throws -> [FolderAttribute]?
    /// Whether a folder can have an attribute of that name.
    func canHave(attribute name: [UInt8]) -> Bool
}

extension Target {
    public func removeFolder(_ name: [UInt8]) throws {
        throw TargetFailure.refused("folders are not removed from such a target")
    }
}

extension TargetView {
    public var takesNames: Bool { true }
    public var forms: [DeliveredForm] { [] }
    public func room() throws -> UInt64? { nil }
    public func attributes(of folder: SourceFolder) throws -> [FolderAttribute]? { folder.attributes }
    public func canHave(attribute name: [UInt8]) -> Bool { false }

    public func obstacle(removing folder: SourceFolder) throws -> String? {
        "folders are not removed from such a target"
    }
}

/// A folder of a ``Target``.
public protocol TargetFolder: AnyObject {
    /// Delivers a message whose bytes `write` gives, piece by piece; it may be asked for them twice. `done` hears what
    /// became of it: at once, or with later ones, at the latest in ``flush()``. Throws ``TargetFailure``.
    func deliver(
        _ message: Delivery, write: ((RawSpan) throws -> Void) throws -> Void,
        done: @escaping (Result<Delivered, TargetFailure>) throws -> Void
    ) throws
    /// Delivers what was held back.
    func flush() throws
    /// Gives the message listed as `name` these flags and keywords; returns the keywords that could not be kept.
    func setFlags(_ name: [UInt8], _ flags: MessageFlags, _ keywords: [[UInt8]]) throws -> [[UInt8]]
    /// Removes the message.
    func remove(_ name: [UInt8]) throws
    /// Makes these attributes (rights, annotations) what they are here, takes those of the names in `removing` away, and leaves all
    /// others alone. Returns those that could not be, each with the reason. Throws ``TargetFailure``.
    func setAttributes(_ attributes: [FolderAttribute], removing: [[UInt8]]) throws -> [RefusedAttribute]
}

/// An attribute of a folder that a target did not take.
public struct RefusedAttribute: Hashable, Sendable {
    public var name: [UInt8]
    public var why: String

    public init(name: [UInt8], why: String) { (self.name, self.why) = (name, why) }
}

extension TargetFolder {
    public func flush() throws {}

    public func setAttributes(_ attributes: [FolderAttribute], removing: [[UInt8]]) throws -> [RefusedAttribute] {
        (attributes.map(\.name) + removing).map {
            RefusedAttribute(name: $0, why: "such a target has nothing of the kind")
        }
    }

    /// Delivers one message and waits for it. Throws ``TargetFailure``.
    public func deliver(
        _ message: Delivery, write: ((RawSpan) throws -> Void) throws -> Void
    ) throws -> Delivered {
        var found: Result<Delivered, TargetFailure>?
        try deliver(message, write: write) { found = $0 }
        try flush()
        guard let found else {
            throw TargetFailure.unavailable("nothing became of a message", isNoSpace: false, isPermission: false)
        }
        return try found.get()
    }
}

/// What became of a message.
public struct Delivered: Hashable, Sendable {
    /// What it is called there; empty where the target does not say.
    public var name: [UInt8]
    public var lostKeywords: [[UInt8]]
    /// Whether its bytes are not quite what they were: one of the target's ``TargetView/forms``.
    public var isAltered: Bool

    public init(name: [UInt8], lostKeywords: [[UInt8]] = [], isAltered: Bool = false) {
        (self.name, self.lostKeywords, self.isAltered) = (name, lostKeywords, isAltered)
    }
}

/// A message to be delivered.
public struct Delivery: Hashable, Sendable {
    /// What it should be called: ``TargetFailure/exists`` where something of that name is there, under whatever flags, and
    /// ``TargetFailure/refused(_:)`` where the target cannot have such a name. Nil: any.
    public var name: [UInt8]?
    public var flags: MessageFlags
    public var keywords: [[UInt8]]
    public var internalDate: Timestamp
    public var size: UInt64

    public init(name: [UInt8]?, flags: MessageFlags, keywords: [[UInt8]], internalDate: Timestamp, size: UInt64) {
        (self.name, self.flags, self.keywords) = (name, flags, keywords)
        (self.internalDate, self.size) = (internalDate, size)
    }
}

/// Why a target did not take something.
public enum TargetFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// This one thing it does not take: too long a name, a message the server refuses. The rest goes on.
    case refused(String)
    /// There is something of that name.
    case exists
    /// It is not there any more.
    case vanished
    /// Nothing can be written any more: no space, no permission, no server.
    case unavailable(String, isNoSpace: Bool, isPermission: Bool)

    public var description: String {
        switch self {
        case .refused(let why): why
        case .exists: "something of that name is there already"
        case .vanished: "it is not there any more"
        case .unavailable(let why, _, _): why
        }
    }
}
