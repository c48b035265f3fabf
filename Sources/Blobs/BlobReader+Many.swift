public import Events

extension BlobReader {
    /// Lends many messages one after the other, each verified: hashed side by side where the processor has no SHA
    /// instructions, which is several times as fast as one by one. In the order given; each frame is decoded once when that
    /// is the order of their locations. For messages up to ``bufferedMessageBytes``.
    ///
    /// - Parameter body: gets the position in `digests`, and the bytes or why they cannot be had.
    /// - Throws: what `body` throws.
    public func readMany(_ digests: [Digest], _ body: (Int, Result<BorrowedBlob, BlobError>) throws -> Void) throws {
        let gathered = gathered
        gathered.removeAll()
        var pending: [(position: Int, start: Int, count: Int)] = []
        func flush() throws {
            let bytes = gathered.bytes
            let found = DigestBatch.digests(
                pending.map { DigestBatch.Item(isSecond: false, start: $0.start, count: $0.count) }, bytes, bytes)
            for (place, digest) in zip(pending, found) {
                if digest == digests[place.position] {
                    try body(
                        place.position, .success(BorrowedBlob(buffer: gathered, start: place.start, count: place.count))
                    )
                } else {
                    try body(place.position, .failure(wrong(digests[place.position])))
                }
            }
            pending.removeAll(keepingCapacity: true)
            gathered.removeAll()
        }
        for (position, digest) in digests.enumerated() {
            let start = gathered.count
            do {
                try read(digest, verifying: false) { gathered.append($0) }
                pending.append((position, start, gathered.count - start))
            } catch let error as BlobError {
                try flush()
                try body(position, .failure(error))
            }
            if gathered.count >= BlobReader.gatheredBytes || pending.count >= 128 { try flush() }
        }
        try flush()
    }

    private static let gatheredBytes = 2 << 20

    /// Its bytes are not those of its name.
    private func wrong(_ digest: Digest) -> BlobError {
        let reason = "what it gives does not have its name's SHA-256"
        guard let location = try? location(of: digest) else { return .missing(digest) }
        return .damaged(digest, pack: location.pack, offset: UInt64(location.offset), reason: reason)
    }
}

/// A message's bytes in a reader's memory, for as long as the call that got it runs.
public struct BorrowedBlob {
    private let buffer: ByteBuffer
    private let start: Int
    public let count: Int

    init(buffer: ByteBuffer, start: Int, count: Int) { (self.buffer, self.start, self.count) = (buffer, start, count) }

    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        let buffer = buffer
        return try body(buffer.bytes(start, count))
    }
}
