/// What a target makes of a message's bytes, where it cannot keep them as they are.
public enum DeliveredForm: Hashable, Sendable {
    /// Lines end with CR LF, as the protocol has them; a line feed alone becomes one.
    case networkLines
    /// The same, and zero bytes are 0x80: what Dovecot gives back of a message that has some.
    case networkLinesWithoutZero

    /// What it makes of the next bytes. `previous`: the byte before them.
    public func append(_ bytes: RawSpan, after previous: inout UInt8, to result: inout [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            result.reserveCapacity(result.count + bytes.count + bytes.count / 32)
            for byte in bytes {
                if byte == 0x0A, previous != 0x0D { result.append(0x0D) }
                result.append(byte == 0 && self == .networkLinesWithoutZero ? 0x80 : byte)
                previous = byte
            }
        }
    }
}
