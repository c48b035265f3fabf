/// The 128 bits that name an account, or an operation, in every vault.
public struct UniqueID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let high, low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A version 4 UUID (RFC 9562, 5.4) of the given randomness.
    public init(using generator: inout some RandomNumberGenerator) {
        high = generator.next() & ~0xF000 | 0x4000
        low = generator.next() & ~(3 << 62) | (2 << 62)
    }

    public static func < (left: UniqueID, right: UniqueID) -> Bool { (left.high, left.low) < (right.high, right.low) }

    /// The 16 bytes, in order.
    public var bytes: [UInt8] {
        [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
    }

    /// The usual 8-4-4-4-12 form, lower case.
    public var description: String {
        var text = ""
        for (index, word) in [high, low].enumerated() {
            for nibble in 0..<16 {
                if [8, 12].contains(nibble) && index == 0 || [0, 4].contains(nibble) && index == 1 { text += "-" }
                text.unicodeScalars.append(UnicodeScalar(hexadecimalDigit(UInt8(word >> (60 - nibble * 4) & 15))))
            }
        }
        return text
    }

    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.count) == [8, 4, 4, 4, 12], text.utf8.count == 36 else { return nil }
        var words: [UInt64] = [0, 0]
        for (index, character) in parts.joined().enumerated() {
            guard character.isASCII, let value = character.hexDigitValue else { return nil }
            words[index / 16] = words[index / 16] << 4 | UInt64(value)
        }
        self.init(high: words[0], low: words[1])
    }
}

/// The whole of what the vault knows of an account, an item of the directory.
public struct AccountState: Hashable, Sendable {
    public var id: UniqueID
    public var address: String
    /// Where it lives: URLs as in `Specs/Interfaces/CommandLine.md`. Never a secret.
    public var sources: [String]
    /// Whether it is captured.
    public var isEnabled: Bool
    /// Whether it is on legal hold.
    public var isHeld: Bool

    public init(id: UniqueID, address: String, sources: [String], isEnabled: Bool = true, isHeld: Bool = false) {
        (self.id, self.address, self.sources) = (id, address, sources)
        (self.isEnabled, self.isHeld) = (isEnabled, isHeld)
    }
}

extension AccountState {
    func encode(into writer: inout ByteWriter) {
        writer.integer(id.high)
        writer.integer(id.low)
        writer.bytes(Array(address.utf8))
        writer.varint(sources.count)
        for source in sources { writer.bytes(Array(source.utf8)) }
        writer.integer(UInt8((isEnabled ? 1 : 0) | (isHeld ? 2 : 0)))
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        id = UniqueID(high: try reader.integer(), low: try reader.integer())
        address = String(decoding: try reader.bytes(), as: UTF8.self)
        sources = []
        for _ in 0..<(try reader.count()) { sources.append(String(decoding: try reader.bytes(), as: UTF8.self)) }
        let bits: UInt8 = try reader.integer()
        guard bits & ~3 == 0 else { throw DecodingFailure(offset: reader.offset, reason: .outOfRange) }
        isEnabled = bits & 1 != 0
        isHeld = bits & 2 != 0
    }
}
