/// How literals may be sent (RFC 7888).
public enum LiteralKind: Hashable, Sendable {
    /// The server has to ask for each.
    case synchronizing
    /// `LITERAL-`: up to 4,096 bytes without being asked.
    case shortNonSynchronizing
    /// `LITERAL+`: any without being asked.
    case nonSynchronizing

    public init(_ capabilities: CapabilitySet) {
        if capabilities.has("LITERAL+") {
            self = .nonSynchronizing
        } else if capabilities.has("LITERAL-") || capabilities.has("IMAP4REV2") {
            self = .shortNonSynchronizing
        } else {
            self = .synchronizing
        }
    }

    func waits(_ size: UInt64) -> Bool {
        switch self {
        case .synchronizing: true
        case .shortNonSynchronizing: size > 4096
        case .nonSynchronizing: false
        }
    }
}

/// The bytes of one command. Whatever is a name or a text goes through ``string(_:)``, so that nothing in it can end the
/// command and begin another.
public struct CommandWriter {
    private let literals: LiteralKind
    /// Sent one after the other; before each but the first the server has to ask for it.
    public private(set) var parts: [[UInt8]] = [[]]

    init(_ literals: LiteralKind) { self.literals = literals }

    /// Words of the protocol; never anything from outside.
    mutating func words(_ text: StaticString) {
        text.withUTF8Buffer { parts[parts.count - 1].append(contentsOf: $0) }
    }

    mutating func number(_ value: UInt64) { parts[parts.count - 1] += String(value).utf8 }

    mutating func set(_ uids: UIDSet) {
        precondition(!uids.isEmpty, "a set without a UID cannot be said")
        uids.write(into: &parts[parts.count - 1])
    }

    /// A quoted string where it can be one, else a literal.
    mutating func string(_ bytes: [UInt8]) throws(EncodingRefusal) {
        guard !bytes.contains(0) else { throw EncodingRefusal("a zero byte cannot be sent in a name") }
        let isPlain = bytes.count <= 1000 && bytes.allSatisfy { (0x20...0x7E).contains($0) }
        guard isPlain else {
            literalHead(UInt64(bytes.count))
            parts[parts.count - 1] += bytes
            return
        }
        parts[parts.count - 1].append(UInt8(ascii: "\""))
        for byte in bytes {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                parts[parts.count - 1].append(UInt8(ascii: "\\"))
            }
            parts[parts.count - 1].append(byte)
        }
        parts[parts.count - 1].append(UInt8(ascii: "\""))
    }

    mutating func optionalString(_ bytes: [UInt8]?) throws(EncodingRefusal) {
        if let bytes { try string(bytes) } else { words("NIL") }
    }

    /// After it come exactly `size` bytes.
    mutating func literalHead(_ size: UInt64, isBinary: Bool = false) {
        if isBinary { words("~") }
        let waits = literals.waits(size)
        words("{")
        number(size)
        words(waits ? "}\r\n" : "+}\r\n")
        if waits { parts.append([]) }
    }

    /// Flags: system flags by their names, keywords that are atoms.
    mutating func flags(_ flags: [FlagName]) {
        words("(")
        for (index, flag) in flags.enumerated() {
            if index > 0 { words(" ") }
            parts[parts.count - 1] += flag.bytes
        }
        words(")")
    }

    /// Base64, which cannot hold anything special.
    mutating func base64(_ bytes: [UInt8]) { parts[parts.count - 1] += Base64.encode(bytes) }

    mutating func raw(tag: [UInt8]) { parts[parts.count - 1] += tag }
}

/// A flag that can be sent: a system flag, or a keyword that is an atom.
public struct FlagName: Hashable, Sendable {
    public let bytes: [UInt8]

    private init(system name: String) { bytes = Array(name.utf8) }

    public static let seen = FlagName(system: "\\Seen")
    public static let answered = FlagName(system: "\\Answered")
    public static let flagged = FlagName(system: "\\Flagged")
    public static let deleted = FlagName(system: "\\Deleted")
    public static let draft = FlagName(system: "\\Draft")

    /// nil for what is no atom (RFC 9051, 9, "flag-keyword"): it cannot be sent.
    public init?(keyword: [UInt8]) {
        let isAtom = keyword.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !Array("(){%*\"\\]".utf8).contains(byte)
        }
        guard isAtom, !keyword.isEmpty, keyword.count <= 255 else { return nil }
        bytes = keyword
    }
}

/// RFC 4648, 4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group: UInt32 = 0
            for offset in 0..<3 { group = group << 8 | (offset < count ? UInt32(bytes[index + offset]) : 0) }
            for offset in 0..<4 {
                result.append(
                    offset <= count ? alphabet[Int(group >> UInt32(18 - 6 * offset)) & 63] : UInt8(ascii: "="))
            }
            index += 3
        }
        return result
    }
}
