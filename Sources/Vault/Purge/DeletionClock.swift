internal import Events
internal import Journal

/// How long ago a transaction was, by our own clock. A time in the future, which a clock that was wrong has left in the journal, counts
/// as that of the next transaction that has a credible one; a clock that fell back makes nothing older than what was before it.
struct DeletionClock {
    let now: Timestamp
    private let journal: OpenJournal
    private let boundary: TransactionID
    /// Of the transactions behind the boundary.
    private let later: [Timestamp]

    init(_ journal: OpenJournal, now: Timestamp) throws {
        (self.journal, self.now) = (journal, now)
        let boundary = try journal.newest(atOrBefore: now)
        let floor = try journal.withRecord(boundary) { $0.time } ?? Timestamp(rawValue: .min)
        var times: [Timestamp] = []
        let head = try journal.head().transaction
        if boundary < head {
            try journal.scan(from: boundary.next, through: head) { record in
                // The clock as it was, where it was known to be behind.
                let behind = Int64(clamping: try ChangeReader(record.body).clockBehind)
                times.append(Timestamp(rawValue: record.time.rawValue &- behind))
                return true
            }
            // The latest that any credible clock showed until then: never too early.
            var latest = floor
            for index in times.indices where times[index] <= now {
                latest = max(latest, times[index])
                times[index] = latest
            }
            // What a clock showed that was ahead was not later than the next credible one.
            var following = now
            for index in times.indices.reversed() {
                if times[index] > now { times[index] = following } else { following = times[index] }
            }
        }
        (self.boundary, later) = (boundary, times)
    }

    /// The newest transaction that is at least so many days old.
    func newest(olderThan days: Int) throws -> TransactionID {
        let limit = Timestamp(rawValue: now.rawValue - Int64(days) * 86_400_000_000)
        let found = try journal.newest(atOrBefore: limit)
        guard found == boundary else { return found }
        let more = later.firstIndex { $0 > limit } ?? later.count
        return TransactionID(rawValue: found.rawValue + UInt64(more))
    }
}
