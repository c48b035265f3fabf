public import Events
public import Files
internal import LMDB
internal import Synchronization
public import SystemPackage

/// The journal of a vault: the append-only log of all transactions, in LMDB and in mirror segments.
///
/// Many processes may have it open; one at a time appends, under the lock of `journal/lock`. `append` returns when both
/// copies are on the disk (`Specs/Invariants.md`, 8).
public final class OpenJournal: Sendable {
    public let vault: UniqueID
    let directory: FilePath
    let environment: Environment
    let records: Table
    let headTable: Table
    let segments: SegmentDirectory
    private let clock: WallClock
    private let options: JournalOptions
    let commitLock: LockFile?
    private let writer = Mutex<Writer>(Writer())

    private struct Writer {
        var segment: SegmentWriter?
        /// After a failure the tail must be looked at before anything is written behind it.
        var mustReconcile = true
    }

    static let tables = ["records", "head"]

    /// Makes the files of an empty journal in the existing directory.
    public static func create(in directory: FilePath) throws {
        try Directory.create(directory.appending("lmdb"))
        try Directory.create(directory.appending("segments"))
        let environment = try Environment(path: directory.appending("lmdb").string, tables: tables)
        let table = environment.table("head")
        try environment.write { (transaction: inout WriteTransaction) in
            try transaction.put(table, Key(0 as UInt64), JournalHead.empty.encoded().span.bytes)
        }
        // LMDB does not sync the directory, nor the first pages it writes.
        try File(directory.appending("lmdb/data.mdb"), .readWrite).sync()
        for name in ["lmdb", "segments"] { try Directory.sync(directory.appending(name)) }
        try Directory.sync(directory)
    }

    /// Opens the journal in `directory`. Reading only needs no permission to write.
    public init(
        _ directory: FilePath, vault: UniqueID, readOnly: Bool, withoutLock: Bool = false, clock: WallClock,
        options journalOptions: JournalOptions = JournalOptions()
    ) throws {
        let lmdb = directory.appending("lmdb")
        let segments = SegmentDirectory(path: directory.appending("segments"))
        // LMDB opens an empty file as an empty journal, and dies of one that is cut off: look before it does.
        switch Inspection(of: lmdb.string) {
        case .sound: break
        case .missing:
            throw JournalError.damaged(
                JournalFinding(file: "journal/lmdb/data.mdb", reason: .unreadable("the file is missing")))
        case .damaged(let why):
            throw JournalError.damaged(JournalFinding(file: "journal/lmdb/data.mdb", reason: .unreadable(why)))
        }
        var options = Environment.Options()
        options.readOnly = readOnly
        options.withoutLock = readOnly && (withoutLock || !Directory.isWritable(lmdb))
        environment = try Environment(path: lmdb.string, tables: OpenJournal.tables, options: options)
        records = environment.table("records")
        headTable = environment.table("head")
        commitLock = readOnly ? nil : try LockFile(directory.appending("lock"))
        (self.vault, self.directory, self.segments, self.clock) = (vault, directory, segments, clock)
        self.options = journalOptions
    }

    /// How far the journal goes.
    public func head() throws -> JournalHead {
        try environment.read { (transaction: borrowing ReadTransaction) in try head(in: transaction) }
    }

    func head(in transaction: borrowing ReadTransaction) throws -> JournalHead {
        guard let bytes = try transaction.value(headTable, Key(0 as UInt64)), let head = JournalHead(bytes) else {
            throw JournalError.damaged(JournalFinding(file: "journal/lmdb/data.mdb", reason: .header))
        }
        return head
    }

    /// Records `entries`, one transaction each, in order, and returns their IDs when both copies are on the disk.
    /// When it throws, none of them has been acknowledged; what of it reached the disk is settled before the next append.
    ///
    /// `times`: of each, where they are copied from another journal; none may be before the newest record's.
    @discardableResult
    public func append(_ entries: [JournalEntry], at times: [Timestamp]? = nil) throws -> Range<UInt64> {
        try append(at: times, deciding: { _ in entries })
    }

    /// As ``append(_:at:)``, but what is recorded is decided when nobody else can append any more: `entries` is given the head behind
    /// which they will stand. It may read the journal, and must not append to it.
    @discardableResult
    public func append(
        at times: [Timestamp]? = nil, deciding entries: (JournalHead) throws -> [JournalEntry]
    ) throws -> Range<UInt64> {
        guard let commitLock else { throw JournalError.readOnly }
        return try writer.withLock { writer in
            try commitLock.lock()
            defer { commitLock.unlock() }
            try refuseIfReplaced()
            var head = try settledHead(&writer)
            let entries = try entries(head)
            let now = clock.now()
            let first = head.transaction.rawValue + 1
            guard !entries.isEmpty else { return first..<first }
            writer.mustReconcile = true
            if entries.count < GroupWriter.smallestGroup || times != nil {
                try commitAtOnce(entries, now: now, at: times, &head, &writer)
            } else {
                try commitInParallel(entries, now: now, &head, &writer)
            }
            writer.mustReconcile = false
            return first..<head.transaction.rawValue + 1
        }
    }

    /// Encodes all, writes all, commits all.
    private func commitAtOnce(
        _ entries: [JournalEntry], now: Timestamp, at times: [Timestamp]? = nil, _ head: inout JournalHead,
        _ writer: inout Writer
    ) throws {
        var encoder = RecordEncoder(behind: head.transaction, time: head.time, leaf: head.leaf)
        for (index, entry) in entries.enumerated() { try encoder.append(entry, now: times?[index] ?? now) }
        if head.segmentEnd + encoder.bytes.byteCount > options.segmentBytes, head.segmentEnd > SegmentHeader.size {
            try roll(&writer, &head)
        }
        try writer.segment?.write(encoder.bytes, at: head.segmentEnd)
        let first = head.transaction.next
        head.advance(by: encoder)
        try environment.write { (transaction: inout WriteTransaction) in
            try put(encoder, from: first, in: &transaction)
            try transaction.put(headTable, Key(0 as UInt64), head.encoded().span.bytes)
        }
    }

    /// The same, but a thread of its own encodes and writes the segment while this one fills LMDB: a large group costs as
    /// much time as the slower of both copies, not as both. LMDB commits after the segment is on the disk.
    private func commitInParallel(
        _ entries: [JournalEntry], now: Timestamp, _ head: inout JournalHead, _ writer: inout Writer
    ) throws {
        guard let segment = writer.segment else { preconditionFailure("the head was settled without a segment") }
        let group = GroupWriter(
            entries, now: now, behind: head, into: segment, segmentBytes: options.segmentBytes)
        defer { group.join() }
        var id = head.transaction.next
        let written = try environment.write { (transaction: inout WriteTransaction) in
            while let chunk = try group.nextChunk() {
                try put(chunk, from: id, in: &transaction)
                id = chunk.id.next
            }
            let written = try group.written()
            try transaction.put(headTable, Key(0 as UInt64), written.head.encoded().span.bytes)
            return written
        }
        (writer.segment, head) = (written.segment, written.head)
    }

    private func put(
        _ records: RecordEncoder, from first: TransactionID, in transaction: inout WriteTransaction
    ) throws(LMDBError) {
        for index in 0..<records.count {
            try transaction.append(self.records, Key(first.rawValue + UInt64(index)), records.record(index))
        }
    }

    /// Begins a new segment behind the full one.
    private func roll(_ writer: inout Writer, _ head: inout JournalHead) throws {
        try writer.segment?.roll(&head)
    }

    /// The head, with the open segment at hand and nothing unsettled behind its end. Under the lock.
    private func settledHead(_ writer: inout Writer) throws -> JournalHead {
        for _ in 0..<3 {
            do { return try settledHead(&writer, try head()) } catch is StaleHead { writer.mustReconcile = true }
        }
        return try settledHead(&writer, try head())
    }

    /// The head that was read is not the newest.
    private struct StaleHead: Error {}

    private func settledHead(_ writer: inout Writer, _ found: JournalHead) throws -> JournalHead {
        // What LMDB has; moves on with what is recovered into it.
        var known = found
        var head = found
        if head.segmentEnd == 0 {
            // An LMDB that fell back to an empty state must not take the segments with it.
            guard try standing() != .fallenBack else {
                throw JournalError.damaged(
                    JournalFinding(
                        file: "journal/lmdb/data.mdb", transaction: head.transaction.next, reason: .copiesDiffer))
            }
            writer.segment = try SegmentWriter(
                creating: head.transaction.next, previousLeaf: head.leaf, in: segments, vault: vault)
            head.segmentFirst = head.transaction.next
            head.segmentEnd = SegmentHeader.size
            return head
        }
        if writer.segment?.first != head.segmentFirst {
            writer.segment = try SegmentWriter(opening: head.segmentFirst, in: segments, vault: vault)
            writer.mustReconcile = true
        }
        guard var segment = writer.segment else { return head }
        if writer.mustReconcile { try compareTails(head, segment) }
        let behind = try segment.bytes(at: head.segmentEnd, count: 8)
        if behind.contains(where: { $0 != 0 }) || writer.mustReconcile {
            try reconcile(&segment, &head, known: known)
            known = head
            writer.segment = segment
        }
        while try enterBegunSegment(&writer, &head, known: known) { known = head }
        return head
    }

    /// A segment that was begun behind the newest record by a writer that died before the head said so: goes on in it,
    /// with what stands in it. Left alone, it would lie across the records that follow. False when there is none.
    private func enterBegunSegment(
        _ writer: inout Writer, _ head: inout JournalHead, known: JournalHead
    ) throws -> Bool {
        let next = head.transaction.next
        guard head.segmentFirst != next, Directory.exists(segments.file(next, .raw)) else { return false }
        head.segmentFirst = next
        head.segmentEnd = SegmentHeader.size
        // Only a file that does not even have a header is begun anew; anything else that cannot be opened is damage, and is
        // left where it is.
        if try File(segments.file(next, .raw), .read).size() <= SegmentHeader.size {
            writer.segment = try SegmentWriter(creating: next, previousLeaf: head.leaf, in: segments, vault: vault)
        } else {
            var begun = try SegmentWriter(opening: next, in: segments, vault: vault)
            try reconcile(&begun, &head, known: known)
            writer.segment = begun
        }
        return true
    }

    /// The last record of LMDB must stand at the end of the segment: the mirror is never behind (`Specs/Format/Journal.md`,
    /// "Commit").
    private func compareTails(_ head: JournalHead, _ segment: SegmentWriter) throws {
        guard head.transaction > .beginning, head.segmentEnd > SegmentHeader.size else { return }
        let same = try environment.read { (transaction: borrowing ReadTransaction) -> Bool in
            guard let record = try transaction.value(records, Key(head.transaction.rawValue)) else { return false }
            let mirrored = try segment.bytes(at: head.segmentEnd - record.byteCount, count: record.byteCount)
            return record.withUnsafeBytes { $0.elementsEqual(mirrored) }
        }
        guard same else {
            throw JournalError.damaged(
                JournalFinding(
                    file: "journal/segments/" + SegmentDirectory.fileName(head.segmentFirst, .raw),
                    offset: head.segmentEnd, transaction: head.transaction, reason: .copiesDiffer))
        }
    }

    /// Settles what a crash left behind the known end of the segment: whole transactions are replayed into LMDB, a torn
    /// one, which nobody was told of, is cut.
    private func reconcile(
        _ segment: inout SegmentWriter, _ head: inout JournalHead, known: JournalHead
    ) throws {
        let entry = SegmentDirectory.Entry(
            first: head.segmentFirst, shape: .raw, path: segments.file(head.segmentFirst, .raw))
        var reader = SegmentTail(try File(entry.path, .read), from: head.segmentEnd)
        var recovered = head
        var whole: [SegmentTail.Record] = []
        while let record = try reader.next(after: recovered) {
            recovered.transaction = recovered.transaction.next
            recovered.time = record.time
            recovered.leaf = record.leaf
            recovered.segmentEnd += record.bytes.count
            whole.append(record)
        }
        if !whole.isEmpty {
            // They may stand in the kernel's memory only (after a failed flush for ever): LMDB must never be ahead of
            // the mirror on the disk, so they are written and flushed again first.
            let bytes = Array(whole.map(\.bytes).joined())
            try segment.write(bytes.span.bytes, at: head.segmentEnd)
            let isStale = try environment.write { (transaction: inout WriteTransaction) -> Bool in
                // A writer that died while LMDB committed leaves readers at the state before: only a writer sees that there is
                // a newer one, and from then on readers too.
                var newest: JournalHead?
                if let row = try transaction.value(headTable, Key(0 as UInt64)) { newest = JournalHead(row) }
                guard newest?.transaction == known.transaction else { return true }
                var id = head.transaction
                for record in whole {
                    id = id.next
                    try transaction.append(records, Key(id.rawValue), record.bytes.span.bytes)
                }
                try transaction.put(headTable, Key(0 as UInt64), recovered.encoded().span.bytes)
                return false
            }
            guard !isStale else { throw StaleHead() }
        }
        head = recovered
        guard try reader.hasMore(behind: recovered.segmentEnd) else { return }
        // One append, which nobody was told of, can have been torn. More than one are damage: the first of them was acknowledged.
        guard try RecordSalvage.times(entry, from: recovered.segmentEnd, behind: recovered.transaction).count < 2 else {
            throw JournalError.damaged(
                JournalFinding(
                    file: entry.name, offset: recovered.segmentEnd, transaction: recovered.transaction.next,
                    reason: .copiesDiffer))
        }
        try segment.cut(at: recovered.segmentEnd)
    }

    /// Takes into LMDB what the segments have that it does not know, as the next append would.
    public func settle() throws {
        guard let commitLock else { throw JournalError.readOnly }
        try writer.withLock { writer in
            try commitLock.lock()
            defer { commitLock.unlock() }
            writer.mustReconcile = true
            let head = try settledHead(&writer)
            // A segment that was begun and has nothing in it yet: said here, or every opening would find it unsettled.
            guard try head != self.head() else { return }
            try environment.write { (transaction: inout WriteTransaction) in
                try transaction.put(headTable, Key(0 as UInt64), head.encoded().span.bytes)
            }
        }
    }

    /// Ends the open segment, so that what is in it can be written anew, and begins another; nothing happens when it is empty.
    func rollSegment() throws {
        guard let commitLock else { throw JournalError.readOnly }
        try writer.withLock { writer in
            try commitLock.lock()
            defer { commitLock.unlock() }
            try refuseIfReplaced()
            var head = try settledHead(&writer)
            guard head.segmentEnd > SegmentHeader.size else { return }
            writer.mustReconcile = true
            try roll(&writer, &head)
            try environment.write { (transaction: inout WriteTransaction) in
                try transaction.put(headTable, Key(0 as UInt64), head.encoded().span.bytes)
            }
        }
    }

    /// Runs `body` while no segment is sealed.
    func excludingSealer(_ body: () throws -> Void) throws {
        guard let commitLock else { throw JournalError.readOnly }
        try writer.withLock { _ in
            try commitLock.lock()
            defer { commitLock.unlock() }
            try body()
        }
    }

    /// Another process has made LMDB's copy anew: what was written to the old file would be known to nobody.
    private func refuseIfReplaced() throws {
        guard try environment.isInPlace() else {
            throw JournalError.replaced
        }
    }

    /// Makes LMDB's copy as small as what is in it, while others read and append; they wait for it to append. False where that cannot
    /// be done on this file system.
    public func compactDatabase() throws -> Bool {
        guard commitLock != nil else { throw JournalError.readOnly }
        return try environment.compact(beside: environment.path + ".compacting")
    }

    /// Compresses the segments that are full. Each is decoded and compared before its raw shape goes.
    public func sealFullSegments() throws {
        guard let commitLock else { throw JournalError.readOnly }
        let open = try head().segmentFirst
        for entry in try segments.entries() where entry.shape == .raw && entry.first < open {
            // One sealer at a time; appends go on between segments. The lock of the file is one for all threads of this
            // process, so the writer's mutex must be held too: else unlocking here would unlock an append.
            try writer.withLock { _ in
                try commitLock.lock()
                defer { commitLock.unlock() }
                guard Directory.exists(entry.path) else { return }
                try SegmentSealer.seal(entry, in: segments)
            }
        }
    }
}
