internal import CLinux
internal import Glibc

/// The file behind a reader: parts of it, by their offset.
final class MboxFile: Sendable {
    let descriptor: Int32
    let path: [UInt8]
    /// When it was opened.
    let size: Int64

    init(path: [UInt8]) throws(MboxError) {
        (descriptor, size) = try Self.openRegular(path)
        self.path = path
    }

    private static func openRegular(_ path: [UInt8]) throws(MboxError) -> (descriptor: Int32, size: Int64) {
        let descriptor = try open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw .system(errno: code, during: .stat, path: path)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .notARegularFile(path: path)
        }
        return (descriptor, Int64(status.st_size))
    }

    deinit { close(descriptor) }

    static func open(_ path: [UInt8], _ flags: Int32, mode: mode_t = 0) throws(MboxError) -> Int32 {
        guard !path.contains(0) else { throw .system(errno: EINVAL, during: .open, path: path) }
        let terminated = path.map { CChar(bitPattern: $0) } + [0]
        while true {
            let descriptor = Glibc.open(terminated, flags | O_CLOEXEC, mode)
            if descriptor >= 0 { return descriptor }
            if errno != EINTR { throw .system(errno: errno, during: .open, path: path) }
        }
    }

    /// Reads up to `count` octets at `offset` into `buffer`, fewer only at the end of the file; returns how many.
    func read(at offset: Int64, count: Int, into buffer: inout [UInt8]) throws(MboxError) -> Int {
        let count = Int(min(Int64(count), max(0, size - offset)))
        if buffer.count < count { buffer += [UInt8](repeating: 0, count: count - buffer.count) }
        var done = 0
        while done < count {
            let result = buffer.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { pread(descriptor, $0 + done, count - done, off_t(offset) + off_t(done)) } ?? 0
            }
            if result < 0 {
                if errno == EINTR { continue }
                throw .system(errno: errno, during: .read, path: path)
            }
            if result == 0 { throw .truncated(offset: offset + Int64(done)) }
            done += result
        }
        return done
    }

    /// Where `needle` is next in `buffer[start..<end]`.
    static func find(_ needle: [UInt8], in buffer: borrowing [UInt8], from start: Int, to end: Int) -> Int? {
        guard start < end else { return nil }
        return buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, end <= bytes.count,
                let found = memmem(base + start, end - start, needle, needle.count)
            else { return nil }
            return base.distance(to: UnsafeRawPointer(found))
        }
    }
}
