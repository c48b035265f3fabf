/// A distribution as a table of its quantiles: drawn by the inverse of its cumulative function, in integers.
public struct Distribution: Sendable {
    private let rows: [(cumulative: Int, value: Int)]

    /// `rows` are (cumulative probability in 1/1,000, value), rising, from 0 to 1,000; linear between two rows.
    public init(_ rows: [(perMille: Int, value: Int)]) {
        self.rows = rows.map { ($0.perMille * 65_536 / 1_000, $0.value) }
    }

    /// The value below which `position`/65,536 of all lie.
    func value(at position: Int) -> Int {
        guard var low = rows.first else { return 0 }
        for row in rows.dropFirst() {
            if position < row.cumulative {
                let width = max(row.cumulative - low.cumulative, 1)
                return low.value + (row.value - low.value) * (position - low.cumulative) / width
            }
            low = row
        }
        return low.value
    }
}

extension Distribution {
    /// Octets of a message's header and text, without attachments (a plain-text list of today).
    static let textSize = Distribution([
        (0, 700), (50, 1_800), (250, 3_600), (500, 5_400), (750, 7_600), (900, 11_500), (990, 24_000), (1_000, 60_000),
    ])
    /// Octets of the header alone.
    static let headerSize = Distribution([
        (0, 600), (250, 1_400), (500, 2_600), (900, 5_600), (990, 9_000), (1_000, 14_000),
    ])
    /// Octets of an attachment, decoded.
    static let attachmentSize = Distribution([
        (0, 400), (100, 3_600), (250, 14_000), (500, 49_000), (750, 132_000), (900, 246_000), (990, 942_000),
        (1_000, 1_900_000),
    ])
    /// Attachments of a message that has any.
    static let attachmentCount = Distribution([(0, 1), (500, 1), (750, 2), (900, 4), (990, 7), (1_000, 8)])
    /// Hours of the day, by how much mail is sent in them.
    static let hour: [Int] = {
        let perMille = [16, 11, 8, 7, 6, 6, 10, 17, 35, 68, 84, 80, 68, 72, 78, 75, 72, 69, 55, 40, 37, 35, 30, 23]
        return perMille.enumerated().flatMap { hour, count in Array(repeating: hour, count: count) }
    }()
    /// Milliseconds until a message is read: 10 s to 3 d, median 40 min.
    static let seenDelay = Distribution([
        (0, 10_000), (100, 60_000), (300, 480_000), (500, 2_400_000), (700, 14_400_000), (900, 86_400_000),
        (1_000, 259_200_000),
    ])
    /// Folders an account has besides those every account has.
    static let folderCount = Distribution([(0, 4), (100, 6), (500, 14), (900, 60), (990, 200), (1_000, 400)])
}
