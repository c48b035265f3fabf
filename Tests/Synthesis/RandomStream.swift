import Events

/// One named stream of random numbers: xoshiro256** keyed by `SHA-256("synth/1" | seed | name)`.
///
/// Every quantity that is drawn has a stream of its own (`acct/17/arrivals`, `msg/17/3021`), so that a new one never
/// shifts another, and any message can be made without those before it. Integers only: the same on every machine.
public struct RandomStream: Sendable {
    private var s0, s1, s2, s3: UInt64

    /// The stream `name` of the world `seed`.
    public init(seed: UInt64, _ name: String) {
        var key = Array("synth/1".utf8)
        for shift in stride(from: 56, through: 0, by: -8) {
            key.append(UInt8(truncatingIfNeeded: seed >> UInt64(shift)))
        }
        key.append(contentsOf: name.utf8)
        let digest = Digest(hashing: key.span.bytes)
        (s0, s1, s2, s3) = digest.withBytes { bytes in
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
            }
            return (word(0), word(1), word(2), word(3))
        }
        // The one state from which nothing comes.
        if s0 | s1 | s2 | s3 == 0 { s0 = 1 }
    }

    /// The next 64 bits.
    @inline(__always)
    public mutating func next() -> UInt64 {
        let product = s1 &* 5
        let result = (product << 7 | product >> 57) &* 9
        let shifted = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= shifted
        s3 = s3 << 45 | s3 >> 19
        return result
    }

    /// A number in `0 ..< bound`; 0 where `bound` is less than 2.
    @inline(__always)
    public mutating func below(_ bound: Int) -> Int {
        let random = next()
        guard bound > 1 else { return 0 }
        return Int(random.multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// A number in `range`.
    public mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// True in `perMille` of 1,000 draws.
    public mutating func chance(_ perMille: Int) -> Bool { below(1_000) < perMille }

    /// A value of `distribution`.
    public mutating func draw(_ distribution: Distribution) -> Int { distribution.value(at: below(65_536)) }

    /// An index in `0 ..< count`, the low ones far more often: about as in Zipf's law with exponent 1.
    public mutating func rank(_ count: Int) -> Int {
        let first = below(count + 1)
        let second = below(first + 1)
        return min(below(second + 1), max(count - 1, 0))
    }

    /// One of `choices`, which must not be empty.
    public mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    /// Appends `count` octets that nothing compresses.
    public mutating func appendBytes(_ count: Int, to bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + count + 8)
        var left = count
        while left > 0 {
            var word = next()
            for _ in 0..<min(8, left) {
                bytes.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
            left -= 8
        }
    }

    /// Appends `count` digits and letters of the Base64 alphabet.
    public mutating func appendToken(_ count: Int, to bytes: inout [UInt8]) {
        var left = count
        while left > 0 {
            var word = next()
            for _ in 0..<min(10, left) {
                bytes.append(Base64.alphabet[Int(word & 63)])
                word >>= 6
            }
            left -= 10
        }
    }
}
