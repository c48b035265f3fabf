internal import CZstd
internal import Events

/// A block of a sealed segment: whole records, compressed together. `Specs/Format/Journal.md`, "Sealed segment".
struct SealedBlock {
    static let magic: UInt32 = 0x5942_4C4B
    static let headerSize = 32
    /// Raw bytes after which a block is closed.
    static let targetSize = 256 << 10
    static let largest = RecordFormat.largest + targetSize

    var rawLength: Int
    var storedLength: Int
    var count: Int
    var first: TransactionID
    var checksum: UInt32

    /// The block that ends a segment.
    var isEnd: Bool { count == 0 && rawLength == 0 }

    func encodedHeader() -> [UInt8] {
        var writer = ByteWriter(capacity: SealedBlock.headerSize)
        writer.integer(SealedBlock.magic)
        writer.integer(UInt32(rawLength))
        writer.integer(UInt32(storedLength))
        writer.integer(UInt32(count))
        writer.integer(first.rawValue)
        writer.integer(checksum)
        writer.integer(writer.checksum(0..<28))
        return writer.bytes
    }

    /// Header and payload of a block of `records`.
    static func encode(_ records: RawSpan, count: Int, first: TransactionID) -> [UInt8]? {
        guard let payload = Zstd.compress(records) else { return nil }
        let block = SealedBlock(
            rawLength: records.byteCount, storedLength: payload.count, count: count, first: first,
            checksum: crc32c(payload.span.bytes))
        return block.encodedHeader() + payload
    }

    static func end(next: TransactionID) -> [UInt8] {
        SealedBlock(rawLength: 0, storedLength: 0, count: 0, first: next, checksum: 0).encodedHeader()
    }

    /// Nil when the bytes are not a block's header.
    init?(header bytes: RawSpan) {
        var reader = ByteReader(bytes)
        guard bytes.byteCount >= SealedBlock.headerSize,
            let magic: UInt32 = try? reader.integer(), magic == SealedBlock.magic,
            let raw: UInt32 = try? reader.integer(), let stored: UInt32 = try? reader.integer(),
            let count: UInt32 = try? reader.integer(), let first: UInt64 = try? reader.integer(),
            let checksum: UInt32 = try? reader.integer(), let own: UInt32 = try? reader.integer(),
            own == crc32c(bytes.extracting(first: 28)), raw <= SealedBlock.largest, stored <= SealedBlock.largest
        else { return nil }
        self.init(
            rawLength: Int(raw), storedLength: Int(stored), count: Int(count),
            first: TransactionID(rawValue: first), checksum: checksum)
    }

    private init(rawLength: Int, storedLength: Int, count: Int, first: TransactionID, checksum: UInt32) {
        (self.rawLength, self.storedLength, self.count) = (rawLength, storedLength, count)
        (self.first, self.checksum) = (first, checksum)
    }

    /// The records of a block; nil when payload and header do not agree.
    func decode(_ payload: RawSpan) -> [UInt8]? {
        guard payload.byteCount == storedLength, crc32c(payload) == checksum else { return nil }
        return Zstd.decompress(payload, length: rawLength)
    }
}

/// zstd as the journal uses it: one frame a block, the checksum always on.
enum Zstd {
    static func compress(_ bytes: RawSpan) -> [UInt8]? {
        guard let context = ZSTD_createCCtx() else { return nil }
        defer { ZSTD_freeCCtx(context) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 3)
        // Without it, three of four flipped bits decompress to wrong bytes and no error.
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        let bound = ZSTD_compressBound(bytes.byteCount)
        var failed = false
        let result = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            let written = bytes.withUnsafeBytes {
                ZSTD_compress2(context, buffer.baseAddress, bound, $0.baseAddress, $0.count)
            }
            failed = ZSTD_isError(written) != 0
            count = failed ? 0 : written
        }
        return failed ? nil : result
    }

    /// Exactly `length` bytes, or nil.
    static func decompress(_ bytes: RawSpan, length: Int) -> [UInt8]? {
        var failed = false
        let result = [UInt8](unsafeUninitializedCapacity: max(length, 1)) { buffer, count in
            let written = bytes.withUnsafeBytes {
                ZSTD_decompress(buffer.baseAddress, length, $0.baseAddress, $0.count)
            }
            failed = ZSTD_isError(written) != 0 || written != length
            count = failed ? 0 : written
        }
        return failed ? nil : result
    }
}
