public import Events

/// What a log was at some moment: its name, how many records it had, and the root of the tree over them (C2SP
/// tlog-checkpoint).
public struct Checkpoint: Hashable, Sendable {
    /// Which log.
    public let origin: String
    public let size: UInt64
    public let root: Digest
    /// Lines behind these three, which mean nothing here. Our own checkpoints have none.
    public let extensions: [[UInt8]]

    public init(origin: String, size: UInt64, root: Digest) {
        (self.origin, self.size, self.root, extensions) = (origin, size, root, [])
    }

    /// Reads the text of a note. Whether it may be believed is ``SignedNote/verify(_:)``'s matter.
    public init(_ note: SignedNote, firstLine: Int = 1) throws(TransparencyError) {
        var lines = NoteLines(note.text[...])
        guard let origin = lines.next(), !origin.isEmpty else {
            throw .malformed("the name of a log is expected", line: firstLine)
        }
        guard let size = lines.next().flatMap(strictDecimal) else {
            throw .malformed("the number of records is expected, in decimal", line: firstLine + 1)
        }
        guard let root = lines.next().flatMap(Digest.init(base64:)) else {
            throw .malformed("a root hash is expected, the base64 of 32 bytes", line: firstLine + 2)
        }
        var extensions: [[UInt8]] = []
        while !lines.isAtEnd {
            guard let line = lines.next(), !line.isEmpty else {
                throw .malformed("an empty line", line: firstLine + 3 + extensions.count)
            }
            extensions.append(Array(line))
        }
        self.origin = String(decoding: origin, as: UTF8.self)
        (self.size, self.root, self.extensions) = (size, root, extensions)
    }

    /// Reads `bytes`, a checkpoint of the log `verifier` is named after, or of another it may sign, and verifies the
    /// signature.
    public static func verified(
        _ bytes: [UInt8], by verifier: NoteVerifier
    ) throws(TransparencyError) -> (checkpoint: Checkpoint, note: SignedNote) {
        let note = try SignedNote(bytes)
        let checkpoint = try Checkpoint(note)
        try note.verify(verifier)
        return (checkpoint, note)
    }

    /// The text to be signed.
    public var text: [UInt8] {
        var text = Array("\(origin)\n\(size)\n".utf8) + root.base64 + [10]
        for line in extensions { text += line + [10] }
        return text
    }

    public func signed(by signer: NoteSigner) throws(TransparencyError) -> SignedNote {
        try SignedNote(text, signedBy: signer)
    }
}

extension Digest {
    /// The 44 characters as notes have them.
    public var base64: [UInt8] { withBytes { Base64.encode(Array($0)) } }

    init?(base64 text: ArraySlice<UInt8>) {
        guard let bytes = Base64.decode(text), bytes.count == Digest.byteCount else { return nil }
        self.init(bytes.span.bytes)
    }
}
