package import Events
package import SystemPackage

/// Segments as they lie in their files, without a journal: for the programs of this package that try the decoder.
package enum SegmentReading {
    /// Reads every record of a file as a segment that begins with `first`.
    package static func read(
        _ path: FilePath, first: TransactionID, isSealed: Bool, _ body: (borrowing RecordView) throws -> Void
    ) throws {
        var cursor = try SegmentCursor(
            SegmentDirectory.Entry(first: first, shape: isSealed ? .sealed : .raw, path: path))
        while try cursor.next() { try body(cursor.record) }
    }
}
