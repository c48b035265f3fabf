/// How blobs are cut and compressed. What is written with one choice is read with any other.
public struct BlobOptions: Sendable, Hashable {
    /// Bytes of message text that share one zstd frame. Larger: smaller packs, slower reading of one message
    /// (`Specs/Decisions/0010-large-frames.md`).
    public var frameBytes = 2 << 20
    /// zstd level of message text.
    public var textLevel: Int32 = 3
    /// zstd level of parts: mostly images and archives, where a high level finds nothing either.
    public var partLevel: Int32 = 1
    /// Parts smaller than this share frames. A frame of one part is left out when another worker has stored the part
    /// meanwhile; one of many is not.
    public var smallPartBytes = 8 << 10
    /// Raw bytes of messages an encoder gathers before it says ``BlobEncoder/isFull``.
    public var batchBytes = 4 << 20
    /// Messages from this size on are split window by window, not gathered.
    public var largeMessageBytes = 1 << 20
    /// A pack is sealed when the next frame would take it beyond this.
    public var packBytes = 64 << 20

    public init() {}
}
