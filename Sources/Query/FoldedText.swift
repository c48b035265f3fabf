/// A text for comparing without regard to case: every scalar by the lower-case form of its upper-case form. Letters with
/// marks are compared as they are written, composed or not.
public struct FoldedText: Sendable, Hashable, CustomStringConvertible {
    /// The UTF-8 of the folded text.
    let bytes: [UInt8]

    public init(_ text: String) { bytes = FoldedText.fold(text) }

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    public var isEmpty: Bool { bytes.isEmpty }

    static func fold(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        var isASCII = true
        for byte in text.utf8 {
            if byte >= 0x80 {
                isASCII = false
                break
            }
            result.append((65...90).contains(byte) ? byte | 0x20 : byte)
        }
        if isASCII { return result }
        result.removeAll(keepingCapacity: true)
        for scalar in text.unicodeScalars {
            if scalar.isASCII {
                let byte = UInt8(truncatingIfNeeded: scalar.value)
                result.append((65...90).contains(byte) ? byte | 0x20 : byte)
                continue
            }
            // Upper-case first brings together what has two lower-case forms (ς and σ, ß and SS).
            let folded = scalar.properties.uppercaseMapping.unicodeScalars.map(\.properties.lowercaseMapping).joined()
            result.append(contentsOf: folded.utf8)
        }
        return result
    }

    /// Whether the text is somewhere in `text`.
    func isIn(_ text: String) -> Bool { FoldedText.contains(FoldedText.fold(text), bytes) }

    static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        guard let first = part.first else { return true }
        guard text.count >= part.count else { return false }
        let text = text.span
        let part = part.span
        for start in 0...(text.count - part.count) where text[start] == first {
            var offset = 1
            while offset < part.count, text[start + offset] == part[offset] { offset += 1 }
            if offset == part.count { return true }
        }
        return false
    }
}
