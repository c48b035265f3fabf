public import Events
internal import Files
public import Journal
internal import LMDB
public import SystemPackage

/// Which items carry a message ID: an index made of the journal and of the headers in the blobs
/// (`Specs/Format/Projections.md`, "Header index").
///
/// An opinion, as the projections are, but not one of them: the journal has no headers, so that this cannot be made from the
/// journal alone. What captures a message notes its IDs; ``follow(_:reading:)`` reads only what nobody noted.
public final class OpenHeaderIndex: Sendable {
    /// Another version means: make it anew.
    public static let version: UInt64 = 2
    /// Transactions followed at a time.
    private static let batch: UInt64 = 20_000
    /// Of a message that claims more, the first: nobody fills the index with one header.
    private static let idsOfOne = 32

    private let environment: Environment
    private let blobs, carriers, meta: Table

    /// Opens the index in the existing directory, or makes an empty one there. Throws ``HeaderIndexUnusable`` when what is
    /// there cannot be used: it is to be removed.
    public init(_ directory: FilePath) throws {
        if case .damaged(let why) = Inspection(of: directory.string), !Inspection.isUnbegun(directory.string) {
            throw HeaderIndexUnusable(reason: why)
        }
        do {
            environment = try Environment(path: directory.string, tables: ["blobs", "carriers", "meta"])
        } catch {
            guard error.isDamage || error.during == .table else { throw error }
            throw HeaderIndexUnusable(reason: "\(error)")
        }
        (blobs, carriers) = (environment.table("blobs"), environment.table("carriers"))
        meta = environment.table("meta")
        if let found = try stored(), found.version != OpenHeaderIndex.version {
            throw HeaderIndexUnusable(reason: "it is of version \(found.version)")
        }
    }

    /// Makes it as small as what is in it, while others use it. False where that cannot be done on this file system.
    public func compactDatabase() throws -> Bool { try environment.compact(beside: environment.path + ".compacting") }

    /// What is wrong with the pages and rows of the index in `directory` as they lie in the file. Reads by `pread` only. Nothing is wrong with
    /// one whose maker died: it is begun anew when it is wanted.
    public static func verify(_ directory: FilePath) -> [String] {
        if Inspection.isUnbegun(directory.string) { return [] }
        return PageWalk.verify(directory.string, tables: ["blobs", "carriers", "meta"]) { _, key, value in
            isSound(key, value) ? nil : "a row does not have its checksum"
        }.map(\.description)
    }

    /// A row ends with the CRC32C of its key and what it holds.
    private static func sealed(_ key: Key, _ payload: [UInt8]) -> [UInt8] {
        let sum = key.withSpan { crc32c(crc32c($0), payload.span.bytes) }
        return payload + withUnsafeBytes(of: sum.bigEndian) { Array($0) }
    }

    private static func isSound(_ key: RawSpan, _ value: RawSpan) -> Bool {
        guard value.byteCount >= 4 else { return false }
        let stored = value.unsafeLoadUnaligned(fromByteOffset: value.byteCount - 4, as: UInt32.self)
        return UInt32(bigEndian: stored) == crc32c(crc32c(key), value.extracting(first: value.byteCount - 4))
    }

    @_lifetime(copy value)
    private static func payload(_ key: RawSpan, _ value: RawSpan) throws -> RawSpan {
        guard isSound(key, value) else { throw HeaderIndexUnusable(reason: "a row does not have its checksum") }
        return value.extracting(first: value.byteCount - 4)
    }

    @_lifetime(copy value)
    private static func payload(_ key: Key, _ value: RawSpan) throws -> RawSpan {
        guard key.withSpan({ isSound($0, value) }) else {
            throw HeaderIndexUnusable(reason: "a row does not have its checksum")
        }
        return value.extracting(first: value.byteCount - 4)
    }

    /// Notes the message IDs in the header of each of these blobs.
    public func note(_ found: [(digest: Digest, ids: [MessageIDHash])]) throws {
        guard !found.isEmpty else { return }
        try environment.write { (transaction: inout WriteTransaction) in
            // In the order of the keys: pages are filled, not halved.
            for (digest, ids) in found.sorted(by: { $0.digest < $1.digest }) {
                var row = ByteWriter(capacity: 8 * ids.count)
                for id in ids.prefix(OpenHeaderIndex.idsOfOne) { row.integer(id.key) }
                try transaction.putAscending(
                    blobs, Key(blob: digest), OpenHeaderIndex.sealed(Key(blob: digest), row.bytes).span.bytes)
            }
        }
    }

    /// The messages of an account that carry the ID in some state of theirs, or may do so because their bytes could not be
    /// read; by number.
    public func items(_ account: AccountNumber, carrying id: MessageIDHash) throws -> [ItemID] {
        var found: Set<UInt32> = []
        for hash in [id.key, MessageIDHash.unread.rawValue] {
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(carriers) { (cursor: inout Cursor) in
                    var more = try cursor.seek(Key(carrier: hash, account, 0))
                    while more {
                        _ = try OpenHeaderIndex.payload(cursor.key, cursor.value)
                        var key = ByteReader(cursor.key)
                        guard try key.integer(UInt64.self) == hash, try key.integer(UInt32.self) == account.rawValue
                        else { return }
                        found.insert(try key.integer())
                        more = try cursor.next()
                    }
                }
            }
        }
        return found.sorted().map { ItemID(.message, $0) }
    }

    /// Follows the journal to its head. `reading` is asked for the IDs of blobs that nobody noted, some at a time; it leaves
    /// out those that cannot be read.
    public func follow(
        _ journal: OpenJournal,
        reading: ([(digest: Digest, size: UInt64)]) throws -> [(digest: Digest, ids: [MessageIDHash])]
    ) throws {
        let head = try journal.head().transaction
        let start = try stored()
        var position = start?.transaction ?? .beginning
        guard position <= head else { throw HeaderIndexUnusable(reason: "it is ahead of the journal") }
        if let start { try check(start, journal) }
        while position < head {
            let last = TransactionID(rawValue: min(head.rawValue, position.rawValue + OpenHeaderIndex.batch))
            try note(try reading(try unknown(journal, position.next, last)))
            position = try apply(journal, through: last)
        }
    }

    /// The blobs of these transactions of which nothing is noted.
    private func unknown(
        _ journal: OpenJournal, _ first: TransactionID, _ last: TransactionID
    ) throws -> [(digest: Digest, size: UInt64)] {
        var found: [(digest: Digest, size: UInt64)] = []
        var seen: Set<Digest> = []
        try environment.read { (transaction: borrowing ReadTransaction) in
            try journal.scan(from: first, through: last) { record in
                try messages(record) { _, digest, size in
                    guard try transaction.value(blobs, Key(blob: digest)) == nil, seen.insert(digest).inserted else {
                        return
                    }
                    found.append((digest, size))
                }
                return true
            }
        }
        return found
    }

    private func apply(_ journal: OpenJournal, through last: TransactionID) throws -> TransactionID {
        try environment.write { (transaction: inout WriteTransaction) -> TransactionID in
            var position = FollowedPosition(version: OpenHeaderIndex.version, transaction: .beginning, leaf: .zero)
            if let bytes = try transaction.value(meta, Key(0 as UInt64)) {
                position = try FollowedPosition(OpenHeaderIndex.payload(Key(0 as UInt64), bytes))
            }
            // Another process was here first.
            guard position.transaction < last else { return position.transaction }
            try check(position, journal)
            try journal.scan(from: position.transaction.next, through: last) { record in
                try messages(record) { number, digest, _ in
                    var ids = [MessageIDHash.unread.rawValue]
                    if let row = try transaction.value(blobs, Key(blob: digest)) {
                        var reader = ByteReader(try OpenHeaderIndex.payload(Key(blob: digest), row))
                        ids = try (0..<row.byteCount / 8).map { _ in try reader.integer(UInt64.self) }
                    }
                    for id in ids {
                        let key = Key(carrier: id, record.account, number)
                        try transaction.put(carriers, key, OpenHeaderIndex.sealed(key, []).span.bytes)
                    }
                }
                position.transaction = record.id
                if record.id == last { position.leaf = record.leafHash }
                return true
            }
            let row = OpenHeaderIndex.sealed(Key(0 as UInt64), position.encoded())
            try transaction.put(meta, Key(0 as UInt64), row.span.bytes)
            return position.transaction
        }
    }

    /// The journal it was made from must be this one.
    private func check(_ position: FollowedPosition, _ journal: OpenJournal) throws {
        guard position.transaction > .beginning else { return }
        let leaf = try journal.withRecord(position.transaction) { $0.leafHash }
        guard leaf == position.leaf else { throw HeaderIndexUnusable(reason: "it was made from another journal") }
    }

    /// The messages that came, or whose bytes became others, in a transaction.
    private func messages(_ record: RecordView, _ body: (UInt32, Digest, UInt64) throws -> Void) throws {
        var changes = try ChangeReader(record.body)
        _ = try changes.note()
        while try changes.next() {
            guard changes.item.kind == .message, !changes.kinds.isDisjoint(with: [.created, .content]) else { continue }
            let state = try ItemState(.message, decoding: changes.state).message
            if let state, let digest = state.digest { try body(changes.item.number, digest, state.size) }
        }
    }

    private func stored() throws -> FollowedPosition? {
        try environment.read { (transaction: borrowing ReadTransaction) -> FollowedPosition? in
            guard let bytes = try transaction.value(meta, Key(0 as UInt64)) else { return nil }
            // The first version had no checksums.
            if bytes.byteCount == 48 { throw HeaderIndexUnusable(reason: "it is of version 1") }
            return try FollowedPosition(OpenHeaderIndex.payload(Key(0 as UInt64), bytes))
        }
    }
}

extension Key {
    /// 16 bytes tell the blobs of any vault apart; were they not to, a look-up would read one message more.
    fileprivate init(blob digest: Digest) {
        self.init()
        digest.withBytes { bytes in
            append(UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
            append(UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    fileprivate init(carrier hash: UInt64, _ account: AccountNumber, _ number: UInt32) {
        self.init(hash)
        append(account.rawValue)
        append(number)
    }
}

/// The index cannot be used and must be made anew; nothing is lost.
public struct HeaderIndexUnusable: Error, Hashable, Sendable, CustomStringConvertible {
    public let reason: String

    public init(reason: String) { self.reason = reason }

    public var description: String { "the header index cannot be used: \(reason)" }
}
