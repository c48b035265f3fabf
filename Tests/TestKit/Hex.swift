/// Bytes as lower-case hexadecimal digits, for test vectors: 32 bytes a line.
public enum Hex {
    public static func text(_ bytes: [UInt8]) -> String {
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if index > 0, index % 32 == 0 { text += "\n" }
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return text
    }

    /// The bytes of a text of digits, line ends passed over; nil when it is none, or empty.
    public static func bytes(_ text: [UInt8]) -> [UInt8]? {
        let digits = text.filter { $0 != 10 }.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard !digits.isEmpty, digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}
