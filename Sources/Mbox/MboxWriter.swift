internal import Glibc

/// Writes an mbox file. What ``MboxReader`` reads of it with the same variant, or mboxrd and mboxcl2 with none, is what
/// was given, octet for octet, also without a newline at its end: then the `From ` line has a word more at its end.
public final class MboxWriter {
    public let path: [UInt8]
    public let variant: MboxVariant
    private let descriptor: Int32
    private var pending: [UInt8] = []

    /// Makes the file; throws `EEXIST` if there is one.
    public init(path: [UInt8], variant: MboxVariant = .mboxrd) throws(MboxError) {
        descriptor = try MboxFile.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        (self.path, self.variant) = (path, variant)
    }

    public convenience init(path: String, variant: MboxVariant = .mboxrd) throws(MboxError) {
        try self.init(path: Array(path.utf8), variant: variant)
    }

    deinit { close(descriptor) }

    /// Appends a message: its envelope's sender, when it was delivered (seconds since 1970), its octets. Throws
    /// ``MboxError/notRepresentable`` where mboxo would change it; then nothing was written.
    public func append(_ message: Span<UInt8>, sender: [UInt8] = [], date: Int64) throws(MboxError) {
        var more: [[UInt8]] = []
        var content: [UInt8] = []
        content.reserveCapacity(message.count + 64)
        if variant.quotes {
            var quoting = FromQuoting(variant == .mboxo ? .quoteBare : .quoteAll)
            quoting.process(message, into: &content)
            quoting.finish(into: &content)
            if variant == .mboxo, quoting.hasActed { throw .notRepresentable }
        } else {
            message.withUnsafeBufferPointer { content.append(contentsOf: $0) }
        }
        let endsInNewline = message.isEmpty || message[message.count - 1] == UInt8(ascii: "\n")
        var lengthLine: [UInt8] = []
        if variant.hasLength {
            more.append(Postmark.addedLength)
            if let header = MboxHeader(content, 0..<content.count), header.end <= MboxReader.headerLimit / 2 {
                lengthLine = Array("Content-Length: \(content.count - header.end)\n".utf8)
                if !endsInNewline { content.append(UInt8(ascii: "\n")) }
            } else if content.count <= MboxReader.headerLimit / 2, !Self.endsInBareReturn(content) {
                more.append(Postmark.headerOnly)
                lengthLine = Array("Content-Length: 0\n".utf8)
                if !endsInNewline {
                    more.append(Postmark.noFinalNewline)
                    content.append(UInt8(ascii: "\n"))
                }
                content.append(UInt8(ascii: "\n"))
            } else {
                // No empty line could end the header where a reader looks for it: one is put before the whole.
                more.append(Postmark.wrapped)
                lengthLine = Array("Content-Length: \(content.count)\n\n".utf8)
                if !endsInNewline { content.append(UInt8(ascii: "\n")) }
            }
        } else if !endsInNewline {
            more.append(Postmark.noFinalNewline)
            content.append(UInt8(ascii: "\n"))
        }
        try write(Postmark.bytes(sender: sender, date: date, more: more))
        try write(lengthLine)
        try write(content)
        try write([UInt8(ascii: "\n")])
    }

    /// Writes out what is held back, and with `durable` waits until it is on the disk.
    public func finish(durable: Bool = true) throws(MboxError) {
        try flush()
        if durable, fsync(descriptor) != 0 { throw .system(errno: errno, during: .sync, path: path) }
    }

    /// Whether the last line is a lone CR, which a newline after it would make an empty line.
    private static func endsInBareReturn(_ content: [UInt8]) -> Bool {
        content.last == UInt8(ascii: "\r") && (content.count == 1 || content[content.count - 2] == UInt8(ascii: "\n"))
    }

    private func write(_ bytes: [UInt8]) throws(MboxError) {
        pending += bytes
        if pending.count >= MboxReader.chunkSize { try flush() }
    }

    private func flush() throws(MboxError) {
        var done = 0
        while done < pending.count {
            let count = pending.withUnsafeBytes { bytes in
                bytes.baseAddress.map { Glibc.write(descriptor, $0 + done, bytes.count - done) } ?? 0
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(errno: errno, during: .write, path: path)
            }
            done += count
        }
        pending.removeAll(keepingCapacity: true)
    }
}
