internal import Events
internal import LMDB

/// The tables of the projections, as their rows' checksums tell them apart.
enum RowKind: UInt32 {
    case histories = 1
    case states = 2
    case live = 3
    case deleted = 4
    case folders = 5
    case accounts = 6
    case notes = 7
    case meta = 8
    case purged = 9

    init?(_ table: String) {
        guard let position = OpenProjections.tables.firstIndex(of: table) else { return nil }
        self.init(rawValue: UInt32(position) + 1)
    }

    /// CRC32C of key and payload, begun with the table's number: a row of another table, or of another key, has another.
    func checksum(_ key: RawSpan, _ payload: RawSpan) -> UInt32 { crc32c(crc32c(rawValue, key), payload) }

    /// What a row holds, when its checksum (the last four bytes) is right. A row that is not throws
    /// ``ProjectionsUnusable``: no wrong answer is made of it.
    @_lifetime(copy value)
    func payload(_ key: RawSpan, _ value: RawSpan) throws -> RawSpan {
        guard isSound(key, value) else {
            throw ProjectionsUnusable(reason: "a row of \(self) does not have its checksum")
        }
        return value.extracting(first: value.byteCount - 4)
    }

    func isSound(_ key: RawSpan, _ value: RawSpan) -> Bool {
        guard value.byteCount >= 4 else { return false }
        let stored = value.unsafeLoadUnaligned(fromByteOffset: value.byteCount - 4, as: UInt32.self)
        return UInt32(bigEndian: stored) == checksum(key, value.extracting(first: value.byteCount - 4))
    }

    @_lifetime(copy value)
    func payload(_ key: Key, _ value: RawSpan) throws -> RawSpan {
        guard key.withSpan({ isSound($0, value) }) else {
            throw ProjectionsUnusable(reason: "a row of \(self) does not have its checksum")
        }
        return value.extracting(first: value.byteCount - 4)
    }
}

/// Writes rows with their checksums; its buffer is used again.
struct RowWriter {
    private var buffer = ByteWriter(capacity: 1024)

    mutating func put(
        _ kind: RowKind, _ table: Table, _ key: Key, _ payload: RawSpan, in transaction: inout WriteTransaction
    ) throws {
        buffer.removeAll()
        buffer.raw(payload)
        buffer.integer(key.withSpan { kind.checksum($0, payload) })
        try transaction.putAscending(table, key, buffer.span)
    }
}
