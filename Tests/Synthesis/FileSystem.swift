import Glibc

/// The few calls of the operating system that playing a script needs, with names as bytes. Nothing is flushed.
package enum FileSystem {
    /// A call that failed.
    package struct Failure: Error, CustomStringConvertible {
        let call: String
        let path: [UInt8]
        let code: Int32
        package var description: String { "\(call) \(printable(path)): \(String(cString: strerror(code)))" }
    }

    /// `bytes` for a C function.
    static func withPath<Result>(_ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (path + [0]).withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                guard let base = characters.baseAddress else { preconditionFailure("an array of at least one byte") }
                return body(base)
            }
        }
    }

    static func check(_ result: Int32, _ call: String, _ path: [UInt8]) throws(Failure) {
        if result != 0 { throw Failure(call: call, path: path, code: errno) }
    }

    static func makeDirectory(_ path: [UInt8]) throws(Failure) {
        try check(withPath(path) { mkdir($0, 0o700) }, "mkdir", path)
    }

    static func rename(_ old: [UInt8], to new: [UInt8]) throws(Failure) {
        try check(withPath(old) { old in withPath(new) { Glibc.rename(old, $0) } }, "rename", old)
    }

    static func unlink(_ path: [UInt8]) throws(Failure) {
        try check(withPath(path) { Glibc.unlink($0) }, "unlink", path)
    }

    /// Writes a new file, with `modified` (seconds since 1970) as its time.
    static func write(_ bytes: [UInt8], to path: [UInt8], modified: Int64? = nil) throws(Failure) {
        let file = withPath(path) { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        guard file >= 0 else { throw Failure(call: "open", path: path, code: errno) }
        defer { close(file) }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress?.advanced(by: offset), $0.count - offset)
            }
            guard count > 0 else { throw Failure(call: "write", path: path, code: errno) }
            offset += count
        }
        if let modified {
            var times = [timespec(tv_sec: Int(modified), tv_nsec: 0), timespec(tv_sec: Int(modified), tv_nsec: 0)]
            try check(futimens(file, &times), "futimens", path)
        }
    }

    /// The content of a file; nil when it cannot be read.
    static func read(_ path: [UInt8]) -> [UInt8]? {
        let file = withPath(path) { open($0, O_RDONLY | O_CLOEXEC) }
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return nil }
        var result: [UInt8] = []
        var failed = false
        while !failed {
            let room = max(Int(status.st_size) - result.count, 0) + 1
            let chunk = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                let read = Glibc.read(file, buffer.baseAddress, room)
                failed = read < 0
                count = max(read, 0)
            }
            if chunk.isEmpty { break }
            if result.isEmpty { result = chunk } else { result += chunk }
        }
        return failed ? nil : result
    }

    static func read(_ path: String) -> [UInt8]? { read(Array(path.utf8)) }

    /// Seconds since 1970 of the last modification.
    static func modificationTime(_ path: [UInt8]) -> Int64? {
        var status = stat()
        return withPath(path) { lstat($0, &status) } == 0 ? Int64(status.st_mtim.tv_sec) : nil
    }

    static func isDirectory(_ path: [UInt8]) -> Bool {
        var status = stat()
        return withPath(path) { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The names in a directory, sorted, without `.` and `..`; empty when it cannot be read.
    static func names(in path: [UInt8]) -> [[UInt8]] {
        guard let directory = withPath(path, { opendir($0) }) else { return [] }
        defer { closedir(directory) }
        var names: [[UInt8]] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { text in
                    (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) }
                }
            }
            if name != [46], name != [46, 46] { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Removes a tree; what is not there is no failure.
    package static func removeTree(_ path: [UInt8]) throws(Failure) {
        guard isDirectory(path) else { return }
        for name in names(in: path) {
            let child = path + [UInt8(ascii: "/")] + name
            if isDirectory(child) { try removeTree(child) } else { try unlink(child) }
        }
        try check(withPath(path) { rmdir($0) }, "rmdir", path)
    }
}
