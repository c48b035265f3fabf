import CGMime

/// Content-Transfer-Encoding undone (RFC 2045, section 6).
enum TransferEncoding {
    /// How much is decoded at once.
    private static let step = 256 << 10

    /// The decoded bytes of a range.
    static func decode(_ message: RawSpan, _ range: Range<Int>, _ encoding: GMimeContentEncoding) -> [UInt8] {
        if isIdentity(encoding) { return message.extracting(range).withUnsafeBytes { Array($0) } }
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        forEachPiece(message, range, encoding) { result.append(contentsOf: UnsafeRawBufferPointer($0)) }
        return result
    }

    /// How many bytes a range is, decoded.
    static func decodedCount(_ message: RawSpan, _ range: Range<Int>, _ encoding: GMimeContentEncoding) -> Int {
        if isIdentity(encoding) { return range.count }
        var count = 0
        forEachPiece(message, range, encoding) { count += $0.count }
        return count
    }

    private static func isIdentity(_ encoding: GMimeContentEncoding) -> Bool {
        encoding != GMIME_CONTENT_ENCODING_BASE64 && encoding != GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE
            && encoding != GMIME_CONTENT_ENCODING_UUENCODE
    }

    private static func forEachPiece(
        _ message: RawSpan, _ range: Range<Int>, _ encoding: GMimeContentEncoding,
        _ body: (UnsafeBufferPointer<CChar>) -> Void
    ) {
        GMime.initialise()
        var state = GMimeEncoding()
        g_mime_encoding_init_decode(&state, encoding)
        // The library says how much room it needs.
        let step = min(step, max(1, range.count))
        var room = [CChar](repeating: 0, count: max(step, g_mime_encoding_outlen(&state, step)) + 64)
        var position = range.lowerBound
        while position < range.upperBound {
            let end = min(position + step, range.upperBound)
            let piece = message.extracting(position..<end)
            let count = piece.withUnsafeBytes { source in
                room.withUnsafeMutableBufferPointer { target in
                    g_mime_encoding_step(
                        &state, source.baseAddress?.assumingMemoryBound(to: CChar.self), source.count,
                        target.baseAddress)
                }
            }
            room.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[..<min(count, $0.count)])) }
            position = end
        }
    }
}
