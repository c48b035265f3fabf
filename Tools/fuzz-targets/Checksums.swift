internal import Events

extension FuzzTarget {
    /// Whether `withChecksums` does something.
    public var hasChecksums: Bool { [.record, .segment, .sealed, .pack].contains(self) }

    /// Puts right the checksums in bytes that were changed, as far as they can be found, so that what lies behind them is tried too.
    public func withChecksums(_ bytes: inout [UInt8]) {
        switch self {
        case .record: _ = FuzzTarget.record(&bytes, at: 0)
        case .segment:
            FuzzTarget.segmentHeader(&bytes)
            var offset = 72
            while let length = FuzzTarget.record(&bytes, at: offset) { offset += length }
        case .sealed:
            FuzzTarget.segmentHeader(&bytes)
            var offset = 72
            while offset + 32 <= bytes.count {
                let stored = Int(FuzzTarget.big(bytes, offset + 8))
                if stored <= bytes.count - offset - 32 {
                    FuzzTarget.put(FuzzTarget.sum(bytes, offset + 32, stored).bigEndian, &bytes, offset + 24)
                }
                FuzzTarget.put(FuzzTarget.sum(bytes, offset, 28).bigEndian, &bytes, offset + 28)
                offset += 32 + stored
            }
        case .pack:
            guard bytes.count >= 64 else { return }
            FuzzTarget.put(FuzzTarget.sum(bytes, 0, 60).littleEndian, &bytes, 60)
            var offset = 64
            while offset + 48 <= bytes.count {
                let rows = Int(FuzzTarget.big(bytes, offset + 12).byteSwapped) * 48
                let stored = Int(FuzzTarget.big(bytes, offset + 20).byteSwapped)
                if rows <= bytes.count - offset - 48 {
                    FuzzTarget.put(FuzzTarget.sum(bytes, offset + 48, rows).littleEndian, &bytes, offset + 24)
                    if stored <= bytes.count - offset - 48 - rows {
                        FuzzTarget.put(
                            FuzzTarget.sum(bytes, offset + 48 + rows, stored).littleEndian, &bytes, offset + 28)
                    }
                }
                FuzzTarget.put(FuzzTarget.sum(bytes, offset, 44).littleEndian, &bytes, offset + 44)
                offset += 48 + rows + stored
            }
        default: break
        }
    }

    private static func segmentHeader(_ bytes: inout [UInt8]) {
        if bytes.count >= 72 { put(sum(bytes, 0, 64).bigEndian, &bytes, 64) }
    }

    /// The length of the record there; nil when there is none.
    private static func record(_ bytes: inout [UInt8], at offset: Int) -> Int? {
        guard offset + 72 <= bytes.count else { return nil }
        let length = Int(big(bytes, offset + 4))
        if length >= 72, length <= bytes.count - offset {
            put(sum(bytes, offset + 68, length - 72).bigEndian, &bytes, offset + length - 4)
        }
        put(sum(bytes, offset, 64).bigEndian, &bytes, offset + 64)
        return length >= 72 && length <= bytes.count - offset ? length : nil
    }

    private static func big(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        UInt32(bigEndian: bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    private static func sum(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt32 {
        crc32c(bytes.span.bytes.extracting(offset..<offset + count))
    }

    private static func put(_ value: UInt32, _ bytes: inout [UInt8], _ offset: Int) {
        withUnsafeBytes(of: value) { for index in 0..<4 { bytes[offset + index] = $0[index] } }
    }
}
