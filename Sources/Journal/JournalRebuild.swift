public import Events
internal import Files
internal import LMDB
public import SystemPackage

/// Makes a journal's LMDB copy anew from its segments: after damage, and for a copy of a vault that was made without it.
public enum JournalRebuild {
    /// Whether the LMDB copy of the journal in `directory` can be trusted with a first look: its size and its meta pages.
    public static func inspect(_ directory: FilePath) -> Inspection {
        switch LMDB.Inspection(of: directory.appending("lmdb").string) {
        case .sound: .sound
        case .missing: .missing
        case .damaged(let why): .damaged(why)
        }
    }

    public enum Inspection: Hashable, Sendable {
        case sound, missing
        case damaged(String)
    }

    /// All that is wrong with the LMDB copy as it lies in the file: pages, records, chain, head. Reads by `pread` only.
    public static func verifyRecords(in directory: FilePath) -> [JournalFinding] { verified(in: directory).findings }

    static func verified(in directory: FilePath) -> (findings: [JournalFinding], head: JournalHead?) {
        let file = "journal/lmdb/data.mdb"
        var previous: (leaf: Digest, time: Timestamp) = (.zero, Timestamp(rawValue: .min))
        var expected: UInt64 = 1
        var head: JournalHead?
        let pages = PageWalk.verify(directory.appending("lmdb").string, tables: OpenJournal.tables) {
            table, key, value in
            guard key.byteCount == 8 else { return "a key has another length" }
            let id = UInt64(bigEndian: key.unsafeLoadUnaligned(as: UInt64.self))
            if table == "head" {
                head = JournalHead(value)
                return id == 0 && head != nil ? nil : "the journal's head is damaged"
            }
            // Another look, because somebody wrote meanwhile.
            if id == 1 { (expected, previous) = (1, (.zero, Timestamp(rawValue: .min))) }
            defer { expected = id &+ 1 }
            do throws(DecodingFailure) {
                let record = try RecordView(value)
                defer { previous = (record.leafHash, record.time) }
                guard record.id.rawValue == id, record.byteCount == value.byteCount, id == expected else {
                    return "transaction \(record.id) stands where \(TransactionID(rawValue: expected)) must be"
                }
                guard record.previousLeaf == previous.leaf, record.time >= previous.time else {
                    return "the chain of hashes is broken at \(record.id)"
                }
                return nil
            } catch { return "\(TransactionID(rawValue: id)): \(error)" }
        }
        var findings = pages.map {
            JournalFinding(file: file, offset: $0.offset, reason: .unreadable($0.description))
        }
        if findings.isEmpty {
            if let head {
                if head.transaction.rawValue != expected &- 1 || head.leaf != previous.leaf {
                    findings.append(JournalFinding(file: file, transaction: head.transaction, reason: .brokenChain))
                }
            } else {
                findings.append(JournalFinding(file: file, reason: .header))
            }
        }
        return (findings, head)
    }

    /// Whether there is a segment to make it from.
    public static func hasSegments(_ directory: FilePath) -> Bool {
        // No directory, no segments.
        ((try? SegmentDirectory(path: directory.appending("segments")).entries()) ?? []).isEmpty == false
    }

    /// Which vault the segments say they are of, and when it was made, as far as its first transaction says.
    public static func vault(of directory: FilePath) throws -> (id: UniqueID, created: Timestamp)? {
        let path = directory.appending("segments")
        guard Directory.exists(path) else { return nil }
        for entry in try SegmentDirectory(path: path).entries() {
            // The next one says the same.
            guard var cursor = try? SegmentCursor(entry) else { continue }
            let hasFirst = (try? cursor.next()) ?? false
            let time = hasFirst ? (try? cursor.record)?.time : nil
            return (cursor.header.vault, time ?? Timestamp(rawValue: 0))
        }
        return nil
    }

    /// Makes `lmdb.new` from the segments and puts it in the place of `lmdb`, which `setAside` is given first when there is one.
    /// Throws ``JournalError/damaged(_:)`` at the first record that is not what it must be: then the segments are to be repaired.
    @discardableResult
    public static func fromSegments(
        _ directory: FilePath, vault: UniqueID, setAside: (FilePath) throws -> Void,
        progress: (TransactionID) -> Void = { _ in }
    ) throws -> JournalHead {
        let lock = try LockFile(directory.appending("lock"))
        try lock.lock()
        defer { lock.unlock() }
        return try fromSegmentsLocked(directory, vault: vault, setAside: setAside, progress: progress)
    }

    static func fromSegmentsLocked(
        _ directory: FilePath, vault: UniqueID, setAside: (FilePath) throws -> Void, progress: (TransactionID) -> Void
    ) throws -> JournalHead {
        let beside = directory.appending("lmdb.new")
        try Directory.removeFlat(beside)
        try Directory.create(beside)
        var head = JournalHead.empty
        do {
            var options = Environment.Options()
            options.withoutSync = true
            let environment = try Environment(path: beside.string, tables: OpenJournal.tables, options: options)
            let entries = try SegmentDirectory(path: directory.appending("segments")).entries()
            for (index, entry) in entries.enumerated() {
                try add(
                    entry, isLast: index == entries.count - 1, to: environment, vault, &head, progress)
            }
            let headTable = environment.table("head")
            try environment.write { (transaction: inout WriteTransaction) in
                try transaction.put(headTable, Key(0 as UInt64), head.encoded().span.bytes)
            }
            try environment.sync()
        }
        try File(beside.appending("data.mdb"), .readWrite).sync()
        try Directory.sync(beside)
        let place = directory.appending("lmdb")
        if Directory.exists(place) { try setAside(place) }
        try Directory.rename(beside, to: place)
        try Directory.sync(directory)
        return head
    }

    private static func add(
        _ entry: SegmentDirectory.Entry, isLast: Bool, to environment: Environment, _ vault: UniqueID,
        _ head: inout JournalHead, _ progress: (TransactionID) -> Void
    ) throws {
        let name = entry.name
        if isLast, entry.shape == .raw, try File(entry.path, .read).size() < SegmentHeader.size {
            // Begun, and nothing in it yet.
            return
        }
        var cursor = try SegmentCursor(entry)
        guard cursor.header.vault == vault else { throw JournalError.foreignSegment(file: name) }
        guard entry.first == head.transaction.next, cursor.header.previousLeaf == head.leaf else {
            throw JournalError.damaged(
                JournalFinding(file: name, offset: 24, transaction: head.transaction.next, reason: .missing))
        }
        let records = environment.table("records")
        var found = head
        (found.segmentFirst, found.segmentEnd) = (entry.first, SegmentHeader.size)
        var isAtEnd = false
        while !isAtEnd {
            try environment.write { (transaction: inout WriteTransaction) in
                for _ in 0..<20_000 {
                    do {
                        guard try cursor.next() else {
                            isAtEnd = true
                            return
                        }
                    } catch JournalError.damaged(let finding) {
                        // Behind the last whole record of the newest segment: an append that was not finished.
                        guard isLast, entry.shape == .raw, try !hasRecord(entry, behind: cursor.offset) else {
                            throw JournalError.damaged(
                                JournalFinding(
                                    file: finding.file, offset: finding.offset, transaction: found.transaction.next,
                                    reason: finding.reason))
                        }
                        isAtEnd = true
                        return
                    }
                    let record = try cursor.record
                    guard record.id == found.transaction.next, record.previousLeaf == found.leaf,
                        record.time >= found.time
                    else {
                        throw JournalError.damaged(
                            JournalFinding(
                                file: name, offset: cursor.offset, transaction: found.transaction.next,
                                reason: record.id == found.transaction.next
                                    ? .brokenChain : .wrongTransaction(found: record.id)))
                    }
                    try transaction.append(records, Key(record.id.rawValue), record.bytes)
                    (found.transaction, found.time, found.leaf) = (record.id, record.time, record.leafHash)
                    found.segmentEnd += record.byteCount
                }
            }
            progress(found.transaction)
        }
        // A sealed one is not written to again: the next append begins another.
        if entry.shape == .sealed { (found.segmentFirst, found.segmentEnd) = (found.transaction.next, 0) }
        head = found
    }

    /// Whether a record stands at `offset` or behind it that is whole, or is so but for one bit: then what is there is damage,
    /// not the end.
    private static func hasRecord(_ entry: SegmentDirectory.Entry, behind offset: Int) throws -> Bool {
        var salvage = RecordSalvage()
        try salvage.read(entry, from: offset)
        return !salvage.records.isEmpty
    }
}
