internal import CKernels
internal import Events

/// An operation of a recipe while it is made: digests of its parts are in a table, filled in when they are known.
enum DraftOperation {
    /// Bytes of the message's literals, which lie in its window or in a buffer of their own.
    case literal(start: Int, count: Int)
    case raw(count: Int, slots: Range<Int>)
    case base64(count: Int, lineLength: Int, isCRLF: Bool, endsWithLineEnding: Bool, slots: Range<Int>)
}

/// A part cut out of a window and not stored yet.
struct DraftPart {
    /// In the staging buffer (decoded), else in the window.
    let isDecoded: Bool
    let start: Int
    let count: Int
    /// Where its digest belongs in the table.
    let slot: Int
}

/// Cuts a message into literal text and decoded base64, window by window.
///
/// What it takes out of the window it has encoded again and compared: a recipe is right by construction and by trial.
final class MessageSplitter {
    /// Decoded base64: first what is left of the present run, then that of this window.
    let staging = ByteBuffer(capacity: 1 << 20)
    /// Parts cut so far and not yet taken over by the encoder.
    private(set) var parts: [DraftPart] = []
    /// Operations of all messages begun since ``reset()``.
    private(set) var operations: [DraftOperation] = []
    /// Number of digests given out since ``reset()``.
    private(set) var slotCount = 0

    private var run: Run?
    private let scratch = ByteBuffer(capacity: 96 << 10)

    /// A run of base64 that is being read.
    private struct Run {
        let lineLength: Int
        let isCRLF: Bool
        let firstSlot: Int
        var count = 0
        /// Where its bytes that are in no part yet begin in the staging buffer.
        var pending: Int
        /// Characters in the line so far, for encoding again.
        var column = 0
    }

    func reset() {
        staging.removeAll()
        parts.removeAll(keepingCapacity: true)
        operations.removeAll(keepingCapacity: true)
        slotCount = 0
        run = nil
    }

    /// Forgets the parts, which are stored now, and keeps what is left of a run that goes on in the next window.
    func partsAreStored() {
        parts.removeAll(keepingCapacity: true)
        if run != nil {
            staging.removeFirst(run!.pending)
            run!.pending = 0
        } else {
            staging.removeAll()
        }
    }

    /// Takes as much of the window as can be decided; the rest, less than 80,000 bytes, belongs before the next one.
    /// `window` begins at a beginning of a line unless a run goes on. Returns the bytes taken.
    func take(_ window: RawSpan, isLast: Bool, literal: (Int, Int) -> Void)
        throws(BlobError) -> Int
    {
        var at = 0
        var searched = 0
        while true {
            if run != nil {
                let before = at
                guard try readRun(window, &at, isLast: isLast) else { return at }
                // A run that gave nothing is not met again: the search goes on behind its first byte.
                searched = at == before ? at + 1 : at
            }
            if at == window.byteCount { return at }
            let found = unsafe window.withUnsafeBytes {
                unsafe ck_base64_find($0.baseAddress, $0.count, min(max(at, searched), $0.count), isLast ? 1 : 0)
            }
            let start = min(max(found.start, at), window.byteCount)
            if start > at { literal(at, start - at) }
            at = start
            guard found.found == 1 else { return at }
            run = Run(
                lineLength: found.line_length, isCRLF: found.crlf == 1, firstSlot: slotCount, pending: staging.count)
        }
    }

    func add(literal start: Int, _ count: Int) {
        operations.append(.literal(start: start, count: count))
    }

    /// Literal bytes that are too many for the text: kept as raw parts.
    func add(raw start: Int, _ count: Int) {
        let first = slotCount
        var done = 0
        while done < count {
            let length = min(PackFormat.partBytes, count - done)
            addPart(isDecoded: false, start: start + done, count: length)
            done += length
        }
        operations.append(.raw(count: count, slots: first..<slotCount))
    }

    private func addPart(isDecoded: Bool, start: Int, count: Int) {
        parts.append(DraftPart(isDecoded: isDecoded, start: start, count: count, slot: slotCount))
        slotCount += 1
    }

    /// Decodes the present run as far as the window goes. True when the run has ended.
    private func readRun(_ window: RawSpan, _ at: inout Int, isLast: Bool) throws(BlobError) -> Bool {
        guard var run = run else { return true }
        let rest = window.part(at, window.byteCount - at)
        let before = staging.count
        var step = ck_base64_step()
        unsafe staging.appendTail(rest.byteCount / 4 * 3 + Int(CK_BASE64_SLACK)) { room in
            step = unsafe rest.withUnsafeBytes {
                unsafe ck_base64_decode_run(
                    $0.baseAddress, $0.count, run.lineLength, run.isCRLF ? 1 : 0, isLast ? 1 : 0, room.baseAddress)
            }
            return step.decoded
        }
        let endsWithLineEnding = step.ended == 1 && step.final_eol == 1
        guard
            isReproduced(
                rest.part(0, step.consumed), from: before, &run, ended: step.ended == 1,
                endsWithLineEnding: endsWithLineEnding)
        else { throw .notReproducible(reason: "base64 that encodes to something else") }
        at += step.consumed
        run.count += step.decoded
        while staging.count - run.pending >= PackFormat.partBytes {
            addPart(isDecoded: true, start: run.pending, count: PackFormat.partBytes)
            run.pending += PackFormat.partBytes
        }
        guard step.ended == 1 else {
            self.run = run
            return false
        }
        if staging.count > run.pending {
            addPart(isDecoded: true, start: run.pending, count: staging.count - run.pending)
        }
        if run.count == 0 {
            self.run = nil
            return true
        }
        operations.append(
            .base64(
                count: run.count, lineLength: run.lineLength, isCRLF: run.isCRLF,
                endsWithLineEnding: endsWithLineEnding, slots: run.firstSlot..<slotCount))
        self.run = nil
        return true
    }

    /// Encodes what was decoded from `start` on and compares it with `original`.
    private func isReproduced(
        _ original: RawSpan, from start: Int, _ run: inout Run, ended: Bool, endsWithLineEnding: Bool
    ) -> Bool {
        let staging = staging
        let scratch = scratch
        // A reader writes the line ending before the next character; here it was read after the line.
        var compared = 0
        var done = start
        let chunk = 24 << 10
        let lineEnding = run.isCRLF ? 2 : 1
        var column = run.column
        var owed = false
        if column == run.lineLength && column > 0 {
            // The ending of the line before was in the window before, and compared there.
            column = 0
        }
        while done < staging.count {
            let count = min(chunk, staging.count - done)
            let lines = run.lineLength > 0 ? count / max(run.lineLength / 4 * 3, 1) + 2 : 0
            scratch.removeAll()
            unsafe scratch.appendTail(count / 3 * 4 + 4 + lines * 2 + Int(CK_BASE64_SLACK)) { room in
                unsafe staging.bytes(done, count).withUnsafeBytes {
                    unsafe ck_base64_encode(
                        $0.baseAddress, $0.count, run.lineLength, run.isCRLF ? 1 : 0, &column, room.baseAddress)
                }
            }
            guard scratch.count <= original.byteCount - compared,
                original.part(compared, scratch.count).isEqual(to: scratch.bytes)
            else { return false }
            compared += scratch.count
            done += count
            owed = true
        }
        run.column = column
        let rest = original.part(compared, original.byteCount - compared)
        if rest.byteCount == 0 { return ended ? !endsWithLineEnding || !owed : run.lineLength == 0 || !owed }
        guard ended ? endsWithLineEnding : run.lineLength > 0, rest.byteCount == lineEnding else { return false }
        return run.isCRLF
            ? rest.integer(0, as: UInt8.self) == 13 && rest.integer(1, as: UInt8.self) == 10
            : rest.integer(0, as: UInt8.self) == 10
    }
}
