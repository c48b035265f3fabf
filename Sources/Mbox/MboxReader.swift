internal import Glibc

/// Reads an mbox file of any size, message after message, in bounded memory.
///
/// A message begins with a `From ` line (``Postmark``) at the beginning of the file or after an empty line. Where
/// `Content-Length` counts, it ends there, if that leads exactly to the next such line or to the end of the file; a
/// length that does not is not believed. One empty line at the end parts messages, and belongs to none. Line ends are
/// kept as they are.
public struct MboxReader: Sendable {
    /// As it was given, or as it was found.
    public private(set) var variant: MboxVariant
    /// Octets.
    public var size: Int64 { file.size }
    private let file: MboxFile
    private var position: Int64 = 0
    /// A part of the file, from `windowStart` on: the messages in it are found and read without reading it again.
    private var buffer: [UInt8] = []
    private var windowStart: Int64 = 0
    private var windowCount = 0
    private var output: [UInt8] = []

    static let chunkSize = 256 * 1_024
    /// A header larger than this is not searched for its `Content-Length`.
    static let headerLimit = 1 << 20
    private static let separator = Array("\nFrom ".utf8)
    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// Opens a file. Without `variant` it is mboxcl2 if the first eight messages (all, if there are fewer) have a
    /// `Content-Length` that is true, otherwise mboxrd: all that write `>From ` today mean `From ` by it.
    /// Throws ``MboxError/notAnMbox(offset:)`` if the first line that is not empty is no `From ` line. An empty file is
    /// an mbox without messages.
    public init(path: [UInt8], variant: MboxVariant? = nil) throws(MboxError) {
        file = try MboxFile(path: path)
        self.variant = variant ?? .mboxrd
        position = try firstPostmark()
        if variant == nil, try hasTrueLengths() { self.variant = .mboxcl2 }
    }

    public init(path: String, variant: MboxVariant? = nil) throws(MboxError) {
        try self.init(path: Array(path.utf8), variant: variant)
    }

    /// The next message; nil at the end.
    public mutating func next() throws(MboxError) -> MboxMessage? {
        guard let message = try message(at: position, variant: variant) else { return nil }
        position = message.range.upperBound
        return message
    }

    /// Calls `body` with the octets of the message, its quoting undone, in chunks of at most 256 KiB or a little more.
    public mutating func withContent(of message: MboxMessage, _ body: (Span<UInt8>) throws -> Void) throws {
        var quoting = FromQuoting(.unquote)
        var output: [UInt8] = []
        swap(&output, &self.output)
        defer { swap(&output, &self.output) }
        var offset = message.content.lowerBound
        while offset < message.content.upperBound {
            let index = try load(offset, atLeast: 1)
            let count = Int(min(Int64(windowCount - index), message.content.upperBound - offset))
            guard count > 0 else { throw MboxError.truncated(offset: offset) }
            offset += Int64(count)
            if message.variant.unquotes {
                output.removeAll(keepingCapacity: true)
                quoting.process(buffer.span.extracting(index..<index + count), into: &output)
                if offset == message.content.upperBound { quoting.finish(into: &output) }
                if !output.isEmpty { try body(output.span) }
            } else {
                try body(buffer.span.extracting(index..<index + count))
            }
        }
    }

    /// Reads the message into `result`, which is replaced. Throws ``MboxError/tooLarge(offset:size:)`` beyond `limit`.
    public mutating func read(
        _ message: MboxMessage, into result: inout [UInt8], limit: Int = 1 << 30
    ) throws(MboxError) {
        let size = message.content.upperBound - message.content.lowerBound
        guard size <= Int64(limit) else { throw .tooLarge(offset: message.range.lowerBound, size: size) }
        result.removeAll(keepingCapacity: true)
        result.reserveCapacity(Int(size))
        do {
            try withContent(of: message) { span in
                span.withUnsafeBufferPointer { result.append(contentsOf: $0) }
            }
        } catch let error as MboxError {
            throw error
        } catch {
            // withContent throws only its own errors and those of the closure, which has none.
            throw .truncated(offset: message.content.lowerBound)
        }
    }

    // MARK: Where messages begin and end

    private mutating func firstPostmark() throws(MboxError) -> Int64 {
        _ = try load(0, atLeast: Self.chunkSize)
        let first =
            buffer[..<windowCount].firstIndex { $0 != Self.newline && $0 != Self.carriageReturn } ?? windowCount
        if Int64(first) == file.size { return file.size }
        let line = try line(at: Int64(first))
        guard Postmark(parsingFirst: line.bytes) != nil else { throw .notAnMbox(offset: Int64(first)) }
        return Int64(first)
    }

    private mutating func hasTrueLengths() throws(MboxError) -> Bool {
        var offset = position
        var number = 0
        while number < 8 {
            guard offset < file.size else { break }
            let line = try line(at: offset)
            guard let postmark = Postmark(parsingFirst: line.bytes),
                let message = try messageByLength(offset, line.end, postmark, .mboxcl2)
            else { return false }
            offset = message.range.upperBound
            number += 1
        }
        return number > 0
    }

    private mutating func message(at offset: Int64, variant: MboxVariant) throws(MboxError) -> MboxMessage? {
        guard offset < file.size else { return nil }
        let line = try line(at: offset)
        guard let postmark = Postmark(parsingFirst: line.bytes) else { throw .notAnMbox(offset: offset) }
        if variant.hasLength, let message = try messageByLength(offset, line.end, postmark, variant) { return message }
        let end = try separator(after: line.end)
        var contentEnd = end.content
        if postmark.has(Postmark.noFinalNewline), contentEnd > line.end { contentEnd -= 1 }
        return MboxMessage(
            postmark: postmark, range: offset..<end.next, content: line.end..<contentEnd, variant: variant)
    }

    /// The message that begins at `offset`, by its `Content-Length`; nil if it has none, or one that leads nowhere.
    private mutating func messageByLength(
        _ offset: Int64, _ start: Int64, _ postmark: Postmark, _ variant: MboxVariant
    ) throws(MboxError) -> MboxMessage? {
        // Most headers are in the first part; the rest is read only where one is not.
        var index = try load(start, atLeast: 32_768)
        var found = MboxHeader(buffer, index..<windowCount)
        if found == nil, windowStart + Int64(windowCount) < file.size {
            index = try load(start, atLeast: Self.headerLimit)
            found = MboxHeader(buffer, index..<min(windowCount, index + Self.headerLimit))
        }
        guard let header = found, let length = header.contentLength else { return nil }
        let bodyStart = start + Int64(header.end)
        guard length <= file.size - bodyStart else { return nil }
        let end = bodyStart + length
        let added =
            postmark.has(Postmark.wrapped)
            ? Int64(header.end) : postmark.has(Postmark.addedLength) ? Int64(header.firstLineEnd) : 0
        var contentEnd = end
        if postmark.has(Postmark.headerOnly), length == 0 { contentEnd = start + Int64(header.blankLine) }
        if postmark.has(Postmark.noFinalNewline) { contentEnd -= 1 }
        guard let next = try landing(at: end), start + added <= contentEnd else { return nil }
        return MboxMessage(
            postmark: postmark, range: offset..<next, content: start + added..<contentEnd, variant: variant)
    }

    /// The next postmark or the end of the file, if nothing but two line ends at most lies before it.
    private func landing(at offset: Int64) throws(MboxError) -> Int64? {
        var head: [UInt8] = []
        let from = offset - 1
        let count = try file.read(at: from, count: 6, into: &head)
        var position = 1
        for _ in 0..<2 {
            if position < count, head[position] == Self.newline {
                position += 1
            } else if position + 1 < count, head[position] == Self.carriageReturn, head[position + 1] == Self.newline {
                position += 2
            }
        }
        let next = from + Int64(position)
        if next == file.size { return next }
        guard head[position - 1] == Self.newline else { return nil }
        return Postmark(parsing: try line(at: next).bytes) == nil ? nil : next
    }

    /// Where the message whose first octet is at `start` ends, and the next begins.
    private mutating func separator(after start: Int64) throws(MboxError) -> (content: Int64, next: Int64) {
        // Two octets before, to see the empty line; a postmark has more than that.
        var from = start - 2
        var searchFrom = start - 1
        var needed = 8
        while true {
            _ = try load(from, atLeast: needed)
            while let found = MboxFile.find(
                Self.separator, in: buffer, from: Int(searchFrom - windowStart), to: windowCount)
            {
                let next = windowStart + Int64(found) + 1
                searchFrom = next
                guard let blank = blankLine(endingAt: found) else { continue }
                if Postmark(parsing: try line(at: next).bytes) != nil { return (windowStart + Int64(blank), next) }
            }
            let end = windowStart + Int64(windowCount)
            if end >= file.size {
                let last = windowCount - 1
                if last >= 1, buffer[last] == Self.newline, end - 1 >= start, let blank = blankLine(endingAt: last) {
                    return (max(start, windowStart + Int64(blank)), file.size)
                }
                return (file.size, file.size)
            }
            // Keep what a separator cut in two, and the empty line before it, would need.
            from = max(from, end - 8)
            searchFrom = max(searchFrom, from + 2)
            needed = Self.chunkSize
        }
    }

    /// Has the window begin at `offset`, or before it, with `needed` octets from there on if the file has them. Returns
    /// where in the buffer `offset` is.
    private mutating func load(_ offset: Int64, atLeast needed: Int) throws(MboxError) -> Int {
        let index = offset - windowStart
        if index >= 0, index <= Int64(windowCount) {
            let isEnough = windowCount - Int(index) >= needed || windowStart + Int64(windowCount) >= file.size
            if isEnough, windowCount > 0 { return Int(index) }
        }
        windowCount = 0
        windowCount = try file.read(at: offset, count: max(Self.chunkSize, needed), into: &buffer)
        windowStart = offset
        return 0
    }

    /// Where the empty line begins whose newline is at `index` of the buffer; nil if the line is not empty.
    private func blankLine(endingAt index: Int) -> Int? {
        guard index >= 1 else { return nil }
        if buffer[index - 1] == Self.newline { return index }
        guard index >= 2, buffer[index - 1] == Self.carriageReturn, buffer[index - 2] == Self.newline else {
            return nil
        }
        return index - 1
    }

    /// The line at `offset`, without its newline, at most 1,024 octets of it, and where the next begins.
    private func line(at offset: Int64) throws(MboxError) -> (bytes: [UInt8], end: Int64) {
        let index = offset - windowStart
        if index >= 0, index < Int64(windowCount) {
            let part = buffer[Int(index)..<min(windowCount, Int(index) + 1_024)]
            if let end = part.firstIndex(of: Self.newline) {
                return (Array(part[..<end]), windowStart + Int64(end) + 1)
            }
        }
        var line: [UInt8] = []
        var count = try file.read(at: offset, count: 1_024, into: &line)
        if let end = line[..<count].firstIndex(of: Self.newline) {
            return (Array(line[..<end]), offset + Int64(end) + 1)
        }
        let bytes = Array(line[..<count])
        var position = offset + Int64(count)
        while position < file.size {
            count = try file.read(at: position, count: 65_536, into: &line)
            if let end = line[..<count].firstIndex(of: Self.newline) { return (bytes, position + Int64(end) + 1) }
            position += Int64(count)
        }
        return (bytes, file.size)
    }
}
