public import Events

/// Something a check found to be wrong.
public struct BlobFinding: Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing is wrong.
    public enum Kind: String, Hashable, Sendable {
        /// The pack's header is damaged, or the pack is missing or too short.
        case pack
        /// A frame's header, table or payload is damaged.
        case frame
        /// A blob's bytes do not have its digest, or its recipe cannot be followed.
        case content
        /// A blob in a pack is not in the index, or the index names a place where the blob is not.
        case index
    }

    public let kind: Kind
    /// `packs/0000000000000001.pack`.
    public let pack: String
    /// Offset of the frame, or of the damage, in bytes.
    public let offset: UInt64
    public let reason: String
    /// The blobs concerned, as far as they are known.
    public let digests: [Digest]

    public var description: String {
        "\(pack) at offset \(offset): \(reason)"
            + (digests.isEmpty ? "" : " (\(digests.count) \(digests.count == 1 ? "blob" : "blobs"))")
    }
}

/// How much a check shall read.
public struct BlobCheckOptions: Sendable {
    /// Of the frames, how many are read, decoded and hashed: 0 none (headers and tables only) … 1 all.
    public var dataFraction: Double = 1
    /// Of each pack, where what an earlier check has read ends: frames behind it are read. Nil: nothing is read for being new.
    public var verified: [UInt32: UInt32]?
    /// Which frames are chosen when not all are.
    public var seed: UInt64 = 0
    /// Threads at work.
    public var threads = 2

    public init() {}
}

/// What a check has looked at.
public struct BlobCheckSummary: Hashable, Sendable {
    public var packs = 0
    public var frames = 0
    public var blobs = 0
    /// Blobs decoded and hashed.
    public var verifiedBlobs = 0
    /// Bytes of packs read or stepped over.
    public var bytes: UInt64 = 0
    public var findings = 0
    /// Of each pack, how far it went.
    public var ends: [UInt32: UInt32] = [:]
}
