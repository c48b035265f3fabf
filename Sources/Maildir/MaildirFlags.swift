/// The flags in a file name of a Maildir: the six of the Maildir convention, and the keyword letters `a`…`z`, whose
/// meaning is in `dovecot-keywords`.
public struct MaildirFlags: OptionSet, Hashable, Sendable {
    /// Bits 0…5: D, F, P, R, S, T. Bits 6…31: a…z.
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `D`, `\Draft`.
    public static let draft = MaildirFlags(rawValue: 1 << 0)
    /// `F`, `\Flagged`.
    public static let flagged = MaildirFlags(rawValue: 1 << 1)
    /// `P`: forwarded, resent or bounced; `$Forwarded`.
    public static let passed = MaildirFlags(rawValue: 1 << 2)
    /// `R`, `\Answered`.
    public static let replied = MaildirFlags(rawValue: 1 << 3)
    /// `S`, `\Seen`.
    public static let seen = MaildirFlags(rawValue: 1 << 4)
    /// `T`, `\Deleted`.
    public static let trashed = MaildirFlags(rawValue: 1 << 5)

    /// The flag of a letter, nil for a letter that has no place here.
    public init?(letter: UInt8) {
        switch letter {
        case UInt8(ascii: "D"): self = .draft
        case UInt8(ascii: "F"): self = .flagged
        case UInt8(ascii: "P"): self = .passed
        case UInt8(ascii: "R"): self = .replied
        case UInt8(ascii: "S"): self = .seen
        case UInt8(ascii: "T"): self = .trashed
        case UInt8(ascii: "a")...UInt8(ascii: "z"):
            self.init(rawValue: 1 << UInt32(6 + letter - UInt8(ascii: "a")))
        default: return nil
        }
    }

    /// The keyword of index 0 (`a`) … 25 (`z`), nil beyond.
    public init?(keyword index: Int) {
        guard (0..<26).contains(index) else { return nil }
        self.init(rawValue: 1 << UInt32(6 + index))
    }

    /// The indexes of the keywords set, ascending; 0 is `a`.
    public var keywordIndexes: [Int] { (0..<26).filter { rawValue & 1 << UInt32(6 + $0) != 0 } }

    /// The six flags of the convention, without keywords.
    public var withoutKeywords: MaildirFlags { MaildirFlags(rawValue: rawValue & 0x3F) }

    /// The letters, ascending in ASCII, as they stand in a name.
    public var letters: [UInt8] {
        var result: [UInt8] = []
        for (bit, letter) in [UInt8](ascii: "DFPRST").enumerated() where rawValue & 1 << UInt32(bit) != 0 {
            result.append(letter)
        }
        for index in keywordIndexes { result.append(UInt8(ascii: "a") + UInt8(truncatingIfNeeded: index)) }
        return result
    }
}
