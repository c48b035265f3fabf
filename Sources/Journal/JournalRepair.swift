public import Events
internal import Files
internal import LMDB
public import SystemPackage

/// Heals a journal that nobody has open: each copy from the other, single bits from the checksums
/// (`Specs/Format/Journal.md`, "Repair"). Nothing is deleted: what is replaced is set aside first.
public struct JournalRepair {
    private let directory: FilePath
    private let vault: UniqueID
    /// Moves a file or directory to the quarantine.
    private let setAside: (FilePath) throws -> Void
    /// Gives a file a second name in the quarantine.
    private let keepCopy: (FilePath) throws -> Void
    private let report: (RepairNote) -> Void
    private let segments: SegmentDirectory
    /// What is never brought back, whatever an old copy of a record still has.
    private var purged = PurgedItems()

    /// How far the segments are sound, or have been healed.
    private struct Position {
        var last: UInt64 = 0
        var leaf = Digest.zero
        var time = Timestamp(rawValue: .min)
    }

    public init(
        _ directory: FilePath, vault: UniqueID, setAside: @escaping (FilePath) throws -> Void,
        keepCopy: @escaping (FilePath) throws -> Void, report: @escaping (RepairNote) -> Void
    ) {
        (self.directory, self.vault, self.setAside) = (directory, vault, setAside)
        (self.keepCopy, self.report) = (keepCopy, report)
        segments = SegmentDirectory(path: directory.appending("segments"))
    }

    /// Heals the segments, then LMDB. True when anything had to be done.
    @discardableResult
    public func run() throws -> Bool {
        var repair = self
        return try repair.heal()
    }

    private mutating func heal() throws -> Bool {
        let lock = try LockFile(directory.appending("lock"))
        try lock.lock()
        defer { lock.unlock() }
        if !Directory.exists(segments.path) {
            try Directory.create(segments.path)
            report(RepairNote(file: "journal/segments", detail: "the directory was missing and has been made again"))
        }
        let (findings, lmdbHead) = JournalRebuild.verified(in: directory)
        // A damaged LMDB may say anything of how far it goes; its records are searched for all the same.
        let known = findings.isEmpty ? lmdbHead : nil
        var (position, changed) = (Position(), false)
        let entries = try segments.entries()
        purged = JournalRepair.purgedItems(entries, directory)
        for (index, entry) in entries.enumerated() {
            let next = index + 1 < entries.count ? entries[index + 1] : nil
            if entry.first.rawValue > position.last + 1 {
                // A whole segment is gone.
                try heal(
                    nil, through: entry.first.rawValue - 1, nextLeaf: SegmentHeader.previousLeaf(of: entry), &position)
                changed = true
            } else if entry.first.rawValue <= position.last {
                // It lies across what stands before it already.
                try setAside(entry.path)
                report(
                    RepairNote(file: entry.name, detail: "set aside: its transactions stand in the segment before it"))
                changed = true
                continue
            }
            if try passOver(entry, next, known, &position) { continue }
            let nextLeaf = next.flatMap { SegmentHeader.previousLeaf(of: $0) } ?? (next == nil ? known?.leaf : nil)
            try heal(
                entry, through: next.map { $0.first.rawValue - 1 } ?? known?.transaction.rawValue, nextLeaf: nextLeaf,
                &position)
            changed = true
        }
        if let known, known.transaction.rawValue > position.last {
            try heal(nil, through: known.transaction.rawValue, nextLeaf: known.leaf, &position)
            changed = true
        }
        try healLMDB(findings, lmdbHead, position, segmentsChanged: changed)
        return changed || !findings.isEmpty
    }

    private func healLMDB(
        _ findings: [JournalFinding], _ head: JournalHead?, _ position: Position, segmentsChanged: Bool
    ) throws {
        if findings.isEmpty, let head, head.transaction.rawValue == position.last, head.leaf == position.leaf {
            // Only where the newest segment ends may have changed.
            guard segmentsChanged else { return }
        }
        let made = try JournalRebuild.fromSegmentsLocked(directory, vault: vault, setAside: setAside) { _ in }
        let why = findings.first.map { ": \($0)" } ?? ""
        report(
            RepairNote(
                file: "journal/lmdb/data.mdb",
                detail: "made anew from the segments, \(made.transaction.rawValue) transactions\(why)"))
    }

    // MARK: Segments

    /// Reads a segment to its end; false when it is not what it must be. `position` moves on only when it is.
    private func passOver(
        _ entry: SegmentDirectory.Entry, _ next: SegmentDirectory.Entry?, _ known: JournalHead?,
        _ position: inout Position
    ) throws -> Bool {
        var at = position
        do {
            if next == nil, entry.shape == .raw, try File(entry.path, .read).size() <= SegmentHeader.size,
                known == nil || known?.transaction.rawValue == position.last
            {
                // Begun, and nothing in it yet: the next append begins it anew.
                // A header that cannot be read is no header.
                return try File(entry.path, .read).size() < SegmentHeader.size || (try? SegmentCursor(entry)) != nil
            }
            var cursor = try SegmentCursor(entry)
            guard cursor.header.vault == vault, cursor.header.previousLeaf == at.leaf,
                entry.first.rawValue == at.last + 1, try SegmentHeader.isPadded(entry)
            else { return false }
            do {
                while try cursor.next() {
                    let record = try cursor.record
                    guard record.id.rawValue == at.last + 1, record.previousLeaf == at.leaf, record.time >= at.time,
                        // What does not decode is damage, whatever else it is.
                        (try? record.transaction()) != nil
                    else { return false }
                    at = Position(last: record.id.rawValue, leaf: record.leafHash, time: record.time)
                }
            } catch JournalError.damaged {
                guard next == nil, entry.shape == .raw else { return false }
                var behind = RecordSalvage()
                try behind.read(entry, from: cursor.offset)
                guard behind.records.isEmpty else { return false }
            }
            guard try cursor.endsCleanly() || (next == nil && entry.shape == .raw) else { return false }
        } catch is JournalError {
            return false
        } catch let error as FileError {
            report(RepairNote(file: entry.name, detail: "it cannot be read: \(error)"))
            return false
        }
        if let next, at.last != next.first.rawValue - 1 { return false }
        if next == nil, let known, at.last < known.transaction.rawValue { return false }
        position = at
        return true
    }

    /// Writes the segment that begins behind `position` anew, through transaction `end` (or as far as records can be had).
    private func heal(
        _ damaged: SegmentDirectory.Entry?, through end: UInt64?, nextLeaf: Digest?, _ position: inout Position
    ) throws {
        let first = position.last + 1
        let name =
            damaged?.name ?? "journal/segments/" + SegmentDirectory.fileName(TransactionID(rawValue: first), .raw)
        var own = RecordSalvage()
        let shapes = [SegmentDirectory.Shape.raw, .sealed].map {
            SegmentDirectory.Entry(
                first: damaged?.first ?? TransactionID(rawValue: first), shape: $0,
                path: segments.file(damaged?.first ?? TransactionID(rawValue: first), $0))
        }.filter { Directory.exists($0.path) }
        for shape in shapes {
            // What cannot be read of one shape is looked for in the other, and in LMDB.
            do { try own.read(shape) } catch let error as FileError {
                report(RepairNote(file: shape.name, detail: "it cannot be read to its end: \(error)"))
            }
        }
        let last = end ?? max(own.records.keys.filter { $0 >= first }.max() ?? position.last, position.last)
        var other = RecordSalvage()
        let missing = last >= first ? Set((first...last).filter { !isChained(own, $0, position) }) : []
        // Without LMDB's file there is nothing to search.
        if !missing.isEmpty, let file = try? File(directory.appending("lmdb/data.mdb"), .read) {
            try other.search(file, for: missing)
        }
        var at = position
        var bytes = ByteWriter(capacity: 1 << 20)
        let header = SegmentHeader(vault: vault, first: TransactionID(rawValue: first), previousLeaf: position.leaf)
        bytes.raw(header.encoded(magic: SegmentHeader.rawMagic))
        var (fromOther, corrected, lost) = (0, 0, 0)
        for id in last >= first ? Array(first...last) : [] {
            let following = [own.records[id + 1], other.records[id + 1]].compactMap { $0 }.map { Self.previousLeaf($0) }
            let wanted = Set(following + (id == last ? [nextLeaf].compactMap { $0 } : []))
            let candidates = [own.records[id], other.records[id]].compactMap { $0 }.filter {
                Self.previousLeaf($0) == at.leaf
            }
            let best = candidates.first { wanted.isEmpty || Self.leaf($0).map(wanted.contains) ?? false }
            // It was a record when it was taken from its file.
            if let best, let record = try? RecordView(best.span.bytes) {
                // Of two copies of a record the one of which something was purged may be the worse one.
                let redacted = Self.redacted(best, purged)
                if best == own.records[id] {
                    if own.corrected.contains(id) { corrected += 1 }
                } else {
                    fromOther += 1
                }
                at = Position(last: id, leaf: record.leafHash, time: record.time)
                if let redacted { bytes.raw(redacted) } else { bytes.raw(best) }
                continue
            }
            let name = TransactionID(rawValue: id)
            lost += 1
            guard id < last || nextLeaf != nil else {
                report(
                    RepairNote(
                        file: name.description, transaction: name,
                        detail: "neither copy has it: it was the newest, and its ID will be given again", isLoss: true))
                break
            }
            let leaf = wanted.first ?? .zero
            bytes.raw(
                LostRecord.encoded(
                    name, leaf: leaf, previousLeaf: at.leaf, time: max(at.time, position.time, .init(rawValue: 0))))
            at.last = id
            at.leaf = leaf
            at.time = max(at.time, .init(rawValue: 0))
            report(
                RepairNote(
                    file: "journal", transaction: name, detail: "neither copy has it: a lost record stands for it",
                    isLoss: true))
        }
        try replace(shapes, with: bytes.bytes, first: TransactionID(rawValue: first))
        var parts = ["\(at.last - position.last) transactions"]
        if fromOther > 0 { parts.append("\(fromOther) of them from LMDB") }
        if corrected > 0 { parts.append("\(corrected) with one bit put right") }
        if lost > 0 { parts.append("\(lost) lost") }
        report(
            RepairNote(
                file: name, transaction: TransactionID(rawValue: first),
                detail: "written anew: " + parts.joined(separator: ", ")))
        position = at
    }

    /// What purges have erased, as far as either copy says so.
    private static func purgedItems(_ entries: [SegmentDirectory.Entry], _ directory: FilePath) -> PurgedItems {
        var steps: [UInt64: PurgeStep] = [:]
        func take(_ record: RecordView) {
            // What cannot be decoded here is found by the repair itself.
            if let step = try? RedactedRecord.step(record) { steps[record.id.rawValue] = step }
        }
        for entry in entries {
            do {
                var cursor = try SegmentCursor(entry)
                while try cursor.next() { take(try cursor.record) }
            } catch {
                // Damaged: what of it is whole. A file that cannot be read is told of later.
                var salvage = RecordSalvage()
                try? salvage.read(entry)
                for bytes in salvage.records.values {
                    if let record = try? RecordView(bytes.span.bytes) { take(record) }
                }
            }
        }
        _ = PageWalk.verify(directory.appending("lmdb").string, tables: OpenJournal.tables) { table, _, value in
            if table == "records", let record = try? RecordView(value) { take(record) }  // The repair looks again.
            return nil
        }
        var purged = PurgedItems()
        for (id, step) in steps.sorted(by: { $0.key < $1.key }) { purged.add(step, at: TransactionID(rawValue: id)) }
        return purged
    }

    private func isChained(_ salvage: RecordSalvage, _ id: UInt64, _ position: Position) -> Bool {
        guard let record = salvage.records[id] else { return false }
        if id == position.last + 1 { return Self.previousLeaf(record) == position.leaf }
        guard let before = salvage.records[id - 1] else { return true }
        return Self.leaf(before) == Self.previousLeaf(record)
    }

    private func replace(_ shapes: [SegmentDirectory.Entry], with bytes: [UInt8], first: TransactionID) throws {
        let beside = segments.path.appending("healing")
        if Directory.exists(beside) { try Directory.removeFile(beside) }
        let file = try File(beside, .create)
        try file.write(bytes.span.bytes, at: 0)
        try file.sync()
        for shape in shapes where shape.shape == .raw { try keepCopy(shape.path) }
        try Directory.rename(beside, to: segments.file(first, .raw))
        try Directory.sync(segments.path)
        // Last: where both shapes are there, the sealed one counts.
        for shape in shapes where shape.shape == .sealed || shape.first != first { try setAside(shape.path) }
        try Directory.sync(segments.path)
    }

    private static func previousLeaf(_ record: [UInt8]) -> Digest { Digest(record.span.bytes.extracting(32..<64)) }

    /// The record without what has been purged; nil where it has nothing of that.
    private static func redacted(_ record: [UInt8], _ purged: PurgedItems) -> [UInt8]? {
        // It was a record, with a body that decodes, when it was taken.
        do throws(DecodingFailure) {
            return try RedactedRecord.make(try RecordView(record.span.bytes), without: purged)?.bytes
        } catch { return nil }
    }

    // Bytes that are no record have no leaf hash.
    private static func leaf(_ record: [UInt8]) -> Digest? { (try? RecordView(record.span.bytes))?.leafHash }
}

extension SegmentHeader {
    /// The leaf hash that the header of a segment says is before it; nil when it is damaged.
    static func previousLeaf(of entry: SegmentDirectory.Entry) -> Digest? {
        // Whatever keeps it from being read, it says nothing.
        (try? SegmentCursor(entry))?.header.previousLeaf
    }

    /// Whether the four bytes behind the header's checksum are the zeros they must be.
    static func isPadded(_ entry: SegmentDirectory.Entry) throws -> Bool {
        try File(entry.path, .read).read(at: 68, count: 4) == [0, 0, 0, 0]
    }
}

extension SegmentCursor {
    /// After the last record: whether the file ends as its shape must. A raw one has zeros behind its records, a sealed one
    /// nothing behind its end block.
    func endsCleanly() throws -> Bool {
        let file = try File(entry.path, .read)
        let size = try file.size()
        switch entry.shape {
        case .raw:
            var at = offset
            while at < size {
                let bytes = try file.read(at: at, count: min(1 << 20, size - at))
                if bytes.contains(where: { $0 != 0 }) { return false }
                at += bytes.count
            }
            return true
        case .sealed: return size == endOffset
        }
    }
}
