/// A command of a client (RFC 9051, 6). Every name and text is bytes; none can become syntax.
public enum Command: Hashable, Sendable {
    case capability, noop, logout, startTLS, namespace, unselect, close, idle
    /// Never shown: `description` does not have it.
    case login(user: [UInt8], password: [UInt8])
    /// With SASL-IR the response goes with the command, else when the server asks.
    case authenticate(SASLResponse, isInitial: Bool)
    case enable([Extension])
    case id([MetadataEntry])
    case list(ListRequest)
    case subscribedList(pattern: [UInt8])
    case status(MailboxName, [StatusItem])
    /// `isReadOnly`: `EXAMINE`.
    case select(MailboxName, isReadOnly: Bool, SelectParameter?)
    case fetch(UIDSelection, [FetchItem], changedSince: UInt64? = nil, wantsVanished: Bool = false)
    /// `UID SEARCH RETURN (ALL)` where `isExtended`, else `UID SEARCH`.
    case searchAll(isExtended: Bool)
    case store(UIDSet, StoreAction, [FlagName], unchangedSince: UInt64? = nil)
    case copy(UIDSet, MailboxName)
    case move(UIDSet, MailboxName)
    case expunge(UIDSet)
    case create(MailboxName, use: [SpecialUse] = [])
    case delete(MailboxName)
    case rename(MailboxName, to: MailboxName)
    case subscribe(MailboxName)
    case unsubscribe(MailboxName)
    case getACL(MailboxName)
    case setACL(MailboxName, identifier: [UInt8], rights: [UInt8])
    case deleteACL(MailboxName, identifier: [UInt8])
    case myRights(MailboxName)
    /// All entries under `/private` and `/shared`.
    case getMetadata(MailboxName)
    case setMetadata(MailboxName, [MetadataEntry])
    case getQuotaRoot(MailboxName)
    /// Of every mailbox of the user: what `STATUS` says, and folders that come, go and are renamed.
    case notifyPersonal
    case notifyNone

    public enum Extension: String, Hashable, Sendable {
        case condstore = "CONDSTORE"
        case qresync = "QRESYNC"
        case utf8 = "UTF8=ACCEPT"

        var words: StaticString {
            switch self {
            case .condstore: "CONDSTORE"
            case .qresync: "QRESYNC"
            case .utf8: "UTF8=ACCEPT"
            }
        }
    }

    public enum SelectParameter: Hashable, Sendable {
        case condstore
        /// Without known UIDs: a server told of them hides what is new.
        case qresync(uidValidity: UInt32, modSequence: UInt64)
    }

    public enum UIDSelection: Hashable, Sendable {
        case all
        case set(UIDSet)
        /// From this UID on; the last message is there even when its UID is lower.
        case from(UInt32)
    }

    public enum StoreAction: Hashable, Sendable { case set, add, remove }

    public enum StatusItem: Hashable, Sendable, CaseIterable {
        case messages, uidNext, uidValidity, unseen, highestModSequence, size, mailboxID, guid

        var words: StaticString {
            switch self {
            case .messages: "MESSAGES"
            case .uidNext: "UIDNEXT"
            case .uidValidity: "UIDVALIDITY"
            case .unseen: "UNSEEN"
            case .highestModSequence: "HIGHESTMODSEQ"
            case .size: "SIZE"
            case .mailboxID: "MAILBOXID"
            case .guid: "X-GUID"
            }
        }
    }

    public enum FetchItem: Hashable, Sendable {
        case uid, flags, internalDate, size, modSequence, emailID, threadID, saveDate, guid
        /// `BODY.PEEK[]`: the whole message, without setting `\Seen`.
        case body
        /// `BINARY.PEEK[]`: the same where the server would alter zero bytes.
        case binary
        /// `BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]`
        case messageID

        var words: StaticString {
            switch self {
            case .uid: "UID"
            case .flags: "FLAGS"
            case .internalDate: "INTERNALDATE"
            case .size: "RFC822.SIZE"
            case .modSequence: "MODSEQ"
            case .emailID: "EMAILID"
            case .threadID: "THREADID"
            case .saveDate: "SAVEDATE"
            case .guid: "X-GUID"
            case .body: "BODY.PEEK[]"
            case .binary: "BINARY.PEEK[]"
            case .messageID: "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
            }
        }
    }

    /// RFC 6154.
    public enum SpecialUse: String, Hashable, Sendable, CaseIterable {
        case all = "\\All"
        case archive = "\\Archive"
        case drafts = "\\Drafts"
        case flagged = "\\Flagged"
        case important = "\\Important"
        case junk = "\\Junk"
        case sent = "\\Sent"
        case trash = "\\Trash"
    }
}

/// `LIST` with what should come with each row.
public struct ListRequest: Hashable, Sendable {
    public var pattern: [UInt8]
    /// RFC 5258: whether each is subscribed.
    public var wantsSubscribed: Bool
    /// RFC 6154
    public var wantsSpecialUse: Bool
    /// RFC 5819; empty for none.
    public var status: [Command.StatusItem]

    public init(
        pattern: [UInt8] = [UInt8(ascii: "*")], wantsSubscribed: Bool = false, wantsSpecialUse: Bool = false,
        status: [Command.StatusItem] = []
    ) {
        (self.pattern, self.wantsSubscribed) = (pattern, wantsSubscribed)
        (self.wantsSpecialUse, self.status) = (wantsSpecialUse, status)
    }
}

/// What a client says to prove who it is.
public struct SASLResponse: Hashable, Sendable {
    let mechanism: Mechanism
    let response: [UInt8]

    enum Mechanism: Hashable, Sendable { case plain, xoauth2, oauthbearer }

    public var name: String {
        switch mechanism {
        case .plain: "PLAIN"
        case .xoauth2: "XOAUTH2"
        case .oauthbearer: "OAUTHBEARER"
        }
    }

    /// RFC 4616. `authorization`: on whose behalf; empty for the user's own.
    public static func plain(
        authorization: [UInt8], user: [UInt8], password: [UInt8]
    ) throws(EncodingRefusal) -> SASLResponse {
        guard ![authorization, user, password].contains(where: { $0.contains(0) }) else {
            throw EncodingRefusal("a name or a password has a zero byte")
        }
        return SASLResponse(mechanism: .plain, response: authorization + [0] + user + [0] + password)
    }

    public static func xoauth2(user: [UInt8], token: [UInt8]) throws(EncodingRefusal) -> SASLResponse {
        try check(user, token)
        return SASLResponse(
            mechanism: .xoauth2,
            response: Array("user=".utf8) + user + [1] + Array("auth=Bearer ".utf8) + token + [1, 1])
    }

    /// RFC 7628.
    public static func oauthBearer(
        user: [UInt8], host: [UInt8], port: Int, token: [UInt8]
    ) throws(EncodingRefusal) -> SASLResponse {
        try check(user, token)
        var response = Array("n,a=".utf8)
        for byte in user {
            switch byte {
            case UInt8(ascii: ","): response += Array("=2C".utf8)
            case UInt8(ascii: "="): response += Array("=3D".utf8)
            default: response.append(byte)
            }
        }
        response += Array(",".utf8) + [1] + Array("host=".utf8) + host + [1]
        response += Array("port=\(port)".utf8) + [1] + Array("auth=Bearer ".utf8) + token + [1, 1]
        return SASLResponse(mechanism: .oauthbearer, response: response)
    }

    private static func check(_ user: [UInt8], _ token: [UInt8]) throws(EncodingRefusal) {
        guard !user.contains(where: { $0 < 0x20 }), !token.isEmpty,
            token.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw EncodingRefusal("the user's name or the token has bytes that cannot be sent") }
    }
}

extension SASLResponse: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String { "SASL \(name)" }
    public var debugDescription: String { description }
}
