internal import Events

/// A text with signatures below it (C2SP signed-note). Nothing in it may be believed before ``verify(_:)``.
public struct SignedNote: Hashable, Sendable {
    /// The text that is signed, with its last line end.
    public let text: [UInt8]
    let signatures: [Signature]

    struct Signature: Hashable, Sendable {
        var name: String
        var identifier: UInt32
        var bytes: [UInt8]
    }

    /// More signatures are refused; the specification asks for 16.
    private static let mostSignatures = 64
    private static let dash = Array("\u{2014} ".utf8)

    /// Signs `text`, which ends with a line end.
    public init(_ text: [UInt8], signedBy signer: NoteSigner) throws(TransparencyError) {
        precondition(text.last == 10)
        self.text = text
        signatures = [
            Signature(
                name: signer.verifier.name, identifier: signer.verifier.identifier,
                bytes: try signer.signature(of: text))
        ]
    }

    /// Reads a note; everything in `bytes` must belong to it.
    public init(_ bytes: [UInt8]) throws(TransparencyError) { try self.init(bytes[...], firstLine: 1) }

    /// Reads a note that begins at a line of a larger text.
    init(_ bytes: ArraySlice<UInt8>, firstLine: Int) throws(TransparencyError) {
        let all = Array(bytes)
        guard isUTF8(all.span), !all.contains(where: { $0 < 32 && $0 != 10 }) else {
            throw .malformed("a note is UTF-8 without control characters", line: firstLine)
        }
        // The last empty line divides the text from the signatures.
        guard let end = bytes.indices.dropLast().last(where: { bytes[$0] == 10 && bytes[$0 + 1] == 10 }) else {
            throw .malformed("there is no empty line before the signatures", line: firstLine)
        }
        text = Array(bytes[...end])
        var line = firstLine + text.count { $0 == 10 }
        var lines = NoteLines(bytes[(end + 2)...])
        var found: [Signature] = []
        while !lines.isAtEnd {
            line += 1
            guard found.count < SignedNote.mostSignatures, let signature = lines.next().flatMap(SignedNote.signature)
            else { throw .malformed("this is not a signature", line: line) }
            found.append(signature)
        }
        guard !found.isEmpty else { throw .malformed("there is no signature", line: line) }
        signatures = found
    }

    private static func signature(_ line: ArraySlice<UInt8>) -> Signature? {
        guard line.starts(with: dash) else { return nil }
        let parts = line.dropFirst(dash.count)
            .split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, NoteVerifier.isName(parts[0]), let bytes = Base64.decode(parts[1]), bytes.count > 4
        else { return nil }
        return Signature(
            name: String(decoding: parts[0], as: UTF8.self),
            identifier: bytes[..<4].reduce(0) { $0 << 8 | UInt32($1) }, bytes: Array(bytes[4...]))
    }

    /// The note as it is written.
    public var bytes: [UInt8] {
        var bytes = text + [10]
        for signature in signatures {
            bytes += SignedNote.dash + Array(signature.name.utf8) + [UInt8(ascii: " ")]
            let number = signature.identifier
            let identifier = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
            bytes += Base64.encode(identifier + signature.bytes) + [10]
        }
        return bytes
    }

    /// Throws unless the key has signed this text. Every signature that bears its name and identifier must be right;
    /// those of others are passed over.
    public func verify(_ verifier: NoteVerifier) throws(TransparencyError) {
        let own = signatures.filter { $0.name == verifier.name && $0.identifier == verifier.identifier }
        guard !own.isEmpty else { throw .unsigned(by: "\(verifier.name)+\(hexadecimal(verifier.identifier))") }
        for signature in own where !verifier.isValid(signature.bytes, of: text[...]) {
            throw .forged(verifier.name)
        }
    }
}
