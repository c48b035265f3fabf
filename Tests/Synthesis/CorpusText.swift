/// Makes the messages of one folder of a ``MailCorpus``, one after the other: each may follow the template of, or quote,
/// one shortly before it.
struct CorpusText {
    private let group: CorpusGroup
    private let bodies: Bodies
    private let folder: String
    private let seed: UInt64
    private var stream: RandomStream
    /// The texts of the last few messages.
    private var recent: [[UInt8]] = []
    private var images: [[UInt8]] = []
    private var files: CorpusFiles?
    /// Senders write from few machines: a few header blocks, of which the random parts differ.
    private var relays: [[UInt8]] = []

    init(_ group: CorpusGroup, seed: UInt64, stream name: String, bodies: Bodies) {
        (self.group, self.bodies, self.seed, folder) = (group, bodies, seed, name)
        stream = RandomStream(seed: seed, "corpus/\(name)/text")
        if group.hasFiles { files = CorpusFiles(seed: seed, bodies: bodies) }
        for index in 0..<12 {
            var line = Array("from mx\(index).".utf8)
            line += stream.pick(Words.common) + Array(".example.net (mx\(index).".utf8) + stream.pick(Words.common)
            relays.append(
                line + Array(".example.net [192.0.2.\(stream.below(256))])\n\tby relay.example.org (Postfix)".utf8))
        }
    }

    /// The raw bytes of message `number`.
    mutating func next(_ number: Int) -> [UInt8] {
        var message: [UInt8] = []
        appendHeader(number, to: &message)
        let text = nextText()
        let hasImage = stream.chance(group.imageShare)
        let boundary = "----=_Part_\(number)_\(folder)"
        if hasImage || files != nil {
            message += Array("Content-Type: multipart/mixed; boundary=\"\(boundary)\"\n\n--\(boundary)\n".utf8)
        }
        message += Array("Content-Type: \(group.isHTML ? "text/html" : "text/plain"); charset=utf-8\n\n".utf8)
        message += text
        if hasImage {
            message += Array("\n--\(boundary)\nContent-Type: image/jpeg; name=\"image\(number).jpg\"\n".utf8)
            message += Array("Content-Transfer-Encoding: base64\nContent-ID: <img\(number)@example.org>\n\n".utf8)
            message += nextImage()
        }
        for file in files?.next(using: &stream) ?? [] {
            message += Array("\n--\(boundary)\nContent-Type: application/octet-stream; name=\"\(file.name)\"\n".utf8)
            message +=
                Array("Content-Transfer-Encoding: base64\nContent-Disposition: attachment\n\n".utf8) + file.encoded
        }
        if hasImage || files != nil { message += Array("--\(boundary)--\n".utf8) }
        return message
    }

    private mutating func nextText() -> [UInt8] {
        let pool = group.isHTML ? bodies.html : bodies.plain
        let size = stream.draw(group.text)
        var text: [UInt8] = []
        if !recent.isEmpty, stream.chance(group.templateShare) {
            text = recent[stream.below(recent.count)]
            pool.replaceWords(from: 0, every: group.templateInterval, using: &stream, in: &text)
            // A template's messages differ in length too: something is left out or put in.
            if text.count > 600, stream.chance(300) { text.removeLast(text.count / (2 + stream.below(6))) }
            if stream.chance(300) {
                pool.append(
                    size / 8, maximumRun: group.maximumRun, replacingEvery: group.interval, using: &stream, to: &text)
            }
        } else {
            let rows = size * group.rowShare / 1_000
            pool.append(
                size - rows, maximumRun: group.maximumRun, replacingEvery: group.interval, using: &stream, to: &text)
            while text.count < size {
                let start = stream.below(text.count)
                let place = text.count
                text += Array(text[start..<min(start + 200 + stream.below(600), text.count)])
                pool.replaceWords(from: place, every: 70, using: &stream, in: &text)
            }
            if let parent = recent.last, stream.chance(group.quoteShare) {
                for line in parent.prefix(size * 2 / 3).split(separator: 10) {
                    text += [UInt8(ascii: ">"), 32] + line + [10]
                }
            }
        }
        recent.append(text)
        if recent.count > 4 { recent.removeFirst() }
        return text
    }

    private mutating func nextImage() -> [UInt8] {
        if !images.isEmpty, stream.chance(group.imageRepeats) { return stream.pick(images) }
        var image: [UInt8] = []
        Base64.appendRandom(stream.draw(group.image), using: &stream, to: &image)
        images.append(image)
        if images.count > 40 { images.removeFirst() }
        return image
    }

    private mutating func appendHeader(_ number: Int, to header: inout [UInt8]) {
        let target = stream.draw(group.header)
        let sender = stream.pick(Words.names)
        header += Array("Return-Path: <".utf8) + sender + Array("@example.org>\n".utf8)
        for _ in 0..<min(1 + target / 900, 6) {
            header += Array("Received: ".utf8) + relays[stream.rank(relays.count)] + Array(" with ESMTP id ".utf8)
            stream.appendToken(11, to: &header)
            header += Array("\n\tfor <bench@example.org>; \(RFCDate.text(1_600_000_000 + Int64(number) * 911))\n".utf8)
        }
        header += Array("From: ".utf8) + sender + Array(" <".utf8) + sender + Array("@example.org>\nSubject: ".utf8)
        bodies.plain.append(30, maximumRun: 1, replacingEvery: 12, using: &stream, to: &header)
        header += Array("X-Number: \(number)\nDate: \(RFCDate.text(1_600_000_000 + Int64(number) * 911))\n".utf8)
        header += Array("To: bench@example.org\nMessage-ID: <\(number).\(folder).".utf8)
        stream.appendToken(16, to: &header)
        header += Array("@example.org>\nMIME-Version: 1.0\n".utf8)
        if !group.isHTML {
            // Before signatures, headers were long for what lists and filters said in them.
            while header.count + 90 < target {
                header += Array("X-List-Note: this list is for ".utf8) + stream.pick(Words.common)
                header += Array(" and <mailto:list-request@example.org?subject=help> has help\n".utf8)
            }
            return
        }
        while header.count + 420 < target {
            header += Array("ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=arc;\n".utf8)
            header += Array("\th=from:date:subject:message-id:content-type:mime-version;\n\tb=".utf8)
            for _ in 0..<4 {
                stream.appendToken(64, to: &header)
                header += Array("\n\t ".utf8)
            }
            stream.appendToken(20, to: &header)
            header.append(10)
        }
    }
}
