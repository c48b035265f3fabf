internal import Events

/// Turns messages into verified frames: hashes, splits, leaves out what the store has, compresses, decodes and compares.
///
/// One for each worker thread: it keeps its buffers and zstd contexts from batch to batch (about 12 MiB) and is not
/// `Sendable`. Add messages until ``isFull``, then ``finish()`` and append the batch.
///
/// Two encoders that meet the same new blob at the same time both encode it; the store keeps the first.
public final class BlobEncoder {
    private let store: BlobStore
    private let options: BlobOptions
    private let frames: FrameWriter
    private let splitter = MessageSplitter()

    /// Messages gathered, one after the other.
    private let gathered = ByteBuffer()
    private var gatheredEnds: [Int] = []
    /// Where the gathered messages' results belong.
    private var places: [Int] = []
    private var messages: [EncodedMessage] = []
    /// New in this batch.
    private var newMessages: Set<Digest> = []
    private var newParts: Set<Digest> = []
    private var digests: [Digest] = []
    /// The window and the literals of a message that is split window by window.
    private let window = ByteBuffer()
    private let literals = ByteBuffer()

    /// Literal bytes of one message that stay in the text; more become raw parts.
    static let literalLimit = 1 << 20
    private static let windowBytes = 2 << 20

    public init(store: BlobStore, options: BlobOptions? = nil) {
        self.store = store
        self.options = options ?? store.options
        frames = FrameWriter(options: self.options)
        gathered.reserve(self.options.batchBytes + self.options.largeMessageBytes)
    }

    /// Whether it is time to ``finish()``.
    public var isFull: Bool {
        gathered.count >= options.batchBytes || frames.storedBytes >= options.batchBytes || messages.count >= 8_192
    }

    /// Whether there is nothing to finish.
    public var isEmpty: Bool { messages.isEmpty }

    /// Takes one message. Its result is in the batch, at the place of this call among the others.
    ///
    /// - Throws: ``BlobError``, or `LMDBError` when the index cannot be asked (large messages only).
    public func add(_ bytes: RawSpan) throws {
        if bytes.byteCount < options.largeMessageBytes {
            places.append(messages.count)
            messages.append(EncodedMessage(digest: .zero, size: UInt64(bytes.byteCount), isNew: false))
            gathered.append(bytes)
            gatheredEnds.append(gathered.count)
            return
        }
        let digest = Digest(hashing: bytes)
        let known = try newMessages.contains(digest) || store.contains(digest)
        messages.append(EncodedMessage(digest: digest, size: UInt64(bytes.byteCount), isNew: !known))
        if known { return }
        try encodeGathered()
        beginLarge()
        var position = 0
        while position < bytes.byteCount {
            let length = min(Self.windowBytes, bytes.byteCount - position)
            let isLast = position + length == bytes.byteCount
            position += try takeLarge(bytes.part(position, length), isLast: isLast)
            if isLast { break }
        }
        try endLarge(digest, size: UInt64(bytes.byteCount))
    }

    /// Takes one message of any size with bounded memory.
    ///
    /// - Parameters:
    ///   - read: writes the next bytes into the memory lent and returns how many; 0: the end. As read(2).
    ///   - emit: gets the batches that fill up meanwhile; to be appended before the one this message ends in.
    /// - Returns: the message's digest and size; they are in the next batch as well.
    /// - Throws: what `read` and `emit` throw, ``BlobError``, or `LMDBError`. When `read` fails, the encoder is as before the
    ///   call, except that parts may be in it that no message needs; when `emit` fails, everything since the last batch is gone.
    @discardableResult
    public func add(
        reading read: (UnsafeMutableRawBufferPointer) throws -> Int, emit: (EncodedBatch) throws -> Void
    ) throws -> EncodedMessage {
        let window = window
        try encodeGathered()
        beginLarge()
        window.removeAll()
        var hash = DigestStream()
        var size: UInt64 = 0
        var isLast = false
        while !isLast {
            while window.count < Self.windowBytes && !isLast {
                let before = window.count
                try unsafe window.appendTail(256 << 10) { room in
                    let count = unsafe try read(room)
                    return count
                }
                isLast = window.count == before
                let fresh = window.bytes(before, window.count - before)
                hash.update(fresh)
                size += UInt64(fresh.byteCount)
            }
            let taken = try takeLarge(window.bytes, isLast: isLast)
            window.removeFirst(taken)
            if frames.storedBytes >= options.batchBytes {
                do { try emit(try batch(endingText: false)) } catch {
                    // What was emitted may not be in the store: nothing may refer to it.
                    discard()
                    throw error
                }
            }
        }
        let digest = hash.finish()
        let known = try newMessages.contains(digest) || store.contains(digest)
        let message = EncodedMessage(digest: digest, size: size, isNew: !known)
        messages.append(message)
        if !known { try endLarge(digest, size: size) }
        return message
    }

    /// Encodes what is left and gives the batch.
    ///
    /// - Throws: ``BlobError/notReproducible(reason:)`` when something does not decode to what came in, or `LMDBError`.
    ///   Nothing of the batch is kept then.
    public func finish() throws -> EncodedBatch {
        do {
            try encodeGathered()
            return try batch(endingText: true)
        } catch {
            discard()
            throw error
        }
    }

    /// Forgets everything added since the last batch.
    public func discard() {
        gathered.removeAll()
        gatheredEnds.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        messages.removeAll(keepingCapacity: true)
        newMessages.removeAll(keepingCapacity: true)
        newParts.removeAll(keepingCapacity: true)
        splitter.reset()
        frames.discard()
    }

    private func batch(endingText: Bool) throws -> EncodedBatch {
        try frames.endParts()
        if endingText { try frames.endText() }
        let taken = frames.take()
        var done: [EncodedMessage] = []
        if endingText {
            done = messages
            messages.removeAll(keepingCapacity: true)
            newMessages.removeAll(keepingCapacity: true)
            newParts.removeAll(keepingCapacity: true)
        }
        return EncodedBatch(messages: done, frames: taken.list, storage: taken.bytes)
    }

    // MARK: Small messages

    private func encodeGathered() throws {
        guard !gatheredEnds.isEmpty else { return }
        defer {
            self.gathered.removeAll()
            gatheredEnds.removeAll(keepingCapacity: true)
            places.removeAll(keepingCapacity: true)
        }
        let gathered = gathered
        let staging = splitter.staging
        // Split before it is known what is new: messages and parts are then hashed side by side, and there are enough of them.
        splitter.reset()
        var drafts: [Draft] = []
        drafts.reserveCapacity(gatheredEnds.count)
        var begin = 0
        for end in gatheredEnds {
            let (firstOperation, firstPart, offset) = (splitter.operations.count, splitter.parts.count, begin)
            _ = try splitter.take(gathered.bytes(begin, end - begin), isLast: true) { start, count in
                splitter.add(literal: offset + start, count)
            }
            drafts.append(
                Draft(
                    start: begin, count: end - begin, operations: firstOperation..<splitter.operations.count,
                    parts: firstPart..<splitter.parts.count))
            begin = end
        }
        let parts = splitter.parts
        var items = drafts.map { DigestBatch.Item(isSecond: false, start: $0.start, count: $0.count) }
        items += parts.map { DigestBatch.Item(isSecond: $0.isDecoded, start: $0.start, count: $0.count) }
        let names = DigestBatch.digests(items, gathered.bytes, staging.bytes)
        let known = try store.known(Array(names[..<drafts.count]), .messages)
        let partNames = Array(names[drafts.count...])
        let knownParts = parts.isEmpty ? [] : try store.known(partNames, .parts)
        digests = partNames
        var text = 0
        for (number, draft) in drafts.enumerated() {
            let isNew = !known[number] && newMessages.insert(names[number]).inserted
            messages[places[number]] = EncodedMessage(digest: names[number], size: UInt64(draft.count), isNew: isNew)
            drafts[number].isNew = isNew
            guard isNew else { continue }
            text += frames.textLength(splitter.operations[draft.operations])
            for part in draft.parts where !knownParts[part] && newParts.insert(partNames[part]).inserted {
                let bytes = (parts[part].start, parts[part].count)
                try frames.addPart(
                    partNames[part],
                    parts[part].isDecoded ? staging.bytes(bytes.0, bytes.1) : gathered.bytes(bytes.0, bytes.1))
            }
        }
        splitter.partsAreStored()
        // A part stands before the first text that needs it: recovery takes a prefix.
        try frames.endParts()
        frames.willAddText(text)
        for (number, draft) in drafts.enumerated() where draft.isNew {
            try frames.addText(
                names[number], size: UInt64(draft.count), splitter.operations[draft.operations], digests,
                literals: gathered.bytes)
        }
    }

    /// A gathered message, split.
    private struct Draft {
        let start: Int
        let count: Int
        let operations: Range<Int>
        let parts: Range<Int>
        var isNew = false
    }

    // MARK: Large messages

    private func beginLarge() {
        splitter.reset()
        digests.removeAll(keepingCapacity: true)
        literals.removeAll()
    }

    /// Splits one window of a large message and stores its parts; returns the bytes taken.
    private func takeLarge(_ window: RawSpan, isLast: Bool) throws -> Int {
        var kept = literals.count
        // The closure cannot change the buffer of this object while the splitter is in use: note first, copy after.
        var copies: [(start: Int, count: Int)] = []
        let taken = try splitter.take(window, isLast: isLast) { start, count in
            let inText = min(count, Self.literalLimit - kept)
            if inText > 0 {
                splitter.add(literal: kept, inText)
                copies.append((start, inText))
                kept += inText
            }
            if count > inText { splitter.add(raw: start + inText, count - inText) }
        }
        for copy in copies { literals.append(window.part(copy.start, copy.count)) }
        try storeParts(window: window)
        return taken
    }

    private func endLarge(_ digest: Digest, size: UInt64) throws {
        let literals = literals
        newMessages.insert(digest)
        try frames.endParts()
        frames.willAddText(frames.textLength(splitter.operations[...]))
        try frames.addText(digest, size: size, splitter.operations[...], digests, literals: literals.bytes)
    }

    // MARK: Parts

    /// Hashes the parts cut so far, and encodes those that are new.
    private func storeParts(window: RawSpan) throws {
        let staging = splitter.staging
        defer { splitter.partsAreStored() }
        let parts = splitter.parts
        if parts.isEmpty { return }
        let names = DigestBatch.digests(
            parts.map { DigestBatch.Item(isSecond: $0.isDecoded, start: $0.start, count: $0.count) }, window,
            staging.bytes)
        let known = try store.known(names, .parts)
        if digests.count < splitter.slotCount {
            digests.append(contentsOf: repeatElement(.zero, count: splitter.slotCount - digests.count))
        }
        for (number, part) in parts.enumerated() {
            digests[part.slot] = names[number]
            if known[number] || !newParts.insert(names[number]).inserted { continue }
            try frames.addPart(
                names[number],
                part.isDecoded ? staging.bytes(part.start, part.count) : window.part(part.start, part.count))
        }
    }
}
