internal import Events
internal import Journal

/// Holds the records of which something was purged against what purges say: the leaf hash they carry vouches for what they were, not for
/// what is left of them.
struct PurgeAudit {
    private var stubs = NumberRanges()
    private var redacted: [(id: UInt64, leaf: Digest)] = []
    private var namedStubs: [NumberRanges] = []
    private var named: [UInt64: [Digest]] = [:]

    var count: Int { stubs.count + redacted.count }

    /// In the order of the journal: a purge comes behind what it purges.
    mutating func take(_ record: RecordView) throws {
        if record.isRedacted {
            if record.isStub {
                stubs.append(record.id.rawValue)
            } else {
                redacted.append((record.id.rawValue, Digest(leaf: record.bytes)))
            }
        }
        guard let step = try RedactedRecord.step(record) else { return }
        if !step.stubs.isEmpty { namedStubs.append(step.stubs) }
        // A record may be purged of in parts, and be seen between them.
        for (id, leaf) in step.redacted { named[id, default: []].append(leaf) }
    }

    /// The redacted records that no purge has named so.
    var unnamed: [TransactionID] {
        var found = redacted.filter { !(named[$0.id]?.contains($0.leaf) ?? false) }.map(\.id)
        for range in stubs.ranges {
            found += range.filter { id in !namedStubs.contains { $0.contains(id) } }
        }
        return found.sorted().map { TransactionID(rawValue: $0) }
    }
}
