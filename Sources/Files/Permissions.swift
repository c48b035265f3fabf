internal import Glibc
public import SystemPackage

extension Directory {
    /// Whether only the owner may read the file.
    public static func isPrivate(_ path: FilePath) throws(FileError) -> Bool {
        var found = stat()
        guard path.withPlatformString({ lstat($0, &found) }) == 0 else { throw FileError.last("stat", path) }
        return found.st_mode & 0o077 == 0
    }

    /// Puts a file of these bytes there, durably and at once: whoever looks sees the old one or the whole new one.
    public static func replaceFile(_ path: FilePath, with bytes: RawSpan) throws(FileError) {
        let file = try begin(replacing: path)
        try file.write(bytes, at: 0)
        try finish(file, replacing: path)
    }

    /// The same, of bytes that `body` hands out piece by piece.
    public static func replaceFile(_ path: FilePath, _ body: ((RawSpan) throws -> Void) throws -> Void) throws {
        let file = try begin(replacing: path)
        var offset = 0
        try body { bytes in
            try file.write(bytes, at: offset)
            offset += bytes.byteCount
        }
        try finish(file, replacing: path)
    }

    private static func begin(replacing path: FilePath) throws(FileError) -> File {
        guard let name = path.lastComponent?.string else {
            throw FileError(.isDirectory, "write", path)
        }
        let beside = path.removingLastComponent().appending(".\(name).new")
        // One that a crash has left.
        if exists(beside) { try removeFile(beside) }
        return try File(beside, .create)
    }

    private static func finish(_ file: File, replacing path: FilePath) throws(FileError) {
        let parent = path.removingLastComponent()
        try file.sync()
        try rename(file.path, to: path)
        try sync(parent.isEmpty ? "." : parent)
    }
}
