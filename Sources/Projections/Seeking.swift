internal import LMDB

// A damaged key is not found by its look-up, and what stands beside it is found in its place: "not there" and "no more" would be
// answers like any other. Where a look-up ends, the rows around it must therefore be what was written, and in order: a key that was changed is
// one of them, wherever it lies now (`Specs/Format/Projections.md`, "Look-ups").
extension Cursor {
    /// Throws ``ProjectionsUnusable`` when the row here is not what was written.
    func verify(_ kind: RowKind) throws { _ = try kind.payload(key, value) }

    /// As ``seek(_:)``, with the rows around the end of the search verified.
    mutating func seek(_ key: Key, verifying kind: RowKind) throws -> Bool {
        guard try seek(key) else {
            try verifyLast(kind)
            return false
        }
        try verify(kind)
        // Two on the left and one on the right: their order says whether the search may have been led astray.
        if try next() {
            try verify(kind)
            _ = try previous()
        } else {
            _ = try last()
        }
        guard try previous() else { return try first() }
        try verify(kind)
        guard try previous() else {
            _ = try first()
            return try next()
        }
        return try next() && next()
    }

    /// As ``seekBefore(_:)``, with the rows around the end of the search verified.
    mutating func seekBefore(_ key: Key, verifying kind: RowKind) throws -> Bool {
        if try seek(key, verifying: kind) { return try previous() }
        return try last()
    }

    private mutating func verifyLast(_ kind: RowKind) throws {
        guard try last() else { return }
        try verify(kind)
        if try previous() { try verify(kind) }
    }
}
