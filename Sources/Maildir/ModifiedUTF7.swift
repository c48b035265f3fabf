/// Modified UTF-7 (RFC 3501, 5.1.3): how IMAP, and with it Maildir++, writes folder names in ASCII.
public enum ModifiedUTF7 {
    /// Octets that are written in Base64 although RFC 3501 would let them stand for themselves. In Maildir++ `.`
    /// parts the components and `/` cannot be in a name; `&AC4-` and `&AC8-` stand for them.
    public struct Escapes: Hashable, Sendable {
        let dot: Bool
        let slash: Bool
        /// Plain RFC 3501.
        public static let none = Escapes(dot: false, slash: false)
        /// `.` and `/`.
        public static let maildirPlusPlus = Escapes(dot: true, slash: true)
        /// `/` only, for nested directories.
        public static let directory = Escapes(dot: false, slash: true)

        func contains(_ byte: UInt8) -> Bool {
            (dot && byte == UInt8(ascii: ".")) || (slash && byte == UInt8(ascii: "/"))
        }
    }

    private static let alphabet = [UInt8](ascii: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,")

    /// Encodes UTF-8. nil when the bytes are not UTF-8.
    public static func encode(_ utf8: some Sequence<UInt8>, escaping escapes: Escapes = .none) -> [UInt8]? {
        var result: [UInt8] = []
        var shifted = false
        var bits: UInt32 = 0
        var bitCount = 0
        func endShift(_ result: inout [UInt8]) {
            guard shifted else { return }
            if bitCount > 0 { result.append(alphabet[Int(bits << UInt32(6 - bitCount)) & 63]) }
            result.append(UInt8(ascii: "-"))
            (shifted, bits, bitCount) = (false, 0, 0)
        }
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = utf8.makeIterator()
        while true {
            let scalar: Unicode.Scalar
            switch decoder.parseScalar(from: &iterator) {
            case .emptyInput:
                endShift(&result)
                return result
            case .error: return nil
            case .valid(let encoded): scalar = Unicode.UTF8.decode(encoded)
            }
            if let byte = UInt8(exactly: scalar.value), (0x20...0x7E).contains(byte), !escapes.contains(byte) {
                endShift(&result)
                result.append(byte)
                if byte == UInt8(ascii: "&") { result.append(UInt8(ascii: "-")) }
                continue
            }
            if !shifted { result.append(UInt8(ascii: "&")) }
            shifted = true
            for unit in Unicode.UTF16.encode(scalar) ?? Unicode.UTF16.encodedReplacementCharacter {
                bits = bits << 16 | UInt32(unit)
                bitCount += 16
                while bitCount >= 6 {
                    bitCount -= 6
                    result.append(alphabet[Int(bits >> UInt32(bitCount)) & 63])
                }
                bits &= (1 << UInt32(bitCount)) - 1
            }
        }
    }

    /// Decodes to UTF-8, only where encoding again with the same `escapes` gives the same bytes; nil otherwise, so
    /// that no two names become one.
    public static func decode(_ bytes: [UInt8], escaping escapes: Escapes = .none) -> [UInt8]? {
        if bytes.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "&") && !escapes.contains($0) }) {
            return bytes
        }
        guard let decoded = decodeLoosely(bytes), encode(decoded, escaping: escapes) == bytes else { return nil }
        return decoded
    }

    /// Decodes what has the form; whether it is canonical is for ``decode(_:escaping:)`` to see.
    private static func decodeLoosely(_ bytes: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            guard byte == UInt8(ascii: "&") else {
                guard (0x20...0x7E).contains(byte) else { return nil }
                result.append(byte)
                continue
            }
            var units: [UInt16] = []
            var bits: UInt32 = 0
            var bitCount = 0
            let start = position
            while true {
                guard position < bytes.count else { return nil }
                let letter = bytes[position]
                position += 1
                if letter == UInt8(ascii: "-") { break }
                guard let value = value(of: letter) else { return nil }
                bits = bits << 6 | value
                bitCount += 6
                if bitCount >= 16 {
                    bitCount -= 16
                    units.append(UInt16(truncatingIfNeeded: bits >> UInt32(bitCount)))
                    bits &= (1 << UInt32(bitCount)) - 1
                }
            }
            if position == start + 1 {
                result.append(UInt8(ascii: "&"))
                continue
            }
            let failed = transcode(units.makeIterator(), from: UTF16.self, to: UTF8.self, stoppingOnError: true) {
                result.append($0)
            }
            if failed { return nil }
        }
        return result
    }

    private static func value(of letter: UInt8) -> UInt32? {
        switch letter {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(letter - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(letter - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(letter - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: ","): 63
        default: nil
        }
    }
}
