public import Crypto

/// The SHA-256 of an item's raw content: what a blob is called.
public struct Digest: Hashable, Sendable, Comparable {
    // Four numbers instead of 32 bytes: compared and hashed in registers. Big-endian, so their order is the bytes'.
    private let w0, w1, w2, w3: UInt64

    public static let byteCount = 32

    /// The digest in the first 32 bytes of `bytes`, which must have them.
    public init(_ bytes: RawSpan) {
        precondition(bytes.byteCount >= Digest.byteCount)
        w0 = UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
        w1 = UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self))
        w2 = UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt64.self))
        w3 = UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt64.self))
    }

    /// The digest of `bytes`.
    public init(hashing bytes: RawSpan) {
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        self.init(hash.finalize())
    }

    /// The hash of a leaf of the journal's tree: SHA-256(0x00 ‖ record), RFC 6962, 2.1.
    public init(leaf record: RawSpan) {
        var hash = SHA256()
        withUnsafeBytes(of: UInt8(0)) { hash.update(bufferPointer: $0) }
        record.withUnsafeBytes { hash.update(bufferPointer: $0) }
        self.init(hash.finalize())
    }

    public init(_ hash: SHA256Digest) {
        self = hash.withUnsafeBytes { Digest(RawSpan(_unsafeBytes: $0)) }
    }

    private init(_ w0: UInt64, _ w1: UInt64, _ w2: UInt64, _ w3: UInt64) {
        (self.w0, self.w1, self.w2, self.w3) = (w0, w1, w2, w3)
    }

    /// 32 zero bytes: what stands before the first leaf of a chain.
    public static let zero = Digest(0, 0, 0, 0)

    /// The 32 bytes, in order, for as long as `body` runs.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        var words = (w0.bigEndian, w1.bigEndian, w2.bigEndian, w3.bigEndian)
        return try withUnsafeBytes(of: &words, body)
    }

    public static func < (left: Digest, right: Digest) -> Bool {
        (left.w0, left.w1, left.w2, left.w3) < (right.w0, right.w1, right.w2, right.w3)
    }
}

extension Digest: CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        withBytes { bytes in
            String(unsafeUninitializedCapacity: 64) { text in
                for (index, byte) in bytes.enumerated() {
                    text[2 * index] = hexadecimalDigit(byte >> 4)
                    text[2 * index + 1] = hexadecimalDigit(byte & 15)
                }
                return 64
            }
        }
    }

    /// `sha256:` and 64 digits, as in `Specs/Interfaces/CommandLine.md`.
    public var description: String { "sha256:" + hex }

    /// Reads 64 hexadecimal digits, with or without `sha256:` before them.
    public init?(_ text: String) {
        var digits = Substring(text)
        if digits.hasPrefix("sha256:") { digits = digits.dropFirst(7) }
        let utf8 = Array(digits.utf8)
        guard utf8.count == 64 else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, character) in utf8.enumerated() {
            guard let value = Character(UnicodeScalar(character)).hexDigitValue else { return nil }
            words[index / 16] = words[index / 16] << 4 | UInt64(value)
        }
        self.init(words[0], words[1], words[2], words[3])
    }
}

@inline(__always)
func hexadecimalDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }

/// SHA-256 of bytes that come in pieces.
public struct DigestBuilder {
    private var hash = SHA256()

    public init() {}

    public mutating func update(_ bytes: RawSpan) { bytes.withUnsafeBytes { hash.update(bufferPointer: $0) } }

    public func finish() -> Digest { Digest(hash.finalize()) }
}
