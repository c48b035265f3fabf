import Events

/// Makes the raw bytes of the messages of one account.
struct MessageText: Sendable {
    let seed: UInt64
    let account: Int
    let size: HistorySize
    let bodies: Bodies
    let contents: [Content]

    func bytes(of number: ContentNumber) -> [UInt8] {
        let content = contents[number]
        switch content.kind {
        case .nasty(let index): return bodies.nasty[index % bodies.nasty.count]
        case .draft(let final, let step, let steps): return draft(of: final, step: step, steps: steps)
        case .ordinary: return message(number, content)
        }
    }

    private func stream(_ purpose: String, _ number: ContentNumber) -> RandomStream {
        RandomStream(seed: seed, "msg/\(account)/\(number)/\(purpose)")
    }

    private func message(_ number: ContentNumber, _ content: Content) -> [UInt8] {
        var stream = stream("form", number)
        var text: [UInt8] = []
        appendHeader(
            number, content, received: content.sender == 0 ? 0 : 3 + stream.below(5), using: &stream, to: &text)
        let boundary = "=_\(account)_\(number)_synth"
        let hasFiles = !content.attachments.isEmpty
        if hasFiles {
            text += Array("Content-Type: multipart/mixed; boundary=\"\(boundary)\"\n\n--\(boundary)\n".utf8)
        }
        let own = ownText(number)
        switch stream.below(100) {
        case ..<45:
            let inner = boundary + "_alt"
            text += Array("Content-Type: multipart/alternative; boundary=\"\(inner)\"\n\n--\(inner)\n".utf8)
            text += Array(
                "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n".utf8)
            appendQuotedPrintable(own, to: &text)
            appendQuote(of: content, to: &text)
            text += Array("--\(inner)\nContent-Type: text/html; charset=utf-8\n\n<html><body>\n".utf8)
            bodies.html.append(own.count * 2, maximumRun: 8, replacingEvery: 60, using: &stream, to: &text)
            text += Array("</body></html>\n--\(inner)--\n".utf8)
        case ..<60:
            text += Array("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n".utf8)
            Base64.append(own, lineLength: 76, to: &text)
        case ..<90:
            text += Array("Content-Type: text/plain; charset=us-ascii\n\n".utf8) + own
            appendQuote(of: content, to: &text)
        case ..<98:
            text += Array("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n".utf8)
            text += Array("Grüße aus Köln – naïve Übung, 日本語 и кириллица.\n".utf8) + own
            appendQuote(of: content, to: &text)
        default:
            text += Array("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n".utf8)
            text += Array("Gr".utf8) + [0xFC, 0xDF] + Array("e aus K".utf8) + [0xF6] + Array("ln\n".utf8) + own
        }
        for file in content.attachments {
            appendAttachment(file, boundary: boundary, sender: content.sender, to: &text)
        }
        if hasFiles { text += Array("--\(boundary)--\n".utf8) }
        // Line ends as servers store them: most have LF, some keep CRLF.
        return stream.chance(60) ? text.flatMap { $0 == 10 ? [13, 10] : [$0] } : text
    }

    private func draft(of final: ContentNumber, step: Int, steps: Int) -> [UInt8] {
        let content = contents[final]
        var stream = stream("draft", final)
        var text: [UInt8] = []
        appendHeader(final, content, received: 0, using: &stream, to: &text)
        text += Array("X-Draft-Step: \(step)\nContent-Type: text/plain; charset=utf-8\n\n".utf8)
        let own = ownText(final)
        return text + own[..<(own.count * step / max(steps, 1))]
    }

    /// What the sender wrote himself, without quotes.
    private func ownText(_ number: ContentNumber) -> [UInt8] {
        var stream = stream("text", number)
        let length = min(max(stream.draw(.textSize) * 6 / 10, 60), size.textCut)
        var text: [UInt8] = []
        bodies.plain.append(length, maximumRun: 6, replacingEvery: 60, using: &stream, to: &text)
        return text
    }

    private func appendQuote(of content: Content, to text: inout [UInt8]) {
        guard let parent = content.parent, case .ordinary = contents[parent].kind else { return }
        text += Array("\nOn another day \(address(contents[parent].sender)) wrote:\n".utf8)
        for line in ownText(parent).prefix(min(4_000, size.textCut / 2)).split(separator: 10) {
            text += [UInt8(ascii: ">"), UInt8(ascii: " ")] + line + [10]
        }
    }

    /// An address: of the owner of the account (0) or of a correspondent.
    func address(_ sender: Int) -> String {
        if sender == 0 { return "user\(account)@synth.example" }
        let name = String(decoding: Words.names[sender % Words.names.count], as: UTF8.self)
        return "\(name).\(sender)@\(["example.com", "example.org", "lists.example.net", "shop.example"][sender % 4])"
    }

    private func appendHeader(
        _ number: ContentNumber, _ content: Content, received: Int, using stream: inout RandomStream,
        to text: inout [UInt8]
    ) {
        let target = min(stream.draw(.headerSize), size.textCut)
        for hop in 0..<received {
            text += Array(
                "Received: from mx\(stream.below(9)).example.net (10.\(stream.below(256)).0.\(hop)) by relay".utf8)
            text += Array("\(hop).synth.example with ESMTPS\n\tid ".utf8)
            stream.appendToken(14, to: &text)
            text += Array("; \(RFCDate.text(content.date - Int64(received - hop)))\n".utf8)
        }
        text += Array(
            "From: \(address(content.sender))\nTo: \(address(content.sender == 0 ? 1 + number % 40 : 0))\n".utf8)
        var topic = RandomStream(seed: seed, "topic/\(account)/\(content.topic)")
        text += Array((content.parent == nil ? "Subject:" : "Subject: Re:").utf8)
        for _ in 0..<(2 + topic.below(6)) { text += [UInt8(ascii: " ")] + topic.pick(Words.common) }
        if topic.chance(120) { text += Array(" =?utf-8?q?Gr=C3=BC=C3=9Fe?=".utf8) }
        text += Array("\nDate: \(RFCDate.text(content.date))\nMessage-ID: \(messageID(number))\n".utf8)
        if let parent = content.parent {
            text += Array("In-Reply-To: \(messageID(parent))\nReferences: \(messageID(parent))\n".utf8)
        }
        text += Array("MIME-Version: 1.0\n".utf8)
        while text.count + 300 < target {
            text += Array("X-Signature: v=1; a=rsa-sha256; d=example.net; s=s\(stream.below(9)); b=".utf8)
            for _ in 0..<4 {
                stream.appendToken(64, to: &text)
                text += Array("\n\t".utf8)
            }
            stream.appendToken(40, to: &text)
            text.append(10)
        }
    }

    private func messageID(_ number: ContentNumber) -> String { "<\(number).\(account).\(seed)@synth.example>" }

    private func appendQuotedPrintable(_ own: [UInt8], to text: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        var column = 0
        for byte in own {
            if byte == 10 {
                text.append(10)
                column = 0
                continue
            }
            if column > 71 {
                text += [UInt8(ascii: "="), 10]
                column = 0
            }
            if byte == UInt8(ascii: "=") || byte >= 0x7F || byte < 0x20 {
                text += [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                column += 3
            } else {
                text.append(byte)
                column += 1
            }
        }
    }

    private func appendAttachment(_ file: Content.Attachment, boundary: String, sender: Int, to text: inout [UInt8]) {
        let names = [
            "scan-\(file.id).jpg", "report \(file.id).pdf", "table.csv", "R\u{E4}tsel \(file.id).docx",
            "\u{56F3}\u{9762}.png", "archive.zip",
        ]
        let name = names[file.id % names.count]
        text += Array(
            "\n--\(boundary)\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n".utf8)
        if name.utf8.allSatisfy({ $0 < 0x80 }) {
            text += Array("Content-Disposition: attachment; filename=\"\(name)\"\n\n".utf8)
        } else {
            let encoded = name.utf8.map { byte in
                byte < 0x80 && byte > 0x20
                    ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16, uppercase: true)
            }
            text += Array("Content-Disposition: attachment; filename*=utf-8''\(encoded.joined())\n\n".utf8)
        }
        // What one client breaks at 76 another breaks at 72.
        let lineLength = sender % 7 == 3 ? 72 : 76
        Base64.append(AttachmentBytes.make(seed: seed, file, bodies: bodies), lineLength: lineLength, to: &text)
    }
}

/// The bytes of a file in a message.
enum AttachmentBytes {
    /// 60 % nothing compresses, 25 % like a ZIP with a text core, 15 % text.
    static func make(seed: UInt64, _ file: Content.Attachment, bodies: Bodies) -> [UInt8] {
        var stream = RandomStream(seed: seed, "att/\(file.id)")
        var bytes: [UInt8] = []
        switch stream.below(100) {
        case ..<60: stream.appendBytes(file.size, to: &bytes)
        case ..<85:
            stream.appendBytes(file.size * 7 / 10, to: &bytes)
            bodies.plain.append(file.size * 3 / 10, maximumRun: 4, replacingEvery: 50, using: &stream, to: &bytes)
        default: bodies.plain.append(file.size, maximumRun: 4, replacingEvery: 50, using: &stream, to: &bytes)
        }
        return bytes
    }
}

/// The date of a message's header (RFC 5322, 3.3).
enum RFCDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `seconds` since 1970, which must not be before it, two hours east of UTC.
    static func text(_ seconds: Int64) -> String {
        let civil = Timestamp(seconds: seconds).civil(offsetSeconds: 7_200)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let weekday = days[Int((max(seconds, 0) + 7_200) / 86_400 % 7)]
        return "\(weekday), \(civil.day) \(months[civil.month - 1]) \(civil.year) "
            + "\(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)) +0200"
    }
}
