import CGMime

/// A part of a message (RFC 2045) that is not made of others, and where it is.
struct MIMEPart {
    /// `text/plain`, lower-case.
    let type: String
    /// The `charset` parameter.
    let charset: String?
    /// The file's name as it is proposed: decoded, else untouched, so never a path to write to.
    let fileName: String?
    /// `attachment`, `inline`, another word, or nil.
    let disposition: String?
    let hasContentID: Bool
    let encoding: GMimeContentEncoding
    /// Where the content is in the message, still encoded.
    let body: Range<Int>
    /// What it is a part of, directly; nil for the whole message.
    let parentType: String?
}

/// Takes a message apart in one pass, whatever is in it: the memory is that of the parts up to the limit, and each line
/// that could be a boundary is compared with those of the parts it is in, of which there are few.
struct PartScanner {
    /// How deep parts may be in parts, and how many there may be. What is beyond is not looked at.
    static let maxDepth = 100
    static let maxParts = 10_000

    private struct Level {
        let boundary: [UInt8]
        let type: String
    }

    private struct Opening {
        let headers: MIMEHeaders
        let type: String
        let contentType: ParsedHeaderValue
        let start: Int
    }

    private(set) var parts: [MIMEPart] = []
    private(set) var isTruncated = false
    private var levels: [Level] = []
    private var open: Opening?
    private var opened = 0

    /// Finds the parts of a message.
    init(_ message: RawSpan) {
        var position = begin(message, at: 0)
        while let line = nextDashes(message, from: position) {
            let contentEnd = endOfLine(message, line)
            guard let (index, isClose) = level(message, line + 2..<contentEnd.content) else {
                position = line + 2
                continue
            }
            close(message, at: line)
            levels.removeLast(levels.count - index - (isClose ? 0 : 1))
            position = contentEnd.next
            if !isClose {
                guard opened < PartScanner.maxParts else {
                    isTruncated = true
                    return
                }
                position = begin(message, at: position)
            }
        }
        close(message, at: nil)
    }

    /// Reads the header of a part and opens it. Where its content begins.
    private mutating func begin(_ message: RawSpan, at start: Int) -> Int {
        opened += 1
        let rest = message.extracting(start..<message.byteCount)
        // The parts of a message have small headers; the message itself may not.
        let limits = levels.isEmpty ? HeaderScanner.Limits() : .init(byteCount: 64 << 10, fieldCount: 200)
        let headers = MIMEHeaders.parse(rest, limits: limits)
        let bodyStart = start + (headers.bodyOffset ?? headers.bytes.count)
        let parentType = levels.last?.type
        let fallback = parentType == "multipart/digest" ? "message/rfc822" : "text/plain"
        let contentType = headers.rawValue("Content-Type").flatMap { ParsedHeaderValue(contentType: $0) }
        let type = contentType?.type ?? fallback
        if type.hasPrefix("multipart/"), let boundary = contentType?.parameter("boundary"), !boundary.isEmpty {
            if levels.count < PartScanner.maxDepth {
                levels.append(Level(boundary: Array(boundary.utf8), type: type))
            } else {
                isTruncated = true
            }
            return bodyStart
        }
        open = Opening(
            headers: headers, type: type, contentType: contentType ?? ParsedHeaderValue(type: type), start: bodyStart)
        return bodyStart
    }

    /// Ends the open part before the line that begins at `line`; at the end of the message where it is nil.
    private mutating func close(_ message: RawSpan, at line: Int?) {
        guard let part = open else { return }
        open = nil
        var end = line ?? message.byteCount
        // The line end before a boundary belongs to the boundary (RFC 2046, 5.1.1).
        if line != nil, end > part.start, byte(message, end - 1) == 10 {
            end -= 1
            if end > part.start, byte(message, end - 1) == 13 { end -= 1 }
        }
        let disposition = part.headers.rawValue("Content-Disposition").flatMap { ParsedHeaderValue(disposition: $0) }
        let encoding = part.headers.rawValue("Content-Transfer-Encoding").map { HeaderText.unfold($0) } ?? []
        let name = disposition?.parameter("filename") ?? part.contentType.parameter("name")
        GMime.initialise()
        parts.append(
            MIMEPart(
                type: part.type, charset: part.contentType.parameter("charset"),
                fileName: name.map { HeaderText.decode(Array($0.utf8)) }, disposition: disposition?.type,
                hasContentID: part.headers.rawValue("Content-ID") != nil,
                encoding: GMime.withCString(encoding) { g_mime_content_encoding_from_string($0) },
                body: min(part.start, end)..<end, parentType: levels.last?.type))
    }

    /// Which level's boundary a line is, and whether it closes it.
    private func level(_ message: RawSpan, _ line: Range<Int>) -> (index: Int, isClose: Bool)? {
        for index in levels.indices.reversed() {
            let boundary = levels[index].boundary
            guard line.count >= boundary.count else { continue }
            var offset = 0
            while offset < boundary.count, byte(message, line.lowerBound + offset) == boundary[offset] { offset += 1 }
            guard offset == boundary.count else { continue }
            var rest = line.lowerBound + offset
            var isClose = false
            if line.upperBound - rest >= 2, byte(message, rest) == 0x2D, byte(message, rest + 1) == 0x2D {
                isClose = true
                rest += 2
            }
            while rest < line.upperBound, byte(message, rest) == 0x20 || byte(message, rest) == 9 { rest += 1 }
            if rest == line.upperBound { return (index, isClose) }
        }
        return nil
    }

    /// Where the next line begins that begins with `--`, at `position` or after it; nil if no boundary can come.
    private func nextDashes(_ message: RawSpan, from position: Int) -> Int? {
        guard !levels.isEmpty, position < message.byteCount else { return nil }
        func isDashes(_ start: Int) -> Bool {
            start + 2 <= message.byteCount && byte(message, start) == 0x2D && byte(message, start + 1) == 0x2D
        }
        if isDashes(position), position == 0 || byte(message, position - 1) == 10 { return position }
        var start = position
        while let newline = firstIndex(of: 10, in: message, start..<message.byteCount) {
            start = newline + 1
            if isDashes(start) { return start }
        }
        return nil
    }

    private func endOfLine(_ message: RawSpan, _ start: Int) -> (content: Int, next: Int) {
        guard let newline = firstIndex(of: 10, in: message, start..<message.byteCount) else {
            return (message.byteCount, message.byteCount)
        }
        return (byte(message, newline - 1) == 13 ? newline - 1 : newline, newline + 1)
    }
}
