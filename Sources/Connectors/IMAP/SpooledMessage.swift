internal import Events
internal import Glibc

/// A message that outlives the connection it came by: what does not fit is in a file without a name.
final class SpooledMessage: SourceMessage {
    let size: UInt64
    let internalDate: Timestamp
    let marks: ServerMarks
    private let bytes: [UInt8]
    private let file: UnsafeMutablePointer<FILE>?

    init(_ message: any SourceMessage) throws {
        guard message.size > IMAPSession.wholeBytes else {
            var bytes: [UInt8] = []
            try message.read(into: &bytes)
            (self.bytes, file, size) = (bytes, nil, UInt64(bytes.count))
            (internalDate, marks) = (message.internalDate, message.marks)
            return
        }
        guard let file = tmpfile() else { throw SourceFailure.unreadable(code: UInt32(bitPattern: errno), "a spool") }
        var total: UInt64 = 0
        let reader = try message.reader()
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try piece.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { break }
            guard fwrite(piece, 1, count, file) == count else {
                let code = UInt32(bitPattern: errno)
                fclose(file)
                throw SourceFailure.unreadable(code: code, "a spool")
            }
            total += UInt64(count)
        }
        fflush(file)
        (bytes, self.file, size) = ([], file, total)
        (internalDate, marks) = (message.internalDate, message.marks)
    }

    deinit { if let file { fclose(file) } }

    func read(into buffer: inout [UInt8]) throws {
        buffer.removeAll(keepingCapacity: true)
        let reader = try reader()
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try piece.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { return }
            buffer += piece[..<count]
        }
    }

    func reader() throws -> any SourceMessageReader { Reader(self) }

    private final class Reader: SourceMessageReader {
        private let message: SpooledMessage
        private var offset = 0

        init(_ message: SpooledMessage) { self.message = message }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            let count: Int
            if let file = message.file {
                count = pread(fileno(file), buffer.baseAddress, buffer.count, off_t(offset))
                guard count >= 0 else { throw SourceFailure.unreadable(code: UInt32(bitPattern: errno), "a spool") }
            } else {
                count = min(buffer.count, message.bytes.count - offset)
                message.bytes.withUnsafeBytes {
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
                }
            }
            offset += count
            return count
        }
    }
}
