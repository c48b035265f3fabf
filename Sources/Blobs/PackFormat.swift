internal import CKernels
internal import Events

/// The byte layout of packs and frames: `Specs/Format/Blobs.md`, 1, 2 and 5.
enum PackFormat {
    static let version: UInt16 = 1
    static let headerLength = 64
    static let magic: [UInt8] = Array("YMBLOBPK".utf8)
    /// No frame decodes to more than this.
    static let longestPayload = 16 << 20
    /// Largest zstd window, 2^23 bytes.
    static let windowLog: Int32 = 23
    /// Bytes of each part of a recipe's operation but the last: divisible by 3.
    static let partBytes = 1_048_575

    /// `packs/0000000000000001.pack`.
    static func fileName(_ pack: UInt32) -> String {
        let digits = String(pack)
        return "packs/" + String(repeating: "0", count: 16 - digits.utf8.count) + digits + ".pack"
    }

    static func header(pack: UInt32, vault: [UInt8]) -> ByteBuffer {
        let header = ByteBuffer(capacity: headerLength)
        header.append(magic.raw)
        header.append(version)
        header.append(UInt16(headerLength))
        header.append(UInt32(0))
        header.append(vault.raw)
        header.append(pack)
        header.append(zeros: 24)
        header.append(checksum(header.bytes))
        return header
    }

    /// What is wrong with a pack's header, or nil.
    static func fault(inHeader header: RawSpan, pack: UInt32, vault: [UInt8]) -> String? {
        guard header.byteCount >= headerLength else { return "the pack is shorter than its header" }
        guard header.part(0, 8).isEqual(to: magic.raw) else { return "no pack" }
        guard header.integer(60, as: UInt32.self) == checksum(header.part(0, 60)) else {
            return "the pack's header does not have its checksum"
        }
        guard header.integer(8, as: UInt16.self) == version else { return "a pack of another version" }
        guard header.part(16, 16).isEqual(to: vault.raw) else { return "a pack of another vault" }
        guard header.integer(32, as: UInt32.self) == pack else { return "a pack of another number" }
        return nil
    }

    /// CRC32C.
    static func checksum(_ bytes: RawSpan) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe $0.count == 0 ? 0 : ck_crc32c(0, $0.baseAddress, $0.count) }
    }
}

/// What a frame holds.
enum FrameKind: UInt8, Sendable {
    case messages = 1
    case parts = 2
    case directory = 3
    /// Nothing any more: it is where a frame was damaged and could not be healed.
    case void = 4
}

/// The 48 bytes at the beginning of a frame.
struct FrameHeader: Sendable {
    static let length = 48
    static let magic: UInt32 = 0x3146_4D59  // "YMF1"

    var kind: FrameKind
    var isCompressed: Bool
    var entryCount: Int
    var rawLength: Int
    var storedLength: Int
    var tableChecksum: UInt32
    var payloadChecksum: UInt32

    var tableLength: Int { entryCount * FrameEntry.length }
    /// Of the whole frame in the pack.
    var frameLength: Int { FrameHeader.length + tableLength + storedLength }

    /// Writes the header into `buffer`, where its room is, and returns its checksum.
    @discardableResult
    func write(into buffer: ByteBuffer, at offset: Int) -> UInt32 {
        buffer.replace(at: offset, with: FrameHeader.magic)
        buffer.replace(at: offset + 4, with: kind.rawValue)
        buffer.replace(at: offset + 5, with: UInt8(isCompressed ? 1 : 0))
        buffer.replace(at: offset + 6, with: UInt16(0))
        buffer.replace(at: offset + 8, with: UInt32(0))
        buffer.replace(at: offset + 12, with: UInt32(entryCount))
        buffer.replace(at: offset + 16, with: UInt32(rawLength))
        buffer.replace(at: offset + 20, with: UInt32(storedLength))
        buffer.replace(at: offset + 24, with: tableChecksum)
        buffer.replace(at: offset + 28, with: payloadChecksum)
        buffer.replace(at: offset + 32, with: UInt64(0))
        buffer.replace(at: offset + 40, with: UInt32(0))
        let checksum = PackFormat.checksum(buffer.bytes(offset, 44))
        buffer.replace(at: offset + 44, with: checksum)
        return checksum
    }

    /// Reads a header; nil unless it is whole, of version 1 and has its checksum.
    init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= FrameHeader.length, bytes.integer(0, as: UInt32.self) == FrameHeader.magic,
            bytes.integer(44, as: UInt32.self) == PackFormat.checksum(bytes.part(0, 44)),
            let kind = FrameKind(rawValue: bytes.integer(4)), bytes.integer(5, as: UInt8.self) <= 1,
            bytes.integer(6, as: UInt16.self) == 0, bytes.integer(8, as: UInt32.self) == 0,
            bytes.integer(32, as: UInt64.self) == 0, bytes.integer(40, as: UInt32.self) == 0
        else { return nil }
        self.kind = kind
        isCompressed = bytes.integer(5, as: UInt8.self) == 1
        entryCount = Int(bytes.integer(12, as: UInt32.self))
        rawLength = Int(bytes.integer(16, as: UInt32.self))
        storedLength = Int(bytes.integer(20, as: UInt32.self))
        tableChecksum = bytes.integer(24)
        payloadChecksum = bytes.integer(28)
        guard entryCount <= 65_535, rawLength <= PackFormat.longestPayload,
            storedLength <= PackFormat.longestPayload + (1 << 20), isCompressed || rawLength == storedLength
        else { return nil }
    }

    init(
        kind: FrameKind, isCompressed: Bool, entryCount: Int, rawLength: Int, storedLength: Int,
        tableChecksum: UInt32, payloadChecksum: UInt32
    ) {
        self.kind = kind
        self.isCompressed = isCompressed
        self.entryCount = entryCount
        self.rawLength = rawLength
        self.storedLength = storedLength
        self.tableChecksum = tableChecksum
        self.payloadChecksum = payloadChecksum
    }
}

/// One row of a frame's table: 48 bytes.
struct FrameEntry: Sendable, Hashable {
    static let length = 48

    let digest: Digest
    /// In the decoded payload.
    let offset: Int
    let length: Int
    let recipeLength: Int
    let size: UInt64

    func append(to buffer: ByteBuffer) {
        buffer.append(digest)
        buffer.append(UInt32(length))
        buffer.append(UInt32(recipeLength))
        buffer.append(size)
    }

    /// Reads a table; nil when its lengths do not fill the payload.
    static func table(_ bytes: RawSpan, of header: FrameHeader) -> [FrameEntry]? {
        guard bytes.byteCount == header.tableLength else { return nil }
        var entries: [FrameEntry] = []
        entries.reserveCapacity(header.entryCount)
        var offset = 0
        for index in 0..<header.entryCount {
            let row = bytes.part(index * FrameEntry.length, FrameEntry.length)
            let length = Int(row.integer(32, as: UInt32.self))
            let recipe = Int(row.integer(36, as: UInt32.self))
            let size = row.integer(40, as: UInt64.self)
            guard recipe <= length, size <= UInt64(Int.max) / 2 else { return nil }
            if recipe == 0 || header.kind == .parts {
                guard recipe == 0, size == UInt64(length) else { return nil }
            }
            entries.append(
                FrameEntry(digest: Digest(row), offset: offset, length: length, recipeLength: recipe, size: size))
            offset += length
        }
        guard header.kind == .directory || header.kind == .void ? header.entryCount == 0 : offset == header.rawLength
        else { return nil }
        return entries
    }
}
