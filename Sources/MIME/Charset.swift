import CGMime
import Glibc

/// Bytes of a named character set as text.
enum Charset {
    /// All of it as UTF-8 if it is, else as ISO 8859-1, in which every byte is a letter.
    static func utf8OrLatin1(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    /// The text that bytes of a character set are. What is not of that set is U+FFFD; a set that nobody knows (or none)
    /// is guessed at.
    static func text(_ bytes: [UInt8], charset: String?) -> String {
        guard let charset, !charset.isEmpty else { return utf8OrLatin1(bytes) }
        let name = charset.lowercased()
        if name == "utf-8" || name == "utf8" { return String(decoding: bytes, as: UTF8.self) }
        if ["us-ascii", "ascii", "unknown-8bit", "8bit"].contains(name) { return utf8OrLatin1(bytes) }
        return convert(bytes, from: charset) ?? utf8OrLatin1(bytes)
    }

    private static func convert(_ bytes: [UInt8], from charset: String) -> String? {
        GMime.initialise()
        guard charset.utf8.count <= 64, charset.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x2F }),
            let name = g_mime_charset_iconv_name(charset)
        else { return nil }
        let converter = iconv_open("UTF-8", name)
        // What `iconv_open` gives when it knows no such set: (iconv_t) -1.
        guard let converter, Int(bitPattern: converter) != -1 else { return nil }
        defer { iconv_close(converter) }
        var input = bytes.map { CChar(bitPattern: $0) }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 2)
        var piece = [CChar](repeating: 0, count: 16_384)
        input.withUnsafeMutableBufferPointer { source in
            var next = source.baseAddress
            var left = source.count
            while left > 0 {
                let (written, status) = piece.withUnsafeMutableBufferPointer { target -> (Int, Int32) in
                    var end = target.baseAddress
                    var room = target.count
                    errno = 0
                    let result = iconv(converter, &next, &left, &end, &room)
                    return (target.count - room, result == -1 ? errno : 0)
                }
                for byte in piece.prefix(written) { output.append(UInt8(bitPattern: byte)) }
                switch status {
                case 0, E2BIG: continue
                case EILSEQ:
                    output += [0xEF, 0xBF, 0xBD]
                    next = next.map { $0 + 1 }
                    left -= 1
                default:
                    // It ends within a letter.
                    output += [0xEF, 0xBF, 0xBD]
                    left = 0
                }
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
