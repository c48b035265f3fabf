public import Events

/// One message an encoder has taken.
public struct EncodedMessage: Hashable, Sendable {
    public let digest: Digest
    /// Raw bytes.
    public let size: UInt64
    /// False when the store, or this batch, had it already.
    public let isNew: Bool
}

/// Finished frames, each verified by decoding, ready for ``BlobStore/append(_:)``.
@safe public final class EncodedBatch: Sendable {
    /// What was added since the last batch, in that order.
    public let messages: [EncodedMessage]
    let frames: [EncodedFrame]
    // SAFETY: filled before, never changed.
    nonisolated(unsafe) let storage: ByteBuffer

    init(messages: [EncodedMessage], frames: [EncodedFrame], storage: ByteBuffer) {
        self.messages = messages
        self.frames = frames
        unsafe self.storage = storage
    }

    /// Bytes to be written.
    public var storedBytes: Int { unsafe storage.count }
}

/// One frame in a batch.
struct EncodedFrame: Sendable {
    let kind: FrameKind
    /// In the batch.
    let offset: Int
    let length: Int
    let headerChecksum: UInt32
    /// Digest and size of each entry.
    let entries: [EncodedEntry]
}

struct EncodedEntry: Sendable, Hashable {
    let digest: Digest
    let size: UInt64
}
