internal import CKernels

/// CRC32C (Castagnoli) of `bytes`: finds every accident of up to five bits in a record, at the speed of memory.
public func crc32c(_ bytes: RawSpan) -> UInt32 { crc32c(0, bytes) }

/// Goes on from `crc`, what came before `bytes`.
public func crc32c(_ crc: UInt32, _ bytes: RawSpan) -> UInt32 {
    bytes.withUnsafeBytes { ck_crc32c(crc, $0.baseAddress, $0.count) }
}
