internal import Events
internal import Files
internal import SystemPackage

/// The mark of a vault that is being made: there from before the first other file until it becomes `FORMAT`, so that there is never both and
/// never neither. What a process that was killed has left beside it is no vault yet, and may be removed.
struct UnfinishedVault {
    static let fileName = "FORMAT.making"

    private let mark: FilePath
    private let lock: LockFile

    /// Whether `directory` has nothing but what an unfinished making has left; false for one that is empty.
    static func isLeft(in directory: FilePath) throws -> Bool {
        let names = Set(try Directory.names(directory).map(\.string))
        return names.contains(fileName) && !names.contains(VaultFormat.fileName) && names.isSubset(of: all)
    }

    /// Marks `directory`, and removes what an earlier attempt has left there.
    init(_ directory: FilePath) throws {
        mark = directory.appending(UnfinishedVault.fileName)
        lock = try LockFile(mark)
        guard try lock.tryLock() else {
            throw Failure(.locked, "another process is making a vault in \(directory)", hint: "Wait for it")
        }
        // Whoever had the lock before may just have finished.
        guard !Directory.exists(directory.appending(VaultFormat.fileName)) else {
            try? Directory.removeFile(mark)  // It is a name without meaning.
            throw Failure(.notEmpty, "there is a vault in \(directory) already", hint: "Use it, or choose another")
        }
        let probe = directory.appending(FileSystemSuitability.probeName)
        if Directory.exists(probe) { try Directory.removeFile(probe) }
        for name in UnfinishedVault.directories.reversed() { try Directory.removeFlat(directory.appending(name)) }
    }

    /// Takes the mark away again: nothing was made.
    static func withdraw(from directory: FilePath) throws { try Directory.removeFile(directory.appending(fileName)) }

    /// Makes it a vault.
    func finish(_ format: VaultFormat) throws {
        let file = try File(mark, .readWrite)
        try file.write(format.encoded().span.bytes, at: 0)
        try file.sync()
        try Directory.rename(mark, to: mark.removingLastComponent().appending(VaultFormat.fileName))
    }

    /// What making a vault makes, each before those in it.
    private static let directories = [
        "journal", "projections", "locks", "quarantine", "state", "journal/lmdb", "journal/segments", "blobs",
        "blobs/packs", "blobs/index",
    ]

    private static let all = Set(directories + [fileName, FileSystemSuitability.probeName])
}
