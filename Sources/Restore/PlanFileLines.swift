internal import Events

/// The lines of a file of plans, of which the last is the SHA-256 of all before it (`Specs/Format/PlanFile.md`).
struct PlanFileLines {
    /// All but the last; at least one.
    let lines: [ArraySlice<UInt8>]
    let first: ArraySlice<UInt8>
    /// Where it begins is where what was hashed ends.
    let last: ArraySlice<UInt8>
    private let hashed: Digest

    /// Throws ``Failure`` for what does not end with a whole line.
    init(_ bytes: [UInt8]) throws {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        guard lines.count >= 3, lines.removeLast().isEmpty, let last = lines.popLast(), let first = lines.first else {
            throw SavedPlan.refusal("it ends in the middle")
        }
        (self.lines, self.first, self.last) = (lines, first, last)
        hashed = Digest(hashing: bytes.span.bytes.extracting(first: last.startIndex))
    }

    /// Throws ``Failure`` unless the lines are those that were written.
    func verify() throws {
        guard try PlanFileFields(last, "\(lines.count + 1)").text("end") == "sha256:\(hashed.hex)" else {
            throw SavedPlan.refusal("it was changed since it was written, or is not whole")
        }
    }
}

extension JSONWriter {
    /// The last line: the digest of all before it.
    mutating func endOfPlanFile(_ digest: Digest) {
        beginObject()
        key("end")
        value(digest)
        endObject()
        endLine()
    }
}
