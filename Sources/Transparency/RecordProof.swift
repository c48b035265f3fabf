public import Events

/// A proof that a record is in a log, whole in one text (C2SP tlog-proof): place, path and signed checkpoint, and, unless it was
/// left out, the record itself.
public struct RecordProof: Hashable, Sendable {
    /// The record, in the line `extra`: the leaf hash is over it.
    public let record: [UInt8]?
    public let index: UInt64
    public let path: [Digest]
    /// The signed checkpoint, and what it says.
    public let note: SignedNote
    public let checkpoint: Checkpoint

    private static let title = Array("c2sp.org/tlog-proof@v1".utf8)
    private static let extra = Array("extra ".utf8)
    private static let indexWord = Array("index ".utf8)
    /// No tree of 2^64 leaves is higher.
    private static let longestPath = 64

    /// Puts a proof together; `note` is a checkpoint of the size that `proof` is for.
    public init(record: [UInt8]?, _ proof: InclusionProof, note: SignedNote) throws(TransparencyError) {
        (self.record, index, path, self.note) = (record, proof.index, proof.path, note)
        checkpoint = try Checkpoint(note)
        guard checkpoint.size == proof.size else { throw .notIncluded }
    }

    /// Reads a proof; everything in `bytes` must belong to it. It proves nothing before ``verify(_:leaf:)``.
    public init(_ bytes: [UInt8]) throws(TransparencyError) {
        var lines = NoteLines(bytes[...])
        var number = 1
        guard lines.next() == RecordProof.title[...] else {
            throw .malformed("this is no proof: it does not begin with c2sp.org/tlog-proof@v1", line: number)
        }
        number += 1
        var line = lines.next() ?? []
        if line.starts(with: RecordProof.extra) {
            guard let decoded = Base64.decode(line.dropFirst(RecordProof.extra.count)), !decoded.isEmpty else {
                throw .malformed("the record is not base64", line: number)
            }
            record = decoded
            number += 1
            line = lines.next() ?? []
        } else {
            record = nil
        }
        guard line.starts(with: RecordProof.indexWord),
            let index = strictDecimal(line.dropFirst(RecordProof.indexWord.count))
        else { throw .malformed("the place in the log is expected: index NUMBER", line: number) }
        self.index = index
        var path: [Digest] = []
        while true {
            number += 1
            guard let line = lines.next() else {
                throw .malformed("the proof ends before its checkpoint", line: number)
            }
            if line.isEmpty { break }
            guard path.count < RecordProof.longestPath, let hash = Digest(base64: line) else {
                throw .malformed("a hash is expected, the base64 of 32 bytes", line: number)
            }
            path.append(hash)
        }
        self.path = path
        note = try SignedNote(lines.remainder, firstLine: number + 1)
        checkpoint = try Checkpoint(note, firstLine: number + 1)
    }

    /// The proof as it is written.
    public var bytes: [UInt8] {
        var bytes = RecordProof.title + [10]
        if let record { bytes += RecordProof.extra + Base64.encode(record) + [10] }
        bytes += RecordProof.indexWord + Array("\(index)\n".utf8)
        for hash in path { bytes += hash.base64 + [10] }
        return bytes + [10] + note.bytes
    }

    /// Throws unless the key has signed the checkpoint and the record is in its tree. `leaf` is the record's leaf hash, for
    /// a proof without the record; where both are there, they must agree.
    public func verify(_ verifier: NoteVerifier, leaf: Digest? = nil) throws(TransparencyError) {
        try note.verify(verifier)
        let own = record.map { Digest(leaf: $0.span.bytes) }
        guard let hash = own ?? leaf else {
            throw .malformed("the record is not in the proof: its leaf hash must be given", line: 2)
        }
        guard leaf == nil || leaf == hash,
            InclusionProof(index: index, size: checkpoint.size, path: path).proves(hash, in: checkpoint.root)
        else { throw .notIncluded }
    }
}
