import Events
import TestKit
import Testing

struct SingleBitTests {
    @Test("The one wrong bit is found from the checksum alone, wherever it is")
    func everyBit() {
        var generator = SeededGenerator.announced()
        for count in [1, 2, 5, 64, 300] {
            let bytes = generator.bytes(count)
            let sum = crc32c(bytes.span.bytes)
            for bit in 0..<count * 8 {
                var flipped = bytes
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(SingleBit.corrected(flipped, stored: sum) == bytes, "bit \(bit) of \(count) bytes")
            }
            for bit in 0..<32 as Range<UInt32> {
                #expect(SingleBit.corrected(bytes, stored: sum ^ 1 << bit) == bytes)
            }
        }
    }

    @Test("Two wrong bits are not taken for one, but for what has a stronger hash to tell")
    func two() {
        var generator = SeededGenerator.announced()
        var wrong = 0
        for _ in 0..<500 {
            let bytes = generator.bytes(400)
            var flipped = bytes
            let first = generator.number(0..<3_200)
            let second = (first + generator.number(1..<3_200)) % 3_200
            flipped[first / 8] ^= 1 << UInt8(first % 8)
            flipped[second / 8] ^= 1 << UInt8(second % 8)
            if SingleBit.corrected(flipped, stored: crc32c(bytes.span.bytes)) != nil { wrong += 1 }
        }
        #expect(wrong == 0)
    }
}
