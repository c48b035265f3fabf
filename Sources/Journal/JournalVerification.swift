public import Events
internal import Files
internal import LMDB
internal import SystemPackage

/// How far a verification has come.
public struct JournalVerificationProgress: Sendable {
    public let transactions: UInt64
    public let total: UInt64
}

extension OpenJournal {
    /// Reads both copies from the first record to the last and holds them against each other: checksums, dense IDs, times
    /// that never fall, the chain of hashes, every body decoded, every key found by a look-up too. Reports each finding
    /// and goes on.
    ///
    /// Begins behind `verified`, a transaction that an earlier verification came to, and its leaf hash. Returns the position
    /// verified to, which is the head when it began.
    @discardableResult
    public func verify(
        after verified: (transaction: TransactionID, leaf: Digest)? = nil, _ report: (JournalFinding) -> Void,
        progress: (JournalVerificationProgress) -> Void = { _ in }
    ) throws -> JournalHead {
        let head = try head()
        let start = verified?.transaction.rawValue ?? 0
        var mirror = SegmentChain(try segments.entries(), head: head, vault: vault)
        var previous: (leaf: Digest, time: Timestamp)? = (verified?.leaf ?? .zero, Timestamp(rawValue: .min))
        var id = start
        mirror.begin(behind: start, report)
        while id < head.transaction.rawValue {
            // A snapshot for a thousand rows: a verification may run beside a writer.
            try environment.read { (transaction: borrowing ReadTransaction) in
                for _ in 0..<1_000 where id < head.transaction.rawValue {
                    id += 1
                    let mirrored = mirror.record(id, report)
                    let name = TransactionID(rawValue: id)
                    let file = "journal/lmdb/data.mdb"
                    guard let bytes = try transaction.value(records, Key(id)) else {
                        report(JournalFinding(file: file, transaction: name, reason: .missing))
                        previous = nil
                        continue
                    }
                    let record: RecordView
                    do throws(DecodingFailure) {
                        record = try RecordView(bytes)
                        _ = try record.transaction()
                    } catch {
                        report(JournalFinding(file: file, transaction: name, reason: .record(error)))
                        previous = nil
                        continue
                    }
                    if record.id != name {
                        report(
                            JournalFinding(file: file, transaction: name, reason: .wrongTransaction(found: record.id)))
                    }
                    if let previous, record.previousLeaf != previous.leaf || record.time < previous.time {
                        report(JournalFinding(file: file, transaction: name, reason: .brokenChain))
                    }
                    if record.isLost { report(JournalFinding(file: file, transaction: name, reason: .lost)) }
                    previous = (record.leafHash, record.time)
                    if let mirrored, !bytes.withUnsafeBytes({ $0.elementsEqual(mirrored) }),
                        !Self.differByPurge(record, mirrored)
                    {
                        report(JournalFinding(file: file, transaction: name, reason: .copiesDiffer))
                    }
                }
            }
            progress(JournalVerificationProgress(transactions: id, total: head.transaction.rawValue))
        }
        mirror.finish(report)
        if let previous, previous.leaf != head.leaf {
            report(JournalFinding(file: "journal/lmdb/data.mdb", transaction: head.transaction, reason: .brokenChain))
        }
        try verifyOrder(from: start + 1, head, report)
        return head
    }

    /// Whether the copies of a record differ only in that a purge has come to one of them already: both stand for the same leaf.
    private static func differByPurge(_ record: RecordView, _ mirrored: [UInt8]) -> Bool {
        // The mirror's bytes were a record when they were read.
        guard let other = try? RecordView(mirrored.span.bytes) else { return false }
        return (record.isRedacted || other.isRedacted) && record.leafHash == other.leafHash
    }

    /// The keys as a cursor finds them must be the keys as look-ups find them: a damaged branch page shows only here.
    private func verifyOrder(from first: UInt64, _ head: JournalHead, _ report: (JournalFinding) -> Void) throws {
        var expected = first
        while expected <= head.transaction.rawValue {
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(records) { (cursor: inout Cursor) in
                    var found = try cursor.seek(Key(expected))
                    for _ in 0..<100_000 where expected <= head.transaction.rawValue {
                        let key =
                            found && cursor.key.byteCount == 8
                            ? UInt64(bigEndian: cursor.key.unsafeLoadUnaligned(as: UInt64.self)) : nil
                        if key != expected {
                            report(
                                JournalFinding(
                                    file: "journal/lmdb/data.mdb", transaction: TransactionID(rawValue: expected),
                                    reason: .missing))
                            expected = max(key ?? .max - 1, expected)
                            guard key != nil else { return }
                        }
                        expected += 1
                        found = try cursor.nextPrefetching()
                    }
                }
            }
        }
    }
}

/// The segments one behind the other, followed record by record beside LMDB. What cannot be read is reported once, and
/// the rest of that segment is passed over.
private struct SegmentChain {
    private let entries: [SegmentDirectory.Entry]
    private let head: JournalHead
    private let vault: UniqueID
    private var index = -1
    private var cursor: SegmentCursor?
    private var silentUntil: UInt64 = 0

    init(_ entries: [SegmentDirectory.Entry], head: JournalHead, vault: UniqueID) {
        (self.entries, self.head, self.vault) = (entries, head, vault)
    }

    /// Goes to the segment that has the record behind `id`, and over what is before it there.
    mutating func begin(behind id: UInt64, _ report: (JournalFinding) -> Void) {
        guard id > 0, let last = entries.lastIndex(where: { $0.first.rawValue <= id + 1 }) else { return }
        index = last - 1
        guard entries[last].first.rawValue <= id else { return }
        for passed in entries[last].first.rawValue...id { _ = record(passed, report) }
    }

    /// The bytes of record `id`; nil where they could not be had, which has been reported.
    mutating func record(_ id: UInt64, _ report: (JournalFinding) -> Void) -> [UInt8]? {
        let name = TransactionID(rawValue: id)
        if index + 1 < entries.count, entries[index + 1].first.rawValue <= id {
            finish(report)
            index += 1
            cursor = nil
            open(id, report)
        } else if index < 0 {
            if id == 1 { report(JournalFinding(file: "journal/segments", transaction: name, reason: .missing)) }
            return nil
        }
        if id < silentUntil { return nil }
        let file = entries[index].name
        do {
            guard var following = cursor else { return nil }
            guard try following.next() else {
                cursor = following
                let next = index + 1 < entries.count ? entries[index + 1].first : head.transaction.next
                report(JournalFinding(file: file, transaction: name, reason: .short(missing: next.rawValue - id)))
                silentUntil = next.rawValue
                return nil
            }
            cursor = following
            let record = try following.record
            guard record.id == name else {
                report(
                    JournalFinding(
                        file: file, offset: following.offset, transaction: name,
                        reason: .wrongTransaction(found: record.id)))
                giveUp()
                return nil
            }
            return record.bytes.withUnsafeBytes { Array($0) }
        } catch JournalError.damaged(let finding) {
            report(
                JournalFinding(file: finding.file, offset: finding.offset, transaction: name, reason: finding.reason))
        } catch {
            report(JournalFinding(file: file, transaction: name, reason: .unreadable("\(error)")))
        }
        giveUp()
        return nil
    }

    /// Reads the segment to its end, where nothing more may stand and a sealed one says that it ends.
    mutating func finish(_ report: (JournalFinding) -> Void) {
        guard var following = cursor else { return }
        cursor = nil
        do {
            if try following.next() {
                let record = try following.record
                return report(
                    JournalFinding(
                        file: following.entry.name, offset: following.offset,
                        reason: .wrongTransaction(found: record.id)))
            }
            // The newest one may be growing.
            if following.entry.first != head.segmentFirst, try !following.endsCleanly() {
                report(JournalFinding(file: following.entry.name, offset: following.offset, reason: .trailing))
            }
        } catch JournalError.damaged(let finding) {
            report(finding)
        } catch {
            report(JournalFinding(file: following.entry.name, reason: .unreadable("\(error)")))
        }
    }

    private mutating func open(_ id: UInt64, _ report: (JournalFinding) -> Void) {
        var entry = entries[index]
        let name = TransactionID(rawValue: id)
        if entry.shape == .raw, !Directory.exists(entry.path) {
            // Sealed since the directory was listed.
            let path = SegmentDirectory(path: entry.path.removingLastComponent()).file(entry.first, .sealed)
            entry = SegmentDirectory.Entry(first: entry.first, shape: .sealed, path: path)
        }
        do {
            try File(entry.path, .read).forgetCached()
            let opened = try SegmentCursor(entry, limit: entry.first == head.segmentFirst ? head.segmentEnd : nil)
            if try opened.header.vault != vault || !SegmentHeader.isPadded(entry) {
                report(JournalFinding(file: entry.name, offset: 8, transaction: name, reason: .header))
            }
            cursor = opened
        } catch JournalError.damaged(let finding) {
            report(
                JournalFinding(file: finding.file, offset: finding.offset, transaction: name, reason: finding.reason))
            giveUp()
        } catch {
            report(JournalFinding(file: entry.name, transaction: name, reason: .unreadable("\(error)")))
            giveUp()
        }
    }

    /// Nothing more of this segment.
    private mutating func giveUp() {
        cursor = nil
        silentUntil = index + 1 < entries.count ? entries[index + 1].first.rawValue : .max
    }
}
