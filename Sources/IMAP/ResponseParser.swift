/// Who is handed what a server says, in the order it says it.
public protocol ResponseHandler: AnyObject {
    func response(_ response: Response)
    /// A literal of a `FETCH` begins; what is known of its message so far may not have a UID yet. Its bytes follow, then its end,
    /// then (with other such literals between) the response as a whole.
    func bodyBegins(_ row: FetchedAttributes, section: [UInt8], size: UInt64)
    /// Lent for the call.
    func bodyBytes(_ bytes: UnsafeRawBufferPointer)
    func bodyEnds()
}

/// Makes responses of bytes, however they are cut. Body literals are handed on as they come; of anything else no more is held
/// than ``Limits`` allow.
public struct ResponseParser {
    public struct Limits: Hashable, Sendable {
        /// One response, without the literals that are handed on.
        public var responseBytes = 16 << 20
        public var depth = 64

        public init() {}
    }

    private enum State {
        case line
        /// In a literal that is part of the response.
        case literal(Int)
        /// In a literal that is handed on.
        case body(UInt64)
    }

    private let limits: Limits
    private var state = State.line
    /// The response so far, its line ends with it.
    private var unit: [UInt8] = []
    private var lineStart = 0
    private var streamed: [Int: UInt64] = [:]

    public init(limits: Limits = Limits()) { self.limits = limits }

    /// Whether no response has begun.
    public var isBetweenResponses: Bool {
        if case .line = state { unit.isEmpty } else { false }
    }

    /// Reads on. After it has thrown it is of no more use.
    public mutating func receive(
        _ bytes: UnsafeRawBufferPointer, _ handler: any ResponseHandler
    ) throws(ProtocolViolation) {
        var position = 0
        while position < bytes.count {
            switch state {
            case .line:
                let end = bytes[position...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
                try hold(bytes[position..<end])
                position = end
                if unit.last == 0x0A { try line(handler) }
            case .literal(let left):
                let count = min(left, bytes.count - position)
                try hold(bytes[position..<position + count])
                position += count
                state = count == left ? .line : .literal(left - count)
                if count == left { lineStart = unit.count }
            case .body(let left):
                let count = Int(min(left, UInt64(bytes.count - position)))
                handler.bodyBytes(UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
                position += count
                state = .body(left - UInt64(count))
                if UInt64(count) == left { endBody(handler) }
            }
        }
    }

    private mutating func hold(_ bytes: Slice<UnsafeRawBufferPointer>) throws(ProtocolViolation) {
        guard unit.count + bytes.count <= limits.responseBytes else {
            throw ProtocolViolation("a response is longer than \(limits.responseBytes) bytes", at: unit.count)
        }
        unit.append(contentsOf: bytes)
    }

    /// A line has ended: the response has, too, unless a literal follows.
    private mutating func line(_ handler: any ResponseHandler) throws(ProtocolViolation) {
        var end = unit.count - 1
        if end > lineStart, unit[end - 1] == 0x0D { end -= 1 }
        if let (start, size) = literal(before: end) {
            unit.removeSubrange(end...)
            unit += [0x0D, 0x0A]
            if let (row, section) = try bodyHead(upTo: start) {
                streamed[unit.count] = size
                handler.bodyBegins(row, section: section, size: size)
                state = .body(size)
                if size == 0 { endBody(handler) }
            } else {
                guard size <= UInt64(limits.responseBytes) else {
                    throw ProtocolViolation("a literal is longer than \(limits.responseBytes) bytes", at: start)
                }
                lineStart = unit.count
                state = size == 0 ? .line : .literal(Int(size))
            }
            return
        }
        unit.removeSubrange(end...)
        var scanner = Scanner(unit, streamed: streamed, depthLimit: limits.depth)
        // Some servers send an empty line now and then; it says nothing.
        if !unit.isEmpty { handler.response(try scanner.response()) }
        unit.removeAll(keepingCapacity: unit.capacity <= 1 << 16)
        streamed.removeAll()
        lineStart = 0
    }

    private mutating func endBody(_ handler: any ResponseHandler) {
        handler.bodyEnds()
        lineStart = unit.count
        state = .line
    }

    /// Whether the line ends with the head of a literal: where that begins, and the literal's length.
    private func literal(before end: Int) -> (start: Int, size: UInt64)? {
        guard end > lineStart, unit[end - 1] == UInt8(ascii: "}"), mayHaveLiterals else { return nil }
        var start = end - 2
        while start > lineStart, (0x30...0x39).contains(unit[start]) { start -= 1 }
        guard start > lineStart, unit[start] == UInt8(ascii: "{"), start < end - 2, end - start < 22,
            let size = UInt64(String(decoding: unit[start + 1..<end - 1], as: UTF8.self)),
            !isQuoted(at: start)
        else { return nil }
        if unit[start - 1] == UInt8(ascii: "~") { start -= 1 }
        return (start, size)
    }

    /// Texts for people may end with anything; only data has literals.
    private var mayHaveLiterals: Bool {
        guard unit.count > 2, unit[0] == UInt8(ascii: "*"), unit[1] == UInt8(ascii: " ") else { return false }
        let word = unit[2...].prefix { $0 > 0x20 }
        return !["OK", "NO", "BAD", "BYE", "PREAUTH"].contains { isSameWord(word, $0) }
    }

    private func isQuoted(at end: Int) -> Bool {
        var isQuoted = false
        var position = lineStart
        while position < end {
            switch unit[position] {
            case UInt8(ascii: "\\") where isQuoted: position += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            default: break
            }
            position += 1
        }
        return isQuoted
    }

    /// When the literal that is about to begin is a body of a `FETCH`: what is known of the message, and the section.
    private func bodyHead(
        upTo end: Int
    ) throws(ProtocolViolation) -> (row: FetchedAttributes, section: [UInt8])? {
        var scanner = Scanner(unit, streamed: streamed, depthLimit: limits.depth)
        return try scanner.fetchHead(upTo: end)
    }
}
