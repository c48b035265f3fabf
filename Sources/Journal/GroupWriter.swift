internal import Events
internal import Threads

/// Encodes a large group of entries and writes it to the segment, on a thread of its own; the chunks are handed out as they
/// are ready, for LMDB.
///
/// Three things overlap: the hash chain, which is one record after the other; filling LMDB; and the kernel writing the segment.
struct GroupWriter {
    /// Below, starting a thread costs more than it saves.
    static let smallestGroup = 256
    /// Entries encoded before they are handed on.
    private static let chunkEntries = 512

    struct Written: Sendable {
        var segment: SegmentWriter
        /// With the whole group in it.
        var head: JournalHead
    }

    private struct State: Sendable {
        var chunks: [RecordEncoder] = []
        var outcome: Result<Written, any Error>?
    }

    private let monitor: Monitor<State>
    private let thread: WorkerThread

    /// Starts to write `entries` behind `head`.
    init(
        _ entries: [JournalEntry], now: Timestamp, behind head: JournalHead, into segment: SegmentWriter,
        segmentBytes: Int
    ) {
        let monitor = Monitor(State())
        self.monitor = monitor
        thread = WorkerThread {
            let outcome = Result<Written, any Error> {
                try GroupWriter.write(entries, now: now, behind: head, into: segment, segmentBytes: segmentBytes) {
                    chunk in
                    monitor.change { $0.chunks.append(chunk) }
                }
            }
            monitor.change { $0.outcome = outcome }
        }
    }

    func join() { thread.join() }

    /// Waits for the next records; nil behind the last ones. Throws what kept them from being written.
    func nextChunk() throws -> RecordEncoder? {
        try monitor.wait { (state: inout State) -> RecordEncoder?? in
            if !state.chunks.isEmpty { return .some(state.chunks.removeFirst()) }
            switch state.outcome {
            case nil: return nil
            case .success: return .some(nil)
            case .failure(let error): throw error
            }
        }
    }

    /// Waits until all is on the disk.
    func written() throws -> Written {
        try monitor.wait { state in try state.outcome?.get() }
    }

    private static func write(
        _ entries: [JournalEntry], now: Timestamp, behind head: JournalHead, into segment: SegmentWriter,
        segmentBytes: Int, handOn: (RecordEncoder) -> Void
    ) throws -> Written {
        var written = Written(segment: segment, head: head)
        var encoder = RecordEncoder(behind: head.transaction, time: head.time, leaf: head.leaf)
        var taken = 0
        var begin = head.segmentEnd
        while taken < entries.count {
            let end = min(entries.count, taken + chunkEntries)
            do throws(JournalError) {
                for entry in entries[taken..<end] { try encoder.append(entry, now: now) }
            } catch {
                // Refused as a whole: what stands in the segment already must not be taken for transactions.
                if taken > 0 { try written.segment.cut(at: begin) }
                throw error
            }
            if taken == 0 {
                // As large as the first of it lets expect. One append is never divided between segments.
                let expected = encoder.bytes.byteCount / end * entries.count
                if head.segmentEnd + expected > segmentBytes, head.segmentEnd > SegmentHeader.size {
                    try written.segment.roll(&written.head)
                    begin = written.head.segmentEnd
                }
            }
            try written.segment.put(encoder.bytes, at: written.head.segmentEnd)
            written.head.advance(by: encoder)
            handOn(encoder)
            encoder = encoder.next
            taken = end
        }
        try written.segment.finish(at: written.head.segmentEnd)
        return written
    }
}
