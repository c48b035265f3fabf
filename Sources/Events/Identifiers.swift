/// The position of one transaction in the journal.
///
/// IDs start at 1, grow by exactly 1 and are never given twice (`Specs/Invariants.md`, 1). ``beginning`` stands before
/// the first transaction: an account replayed to it is empty.
public struct TransactionID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let beginning = TransactionID(rawValue: 0)

    public var next: TransactionID { TransactionID(rawValue: rawValue + 1) }

    public static func < (left: TransactionID, right: TransactionID) -> Bool { left.rawValue < right.rawValue }

    /// As people and `--at` write it: `@184467`.
    public var description: String { "@\(rawValue)" }
}

/// An account's number in its vault: short, given once, never reused. 0 is the directory, whose items are the accounts,
/// mailing lists, domains and classes of service.
public struct AccountNumber: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let directory = AccountNumber(rawValue: 0)

    public static func < (left: AccountNumber, right: AccountNumber) -> Bool { left.rawValue < right.rawValue }
}

/// What sort of thing an item is. The raw values are in the journal: never reuse one (`Specs/Format/Events.md`).
public enum ItemKind: UInt8, Hashable, Sendable, CaseIterable {
    case folder = 1
    case message = 2
    case contact = 3
    case contactGroup = 4
    case appointment = 5
    case task = 6
    case document = 7
    case account = 8
    case mailingList = 9
    case domain = 10
    case classOfService = 11

    /// The letter before an item's number.
    public var letter: Character { Character(UnicodeScalar(letterCode)) }

    /// The letter as ASCII.
    var letterCode: UInt8 {
        switch self {
        case .folder: UInt8(ascii: "f")
        case .message: UInt8(ascii: "m")
        case .contact: UInt8(ascii: "c")
        case .contactGroup: UInt8(ascii: "g")
        case .appointment: UInt8(ascii: "e")
        case .task: UInt8(ascii: "t")
        case .document: UInt8(ascii: "d")
        case .account: UInt8(ascii: "a")
        case .mailingList: UInt8(ascii: "l")
        case .domain: UInt8(ascii: "n")
        case .classOfService: UInt8(ascii: "s")
        }
    }

    /// The word in JSON.
    public var name: String {
        switch self {
        case .folder: "folder"
        case .message: "message"
        case .contact: "contact"
        case .contactGroup: "contact_group"
        case .appointment: "appointment"
        case .task: "task"
        case .document: "document"
        case .account: "account"
        case .mailingList: "mailing_list"
        case .domain: "domain"
        case .classOfService: "class_of_service"
        }
    }

    public init?(letter: Character) {
        guard let kind = ItemKind.allCases.first(where: { $0.letter == letter }) else { return nil }
        self = kind
    }
}

/// What the journal calls an item within its account: its kind and a number that is never reused.
public struct ItemID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let kind: ItemKind
    public let number: UInt32

    public init(_ kind: ItemKind, _ number: UInt32) {
        self.kind = kind
        self.number = number
    }

    public static func < (left: ItemID, right: ItemID) -> Bool {
        (left.kind.rawValue, left.number) < (right.kind.rawValue, right.number)
    }

    /// `m1042`.
    public var description: String { "\(kind.letter)\(number)" }

    /// Reads `m1042`.
    public init?(_ text: String) {
        guard let letter = text.first, let kind = ItemKind(letter: letter), let number = UInt32(text.dropFirst()),
            number > 0, !text.dropFirst().hasPrefix("0"), !text.dropFirst().hasPrefix("+")
        else { return nil }
        self.init(kind, number)
    }
}
