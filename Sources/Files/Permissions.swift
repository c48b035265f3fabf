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
        guard let name = path.lastComponent?.string else {
            throw FileError(.isDirectory, "write", path)
        }
        let parent = path.removingLastComponent()
        let beside = parent.appending(".\(name).new")
        // One that a crash has left.
        if exists(beside) { try removeFile(beside) }
        let file = try File(beside, .create)
        try file.write(bytes, at: 0)
        try file.sync()
        try rename(beside, to: path)
        try sync(parent.isEmpty ? "." : parent)
    }
}
