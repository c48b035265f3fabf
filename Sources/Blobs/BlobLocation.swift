internal import Events
internal import LMDB

/// Where a blob lies. Ordered as on disk: read in this order, each frame is decoded once.
public struct BlobLocation: Hashable, Comparable, Sendable {
    /// Number of the pack, from 1.
    public let pack: UInt32
    /// Offset of the frame in the pack.
    public let offset: UInt32
    /// Number of the entry in the frame.
    public let entry: UInt16
    /// Raw bytes of the blob.
    public let size: UInt64

    init(pack: UInt32, offset: UInt32, entry: UInt16, size: UInt64) {
        self.pack = pack
        self.offset = offset
        self.entry = entry
        self.size = size
    }

    public static func < (left: BlobLocation, right: BlobLocation) -> Bool {
        (left.pack, left.offset, left.entry) < (right.pack, right.offset, right.entry)
    }

    static let valueLength = 20

    /// Reads a value of the index.
    init?(value: RawSpan) {
        guard value.byteCount == BlobLocation.valueLength else { return nil }
        pack = value.integer(0)
        offset = value.integer(4)
        entry = value.integer(8)
        size = value.integer(12)
        guard size <= UInt64(Int.max) / 2 else { return nil }
    }

    func write(into buffer: ByteBuffer) {
        buffer.removeAll()
        buffer.append(pack)
        buffer.append(offset)
        buffer.append(entry)
        buffer.append(UInt16(0))
        buffer.append(size)
    }
}

extension Digest {
    /// The key of the index.
    var key: Key {
        unsafe withBytes { bytes in
            var key = Key()
            key.append(unsafe RawSpan(_unsafeBytes: bytes))
            return key
        }
    }
}
