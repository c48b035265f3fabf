/// The text of HTML, for reading: tags, scripts, styles and comments left out, blocks on lines of their own.
///
/// Not a sanitiser: the result is plain text, and is shown as such.
enum HTMLText {
    static func plain(_ html: String) -> String {
        var reader = Reader(bytes: Array(html.utf8))
        reader.run()
        return String(decoding: reader.output, as: UTF8.self)
    }

    private struct Reader {
        let bytes: [UInt8]
        var output: [UInt8] = []
        private var index = 0
        /// A blank that is written before the next letter.
        private var hasBlank = false

        init(bytes: [UInt8]) {
            self.bytes = bytes
            output.reserveCapacity(bytes.count / 2)
        }

        mutating func run() {
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "<"): tag()
                case UInt8(ascii: "&"): entity()
                case 0x20, 9...13:
                    hasBlank = true
                    index += 1
                case let byte:
                    if hasBlank { append([]) }
                    output.append(byte)
                    index += 1
                }
            }
            while let last = output.last, last == 10 || last == 0x20 { output.removeLast() }
        }

        private mutating func append(_ text: [UInt8]) {
            if hasBlank, let last = output.last, last != 10, last != 0x20 { output.append(0x20) }
            hasBlank = false
            output += text
        }

        private mutating func newLine(_ count: Int) {
            hasBlank = false
            guard !output.isEmpty else { return }
            while output.last == 0x20 { output.removeLast() }
            var present = 0
            while present < count, present < output.count, output[output.count - 1 - present] == 10 { present += 1 }
            output += [UInt8](repeating: 10, count: count - present)
        }

        private mutating func tag() {
            if starts(with: "<!--") {
                index = find("-->", from: index + 4).map { $0 + 3 } ?? bytes.count
                return
            }
            guard index + 1 < bytes.count else {
                append([0x3C])
                index += 1
                return
            }
            let next = bytes[index + 1]
            let isEnd = next == UInt8(ascii: "/")
            guard isEnd || next == 0x21 || next == 0x3F || (97...122).contains(next | 0x20) else {
                append([0x3C])
                index += 1
                return
            }
            var cursor = index + (isEnd ? 2 : 1)
            var name: [UInt8] = []
            while cursor < bytes.count, name.count < 16, isNameByte(bytes[cursor]) {
                name.append(lowercased(bytes[cursor]))
                cursor += 1
            }
            // To the end of the tag; a quoted value may hold '>'.
            var quote: UInt8?
            while cursor < bytes.count {
                let byte = bytes[cursor]
                if let open = quote {
                    if byte == open { quote = nil }
                } else if byte == 0x22 || byte == 0x27 {
                    quote = byte
                } else if byte == 0x3E {
                    break
                }
                cursor += 1
            }
            index = min(cursor + 1, bytes.count)
            handle(String(decoding: name, as: UTF8.self), isEnd)
        }

        private mutating func handle(_ name: String, _ isEnd: Bool) {
            switch name {
            case "script", "style", "title", "noscript", "template", "svg", "math":
                guard !isEnd else { return }
                index = find("</" + name, from: index) ?? bytes.count
            case "br": newLineAlways()
            case "p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote", "pre", "hr": newLine(2)
            case "div", "tr", "section", "article", "header", "footer", "dt", "dd", "form", "address": newLine(1)
            case "li":
                newLine(1)
                if !isEnd { append(Array("- ".utf8)) }
            case "td", "th": hasBlank = true
            default: break
            }
        }

        private mutating func newLineAlways() {
            hasBlank = false
            while output.last == 0x20 { output.removeLast() }
            if !output.isEmpty { output.append(10) }
        }

        private mutating func entity() {
            let limit = min(index + 12, bytes.count)
            guard let end = bytes[index..<limit].firstIndex(of: UInt8(ascii: ";")),
                let text = HTMLText.entity(String(decoding: bytes[(index + 1)..<end], as: UTF8.self))
            else {
                append([UInt8(ascii: "&")])
                index += 1
                return
            }
            append(Array(text.utf8))
            index = end + 1
        }

        private func isNameByte(_ byte: UInt8) -> Bool { (97...122).contains(byte | 0x20) || (48...57).contains(byte) }

        private func starts(with text: String) -> Bool { bytes[index...].starts(with: text.utf8) }

        /// Where a text of ASCII is next, in any case.
        private func find(_ text: String, from start: Int) -> Int? {
            let text = Array(text.utf8)
            var cursor = start
            while cursor + text.count <= bytes.count {
                if lowercased(bytes[cursor]) == text[0],
                    (1..<text.count).allSatisfy({ lowercased(bytes[cursor + $0]) == text[$0] })
                {
                    return cursor
                }
                cursor += 1
            }
            return nil
        }
    }

    private static let named: [String: String] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": " ", "copy": "©", "reg": "®", "trade": "™",
        "euro": "€", "pound": "£", "mdash": "—", "ndash": "–", "hellip": "…", "lsquo": "‘", "rsquo": "’", "ldquo": "“",
        "rdquo": "”", "laquo": "«", "raquo": "»", "bull": "•", "middot": "·", "auml": "ä", "ouml": "ö", "uuml": "ü",
        "Auml": "Ä", "Ouml": "Ö", "Uuml": "Ü", "szlig": "ß", "agrave": "à", "egrave": "è", "eacute": "é", "igrave": "ì",
        "ograve": "ò", "ugrave": "ù", "aacute": "á", "iacute": "í", "oacute": "ó", "uacute": "ú", "ccedil": "ç",
        "ntilde": "ñ", "acirc": "â", "ecirc": "ê", "icirc": "î", "ocirc": "ô", "ucirc": "û", "zwnj": "", "shy": "",
    ]

    private static func entity(_ name: String) -> String? {
        guard name.hasPrefix("#") else { return named[name] }
        let digits = name.dropFirst()
        let isHexadecimal = digits.hasPrefix("x") || digits.hasPrefix("X")
        guard let value = UInt32(isHexadecimal ? digits.dropFirst() : digits, radix: isHexadecimal ? 16 : 10) else {
            return nil
        }
        return String(Unicode.Scalar(value) ?? "\u{FFFD}")
    }
}
