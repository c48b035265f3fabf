/// The files that business mail sends again and again: 393 of them, few often and most once or twice.
struct CorpusFiles {
    private let files: [(name: String, encoded: [UInt8])]
    private let narrow: [[UInt8]?]
    private var nextNew = 0

    init(seed: UInt64, bodies: Bodies, count: Int = 393) {
        let size = Distribution([
            (0, 4_000), (250, 40_000), (500, 92_000), (750, 180_000), (900, 330_000), (990, 900_000),
            (1_000, 1_900_000),
        ])
        var files: [(name: String, encoded: [UInt8])] = []
        var narrow: [[UInt8]?] = []
        for index in 0..<count {
            var stream = RandomStream(seed: seed, "corpus/file/\(index)")
            let bytes = Self.content(stream.draw(size), bodies: bodies, using: &stream)
            var encoded: [UInt8] = []
            Base64.append(bytes, lineLength: 76, to: &encoded)
            files.append(("file \(index).\(["pdf", "docx", "jpg", "png", "zip", "xlsx"][index % 6])", encoded))
            var other: [UInt8] = []
            // Those sent by the clients that break at 72.
            if index % 3 == 0 { Base64.append(bytes, lineLength: 72, to: &other) }
            narrow.append(other.isEmpty ? nil : other)
        }
        (self.files, self.narrow) = (files, narrow)
    }

    /// The files of the next message: 1 to 3, 1.5 on average.
    mutating func next(using stream: inout RandomStream) -> [(name: String, encoded: [UInt8])] {
        let draw = stream.below(100)
        return (0..<(draw < 62 ? 1 : draw < 90 ? 2 : 3)).map { _ in
            var index = stream.rank(files.count)
            // Each once at least.
            if nextNew < files.count, stream.chance(300) {
                index = nextNew
                nextNew += 1
            }
            // 15 % of the uses, though only one file in three has the other form: 45 % of its uses.
            if let other = narrow[index], stream.chance(450) { return (files[index].name, other) }
            return files[index]
        }
    }

    /// Pieces that nothing compresses between pieces that something does, as in PDF and office files.
    private static func content(_ size: Int, bodies: Bodies, using stream: inout RandomStream) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 8_192)
        while bytes.count < size {
            switch stream.below(100) {
            case ..<66: stream.appendBytes(2_000 + stream.below(6_000), to: &bytes)
            case ..<86: bytes += Array(repeating: UInt8(stream.below(256)), count: 1_000 + stream.below(8_000))
            default:
                bodies.html.append(
                    1_000 + stream.below(5_000), maximumRun: 6, replacingEvery: 40, using: &stream, to: &bytes)
            }
        }
        return bytes
    }
}
