internal import Events

/// Reads frames of packs: header, table, payload, each held against its checksum. Its buffers are used again.
final class FrameLoader {
    private let zstd = Zstd()
    private let stored = ByteBuffer()

    /// Reads the header at `offset`; nil when there is none.
    func header(_ file: OpenFile, at offset: Int) throws(BlobError) -> FrameHeader? {
        let stored = stored
        stored.removeAll()
        try file.read(FrameHeader.length, at: offset, into: stored)
        guard let header = FrameHeader(stored.bytes) else { return nil }
        lastHeaderChecksum = stored.bytes.integer(44)
        return header
    }

    /// The checksum of the header read last.
    private(set) var lastHeaderChecksum: UInt32 = 0

    /// Reads the table of the frame at `offset`; nil when it is damaged.
    func table(_ file: OpenFile, at offset: Int, _ header: FrameHeader) throws(BlobError) -> [FrameEntry]? {
        let stored = stored
        stored.removeAll()
        try file.read(header.tableLength, at: offset + FrameHeader.length, into: stored)
        guard stored.count == header.tableLength, PackFormat.checksum(stored.bytes) == header.tableChecksum else {
            return nil
        }
        return FrameEntry.table(stored.bytes, of: header)
    }

    /// Reads the payload of the frame at `offset` and decodes its first `length` bytes or all of it. What is wrong, or nil.
    func payload(
        _ file: OpenFile, at offset: Int, _ header: FrameHeader, prefix length: Int? = nil,
        into decoded: ByteBuffer
    ) throws(BlobError) -> String? {
        let stored = stored
        decoded.removeAll()
        let start = offset + FrameHeader.length + header.tableLength
        guard header.isCompressed else {
            try file.read(header.storedLength, at: start, into: decoded)
            guard decoded.count == header.storedLength else { return "the frame is cut short" }
            return PackFormat.checksum(decoded.bytes) == header.payloadChecksum
                ? nil : "the payload does not have its checksum"
        }
        stored.removeAll()
        try file.read(header.storedLength, at: start, into: stored)
        guard stored.count == header.storedLength else { return "the frame is cut short" }
        guard PackFormat.checksum(stored.bytes) == header.payloadChecksum else {
            return "the payload does not have its checksum"
        }
        let isDecoded: Bool
        if let length, length < header.rawLength {
            isDecoded = zstd.decompress(prefix: length, of: stored.bytes, into: decoded)
        } else {
            isDecoded = zstd.decompress(stored.bytes, length: header.rawLength, into: decoded)
        }
        return isDecoded ? nil : "zstd cannot decode the payload"
    }

    /// Finds the first whole frame header in `file` from `offset` on, byte by byte; nil when there is none.
    func nextHeader(_ file: OpenFile, from offset: Int, size: Int) throws(BlobError) -> Int? {
        let stored = stored
        let window = 1 << 20
        var base = offset
        while base + FrameHeader.length <= size {
            stored.removeAll()
            try file.read(min(window, size - base), at: base, into: stored)
            let bytes = stored.bytes
            let count = bytes.byteCount
            if count < FrameHeader.length { return nil }
            for start in 0...count - FrameHeader.length
            where bytes.integer(start, as: UInt8.self) == 0x59
                && bytes.integer(start, as: UInt32.self) == FrameHeader.magic
            {
                if FrameHeader(bytes.part(start, count - start)) != nil { return base + start }
            }
            base += count - FrameHeader.length + 1
        }
        return nil
    }
}
