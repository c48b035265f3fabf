internal import Events

#if canImport(Glibc)
    internal import Glibc
#endif

/// Finds out how one pack can be put right, and writes it anew (`Specs/Format/Blobs.md`, "Repair").
struct PackHealing {
    private let file: OpenFile
    private let number: UInt32
    private let store: BlobStore
    private let size: Int
    /// Behind it a pack that is not sealed may have anything.
    private let durableEnd: Int
    private let isSealed: Bool
    private let walk: PackWalk
    private let loader = FrameLoader()
    private let decoded = ByteBuffer()
    /// Bytes to stand in place of others.
    private var patches: [(offset: Int, bytes: [UInt8])] = []
    private var directory: [(offset: UInt32, checksum: UInt32)] = []
    /// Where the frames end: what is behind is the directory, or nothing.
    private var framesEnd: Int
    private var needsDirectory = false
    private(set) var notes: [RepairNote] = []
    /// Messages from frames that could not be healed, whole and verified: they are to be stored again.
    private(set) var saved: [[UInt8]] = []

    private var name: String { "blobs/" + PackFormat.fileName(number) }

    init(_ file: OpenFile, _ row: PackRow?, number: UInt32, in store: BlobStore) throws {
        (self.file, self.number, self.store) = (file, number, store)
        size = try file.size()
        isSealed = row?.isSealed ?? false
        durableEnd = isSealed ? size : min(size, row.map { Int($0.end) } ?? size)
        framesEnd = PackFormat.headerLength
        walk = PackWalk(file: file, pack: number, vault: store.vault, size: size)
    }

    var isSound: Bool { patches.isEmpty && !needsDirectory }

    /// Goes through the pack and decides what is to be written.
    mutating func look() throws {
        if let fault = try walk.headerFault() {
            let header = PackFormat.header(pack: number, vault: store.vault)
            patch(0, Self.array(header.bytes))
            note("its header was written again: \(fault)")
        }
        var at = PackFormat.headerLength
        var found: [UInt8]?
        var foundAt = size
        while at < size {
            let (header, wasRight) = try header(at: at)
            guard let header else {
                let next = try walk.nextFrame(from: at + 1) ?? size
                // Behind the durable end: what an append left that was not finished.
                if at >= durableEnd, next == size, !isSealed { break }
                if next == size, isSealed {
                    // The directory, which can be made again.
                    note("its directory was made again")
                    needsDirectory = true
                    foundAt = at
                    break
                }
                try void(at, next, "no whole frame in \(next - at) bytes")
                at = next
                continue
            }
            let end = at + header.frameLength
            if header.kind == .directory {
                let payload = try read(header.storedLength, at + FrameHeader.length)
                (found, foundAt) = (payload, at)
                if !wasRight || crc32c(Self.span(payload)) != header.payloadChecksum {
                    note("its directory was made again")
                    needsDirectory = true
                }
                if end != size { needsDirectory = true }
                break
            }
            if !wasRight { note("one bit of a frame's header was put right", at) }
            try look(at, header)
            at = end
        }
        framesEnd = min(at, foundAt)
        let wanted = directoryPayload()
        if foundAt < size, !needsDirectory, found != wanted { needsDirectory = true }
        if isSealed, foundAt == size { needsDirectory = true }
    }

    /// The header at `at`, put right when one bit was wrong.
    private mutating func header(at: Int) throws -> (FrameHeader?, Bool) {
        if let header = try walk.header(at: at) { return (header, true) }
        let bytes = try read(FrameHeader.length, at)
        guard bytes.count == FrameHeader.length else { return (nil, false) }
        let stored = Self.span(bytes).integer(44, as: UInt32.self)
        guard let right = SingleBit.corrected(Array(bytes[..<44]), stored: stored) else { return (nil, false) }
        let sum = crc32c(Self.span(right))
        let whole = right + (0..<4).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) }
        guard let header = FrameHeader(Self.span(whole)), at + header.frameLength <= size else { return (nil, false) }
        patch(at, whole)
        return (header, false)
    }

    /// Table and payload of a frame.
    private mutating func look(_ at: Int, _ header: FrameHeader) throws {
        let end = at + header.frameLength
        if header.kind == .void { return count(at, header) }
        let tableAt = at + FrameHeader.length
        var table = try read(header.tableLength, tableAt)
        let payloadAt = tableAt + header.tableLength
        var payload = try read(header.storedLength, payloadAt)
        if crc32c(Self.span(table)) != header.tableChecksum {
            guard let right = SingleBit.corrected(table, stored: header.tableChecksum),
                crc32c(Self.span(right)) == header.tableChecksum
            else { return try void(at, end, "a frame's table is damaged") }
            table = right
            patch(tableAt, right)
            note("one bit of a frame's table was put right", at)
        }
        if crc32c(Self.span(payload)) != header.payloadChecksum {
            guard let right = SingleBit.corrected(payload, stored: header.payloadChecksum),
                crc32c(Self.span(right)) == header.payloadChecksum, decodes(header, table, right)
            else {
                let count = save(header, table, payload)
                return try void(
                    at, end,
                    "a frame's bytes are damaged\(count == 0 ? "" : " (\(count) of its \(header.entryCount) messages were saved)")"
                )
            }
            payload = right
            patch(payloadAt, right)
            note("one bit of a frame was put right", at)
        }
        count(at, header)
    }

    /// Takes what can still be decoded of a frame's messages; returns how many.
    private mutating func save(_ header: FrameHeader, _ table: [UInt8], _ payload: [UInt8]) -> Int {
        guard header.kind == .messages, let entries = FrameEntry.table(Self.span(table), of: header) else { return 0 }
        let decoded = decoded
        if header.isCompressed {
            Zstd().decompress(asFarAsPossible: Self.span(payload), length: header.rawLength, into: decoded)
        } else {
            decoded.removeAll()
            decoded.append(Self.span(payload))
        }
        var count = 0
        for entry in entries where entry.recipeLength == 0 && entry.offset + entry.length <= decoded.count {
            guard Digest(hashing: decoded.bytes(entry.offset, entry.length)) == entry.digest else { continue }
            saved.append(Self.array(decoded.bytes(entry.offset, entry.length)))
            count += 1
        }
        return count
    }

    /// Whether what one bit explains also has its digests.
    private func decodes(_ header: FrameHeader, _ table: [UInt8], _ payload: [UInt8]) -> Bool {
        let decoded = decoded
        guard let entries = FrameEntry.table(Self.span(table), of: header) else { return false }
        if header.isCompressed {
            guard Zstd().decompress(Self.span(payload), length: header.rawLength, into: decoded) else { return false }
        } else {
            decoded.removeAll()
            decoded.append(Self.span(payload))
        }
        // Recipes are followed when the message is read; their text has zstd's checksum besides.
        return entries.allSatisfy {
            $0.recipeLength > 0 || Digest(hashing: decoded.bytes($0.offset, $0.length)) == $0.digest
        }
    }

    private mutating func count(_ at: Int, _ header: FrameHeader) {
        let buffer = ByteBuffer()
        buffer.append(zeros: FrameHeader.length)
        directory.append((UInt32(at), header.write(into: buffer, at: 0)))
    }

    /// Puts frames that hold nothing in place of the bytes from `start` to `end`.
    private mutating func void(_ start: Int, _ end: Int, _ why: String) throws {
        notes.append(
            RepairNote(
                file: name, detail: "\(why), from byte \(start) to \(end): what was in it is lost here", isLoss: true))
        var at = start
        while at < end {
            var length = min(end - at, FrameHeader.length + PackFormat.longestPayload)
            if end - at - length > 0, end - at - length < FrameHeader.length { length -= FrameHeader.length }
            guard length >= FrameHeader.length else { break }
            let zeros = [UInt8](repeating: 0, count: length - FrameHeader.length)
            let header = FrameHeader(
                kind: .void, isCompressed: false, entryCount: 0, rawLength: zeros.count, storedLength: zeros.count,
                tableChecksum: 0, payloadChecksum: PackFormat.checksum(Self.span(zeros)))
            let frame = ByteBuffer()
            frame.append(zeros: FrameHeader.length)
            header.write(into: frame, at: 0)
            patch(at, Self.array(frame.bytes) + zeros)
            count(at, header)
            at += length
        }
    }

    private func directoryPayload() -> [UInt8] {
        let payload = ByteBuffer()
        for entry in directory {
            payload.append(entry.offset)
            payload.append(entry.checksum)
        }
        return Self.array(payload.bytes)
    }

    /// Writes the pack anew into the file `path`.
    func write(to path: String) throws {
        let target = try OpenFile(path, O_RDWR | O_CREAT | O_TRUNC)
        let end = needsDirectory ? framesEnd : size
        var at = 0
        while at < end {
            let bytes = try read(min(4 << 20, end - at), at)
            guard !bytes.isEmpty else { break }
            try target.write(Self.span(bytes), at: at)
            at += bytes.count
        }
        for patch in patches { try target.write(Self.span(patch.bytes), at: patch.offset) }
        if needsDirectory {
            let payload = directoryPayload()
            let header = FrameHeader(
                kind: .directory, isCompressed: false, entryCount: 0, rawLength: payload.count,
                storedLength: payload.count, tableChecksum: 0,
                payloadChecksum: PackFormat.checksum(Self.span(payload)))
            let frame = ByteBuffer()
            frame.append(zeros: FrameHeader.length)
            header.write(into: frame, at: 0)
            try target.write(Self.span(Self.array(frame.bytes) + payload), at: framesEnd)
        }
        try target.syncData()
    }

    // MARK: Small things

    private mutating func patch(_ offset: Int, _ bytes: [UInt8]) { patches.append((offset, bytes)) }

    private mutating func note(_ what: String, _ at: Int? = nil) {
        notes.append(RepairNote(file: name, detail: at.map { "\(what), at byte \($0)" } ?? what))
    }

    private func read(_ count: Int, _ offset: Int) throws -> [UInt8] {
        let buffer = ByteBuffer()
        try file.read(count, at: offset, into: buffer)
        return Self.array(buffer.bytes)
    }

    private static func array(_ span: RawSpan) -> [UInt8] { unsafe span.withUnsafeBytes { unsafe Array($0) } }

    @_lifetime(borrow bytes)
    private static func span(_ bytes: borrowing [UInt8]) -> RawSpan {
        unsafe _overrideLifetime(bytes.span.bytes, borrowing: bytes)
    }
}
