internal import Events
internal import Files

/// Gets whole records out of bytes of which some are damaged: a record that is not what it must be is put right where one bit
/// explains it, and otherwise stepped over to the next whole one (`Specs/Format/Journal.md`, "Repair").
struct RecordSalvage {
    /// Whole records by their ID; the bytes are the record's.
    private(set) var records: [UInt64: [UInt8]] = [:]
    /// Records of which a bit was put right.
    private(set) var corrected: Set<UInt64> = []

    /// Takes every whole record of a segment, raw or sealed.
    mutating func read(_ entry: SegmentDirectory.Entry) throws {
        let file = try File(entry.path, .read)
        switch entry.shape {
        case .raw: try read(file, from: SegmentHeader.size, correcting: true)
        case .sealed: try readSealed(file)
        }
    }

    /// Takes every whole record of a raw segment from `offset` on.
    mutating func read(_ entry: SegmentDirectory.Entry, from offset: Int) throws {
        try read(try File(entry.path, .read), from: offset, correcting: true)
    }

    /// When the records behind `transaction` were appended that stand at `offset` or behind it in a raw segment, whole, the first of them perhaps
    /// but for one bit: all of one append have the same time.
    static func times(
        _ entry: SegmentDirectory.Entry, from offset: Int, behind transaction: TransactionID
    ) throws -> Set<Timestamp> {
        let file = try File(entry.path, .read)
        var salvage = RecordSalvage()
        let first = try file.read(at: offset, count: window)
        if first.count >= RecordFormat.headerSize + RecordFormat.trailerSize { _ = salvage.correct(first, 0) }
        try salvage.read(file, from: offset, correcting: false)
        var times: Set<Timestamp> = []
        for (id, bytes) in salvage.records where id > transaction.rawValue {
            times.insert(try RecordView(bytes.span.bytes).time)
        }
        return times
    }

    /// Takes the records `wanted` from a file in which they lie whole anywhere, such as LMDB's.
    mutating func search(_ file: File, for wanted: Set<UInt64>) throws {
        guard !wanted.isEmpty else { return }
        try read(file, from: 0, correcting: false) { wanted.contains($0) }
    }

    private static let window = 4 << 20

    private mutating func read(
        _ file: File, from start: Int, correcting: Bool, isWanted: (UInt64) -> Bool = { _ in true }
    ) throws {
        var offset = start
        let size = try file.size()
        while offset < size {
            var bytes = try file.read(at: offset, count: min(RecordSalvage.window, size - offset))
            if let needed = RecordSalvage.length(bytes), needed > bytes.count, offset + needed <= size {
                bytes = try file.read(at: offset, count: needed)
            }
            let isLast = offset + bytes.count >= size
            let done = take(bytes, isLast: isLast, correcting, isWanted)
            if done == 0 && isLast { return }
            offset += max(done, 1)
        }
    }

    /// The length that the record at the beginning claims, if its header is whole.
    private static func length(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= RecordFormat.headerSize else { return nil }
        do throws(DecodingFailure) { _ = try RecordView(bytes.span.bytes) } catch {
            if case .truncated(let needed, _) = error.reason { return needed }
        }
        return nil
    }

    /// Takes the records in `bytes`; returns how many bytes are done with: the rest begins with what may be a record that goes
    /// on behind them.
    private mutating func take(
        _ bytes: [UInt8], isLast: Bool, _ correcting: Bool, _ isWanted: (UInt64) -> Bool
    ) -> Int {
        var at = 0
        let span = bytes.span.bytes
        while at + RecordFormat.headerSize + RecordFormat.trailerSize <= bytes.count {
            guard bytes[at] == 0x59, bytes[at + 1] == 0x4D else {
                if correcting, let length = correct(bytes, at) {
                    at += length
                    continue
                }
                at += 1
                continue
            }
            do throws(DecodingFailure) {
                let record = try RecordView(span.extracting(droppingFirst: at))
                if isWanted(record.id.rawValue), records[record.id.rawValue] == nil {
                    records[record.id.rawValue] = Array(bytes[at..<at + record.byteCount])
                }
                at += record.byteCount
            } catch {
                if case .truncated(let needed, _) = error.reason, !isLast, at > 0 || needed > bytes.count { return at }
                if correcting, let length = correct(bytes, at) { at += length } else { at += 1 }
            }
        }
        return at
    }

    /// Tries to put one bit right in the record at `at`; its length when that was enough.
    private mutating func correct(_ bytes: [UInt8], _ at: Int) -> Int? {
        // Zeros are the written-ahead part.
        guard bytes[at..<at + 4].contains(where: { $0 != 0 }) else { return nil }
        var header = Array(bytes[at..<at + RecordFormat.headerSize])
        let stored = UInt32(bigEndian: header.span.bytes.unsafeLoadUnaligned(fromByteOffset: 64, as: UInt32.self))
        if crc32c(header.span.bytes.extracting(first: 64)) != stored {
            guard let right = SingleBit.corrected(Array(header[..<64]), stored: stored) else { return nil }
            let sum = crc32c(right.span.bytes)
            header = right + withUnsafeBytes(of: sum.bigEndian) { Array($0) }
        }
        let length = Int(UInt32(bigEndian: header.span.bytes.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        guard header[0] == 0x59, header[1] == 0x4D, length >= RecordFormat.headerSize + RecordFormat.trailerSize,
            length <= bytes.count - at
        else { return nil }
        var body = Array(bytes[at + RecordFormat.headerSize..<at + length - RecordFormat.trailerSize])
        let sum = UInt32(
            bigEndian: bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: at + length - 4, as: UInt32.self))
        if crc32c(body.span.bytes) != sum {
            guard let right = SingleBit.corrected(body, stored: sum) else { return nil }
            body = right
        }
        let trailer = crc32c(body.span.bytes)
        let whole = header + body + withUnsafeBytes(of: trailer.bigEndian) { Array($0) }
        // What a bit explains is still held against the decoder here, and against the chain of hashes by who takes it.
        guard let record = try? RecordView(whole.span.bytes), (try? record.transaction()) != nil else { return nil }
        let id = record.id.rawValue
        if records[id] == nil {
            records[id] = whole
            corrected.insert(id)
        }
        return length
    }

    // MARK: Sealed segments

    private mutating func readSealed(_ file: File) throws {
        let size = try file.size()
        var offset = SegmentHeader.size
        while offset + SealedBlock.headerSize <= size {
            let header = try file.read(at: offset, count: SealedBlock.headerSize)
            guard let block = SealedBlock(header: header.span.bytes) ?? RecordSalvage.correctedBlock(header) else {
                guard let next = try nextBlock(file, from: offset + 1, size: size) else { return }
                offset = next
                continue
            }
            if block.isEnd { return }
            let payload = try file.read(at: offset + SealedBlock.headerSize, count: block.storedLength)
            var decoded = block.decode(payload.span.bytes)
            if decoded == nil, payload.count == block.storedLength,
                let right = SingleBit.corrected(payload, stored: block.checksum)
            {
                decoded = Zstd.decompress(right.span.bytes, length: block.rawLength)
            }
            if let decoded { _ = take(decoded, isLast: true, false, { _ in true }) }
            offset += SealedBlock.headerSize + block.storedLength
        }
    }

    private static func correctedBlock(_ header: [UInt8]) -> SealedBlock? {
        let stored = UInt32(bigEndian: header.span.bytes.unsafeLoadUnaligned(fromByteOffset: 28, as: UInt32.self))
        guard let right = SingleBit.corrected(Array(header[..<28]), stored: stored) else { return nil }
        let sum = crc32c(right.span.bytes)
        let whole = right + withUnsafeBytes(of: sum.bigEndian) { Array($0) }
        return SealedBlock(header: whole.span.bytes)
    }

    private func nextBlock(_ file: File, from start: Int, size: Int) throws -> Int? {
        var base = start
        while base + SealedBlock.headerSize <= size {
            let bytes = try file.read(at: base, count: min(RecordSalvage.window, size - base))
            guard bytes.count >= SealedBlock.headerSize else { return nil }
            for at in 0...bytes.count - SealedBlock.headerSize where bytes[at] == 0x59 && bytes[at + 1] == 0x42 {
                if SealedBlock(header: bytes.span.bytes.extracting(droppingFirst: at)) != nil { return base + at }
            }
            base += bytes.count - SealedBlock.headerSize + 1
        }
        return nil
    }
}
