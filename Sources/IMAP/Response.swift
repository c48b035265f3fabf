/// One whole response of a server (RFC 9051, 7), after its literals have come. Names and texts are bytes.
public enum Response: Hashable, Sendable {
    /// Untagged `OK`, `NO`, `BAD`, `BYE`, `PREAUTH`.
    case status(StatusLine)
    /// The end of a command.
    case tagged([UInt8], StatusLine)
    /// `+`: the server waits for more of a command.
    case continuation([UInt8])
    case capability(CapabilitySet)
    case enabled(CapabilitySet)
    case list(MailboxEntry)
    /// An answer to `LSUB`.
    case subscribed(MailboxEntry)
    case mailboxStatus(MailboxStatus)
    case flags([[UInt8]])
    case exists(UInt32)
    case recent(UInt32)
    case expunge(UInt32)
    case vanished(UIDSet, isEarlier: Bool)
    case fetch(FetchedAttributes)
    case search([UInt32], modSequence: UInt64?)
    case extendedSearch(ExtendedSearch)
    case namespace(Namespaces)
    case quota(root: [UInt8], [QuotaResource])
    case quotaRoots(MailboxName, [[UInt8]])
    case accessControl(MailboxName, [AccessRight])
    case myRights(MailboxName, [UInt8])
    case metadata(MailboxName, [MetadataEntry])
    /// Names of entries that have changed, without their values.
    case metadataChanged(MailboxName, [[UInt8]])
    case id([MetadataEntry])
    /// A response this grammar does not know, by its keyword. Whoever asked for nothing of the kind may pass it over.
    case other([UInt8])
}

/// `OK [CODE] text` and its siblings (RFC 9051, 7.1).
public struct StatusLine: Hashable, Sendable {
    public var condition: Condition
    public var code: ResponseCode?
    /// For people. It comes from outside: make it safe before it is shown.
    public var text: [UInt8]

    public enum Condition: Hashable, Sendable { case ok, no, bad, bye, preauth }

    public init(_ condition: Condition, _ code: ResponseCode? = nil, text: [UInt8]) {
        (self.condition, self.code, self.text) = (condition, code, text)
    }
}

/// What stands in brackets at the beginning of a status text.
public enum ResponseCode: Hashable, Sendable {
    case word(Word)
    case appendUID(validity: UInt32, UIDSet)
    case copyUID(validity: UInt32, from: UIDSet, to: UIDSet)
    case capability(CapabilitySet)
    case highestModSequence(UInt64)
    case mailboxID([UInt8])
    case modified(UIDSet)
    case permanentFlags([[UInt8]])
    case uidNext(UInt32)
    case uidValidity(UInt32)
    case unseen(UInt32)
    /// One this grammar does not know, by its name.
    case other([UInt8])

    /// Codes without a value.
    public enum Word: String, Hashable, Sendable, CaseIterable {
        case alert = "ALERT"
        case alreadyExists = "ALREADYEXISTS"
        case authenticationFailed = "AUTHENTICATIONFAILED"
        case authorizationFailed = "AUTHORIZATIONFAILED"
        case cannot = "CANNOT"
        case clientBug = "CLIENTBUG"
        case closed = "CLOSED"
        case compressionActive = "COMPRESSIONACTIVE"
        case contactAdmin = "CONTACTADMIN"
        case corruption = "CORRUPTION"
        case expired = "EXPIRED"
        case expungeIssued = "EXPUNGEISSUED"
        case hasChildren = "HASCHILDREN"
        case inUse = "INUSE"
        case limit = "LIMIT"
        case noModSequence = "NOMODSEQ"
        case noPermission = "NOPERM"
        case nonexistent = "NONEXISTENT"
        case notificationOverflow = "NOTIFICATIONOVERFLOW"
        case overQuota = "OVERQUOTA"
        case parse = "PARSE"
        case privacyRequired = "PRIVACYREQUIRED"
        case readOnly = "READ-ONLY"
        case readWrite = "READ-WRITE"
        case serverBug = "SERVERBUG"
        case tooBig = "TOOBIG"
        case tryCreate = "TRYCREATE"
        case uidNotSticky = "UIDNOTSTICKY"
        case unavailable = "UNAVAILABLE"
        case unknownCTE = "UNKNOWN-CTE"
        case useAttribute = "USEATTR"
    }
}

/// What a server says it can do; names in any case.
public struct CapabilitySet: Hashable, Sendable {
    /// In capitals.
    public private(set) var names: Set<String>

    public init(_ names: [String] = []) { self.names = Set(names.map { $0.uppercased() }) }

    public func has(_ name: String) -> Bool { names.contains(name) }

    public mutating func formUnion(_ other: CapabilitySet) { names.formUnion(other.names) }
}

/// A row of `LIST` (RFC 9051, 7.3.1).
public struct MailboxEntry: Hashable, Sendable {
    /// As sent: `\Noselect`, `\Sent`, `\Subscribed`.
    public var attributes: [[UInt8]]
    /// What parts the levels of the hierarchy; nil for none.
    public var delimiter: UInt8?
    public var name: MailboxName
    /// What it was called before (`OLDNAME`).
    public var oldName: MailboxName?

    public init(attributes: [[UInt8]], delimiter: UInt8?, name: MailboxName, oldName: MailboxName? = nil) {
        (self.attributes, self.delimiter, self.name, self.oldName) = (attributes, delimiter, name, oldName)
    }

    public func has(_ attribute: String) -> Bool {
        attributes.contains { $0.count == attribute.utf8.count && isSameWord($0[...], attribute) }
    }
}

/// An answer to `STATUS`, or the status in an answer to `LIST`. What was not said is nil.
public struct MailboxStatus: Hashable, Sendable {
    public var name: MailboxName
    public var messages: UInt32?
    public var uidNext: UInt32?
    public var uidValidity: UInt32?
    public var unseen: UInt32?
    public var highestModSequence: UInt64?
    public var size: UInt64?
    /// RFC 8474: stays when the mailbox is renamed.
    public var mailboxID: [UInt8]?
    /// Dovecot's equal of it.
    public var guid: [UInt8]?

    public init(name: MailboxName) { self.name = name }
}

/// A row of `FETCH`. What was not said is nil.
public struct FetchedAttributes: Hashable, Sendable {
    public var sequence: UInt32
    public var uid: UInt32?
    public var flags: [[UInt8]]?
    /// Seconds since 1970.
    public var internalDate: Int64?
    public var size: UInt64?
    public var modSequence: UInt64?
    /// RFC 8474: the same wherever the message is copied or moved.
    public var emailID: [UInt8]?
    public var threadID: [UInt8]?
    /// Dovecot's equal of the e-mail ID.
    public var guid: [UInt8]?
    /// Seconds since 1970.
    public var saveDate: Int64?
    /// `BODY[]` and its like, in the order sent.
    public var bodies: [Body] = []

    public struct Body: Hashable, Sendable {
        /// As sent, in capitals: `BODY[]`.
        public var section: [UInt8]
        public var content: Content

        public enum Content: Hashable, Sendable {
            /// It was sent as a literal and has been handed on as it came.
            case streamed(UInt64)
            /// It was sent as a quoted string.
            case whole([UInt8])
            /// `NIL`: there is none.
            case none
        }
    }

    public init(sequence: UInt32) { self.sequence = sequence }
}

/// An answer to a search with `RETURN` (RFC 4731).
public struct ExtendedSearch: Hashable, Sendable {
    public var tag: [UInt8]?
    public var isUID = false
    public var all: UIDSet?
    public var count: UInt64?
    public var minimum: UInt64?
    public var maximum: UInt64?
    public var modSequence: UInt64?
}

/// RFC 2342.
public struct Namespaces: Hashable, Sendable {
    public var personal: [Namespace] = []
    public var otherUsers: [Namespace] = []
    public var shared: [Namespace] = []

    public struct Namespace: Hashable, Sendable {
        public var prefix: [UInt8]
        public var delimiter: UInt8?
    }
}

/// RFC 9208. Storage is in units of 1,024 bytes.
public struct QuotaResource: Hashable, Sendable {
    public var name: String
    public var used: UInt64
    public var limit: UInt64
}

/// RFC 4314.
public struct AccessRight: Hashable, Sendable {
    public var identifier: [UInt8]
    public var rights: [UInt8]

    public init(identifier: [UInt8], rights: [UInt8]) { (self.identifier, self.rights) = (identifier, rights) }
}

/// RFC 5464, and the pairs of `ID`.
public struct MetadataEntry: Hashable, Sendable {
    public var name: [UInt8]
    /// nil: there is none, or it is to be removed.
    public var value: [UInt8]?

    public init(name: [UInt8], value: [UInt8]?) { (self.name, self.value) = (name, value) }
}
