internal import Events
internal import Files

/// How the two copies of a journal stand to each other, at a glance: what an opening looks at.
public enum JournalStanding: Hashable, Sendable {
    /// As they must.
    case level
    /// The newest segment has something that LMDB does not know: a crash, or an append that is on its way.
    case behind
    /// LMDB is an older state, or an empty one: it is to be made anew from the segments.
    case fallenBack
    /// Segments are missing that LMDB knows of: damage.
    case ahead
}

extension OpenJournal {
    /// A listing and one read.
    public func standing() throws -> JournalStanding {
        let head = try head()
        let next = head.transaction.next
        guard let newest = try segments.entries().last else {
            return head.transaction > .beginning ? .ahead : .level
        }
        let size = try File(newest.path, .read).size()
        if head.segmentEnd == 0 {
            // No segment is open: one that begins here must have nothing in it yet.
            if newest.first > next { return .fallenBack }
            return newest.first == next && (newest.shape == .sealed || size > SegmentHeader.size) ? .fallenBack : .level
        }
        if newest.first == head.segmentFirst {
            if newest.shape == .sealed { return .fallenBack }
            if size < head.segmentEnd { return .ahead }
            let behind = try File(newest.path, .read).read(at: head.segmentEnd, count: 8)
            return behind.contains { $0 != 0 } ? .behind : .level
        }
        if newest.first < head.segmentFirst { return .ahead }
        // Begun right behind the newest record, and the segment before it is still raw: a writer that died.
        let isNext = newest.first == next && newest.shape == .raw
        guard isNext, Directory.exists(segments.file(head.segmentFirst, .raw)) || head.segmentFirst == next else {
            return .fallenBack
        }
        return .behind
    }
}
