public import Events
internal import Glibc
public import SystemPackage

/// Directories of the vault: made 0700, and synced when a name in them has changed.
public enum Directory {
    public static func create(_ path: FilePath) throws(FileError) {
        guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 else { throw FileError.last("create directory", path) }
    }

    public static func exists(_ path: FilePath) -> Bool {
        var found = stat()
        return path.withPlatformString { stat($0, &found) } == 0
    }

    /// The names in `path`, without `.` and `..`, sorted by bytes. A listing that breaks off throws.
    public static func names(_ path: FilePath) throws(FileError) -> [FilePath.Component] {
        guard let directory = path.withPlatformString({ opendir($0) }) else { throw FileError.last("list", path) }
        defer { closedir(directory) }
        var names: [FilePath.Component] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { throw FileError.last("list", path) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { FilePath.Component(platformString: $0) }
            }
            if let name, name.kind == .regular { names.append(name) }
        }
        return names.sorted { $0.string.utf8.lexicographicallyPrecedes($1.string.utf8) }
    }

    /// Makes the names in `path` durable.
    public static func sync(_ path: FilePath) throws(FileError) {
        let descriptor = path.withPlatformString { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw FileError.last("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError.last("sync", path) }
    }

    public static func rename(_ path: FilePath, to other: FilePath) throws(FileError) {
        let code = path.withPlatformString { from in other.withPlatformString { Glibc.rename(from, $0) } }
        guard code == 0 else { throw FileError.last("rename", path) }
    }

    public static func removeFile(_ path: FilePath) throws(FileError) {
        guard path.withPlatformString({ unlink($0) }) == 0 else { throw FileError.last("remove", path) }
    }

    /// Bytes that may still be written on the file system of `path`.
    public static func freeBytes(_ path: FilePath) throws(FileError) -> UInt64 {
        var found = statvfs()
        guard path.withPlatformString({ statvfs($0, &found) }) == 0 else { throw FileError.last("statvfs", path) }
        return UInt64(found.f_bavail) * UInt64(found.f_frsize)
    }

    /// Whether this process may write in `path`.
    public static func isWritable(_ path: FilePath) -> Bool { path.withPlatformString { access($0, W_OK) } == 0 }
}

extension Directory {
    /// Removes an empty directory.
    public static func remove(_ path: FilePath) throws(FileError) {
        guard path.withPlatformString({ rmdir($0) }) == 0 else { throw FileError.last("remove directory", path) }
    }
}

extension Directory {
    /// Makes an empty file there, or gives the one that is there the present time.
    public static func touch(_ path: FilePath) throws(FileError) {
        let descriptor = path.withPlatformString { Glibc.open($0, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        guard descriptor >= 0 else { throw FileError.last("touch", path) }
        defer { close(descriptor) }
        guard futimens(descriptor, nil) == 0 else { throw FileError.last("touch", path) }
    }

    /// When the file was last written; nil when there is none.
    public static func modificationTime(_ path: FilePath) throws(FileError) -> Timestamp? {
        var found = stat()
        guard path.withPlatformString({ stat($0, &found) }) == 0 else {
            if errno == ENOENT { return nil }
            throw FileError.last("stat", path)
        }
        return Timestamp(seconds: Int64(found.st_mtim.tv_sec), nanoseconds: Int64(found.st_mtim.tv_nsec))
    }
}

extension Directory {
    /// Removes a directory and the files in it; nothing happens when there is none. Not for what has directories in it.
    public static func removeFlat(_ path: FilePath) throws(FileError) {
        guard exists(path) else { return }
        for name in try names(path) { try removeFile(path.appending(name)) }
        try remove(path)
    }

    /// Gives a file a second name.
    public static func link(_ path: FilePath, to other: FilePath) throws(FileError) {
        let code = path.withPlatformString { from in other.withPlatformString { Glibc.link(from, $0) } }
        guard code == 0 else { throw FileError.last("link", path) }
    }
}

extension Directory {
    /// Whether the path leads to a directory.
    public static func isDirectory(_ path: FilePath) -> Bool {
        var found = stat()
        return path.withPlatformString { lstat($0, &found) } == 0 && found.st_mode & S_IFMT == S_IFDIR
    }
}
