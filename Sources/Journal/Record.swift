public import Events

/// The frame of a transaction, the same bytes in LMDB and in the segments. `Specs/Format/Journal.md`, "Record".
enum RecordFormat {
    static let magic: UInt16 = 0x594D
    static let version: UInt8 = 1
    static let headerSize = 68
    static let trailerSize = 4
    /// No record is longer: a length beyond this is damage, not a size to allocate.
    static let largest = 64 << 20
}

/// One record, lent where it lies, its checksums verified.
public struct RecordView: ~Escapable {
    /// All of it: what the leaf hash is over.
    public let bytes: RawSpan
    public let id: TransactionID
    public let time: Timestamp
    public let account: AccountNumber
    public let origin: Origin
    /// It stands for a transaction that is lost (`Specs/Format/Journal.md`, "Lost record").
    public let isLost: Bool
    /// Something of it was purged (`Specs/Format/Journal.md`, "Redacted record").
    public let isRedacted: Bool

    /// Reads the record at the beginning of `bytes`, which may go on behind it.
    @_lifetime(copy bytes)
    @inline(__always)
    public init(_ bytes: RawSpan) throws(DecodingFailure) {
        guard bytes.byteCount >= RecordFormat.headerSize + RecordFormat.trailerSize else {
            throw DecodingFailure(
                offset: 0,
                reason: .truncated(needed: RecordFormat.headerSize + RecordFormat.trailerSize, found: bytes.byteCount))
        }
        guard UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt16.self)) == RecordFormat.magic
        else { throw DecodingFailure(offset: 0, reason: .badMagic) }
        guard
            UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 64, as: UInt32.self))
                == crc32c(bytes.extracting(first: 64))
        else { throw DecodingFailure(offset: 0, reason: .headerChecksum) }
        let version = bytes.unsafeLoadUnaligned(fromByteOffset: 2, as: UInt8.self)
        guard version == RecordFormat.version else {
            throw DecodingFailure(offset: 2, reason: .unknownVersion(version))
        }
        // Reserved for a codec and a key: a body that is packed must not be taken for a plain one.
        let codec = bytes.unsafeLoadUnaligned(fromByteOffset: 3, as: UInt8.self)
        guard codec == 0 || codec == LostRecord.codec || codec == RedactedRecord.codec else {
            throw DecodingFailure(offset: 3, reason: .unknownVersion(codec))
        }
        let key = bytes.unsafeLoadUnaligned(fromByteOffset: 28, as: UInt32.self).bigEndian & 0xFF_FFFF
        guard key == 0 else { throw DecodingFailure(offset: 29, reason: .outOfRange) }
        let length = Int(UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        guard length >= RecordFormat.headerSize + RecordFormat.trailerSize, length <= RecordFormat.largest else {
            throw DecodingFailure(offset: 4, reason: .outOfRange)
        }
        guard length <= bytes.byteCount else {
            throw DecodingFailure(offset: 4, reason: .truncated(needed: length, found: bytes.byteCount))
        }
        let body = bytes.extracting(RecordFormat.headerSize..<length - RecordFormat.trailerSize)
        guard
            UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: length - 4, as: UInt32.self)) == crc32c(body)
        else { throw DecodingFailure(offset: RecordFormat.headerSize, reason: .bodyChecksum) }
        let originCode = bytes.unsafeLoadUnaligned(fromByteOffset: 28, as: UInt8.self)
        guard let origin = Origin(rawValue: originCode) else {
            throw DecodingFailure(offset: 28, reason: .unknownKind(originCode))
        }
        isLost = codec == LostRecord.codec
        isRedacted = codec == RedactedRecord.codec
        guard codec == 0 || body.byteCount > Digest.byteCount else {
            throw DecodingFailure(offset: RecordFormat.headerSize, reason: .outOfRange)
        }
        self.bytes = bytes.extracting(first: length)
        self.origin = origin
        id = TransactionID(rawValue: UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        time = Timestamp(rawValue: Int64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 16, as: Int64.self)))
        account = AccountNumber(
            rawValue: UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt32.self)))
    }

    public var byteCount: Int { bytes.byteCount }

    /// The leaf hash of the record before this one.
    public var previousLeaf: Digest { Digest(bytes.extracting(32..<64)) }

    /// SHA-256(0x00 ‖ record), RFC 6962, 2.1; of a lost or redacted record: that of the one it stands for.
    public var leafHash: Digest {
        carriesLeaf
            ? Digest(bytes.extracting(bytes.byteCount - RecordFormat.trailerSize - Digest.byteCount..<bytes.byteCount))
            : Digest(leaf: bytes)
    }

    /// The leaf hash stands behind its body, and is not that of these bytes.
    private var carriesLeaf: Bool { isLost || isRedacted }

    /// Neither a change nor a note is left of it.
    public var isStub: Bool {
        guard isRedacted, let reader = try? ChangeReader(body) else { return false }  // Unreadable: not that.
        return reader.count == 0 && !reader.hasNote
    }

    /// The body, for a ``ChangeReader``.
    public var body: RawSpan {
        @_lifetime(copy self) get {
            bytes.extracting(
                RecordFormat.headerSize..<bytes.byteCount - RecordFormat.trailerSize
                    - (carriesLeaf ? Digest.byteCount : 0))
        }
    }

    /// The whole transaction, decoded.
    public func transaction() throws(DecodingFailure) -> Transaction {
        let reader = try ChangeReader(body)
        return Transaction(
            id: id, time: time, clockBehind: reader.clockBehind,
            entry: try JournalEntry(account: account, origin: origin, decodingBody: body))
    }
}

/// Encodes records one behind the other, each chained to the one before.
struct RecordEncoder: Sendable {
    private var writer = ByteWriter(capacity: 1 << 16)
    /// Where each record begins; one more than there are records, the last being the end.
    private var offsets: [Int] = [0]
    private(set) var leaf: Digest
    private(set) var id: TransactionID
    private(set) var time: Timestamp

    /// Goes on behind the record with that ID, time and leaf hash.
    init(behind id: TransactionID, time: Timestamp, leaf: Digest) {
        (self.id, self.time, self.leaf) = (id, time, leaf)
    }

    /// - Throws: ``JournalError/tooLarge(bytes:)`` for a record beyond ``RecordFormat/largest``.
    mutating func append(_ entry: JournalEntry, now: Timestamp) throws(JournalError) {
        let start = writer.count
        id = id.next
        // A clock that steps back is held, and the difference noted (`Specs/Format/Journal.md`, "Time").
        let behind = now < time ? UInt64(bitPattern: time.rawValue &- now.rawValue) : 0
        time = max(time, now)
        writer.integer(RecordFormat.magic)
        writer.integer(RecordFormat.version)
        writer.integer(UInt8(0))
        writer.integer(UInt32(0))
        writer.integer(id.rawValue)
        writer.integer(time.rawValue)
        writer.integer(entry.account.rawValue)
        writer.integer(entry.origin.rawValue)
        writer.integer(UInt8(0))
        writer.integer(UInt16(0))
        writer.digest(leaf)
        writer.integer(UInt32(0))
        entry.encodeBody(clockBehind: behind, into: &writer)
        let length = writer.count - start + RecordFormat.trailerSize
        guard length <= RecordFormat.largest else { throw .tooLarge(bytes: length) }
        writer.replace(at: start + 4, with: UInt32(length))
        writer.replace(at: start + 64, with: writer.checksum(start..<start + 64))
        writer.integer(writer.checksum(start + RecordFormat.headerSize..<writer.count))
        leaf = Digest(leaf: writer.span.extracting(start..<writer.count))
        offsets.append(writer.count)
    }

    var count: Int { offsets.count - 1 }

    /// All records, one behind the other.
    var bytes: RawSpan {
        @_lifetime(borrow self) get { writer.span }
    }

    /// The record at `index`, 0 ..< ``count``.
    @_lifetime(borrow self)
    func record(_ index: Int) -> RawSpan { writer.span.extracting(offsets[index]..<offsets[index + 1]) }

    /// An encoder that goes on behind this one, with nothing in it yet.
    var next: RecordEncoder { RecordEncoder(behind: id, time: time, leaf: leaf) }
}
