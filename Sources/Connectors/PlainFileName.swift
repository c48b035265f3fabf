/// Names of files for what has any name: never a name that leaves its directory, hides, drives a terminal, or is another's.
public enum PlainFileName {
    private static let longest = 180

    /// One name for a folder's path, its parts joined by `%2F`. Bytes that are no UTF-8, control characters, marks that are
    /// not seen, slashes, colons, percent signs, and dots and blanks at the edges are written as `%` and two digits. A long
    /// name is cut, and told apart by a hash of the whole.
    public static func of(_ path: [[UInt8]]) -> [UInt8] {
        var name: [UInt8] = []
        for (index, component) in path.enumerated() {
            if index > 0 { name += Array("%2F".utf8) }
            append(component, to: &name)
        }
        guard name.count > longest else { return name.isEmpty ? Array("%".utf8) : name }
        // Not within a character, nor within an escape.
        var cut = Array(name.prefix(longest - 18))
        while let last = cut.last, last & 0xC0 == 0x80 { cut.removeLast() }
        if let last = cut.last, last >= 0xC0 { cut.removeLast() }
        for back in 1...2 where cut.count >= back && cut[cut.count - back] == UInt8(ascii: "%") { cut.removeLast(back) }
        return cut + Array("%~".utf8) + hash(path)
    }

    private static func append(_ component: [UInt8], to name: inout [UInt8]) {
        guard let text = String(validating: component, as: UTF8.self) else {
            for (place, byte) in component.enumerated() {
                append([byte], isPlain: byte < 0x80 && isPlain(Unicode.Scalar(byte), place, component.count), to: &name)
            }
            return
        }
        let scalars = Array(text.unicodeScalars)
        for (place, scalar) in scalars.enumerated() {
            append(Array(String(Character(scalar)).utf8), isPlain: isPlain(scalar, place, scalars.count), to: &name)
        }
    }

    private static func append(_ bytes: [UInt8], isPlain: Bool, to name: inout [UInt8]) {
        if isPlain {
            name += bytes
            return
        }
        for byte in bytes { name += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 15)] }
    }

    private static func isPlain(_ scalar: Unicode.Scalar, _ place: Int, _ count: Int) -> Bool {
        switch scalar {
        case "/", "\\", "%", ":": return false
        case ".", " ": return place > 0 && place < count - 1
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
        default: return true
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 55 + value }

    /// FNV-1a, 64 bits, as 16 digits.
    private static func hash(_ path: [[UInt8]]) -> [UInt8] {
        var sum: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in path.joined(separator: [0]) { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return (0..<16).map { digit(UInt8(truncatingIfNeeded: sum >> UInt64(60 - 4 * $0) & 15)) }
    }
}
