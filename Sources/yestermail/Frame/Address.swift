internal import Events

/// A mail address as it names an account: a dot-atom local part and a domain (RFC 5321, 4.1.2; RFC 6531 for letters
/// beyond ASCII). Quoted local parts name no account.
struct Address: Hashable {
    let local: String
    let domain: String

    init?(local: String, domain: String) {
        guard Address.isLocalPart(local), Address.isDomain(domain) else { return nil }
        (self.local, self.domain) = (local, domain)
    }

    init?(_ text: String) {
        guard let at = text.lastIndex(of: "@") else { return nil }
        self.init(local: String(text[..<at]), domain: String(text[text.index(after: at)...]))
    }

    var text: String { local + "@" + domain }

    static func isLocalPart(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 64, text.first != ".", text.last != "." else { return false }
        var previous: Unicode.Scalar = "a"
        for scalar in text.unicodeScalars {
            if scalar == ".", previous == "." { return false }
            guard isLetter(scalar) || ".!#$%&'*+-/=?^_`{|}~".unicodeScalars.contains(scalar), scalar != "/" else {
                return false
            }
            previous = scalar
        }
        return true
    }

    static func isDomain(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
                && label.unicodeScalars.allSatisfy { isLetter($0) || $0 == "-" || $0 == "_" }
        }
    }

    /// Letters and digits, those of other scripts too; nothing that is invisible or turns the direction of writing.
    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 48...57, 65...90, 97...122: return true
        case ..<0x80: return false
        default:
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
                .nonspacingMark, .spacingMark:
                return !scalar.properties.isDefaultIgnorableCodePoint
            default: return false
            }
        }
    }
}

/// Which addresses are meant: `*@example.org`, `info@*`, `*@*`, or one.
struct AddressPattern {
    private let local: String
    private let domain: String

    /// Nil when the text is one address and no pattern.
    init?(_ text: String) {
        guard text.contains("*") else { return nil }
        guard text != "*" else {
            (local, domain) = ("*", "*")
            return
        }
        guard let at = text.lastIndex(of: "@") else { return nil }
        (local, domain) = (String(text[..<at]), String(text[text.index(after: at)...]))
    }

    func matches(local part: String) -> Bool { AddressPattern.matches(Array(part.utf8)[...], Array(local.utf8)[...]) }

    /// In any case of letters.
    func matches(domain part: String) -> Bool {
        AddressPattern.matches(Array(part.lowercased().utf8)[...], Array(domain.lowercased().utf8)[...])
    }

    /// `*` is anything.
    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        // Greedy with one place to go back to: no more than length times length steps.
        var (text, pattern) = (text, pattern)
        var retry: (text: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>)?
        while true {
            if pattern.first == UInt8(ascii: "*") {
                pattern = pattern.dropFirst()
                retry = (text, pattern)
            } else if let byte = text.first, pattern.first == byte {
                (text, pattern) = (text.dropFirst(), pattern.dropFirst())
            } else if text.isEmpty, pattern.isEmpty {
                return true
            } else if let again = retry, !again.text.isEmpty {
                (text, pattern) = (again.text.dropFirst(), again.pattern)
                retry = (text, pattern)
            } else {
                return false
            }
        }
    }
}
