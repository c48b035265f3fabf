internal import Events

/// What a message ID is looked up by: the first 8 bytes of the SHA-256 of what stands between `<` and `>`. Two IDs may
/// share one; whoever looks up reads the messages to be certain.
public struct MessageIDHash: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public init(_ id: [UInt8]) {
        let isBracketed = id.count > 2 && id.first == UInt8(ascii: "<") && id.last == UInt8(ascii: ">")
        let digest = Digest(hashing: (isBracketed ? Array(id[1..<id.count - 1]) : id).span.bytes)
        rawValue = digest.withBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    /// Stands for the IDs of messages that could not be read. No ID has it: whoever would, is given the next.
    static let unread = MessageIDHash(rawValue: 0)

    var key: UInt64 { rawValue == 0 ? 1 : rawValue }
}
