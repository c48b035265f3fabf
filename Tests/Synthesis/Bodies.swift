import Glibc

/// What message texts are made of: `mail-small` of the test data where it is, else words of our own.
///
/// The two make different bytes from one seed; ``name`` says which it was.
public struct Bodies: Sendable {
    /// `mail-small` or `words`.
    public let name: String
    /// Plain text, and HTML.
    let plain, html: TextPool
    /// Messages as bad as there are, to be delivered as they stand.
    let nasty: [[UInt8]]

    /// Of the words in the code.
    public static let generated = Bodies()

    /// Of `mail-small.tar.zst` in the folder that `YESTERMAIL_TEST_DATA` names, by default `../shared/data` beside the
    /// package; nil when it is not there or cannot be read.
    public static let testData: Bodies? = {
        let folder =
            getenv("YESTERMAIL_TEST_DATA").map { String(cString: $0) } ?? packageRoot + "/../shared/data"
        return Bodies(mailSmall: folder + "/mail-small.tar.zst")
    }()

    /// The test data, else the words.
    public static var available: Bodies { testData ?? generated }

    /// The root of the package that this file was compiled in.
    private static var packageRoot: String {
        var parts = #filePath.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        parts.removeLast(3)
        return String(decoding: Array(parts.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
    }

    private init() {
        name = "words"
        var stream = RandomStream(seed: 0, "bodies")
        let text = Words.text(400_000, using: &stream)
        plain = TextPool(text)
        var html: [UInt8] = []
        for line in text.split(separator: 10).prefix(4_000) {
            let color = stream.below(0x1000)
            html += Array("<tr><td style=\"color:#\(String(color, radix: 16));padding:\(stream.below(20))px\">".utf8)
            html += line + Array("</td></tr>\n".utf8)
        }
        self.html = TextPool(html)
        nasty = Bodies.nastyMessages
    }

    /// From the archive at `path`.
    public init?(mailSmall path: String) {
        guard let files = TarArchive.files(inZstandard: path) else { return nil }
        var plain: [UInt8] = []
        var html: [UInt8] = []
        var nasty: [[UInt8]] = []
        for file in files {
            let name = Array(file.name.utf8)
            if Bodies.contains(name, "nasty-") {
                nasty.append(file.content)
                continue
            }
            guard Bodies.contains(name, ".eml") else { continue }
            let message = file.content.contains(13) ? file.content.filter { $0 != 13 } : file.content
            guard let end = Bodies.headerEnd(message) else { continue }
            let header = message[..<end].map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 }
            // Bodies in Base64 would be no text.
            if Bodies.contains(header, "encoding: base64") || Bodies.contains(header, "multipart/mixed") { continue }
            if Bodies.contains(header, "text/html") || Bodies.contains(header, "multipart/alternative") {
                html += message[end...] + [10]
            } else if !Bodies.contains(header, "multipart/") {
                plain += message[end...] + [10]
            }
        }
        guard plain.count > 100_000, html.count > 100_000, !nasty.isEmpty else { return nil }
        name = "mail-small"
        (self.plain, self.html, self.nasty) = (TextPool(plain), TextPool(html), nasty)
    }

    /// Whether `needle` is in `text`.
    private static func contains(_ text: [UInt8], _ needle: StaticString) -> Bool {
        needle.withUTF8Buffer { needle in
            let needle = Array(needle)
            guard text.count >= needle.count else { return false }
            return (0...(text.count - needle.count)).contains { start in
                var index = 0
                while index < needle.count, text[start + index] == needle[index] { index += 1 }
                return index == needle.count
            }
        }
    }

    /// The offset after the empty line.
    private static func headerEnd(_ message: [UInt8]) -> Int? {
        var index = 1
        while index < message.count {
            if message[index] == 10, message[index - 1] == 10 { return index + 1 }
            index += 1
        }
        return nil
    }

    private static let nastyMessages: [[UInt8]] = {
        let header = Array("From: nasty@synth.example\nSubject: nasty\nMessage-ID: <nasty@synth.example>\n".utf8)
        let long = Array(repeating: UInt8(ascii: "x"), count: 70_000)
        var nested: [UInt8] = header + Array("Content-Type: multipart/mixed; boundary=b0\n\n".utf8)
        for level in 1..<60 {
            nested += Array("--b\(level - 1)\nContent-Type: multipart/mixed; boundary=b\(level)\n\n".utf8)
        }
        return [
            [], [10], [0], Array("x".utf8), header, header + [10], header + [10] + Array(0...255),
            header + Array("\nbare\rcarriage\rreturns\r\rand\nothers\r\n".utf8),
            header + Array("\nFrom somebody Mon Jan  1 00:00:00 2024\n>From quoted\n".utf8),
            Array("no header at all".utf8),
            header + Array("Subject: again\nMessage-ID: <other@synth.example>\n\ntwo\n".utf8),
            header + Array("X-Long: ".utf8) + long + Array("\n\nlong header\n".utf8), header + [10] + long,
            header + Array("Date: Thu, 99 Foo 0000 99:99:99 +9999\n\nno such day\n".utf8), nested,
            header + Array("Subject: \u{1B}[2J\u{1B}]0;title\u{07}\u{202E}\n\n\u{1B}[31mred\n".utf8),
            header + [10] + Array("NUL ".utf8) + [0, 0, 0] + Array(" inside\r\n.\r\n..\r\n".utf8),
            Array("Subject: ".utf8) + [0xE9, 0xFF, 0xC0] + Array("\n\n".utf8) + [0xFE, 0xED],
        ]
    }()
}
