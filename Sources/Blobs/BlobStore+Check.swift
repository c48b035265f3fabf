internal import Dispatch
internal import Events
internal import LMDB
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

extension BlobStore {
    /// Holds packs and index against each other and against their checksums; changes nothing.
    ///
    /// Walks the durable part of every pack: headers, tables, and of the chosen fraction payloads: decoded, every blob hashed, messages
    /// put together with their parts. Then every row of the index is shown to point at its blob.
    ///
    /// - Parameters:
    ///   - report: called for each finding, in the order of packs and offsets.
    ///   - progress: called with bytes done and bytes in all.
    /// - Throws: ``BlobError`` or `LMDBError` when the check itself cannot go on.
    @discardableResult
    public func check(
        _ options: BlobCheckOptions = BlobCheckOptions(), report: (BlobFinding) -> Void,
        progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws -> BlobCheckSummary {
        let packs = try index.allPacks()
        let total = packs.reduce(0) { $0 + UInt64($1.end) }
        var summary = BlobCheckSummary()
        var pointed: (messages: Int, parts: Int) = (0, 0)
        func take(_ result: FrameCheck) {
            for finding in result.findings { report(finding) }
            summary.findings += result.findings.count
            summary.blobs += result.blobs
            summary.verifiedBlobs += result.verifiedBlobs
            pointed.messages += result.pointedMessages
            pointed.parts += result.pointedParts
        }
        for row in packs {
            let plan = try CheckPlan(row, in: self)
            take(plan.walked)
            let before = pointed
            for result in try plan.run(options, in: self) { take(result) }
            let counted = (
                UInt32(plan.frames.count), UInt32(pointed.messages - before.messages),
                UInt32(pointed.parts - before.parts)
            )
            if plan.walked.findings.isEmpty, counted != (row.frames, row.messages, row.parts) {
                report(
                    BlobFinding(
                        kind: .index, pack: PackFormat.fileName(row.number), offset: 0,
                        reason: "the index counts other frames or blobs in it", digests: []))
                summary.findings += 1
            }
            summary.packs += 1
            summary.frames += plan.frames.count
            summary.bytes += UInt64(row.end)
            summary.ends[row.number] = row.end
            progress(summary.bytes, total)
        }
        if try indexIsBehind() {
            report(
                BlobFinding(
                    kind: .index, pack: PackFormat.fileName((packs.last?.number ?? 0) + 1), offset: 0,
                    reason: "the index does not know the pack", digests: []))
            summary.findings += 1
        }
        let index = index
        let rows = try index.environment.read { transaction in
            (
                try transaction.count(index.messages) + transaction.count(index.condemnedMessages),
                try transaction.count(index.parts) + transaction.count(index.condemnedParts)
            )
        }
        if rows.0 != pointed.messages || rows.1 != pointed.parts {
            let tables = [FrameKind.messages, .parts].flatMap { [($0, index.table($0)), ($0, index.condemned($0))] }
            for (kind, table) in tables where table.exists {
                for finding in try strayRows(kind, table) {
                    report(finding)
                    summary.findings += 1
                }
            }
        }
        return summary
    }

    /// Rows of the index that do not point at their blob.
    private func strayRows(_ kind: FrameKind, _ table: Table) throws -> [BlobFinding] {
        let loader = FrameLoader()
        var files: [UInt32: OpenFile] = [:]
        var last: (pack: UInt32, offset: UInt32, header: FrameHeader, entries: [FrameEntry])?
        return try index.environment.read { transaction in
            try transaction.cursor(table) { cursor in
                var findings: [BlobFinding] = []
                while try cursor.next() {
                    guard cursor.key.byteCount == Digest.byteCount, let place = BlobLocation(value: cursor.value) else {
                        findings.append(
                            BlobFinding(
                                kind: .index, pack: "index", offset: 0, reason: "a row that cannot be read", digests: []
                            ))
                        continue
                    }
                    let digest = Digest(cursor.key)
                    if last?.pack != place.pack || last?.offset != place.offset {
                        last = nil
                        let name = path + "/" + PackFormat.fileName(place.pack)
                        if files[place.pack] == nil, OpenFile.exists(name) {
                            if files.count > 64 { files.removeAll() }
                            files[place.pack] = try OpenFile(name, O_RDONLY)
                        }
                        if let file = files[place.pack], let header = try loader.header(file, at: Int(place.offset)),
                            let entries = try loader.table(file, at: Int(place.offset), header)
                        {
                            last = (place.pack, place.offset, header, entries)
                        }
                    }
                    if let last, last.header.kind == kind, Int(place.entry) < last.entries.count,
                        last.entries[Int(place.entry)].digest == digest,
                        last.entries[Int(place.entry)].size == place.size
                    {
                        continue
                    }
                    findings.append(
                        BlobFinding(
                            kind: .index, pack: PackFormat.fileName(place.pack), offset: UInt64(place.offset),
                            reason: "the index names this place, but the blob is not there", digests: [digest]))
                }
                return findings
            }
        }
    }
}

/// What came of checking some frames.
struct FrameCheck: Sendable {
    var findings: [BlobFinding] = []
    var blobs = 0
    var verifiedBlobs = 0
    var pointedMessages = 0
    var pointedParts = 0
}

/// The frames of one pack, found by walking its headers.
struct CheckPlan: Sendable {
    let row: PackRow
    let file: OpenFile?
    var frames: [(offset: Int, header: FrameHeader)] = []
    /// What the walk found.
    var walked = FrameCheck()

    private func finding(_ kind: BlobFinding.Kind, _ offset: Int, _ reason: String, _ digests: [Digest] = [])
        -> BlobFinding
    {
        BlobFinding(
            kind: kind, pack: PackFormat.fileName(row.number), offset: UInt64(offset), reason: reason, digests: digests)
    }

    init(_ row: PackRow, in store: BlobStore) throws {
        self.row = row
        let name = store.path + "/" + PackFormat.fileName(row.number)
        guard OpenFile.exists(name) else {
            file = nil
            walked.findings.append(finding(.pack, 0, "the pack is not there"))
            return
        }
        let file = try OpenFile(name, O_RDONLY)
        self.file = file
        posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED)
        let size = min(try file.size(), Int(row.end))
        if size < Int(row.end) {
            walked.findings.append(finding(.pack, size, "the pack ends here and not at \(row.end)"))
        }
        // A pack that was emptied, and whose old file a sweep that was killed has left.
        let isEmptied = row.isSealed && row.frames == 0 && Int(row.end) == PackFormat.emptyLength
        if isEmptied, try file.size() > Int(row.end) { return }
        if row.isSealed, try file.size() > Int(row.end) {
            walked.findings.append(finding(.pack, Int(row.end), "bytes stand behind the pack's end"))
        }
        let walk = PackWalk(file: file, pack: row.number, vault: store.vault, size: size)
        if let fault = try walk.headerFault() { walked.findings.append(finding(.pack, 0, fault)) }
        var at = PackFormat.headerLength
        var checksums: [(UInt32, UInt32)] = []
        while at < size {
            guard let header = try walk.header(at: at) else {
                let next = try walk.nextFrame(from: at + 1) ?? size
                walked.findings.append(finding(.frame, at, "no whole frame in \(next - at) bytes"))
                at = next
                continue
            }
            if header.kind == .directory {
                try checkDirectory(file, at, header, checksums)
            } else {
                frames.append((at, header))
                checksums.append((UInt32(at), walk.lastChecksum))
            }
            at += header.frameLength
        }
    }

    private mutating func checkDirectory(
        _ file: OpenFile, _ at: Int, _ header: FrameHeader, _ checksums: [(UInt32, UInt32)]
    ) throws {
        let payload = ByteBuffer()
        if let fault = try FrameLoader().payload(file, at: at, header, into: payload) {
            walked.findings.append(finding(.frame, at, fault))
            return
        }
        let wanted = ByteBuffer()
        for (offset, checksum) in checksums {
            wanted.append(offset)
            wanted.append(checksum)
        }
        if !wanted.bytes.isEqual(to: payload.bytes) {
            walked.findings.append(finding(.frame, at, "the pack's directory names other frames"))
        }
    }

    /// Checks the frames, several threads each taking the next few; results in the order of the frames.
    func run(_ options: BlobCheckOptions, in store: BlobStore) throws -> [FrameCheck] {
        guard let file, !frames.isEmpty else { return [] }
        let chunk = 8
        let count = (frames.count + chunk - 1) / chunk
        let results = Mutex<[Int: Result<FrameCheck, any Error>]>([:])
        let next = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: max(1, min(options.threads, count))) { _ in
            let checker = FrameChecker(row: row, file: file, store: store, options: options)
            while true {
                let number = next.withLock { next in
                    defer { next += 1 }
                    return next
                }
                if number >= count { return }
                let result = Result { () throws -> FrameCheck in
                    var sum = FrameCheck()
                    for frame in frames[number * chunk..<min((number + 1) * chunk, frames.count)] {
                        try checker.check(frame.offset, frame.header, &sum)
                    }
                    return sum
                }
                results.withLock { $0[number] = result }
            }
        }
        let all = results.withLock { $0 }
        return try (0..<count).map { try all[$0]?.get() ?? FrameCheck() }
    }
}

/// Checks frames; one for each thread.
final class FrameChecker {
    private let row: PackRow
    private let file: OpenFile
    private let store: BlobStore
    private let options: BlobCheckOptions
    private let loader = FrameLoader()
    private let decoded = ByteBuffer()
    private let reader: BlobReader

    init(row: PackRow, file: OpenFile, store: BlobStore, options: BlobCheckOptions) {
        self.row = row
        self.file = file
        self.store = store
        self.options = options
        reader = store.reader()
    }

    /// Whether the frame at `offset` is one of those to be read.
    private func isChosen(_ offset: Int) -> Bool {
        if options.dataFraction >= 1 { return true }
        if let verified = options.verified, offset >= Int(verified[row.number] ?? 0) { return true }
        if options.dataFraction <= 0 { return false }
        var z = options.seed ^ (UInt64(row.number) << 32 | UInt64(offset))
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) / Double(1 << 53) < options.dataFraction
    }

    func check(_ offset: Int, _ header: FrameHeader, _ sum: inout FrameCheck) throws {
        func add(_ kind: BlobFinding.Kind, _ reason: String, _ digests: [Digest]) {
            sum.findings.append(
                BlobFinding(
                    kind: kind, pack: PackFormat.fileName(row.number), offset: UInt64(offset), reason: reason,
                    digests: digests))
        }
        guard let entries = try loader.table(file, at: offset, header) else {
            return add(.frame, "the frame's table is damaged", [])
        }
        sum.blobs += entries.count
        let digests = entries.map(\.digest)
        let places = try store.index.locations(digests, header.kind)
        let condemned = try store.index.condemnedLocations(digests, header.kind)
        var strangers: [Digest] = []
        for (number, entry) in entries.enumerated() {
            let found = [places[number], condemned[number]].compactMap { $0 }
            if found.isEmpty { strangers.append(entry.digest) }
            for place in found
            where place.pack == row.number && Int(place.offset) == offset && Int(place.entry) == number
                && place.size == entry.size
            {
                if header.kind == .parts { sum.pointedParts += 1 } else { sum.pointedMessages += 1 }
            }
        }
        if !strangers.isEmpty { add(.index, "the index does not know what is here", strangers) }
        guard isChosen(offset) else { return }
        let decoded = decoded
        if let fault = try loader.payload(file, at: offset, header, into: decoded) {
            return add(.frame, fault, entries.map(\.digest))
        }
        let plain = entries.filter { $0.recipeLength == 0 }
        let names = DigestBatch.digests(
            plain.map { DigestBatch.Item(isSecond: false, start: $0.offset, count: $0.length) }, decoded.bytes,
            decoded.bytes)
        for (entry, name) in zip(plain, names) where name != entry.digest {
            add(.content, "the bytes do not have their digest", [entry.digest])
        }
        sum.verifiedBlobs += entries.count
        for entry in entries where entry.recipeLength > 0 {
            do { try reader.verify(entry, of: decoded, pack: row.number, frame: offset) } catch let error as BlobError {
                guard case .damaged(_, _, _, let reason) = error else { throw error }
                add(.content, reason, [entry.digest])
            }
        }
    }
}
