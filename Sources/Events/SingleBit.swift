/// Finds the one bit whose flip explains a wrong CRC32C: the checksum is linear, so the difference between what it is and what
/// it must be belongs to exactly one bit of up to 256 MiB.
public enum SingleBit {
    /// Where the one wrong bit is.
    public enum Place: Hashable, Sendable {
        /// Of the bytes the checksum is over.
        case bytes(offset: Int, mask: UInt8)
        /// Of the stored checksum itself, as a number.
        case checksum(mask: UInt32)
    }

    /// The place for `count` bytes whose checksum is `found` and was stored as `stored`; nil when no single bit explains
    /// it. About a second for 100 MiB; a match by chance is to be excluded by a stronger hash.
    public static func place(count: Int, found: UInt32, stored: UInt32) -> Place? {
        let difference = found ^ stored
        guard difference != 0 else { return nil }
        if difference.nonzeroBitCount == 1 { return .checksum(mask: difference) }
        // What a flip of the highest bit of the last byte does to the checksum; from there back, bit by bit, each is the one
        // before it moved on once (reflected polynomial 0x82F63B78).
        var effect: UInt32 = 0x82F6_3B78
        var offset = count - 1
        while offset >= 0 {
            var mask: UInt8 = 0x80
            while mask != 0 {
                if effect == difference { return .bytes(offset: offset, mask: mask) }
                effect = effect >> 1 ^ (effect & 1 == 0 ? 0 : 0x82F6_3B78)
                mask >>= 1
            }
            offset -= 1
        }
        return nil
    }

    /// `bytes` with the bit put right, when one bit explains it; `nil` otherwise. When it is in the checksum, the bytes
    /// are right as they are.
    public static func corrected(_ bytes: [UInt8], stored: UInt32) -> [UInt8]? {
        switch place(count: bytes.count, found: crc32c(bytes.span.bytes), stored: stored) {
        case .bytes(let offset, let mask):
            var right = bytes
            right[offset] ^= mask
            return right
        case .checksum: return bytes
        case nil: return nil
        }
    }
}
