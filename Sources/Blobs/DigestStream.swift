internal import Crypto
internal import Events

/// The SHA-256 of bytes that come one after the other.
struct DigestStream {
    private var hash = SHA256()

    mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    }

    func finish() -> Events.Digest { Events.Digest(hash.finalize()) }
}
