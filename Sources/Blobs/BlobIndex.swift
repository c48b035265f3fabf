internal import Events
internal import LMDB

/// Where blobs lie: the LMDB environment of `Specs/Format/Blobs.md`, 6.
struct BlobIndex: Sendable {
    let environment: Environment
    let messages, parts, packs, meta: Table
    /// What nothing refers to any more, until it is swept.
    let condemnedMessages, condemnedParts: Table

    static let tables = ["messages", "parts", "packs", "meta", "condemned", "condemnedParts"]
    /// Those that an index has not before it was first opened for writing by a program that knows them.
    static let newTables = ["condemned", "condemnedParts"]

    /// Opens or creates the index in `path`; `vault` (16 bytes) must be the one it was created for.
    init(path: String, vault: [UInt8], options: Environment.Options) throws {
        var options = options
        options.optionalTables = BlobIndex.newTables
        environment = try Environment(path: path, tables: BlobIndex.tables, options: options)
        messages = environment.table("messages")
        parts = environment.table("parts")
        packs = environment.table("packs")
        meta = environment.table("meta")
        condemnedMessages = environment.table("condemned")
        condemnedParts = environment.table("condemnedParts")
        try claim(path: path, vault: vault, readOnly: options.readOnly)
    }

    private func claim(path: String, vault: [UInt8], readOnly: Bool) throws {
        let meta = meta
        let found = try environment.read { transaction -> Bool in
            guard let value = try transaction.value(meta, BlobIndex.vaultKey) else { return false }
            guard value.byteCount == 18, value.integer(16, as: UInt16.self) == PackFormat.version else {
                throw BlobError.unusable(path: path, reason: "an index of another version")
            }
            guard value.part(0, 16).isEqual(to: vault.raw) else {
                throw BlobError.unusable(path: path, reason: "the index of another vault")
            }
            return true
        }
        if found || readOnly { return }
        let value = ByteBuffer()
        value.append(vault.raw)
        value.append(PackFormat.version)
        try environment.write { transaction in try transaction.put(meta, BlobIndex.vaultKey, value.bytes) }
    }

    private static var vaultKey: Key {
        var key = Key()
        key.append(Array("vault".utf8).raw)
        return key
    }

    func table(_ kind: FrameKind) -> Table { kind == .parts ? parts : messages }

    func condemned(_ kind: FrameKind) -> Table { kind == .parts ? condemnedParts : condemnedMessages }

    func condemnedLocations(_ digests: [Digest], _ kind: FrameKind) throws -> [BlobLocation?] {
        try locations(digests, in: condemned(kind))
    }

    /// The row of a pack.
    func pack(_ number: UInt32) throws -> PackRow? {
        try environment.read { transaction in
            guard let value = try transaction.value(packs, PackRow.key(number)) else { return nil }
            return PackRow(number: number, value: value)
        }
    }

    /// The row of the newest pack.
    func lastPack() throws -> PackRow? {
        try environment.read { transaction in
            try transaction.cursor(packs) { cursor in
                guard try cursor.last() else { return nil }
                return PackRow(key: cursor.key, value: cursor.value)
            }
        }
    }

    /// All packs, in order.
    func allPacks() throws -> [PackRow] {
        try environment.read { transaction in
            try transaction.cursor(packs) { cursor in
                var rows: [PackRow] = []
                while try cursor.next() {
                    if let row = PackRow(key: cursor.key, value: cursor.value) { rows.append(row) }
                }
                return rows
            }
        }
    }

    /// Which of these are there.
    func contains(_ digests: [Digest], _ kind: FrameKind, found: inout [Bool]) throws {
        let table = table(kind)
        try environment.read { transaction in
            for (number, digest) in digests.enumerated() where !found[number] {
                found[number] = try transaction.value(table, digest.key) != nil
            }
        }
    }

    /// Where a blob can be read; also one that is condemned.
    func location(_ digest: Digest, _ kind: FrameKind) throws -> BlobLocation? {
        let (table, condemned) = (table(kind), condemned(kind))
        return try environment.read { transaction in
            for table in [table, condemned] {
                guard let value = try transaction.value(table, digest.key) else { continue }
                guard let location = BlobLocation(value: value) else {
                    throw BlobError.damaged(digest, pack: 0, offset: 0, reason: "its row in the index cannot be read")
                }
                return location
            }
            return nil
        }
    }

    /// Locations of many, in one snapshot.
    func locations(_ digests: [Digest], _ kind: FrameKind) throws -> [BlobLocation?] {
        try locations(digests, in: table(kind))
    }

    private func locations(_ digests: [Digest], in table: Table) throws -> [BlobLocation?] {
        return try environment.read { transaction in
            var found: [BlobLocation?] = []
            found.reserveCapacity(digests.count)
            for digest in digests {
                if let value = try transaction.value(table, digest.key) {
                    found.append(BlobLocation(value: value))
                } else {
                    found.append(nil)
                }
            }
            return found
        }
    }
}

/// What the index knows of a pack.
struct PackRow: Sendable, Hashable {
    let number: UInt32
    /// The end of what is durable.
    var end: UInt32
    var isSealed = false
    var frames: UInt32 = 0
    var messages: UInt32 = 0
    var parts: UInt32 = 0
    /// Raw bytes of the messages first stored here.
    var messageBytes: UInt64 = 0
    /// Bytes of the parts first stored here.
    var partBytes: UInt64 = 0

    static func key(_ number: UInt32) -> Key {
        var key = Key()
        key.append(number)
        return key
    }

    var key: Key { PackRow.key(number) }

    init(number: UInt32, end: UInt32) {
        self.number = number
        self.end = end
    }

    init?(key: RawSpan, value: RawSpan) {
        guard key.byteCount == 4 else { return nil }
        self.init(number: key.integer(0, as: UInt32.self).byteSwapped, value: value)
    }

    init?(number: UInt32, value: RawSpan) {
        guard value.byteCount == 36 else { return nil }
        self.number = number
        end = value.integer(0)
        isSealed = value.integer(4, as: UInt8.self) != 0
        frames = value.integer(8)
        messages = value.integer(12)
        parts = value.integer(16)
        messageBytes = value.integer(20)
        partBytes = value.integer(28)
    }

    func write(into buffer: ByteBuffer) {
        buffer.removeAll()
        buffer.append(end)
        buffer.append(UInt8(isSealed ? 1 : 0))
        buffer.append(zeros: 3)
        buffer.append(frames)
        buffer.append(messages)
        buffer.append(parts)
        buffer.append(messageBytes)
        buffer.append(partBytes)
    }
}
