/// The system flags of a message that a Maildir can hold, without \Recent.
public struct MessageFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let draft = MessageFlags(rawValue: 1)
    public static let flagged = MessageFlags(rawValue: 2)
    public static let answered = MessageFlags(rawValue: 4)
    public static let seen = MessageFlags(rawValue: 8)
    public static let deleted = MessageFlags(rawValue: 16)

    private static let letters: [(flag: MessageFlags, letter: UInt8)] = [
        (.draft, UInt8(ascii: "D")), (.flagged, UInt8(ascii: "F")), (.answered, UInt8(ascii: "R")),
        (.seen, UInt8(ascii: "S")), (.deleted, UInt8(ascii: "T")),
    ]

    /// The letters of a Maildir's file name, in ASCII order.
    public var letters: [UInt8] { Self.letters.filter { contains($0.flag) }.map(\.letter) }

    /// The flags whose letters are in `letters`; others are passed over.
    public init(letters: some Sequence<UInt8>) {
        self = letters.reduce(into: []) { flags, letter in
            if let known = Self.letters.first(where: { $0.letter == letter }) { flags.insert(known.flag) }
        }
    }
}
