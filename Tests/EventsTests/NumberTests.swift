import Events
import TestKit
import Testing

struct NumberTests {
    private func decoded(_ bytes: [UInt8]) throws -> UInt64 {
        var reader = ByteReader(bytes.span.bytes)
        let value = try reader.varint()
        try reader.finish()
        return value
    }

    @Test("Every step of a varint's length comes back, in as few bytes as there can be")
    func varints() throws {
        for bits in 0..<64 {
            for value in [1 << UInt64(bits), (1 << UInt64(bits)) - 1, (1 << UInt64(bits)) | 1] as [UInt64] {
                var writer = ByteWriter()
                writer.varint(value)
                #expect(writer.count == max(1, (64 - value.leadingZeroBitCount + 6) / 7))
                #expect(try decoded(writer.bytes) == value)
            }
        }
        var writer = ByteWriter()
        writer.varint(UInt64.max)
        #expect(writer.count == 10)
        #expect(try decoded(writer.bytes) == .max)
    }

    @Test("A varint that is cut, too long or too large is refused")
    func badVarints() {
        let nine = [UInt8](repeating: 0xFF, count: 9)
        for bytes in [[], [0x80], nine, nine + [0x80], nine + [2], nine + [0x81, 0], nine + [0x7F]] {
            #expect(throws: DecodingFailure.self, "\(bytes)") { try decoded(bytes) }
        }
        #expect(throws: DecodingFailure.self) {
            let bytes: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x10]
            var reader = ByteReader(bytes.span.bytes)
            _ = try reader.varint32()
        }
    }

    @Test("A length that points beyond the end is refused before anything is allocated")
    func lengths() {
        for length in [1, 2, UInt64(Int.max), .max] {
            var writer = ByteWriter()
            writer.varint(length)
            let bytes = writer.bytes
            #expect(throws: DecodingFailure.self) {
                var reader = ByteReader(bytes.span.bytes)
                _ = try reader.bytes()
            }
        }
    }

    @Test("Integers are big-endian wherever they stand")
    func integers() throws {
        var writer = ByteWriter()
        writer.integer(UInt8(1))
        writer.integer(UInt32(0x0203_0405))
        writer.integer(Int64(-2))
        writer.replace(at: 1, with: UInt16(0xAABB))
        #expect(writer.bytes == [1, 0xAA, 0xBB, 4, 5, 255, 255, 255, 255, 255, 255, 255, 254])
        let bytes = writer.bytes
        var reader = ByteReader(bytes.span.bytes)
        let found = (try reader.integer(UInt8.self), try reader.integer(UInt32.self), try reader.integer(Int64.self))
        try reader.finish()
        #expect(found.0 == 1 && found.1 == 0xAABB_0405 && found.2 == -2)
    }

    @Test("CRC32C has the values of RFC 3720")
    func checksum() {
        #expect(sum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(sum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(sum(Array(0..<32)) == 0x46DD_794E)
        #expect(sum(utf8("123456789")) == 0xE306_9283)
        #expect(sum([]) == 0)
    }

    @Test("A checksum is the same whatever the length and alignment, and finds every flipped bit")
    func checksumFlips() {
        var generator = SeededGenerator.announced()
        for length in [1, 7, 8, 9, 63, 64, 255, 1_025, 5_000] {
            var bytes = generator.bytes(length)
            let whole = sum(bytes)
            for _ in 0..<50 {
                let bit = generator.number(0..<length * 8)
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(sum(bytes) != whole)
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            }
            let shifted = [0] + bytes
            let again = crc32c(shifted.span.bytes.extracting(droppingFirst: 1))
            #expect(again == whole)
        }
    }
}
