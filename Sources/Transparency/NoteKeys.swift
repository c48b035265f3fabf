internal import Crypto
internal import Events

/// Who may have signed a note: a name, and an Ed25519 public key (C2SP signed-note).
public struct NoteVerifier: Sendable, CustomStringConvertible {
    public let name: String
    /// The first four bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key): says which key, proves nothing.
    public let identifier: UInt32
    let key: Curve25519.Signing.PublicKey

    static let ed25519: UInt8 = 1

    init(name: String, key: Curve25519.Signing.PublicKey) {
        (self.name, self.key) = (name, key)
        identifier = NoteVerifier.identifier(name, Array(key.rawRepresentation))
    }

    static func identifier(_ name: String, _ publicKey: [UInt8]) -> UInt32 {
        let named = Array(name.utf8) + [10, ed25519] + publicKey
        return Digest(hashing: named.span.bytes).withBytes { UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)) }
    }

    /// Reads a *vkey*: `name+identifier+base64(0x01 ‖ public key)`.
    public init(_ text: String) throws(TransparencyError) {
        // The last part is base64, which may contain a plus sign; a name may not.
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, NoteVerifier.isName(parts[0].utf8) else {
            throw .key("a key is written NAME+IDENTIFIER+KEY")
        }
        guard let bytes = Base64.decode(Array(parts[2].utf8)), bytes.count == 33 else {
            throw .key("the last part of the key is not the base64 of 33 bytes")
        }
        guard bytes[0] == NoteVerifier.ed25519 else { throw .key("the key is not one of Ed25519") }
        do {
            self.init(
                name: String(parts[0]), key: try Curve25519.Signing.PublicKey(rawRepresentation: bytes[1...]))
        } catch {
            throw .key("the last part of the key is no key of Ed25519")
        }
        guard parts[1] == hexadecimal(identifier) else {
            throw .key("the identifier in the key is not that of its name and bytes: one of them was changed")
        }
    }

    /// The *vkey*.
    public var description: String {
        let bytes = [NoteVerifier.ed25519] + Array(key.rawRepresentation)
        return "\(name)+\(hexadecimal(identifier))+" + String(decoding: Base64.encode(bytes), as: UTF8.self)
    }

    func isValid(_ signature: [UInt8], of text: ArraySlice<UInt8>) -> Bool {
        key.isValidSignature(signature, for: Array(text))
    }

    /// Not empty, no space of any script, no control, no plus sign.
    static func isName(_ name: some Sequence<UInt8>) -> Bool {
        let text = String(decoding: Array(name), as: UTF8.self)
        return !text.isEmpty && text.utf8.elementsEqual(name)
            && text.unicodeScalars.allSatisfy {
                !$0.properties.isWhitespace && $0 != "+" && $0.properties.generalCategory != .control
            }
    }
}

/// Signs notes: a name, and an Ed25519 private key.
public struct NoteSigner: Sendable {
    public let verifier: NoteVerifier
    private let key: Curve25519.Signing.PrivateKey

    private static let prefix = "PRIVATE+KEY+"

    /// A new key of that name, which must be one.
    public init(name: String, using generator: inout some RandomNumberGenerator) throws(TransparencyError) {
        guard NoteVerifier.isName(name.utf8) else { throw .key("'\(name)' cannot be the name of a key") }
        try self.init(name: name, seed: (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }

    private init(name: String, seed: [UInt8]) throws(TransparencyError) {
        do {
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        } catch {
            throw .key("these bytes are no private key of Ed25519")
        }
        verifier = NoteVerifier(name: name, key: key.publicKey)
    }

    /// Reads `PRIVATE+KEY+name+identifier+base64(0x01 ‖ private key)`.
    public init(_ text: String) throws(TransparencyError) {
        guard text.hasPrefix(NoteSigner.prefix) else { throw .key("a private key begins with \(NoteSigner.prefix)") }
        let parts = text.dropFirst(NoteSigner.prefix.utf8.count)
            .split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, NoteVerifier.isName(parts[0].utf8),
            let bytes = Base64.decode(Array(parts[2].utf8)), bytes.count == 33, bytes[0] == NoteVerifier.ed25519
        else { throw .key("a private key is written PRIVATE+KEY+NAME+IDENTIFIER+KEY") }
        try self.init(name: String(parts[0]), seed: Array(bytes[1...]))
        guard parts[1] == hexadecimal(verifier.identifier) else {
            throw .key("the identifier in the private key is not that of its name and bytes")
        }
    }

    /// What is kept in a file that nobody else may read.
    public var secretText: String {
        let bytes = [NoteVerifier.ed25519] + Array(key.rawRepresentation)
        return NoteSigner.prefix + "\(verifier.name)+\(hexadecimal(verifier.identifier))+"
            + String(decoding: Base64.encode(bytes), as: UTF8.self)
    }

    func signature(of text: [UInt8]) throws(TransparencyError) -> [UInt8] {
        do {
            return Array(try key.signature(for: text))
        } catch {
            throw .key("the key \(verifier.name) cannot sign: \(error)")
        }
    }
}

/// Eight hexadecimal digits.
func hexadecimal(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
}
