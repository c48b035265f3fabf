internal import Events
internal import Glibc

/// Standard output was closed by whoever read it.
struct OutputClosed: Error {}

/// Standard output, buffered, in bytes.
final class Output {
    private var buffer: [UInt8] = []
    private static let limit = 1 << 16
    let isTerminal = isatty(1) == 1

    init() { buffer.reserveCapacity(Output.limit + 4096) }

    func write(_ bytes: some Sequence<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Output.limit { try flush() }
    }

    /// Bytes lent: written at once when there are many, without another copy of them.
    func write(_ bytes: RawSpan) throws {
        if bytes.byteCount < Output.limit {
            bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
            if buffer.count >= Output.limit { try flush() }
            return
        }
        try flush()
        try Output.put(bytes)
    }

    func line(_ text: String) throws {
        buffer.append(contentsOf: text.utf8)
        buffer.append(10)
        if buffer.count >= Output.limit { try flush() }
    }

    /// One JSON document, or one object of JSON Lines, and a line end.
    func json(_ body: (inout JSONWriter) throws -> Void) throws {
        var writer = JSONWriter(capacity: 1024)
        try body(&writer)
        writer.endLine()
        try write(writer.bytes.span.bytes)
    }

    /// Passes on everything. Throws ``OutputClosed`` when nobody reads any more.
    func flush() throws {
        guard !buffer.isEmpty else { return }
        defer { buffer.removeAll(keepingCapacity: true) }
        try Output.put(buffer.span.bytes)
    }

    private static func put(_ bytes: RawSpan) throws {
        Relaunch.spoken()
        var code: Int32 = 0
        bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Glibc.write(1, bytes.baseAddress! + done, bytes.count - done)
                if count >= 0 {
                    done += count
                } else if errno == EAGAIN {
                    var ready = pollfd(fd: 1, events: Int16(POLLOUT), revents: 0)
                    poll(&ready, 1, -1)
                } else if errno != EINTR {
                    code = errno
                    return
                }
            }
        }
        switch code {
        case 0: return
        case EPIPE: throw OutputClosed()
        case ENOSPC, EDQUOT:
            throw Failure(.noSpace, "standard output could not be written: \(String(cString: strerror(code)))")
        default: throw Failure(.failed, "standard output could not be written: \(String(cString: strerror(code)))")
        }
    }
}

/// Standard error: remarks, progress, errors; unbuffered.
enum StandardError {
    static let isTerminal = isatty(2) == 1

    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Glibc.write(2, bytes.baseAddress! + done, bytes.count - done)
                if count >= 0 { done += count } else if errno != EINTR { return }
            }
        }
    }
}
