import Events
import TestKit

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

// Spans do not go into the arguments of `#expect`: these take arrays.
func clockBehind(_ body: [UInt8]) throws -> UInt64 {
    let reader = try ChangeReader(body.span.bytes)
    return reader.clockBehind
}

func state(_ kind: ItemKind, _ bytes: [UInt8]) throws -> ItemState { try ItemState(kind, decoding: bytes.span.bytes) }
func sum(_ bytes: [UInt8]) -> UInt32 { crc32c(bytes.span.bytes) }
func digest(_ bytes: [UInt8]) -> Digest { Digest(hashing: bytes.span.bytes) }
func leaf(_ bytes: [UInt8]) -> Digest { Digest(leaf: bytes.span.bytes) }
func digest(reading bytes: [UInt8]) -> Digest { Digest(bytes.span.bytes) }

/// One transaction of each sort, with fixed values: the test vectors of `Specs/Format/Events.md` are these.
enum Samples {
    static let digest = Digest(hashing: utf8("hello").span.bytes)
    static let date = Timestamp(rawValue: 1_772_456_318_123_456)
    static let message = MessageState(
        folder: 2, content: .blob(digest, size: 48_211), internalDate: date, flags: [.seen, .passed],
        keywords: [utf8("$Work")], sourceName: utf8("1772456318.M1P2.host"))
    static let folder = FolderState(
        path: [utf8("INBOX"), utf8("Contracts")], isSubscribed: true, uidValidity: 7,
        sourceName: utf8(".INBOX.Contracts"),
        sourceIdentity: [1, 2, 3, 4])
    static let account = AccountState(
        id: UniqueID(high: 0x0123_4567_89AB_4DEF, low: 0x8123_4567_89AB_CDEF), address: "anna@example.org",
        sources: ["maildir:/var/mail/anna"])

    private static func one(_ change: Change, _ origin: Origin = .scan) -> JournalEntry {
        JournalEntry(account: AccountNumber(rawValue: 1), origin: origin, changes: [change])
    }

    private static func changed(_ body: (inout MessageState) -> Void) -> ItemState {
        var state = message
        body(&state)
        return ItemState(state)
    }

    private static let m7 = ItemID(.message, 7)
    private static let f2 = ItemID(.folder, 2)

    static let entries: [(name: String, entry: JournalEntry)] = [
        ("message-created", one(Change(m7, .created, ItemState(message)))),
        ("message-flags", one(Change(m7, .flags, changed { $0.flags = [.seen, .answered] }), .realtime)),
        ("message-tags", one(Change(m7, .tags, changed { $0.keywords = [] }), .realtime)),
        ("message-moved", one(Change(m7, [.moved, .flags], changed { $0.folder = 300 }), .realtime)),
        ("message-content", one(Change(m7, [.content, .metadata], changed { $0.content = .blob(.zero, size: 0) }))),
        ("message-unreadable", one(Change(m7, .created, changed { $0.content = .unreadable(5) }))),
        (
            "message-marks",
            one(
                Change(
                    m7, .created,
                    changed {
                        $0.marks = ServerMarks(
                            emailID: utf8("M63f9e283197fc289d2b7cf1f"), threadID: utf8("T1"), saveDate: date)
                    }))
        ),
        (
            "message-saved",
            one(Change(m7, .created, changed { ($0.content, $0.marks.saveDate) = (.unreadable(5), date) }))
        ),
        ("message-deleted", one(Change(m7, .deleted, ItemState(message, isDeleted: true)))),
        ("message-returned", one(Change(m7, .returned, ItemState(message)), .restore)),
        ("folder-created", one(Change(f2, .created, ItemState(folder)))),
        ("folder-renamed", one(Change(f2, [.renamed, .subscription], ItemState(folder)))),
        ("folder-deleted", one(Change(f2, .deleted, ItemState(folder, isDeleted: true)))),
        (
            "account-created",
            JournalEntry(
                account: .directory, origin: .admin,
                changes: [Change(ItemID(.account, 1), .created, ItemState(account))])
        ),
        (
            "other-kind",
            one(Change(ItemID(.contact, 12), .created, ItemState(.other([0xCA, 0xFE]))), .import)
        ),
        (
            "many-changes",
            JournalEntry(
                account: AccountNumber(rawValue: 70_000), origin: .scan,
                changes: [Change(f2, .renamed, ItemState(folder)), Change(m7, .moved, ItemState(message))])
        ),
        (
            "note",
            JournalEntry(
                account: .directory, origin: .admin, changes: [],
                note: Note(
                    .operationEnded,
                    [
                        .init("number", .number(-5)), .init("time", .time(date)), .init("text", .text([0xFF, 0x41])),
                        .init("flag", .flag(true)), .init("no", .flag(false)),
                    ]))
        ),
        ("empty", JournalEntry(account: AccountNumber(rawValue: 1), origin: .scan, changes: [])),
    ]

    static func body(_ entry: JournalEntry, clockBehind: UInt64 = 0) -> [UInt8] {
        var writer = ByteWriter()
        entry.encodeBody(clockBehind: clockBehind, into: &writer)
        return writer.bytes
    }
}
