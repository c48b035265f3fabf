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
    public static func remove(_ path: FilePath) { remove(Array(path.string.utf8CString)) }

    // Paths as C has them: a test that puts a tree back a thousand times would spend its time on `FilePath`.
    private static func remove(_ path: [CChar]) {
        if unlink(path) == 0 || errno == ENOENT { return }
        Glibc.chmod(path, 0o700)
        for name in names(path) { remove(child(path, name)) }
        rmdir(path)
    }

    private static func child(_ directory: [CChar], _ name: [CChar]) -> [CChar] {
        var path = directory
        path.reserveCapacity(directory.count + name.count)
        path[path.count - 1] = CChar(bitPattern: UInt8(ascii: "/"))
        path.append(contentsOf: name)
        return path
    }

    /// With their zero bytes, in no order.
    private static func names(_ path: [CChar]) -> [[CChar]] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [[CChar]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                Array(bytes.assumingMemoryBound(to: CChar.self)[...strnlen(bytes.baseAddress!, 255)])
            }
            if name != [46, 0] && name != [46, 46, 0] { names.append(name) }
        }
        return names
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
        return lstat(path.string, &found) == 0
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

    /// A copy of a directory with all in it: files, links, permissions, times. What lies below a directory of the name `linking` is the
    /// same files under another name: for files that nobody changes in place.
    public static func copy(_ path: FilePath, to other: FilePath, linking: String? = nil) {
        let suffix = linking.map { Array("/\($0)".utf8CString) } ?? []
        copy(Array(path.string.utf8CString), to: Array(other.string.utf8CString), suffix, isLinking: false)
    }

    private static func copy(_ path: [CChar], to other: [CChar], _ linking: [CChar], isLinking: Bool) {
        if isLinking, link(path, other) == 0 { return }
        var found = stat()
        guard lstat(path, &found) == 0 else { fail("copy", path) }
        switch found.st_mode & S_IFMT {
        case S_IFDIR:
            guard mkdir(other, 0o700) == 0 || errno == EEXIST else { fail("copy", other) }
            let isLinking = isLinking || !linking.isEmpty && path.suffix(linking.count).elementsEqual(linking)
            for name in names(path) { copy(child(path, name), to: child(other, name), linking, isLinking: isLinking) }
            Glibc.chmod(other, found.st_mode & 0o7777)
        case S_IFLNK:
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            guard readlink(path, &target, target.count - 1) > 0, symlink(target, other) == 0 else { fail("copy", path) }
        case S_IFREG: copyFile(path, to: other, found)
        default: break
        }
    }

    private static func fail(_ what: String, _ path: [CChar]) -> Never {
        fatalError(
            "\(what) \(String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)): errno \(errno)")
    }

    /// Holes stay holes.
    private static func copyFile(_ path: [CChar], to other: [CChar], _ found: stat) {
        let from = open(path, O_RDONLY | O_CLOEXEC)
        let to = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, found.st_mode & 0o7777)
        guard from >= 0, to >= 0 else { fail("copy", path) }
        defer {
            close(from)
            close(to)
        }
        // Glibc's module does not have these two.
        let (seekData, seekHole): (Int32, Int32) = (3, 4)
        let size = Int(found.st_size)
        var buffer = [UInt8](repeating: 0, count: min(size, 1 << 18))
        var place = 0
        while place < size {
            let data = Int(lseek(from, off_t(place), seekData))
            guard data >= place else { break }
            place = data
            let hole = Int(lseek(from, off_t(place), seekHole))
            let end = hole > place ? min(hole, size) : size
            while place < end {
                let count = pread(from, &buffer, min(buffer.count, end - place), off_t(place))
                guard count > 0, pwrite(to, buffer, count, off_t(place)) == count else { fail("copy", other) }
                place += count
            }
        }
        guard ftruncate(to, off_t(size)) == 0 else { fail("copy", other) }
        var times = (found.st_atim, found.st_mtim)
        _ = withUnsafePointer(to: &times) {
            $0.withMemoryRebound(to: timespec.self, capacity: 2) { futimens(to, $0) }
        }
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
