internal import Glibc
public import SystemPackage

/// A directory of a test's own, below the system's temporary directory, removed with this value.
public final class Scratch: Sendable {
    public let path: FilePath

    /// `isVolatile`: in memory, where there is a file system for that: for what writes much and is never meant to be kept.
    public init(_ name: String = "test", isVolatile: Bool = false) {
        let memory = "/dev/shm"
        let isInMemory = isVolatile && access(memory, W_OK) == 0
        let base = isInMemory ? memory : getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/yestermail-\(name)-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { fatalError("no scratch directory in \(base): errno \(errno)") }
        path = FilePath(String(cString: made))
    }

    deinit { Tree.remove(path) }

    /// A path in it.
    public func appending(_ name: String) -> FilePath { path.appending(name) }
}

/// Files and directories by their bytes, for tests: whatever fails ends the test's process.
public enum Tree {
    /// Removes `path` and all below it, whatever its permissions.
    public static func remove(_ path: FilePath) {
        if isDirectory(path) {
            chmod(path, 0o700)
            for name in names(path) { remove(child(path, name)) }
        }
        _ = path.withPlatformString { Glibc.remove($0) }
    }

    /// A real directory, not a link to one.
    static func isDirectory(_ path: FilePath) -> Bool {
        var found = stat()
        return path.withPlatformString { lstat($0, &found) } == 0 && found.st_mode & S_IFMT == S_IFDIR
    }

    /// The path of a name in a directory.
    public static func child(_ directory: FilePath, _ name: [UInt8]) -> FilePath {
        path(bytes(of: directory) + [UInt8(ascii: "/")] + name)
    }

    public static func path(_ bytes: some Sequence<UInt8>) -> FilePath {
        FilePath(platformString: bytes.map { CChar(bitPattern: $0) } + [0])
    }

    public static func bytes(of path: FilePath) -> [UInt8] {
        path.withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }

    public static func makeDirectory(_ path: FilePath) {
        guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
            fatalError("mkdir \(path): errno \(errno)")
        }
    }

    /// Writes the whole file, made when missing; `modified` in seconds since 1970.
    public static func write(_ path: FilePath, _ bytes: [UInt8], modified: Int? = nil) {
        let descriptor = path.withPlatformString { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { fatalError("open \(path): errno \(errno)") }
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            guard count > 0 else { fatalError("write \(path): errno \(errno)") }
            done += count
        }
        if let modified {
            var times = (timespec(tv_sec: modified, tv_nsec: 0), timespec(tv_sec: modified, tv_nsec: 0))
            _ = withUnsafePointer(to: &times) {
                $0.withMemoryRebound(to: timespec.self, capacity: 2) { futimens(descriptor, $0) }
            }
        }
    }

    /// All bytes of the file; nil when there is none.
    public static func read(_ path: FilePath) -> [UInt8]? {
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var found = stat()
        guard fstat(descriptor, &found) == 0, found.st_mode & S_IFMT == S_IFREG else { return nil }
        let size = Int(found.st_size)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            filled = 0
            while filled < size {
                let count = Glibc.read(descriptor, buffer.baseAddress! + filled, size - filled)
                if count <= 0 { break }
                filled += count
            }
        }
    }

    public static func exists(_ path: FilePath) -> Bool {
        var found = stat()
        return path.withPlatformString { lstat($0, &found) } == 0
    }

    public static func rename(_ path: FilePath, to other: FilePath) {
        let code = path.withPlatformString { from in other.withPlatformString { Glibc.rename(from, $0) } }
        guard code == 0 else { fatalError("rename \(path) \(other): errno \(errno)") }
    }

    public static func truncate(_ path: FilePath, to size: Int) {
        guard path.withPlatformString({ Glibc.truncate($0, off_t(size)) }) == 0 else {
            fatalError("truncate \(path): errno \(errno)")
        }
    }

    /// Flips one bit of a file in place.
    public static func flip(_ path: FilePath, byte: Int, bit: Int) {
        let descriptor = path.withPlatformString { open($0, O_RDWR | O_CLOEXEC) }
        guard descriptor >= 0 else { fatalError("open \(path): errno \(errno)") }
        defer { close(descriptor) }
        var value: UInt8 = 0
        guard pread(descriptor, &value, 1, off_t(byte)) == 1 else { fatalError("read \(path): errno \(errno)") }
        value ^= 1 << UInt8(bit)
        guard pwrite(descriptor, &value, 1, off_t(byte)) == 1 else { fatalError("write \(path): errno \(errno)") }
    }

    public static func chmod(_ path: FilePath, _ mode: UInt32) {
        _ = path.withPlatformString { Glibc.chmod($0, mode_t(mode)) }
    }

    /// Takes the right to write from everybody, for `path` and all below it.
    public static func makeReadOnly(_ path: FilePath) {
        if isDirectory(path) {
            for name in names(path) { makeReadOnly(child(path, name)) }
            chmod(path, 0o555)
        } else {
            chmod(path, 0o444)
        }
    }

    /// The names in a directory as bytes, sorted, without `.` and `..`.
    public static func names(_ path: FilePath) -> [[UInt8]] {
        guard let directory = path.withPlatformString({ opendir($0) }) else { return [] }
        defer { closedir(directory) }
        var names: [[UInt8]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [46] && name != [46, 46] { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// A copy of a directory with all in it.
    public static func copy(_ path: FilePath, to other: FilePath) {
        guard run("/bin/cp", ["-a", "--", path.string, other.string]) == 0 else { fatalError("cp \(path) \(other)") }
    }

    /// Runs a program to its end and returns its exit status, 128 and the signal when a signal ended it.
    @discardableResult
    public static func run(_ program: String, _ arguments: [String]) -> Int32 {
        var child: pid_t = 0
        var strings: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        guard posix_spawn(&child, program, nil, nil, &strings, environ) == 0 else { return 127 }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }
}
