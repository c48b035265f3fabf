public import Events
public import Files
internal import Glibc
internal import Journal
public import SystemPackage

extension FilePath {
    /// Whether it is that directory, or in it, whatever links lead there. What does not exist is where its parent is.
    fileprivate func isAt(_ directory: FilePath) -> Bool {
        func resolved(_ path: FilePath) -> FilePath {
            guard let found = path.withPlatformString({ realpath($0, nil) }) else {
                guard let last = path.lastComponent else { return path }
                return resolved(path.removingLastComponent()).appending(last)
            }
            defer { free(found) }
            return FilePath(platformString: found)
        }
        return resolved(lexicallyNormalized()).starts(with: resolved(directory.lexicallyNormalized()))
    }
}

/// Makes a sound vault of what is left of another, which is only read: its packs and both copies of its journal are copied,
/// as far as the disk gives them, and the copy is healed (`Specs/Format/Vault.md`, "Salvage").
public enum VaultSalvage {
    /// A file that is taken along.
    public struct Part: Hashable, Sendable {
        /// Relative to the vault.
        public var path: String
        public var bytes: UInt64

        public init(path: String, bytes: UInt64) { (self.path, self.bytes) = (path, bytes) }
    }

    private static let places: [(directory: String, suffixes: [String])] = [
        ("journal/segments", [".seg", ".sealed"]), ("journal/lmdb", ["data.mdb"]), ("blobs/packs", [".pack"]),
    ]

    /// What of the vault in `damaged` would be copied.
    public static func parts(of damaged: FilePath) throws -> [Part] {
        var found: [Part] = []
        func take(_ path: String) throws {
            guard isRegularFile(damaged.appending(path)) else { return }
            found.append(Part(path: path, bytes: UInt64(try File(damaged.appending(path), .read).size())))
        }
        try take(VaultFormat.fileName)
        for (directory, suffixes) in places where Directory.exists(damaged.appending(directory)) {
            for name in try Directory.names(damaged.appending(directory)).map(\.string).sorted()
            where suffixes.contains(where: { name.hasSuffix($0) }) {
                try take("\(directory)/\(name)")
            }
        }
        guard found.contains(where: { $0.path != VaultFormat.fileName }) else {
            throw Failure(
                .noVault, "there is nothing of a vault in \(damaged)",
                hint: "Name the directory that has journal and blobs in it")
        }
        return found
    }

    /// Salvages the vault in `damaged` into `directory`, which must be missing or empty.
    public static func run(
        _ damaged: FilePath, to directory: FilePath, clock: WallClock = .system,
        progress: (UInt64) -> Void = { _ in }, report: @escaping (RepairNote) -> Void
    ) throws {
        let parts = try parts(of: damaged)
        guard try !WriterMark.others(damaged).isAnyAlive else {
            throw Failure(
                .locked, "another process is writing to the vault in \(damaged)",
                hint: "Stop it (a watch, for example) first")
        }
        guard !directory.isAt(damaged), !damaged.isAt(directory) else {
            throw Failure(
                .refused, "\(directory) lies in the damaged vault, which is only read",
                hint: "Name a directory elsewhere")
        }
        if Directory.exists(directory) {
            guard try Directory.names(directory).isEmpty else {
                throw Failure(
                    .notEmpty, "\(directory) is not empty", hint: "Name a directory that does not exist yet")
            }
        } else {
            try Directory.create(directory)
        }
        try FileSystemSuitability.check(directory)
        for name in [
            "journal", "journal/lmdb", "journal/segments", "blobs", "blobs/packs", "projections", "locks", "state",
            "quarantine",
        ] {
            try Directory.create(directory.appending(name))
        }
        var done: UInt64 = 0
        for part in parts {
            try copy(damaged.appending(part.path), to: directory.appending(part.path), part.path, report) {
                done += UInt64($0)
                progress(done)
            }
        }
        let hasJournal = try hasJournal(directory)
        if !hasJournal { try makeJournal(in: directory) }
        // The projections are opinions: they are made of the journal, whatever they were.
        try VaultRepair.run(directory, clock: clock, report: report)
        // Every vault has had transactions from its first moment on.
        if try !hasJournal || OpenVault(directory, clock: clock).journal.head().transaction == .beginning {
            report(RepairNote(file: "journal", detail: "nothing is left of either copy", isLoss: true))
        }
    }

    private static func isRegularFile(_ path: FilePath) -> Bool {
        var found = stat()
        return path.withPlatformString { lstat($0, &found) } == 0 && found.st_mode & S_IFMT == S_IFREG
    }

    private static let step = 1 << 20
    private static let sector = 4_096

    /// Copies a file. What the disk does not give any more is zeros in the copy, and told.
    private static func copy(
        _ path: FilePath, to other: FilePath, _ name: String, _ report: (RepairNote) -> Void, _ done: (Int) -> Void
    ) throws {
        let source = try File(path, .read)
        let goal = try File(other, .create)
        let size = try source.size()
        var offset = 0
        var unreadable = 0
        while offset < size {
            let count = min(step, size - offset)
            do {
                let bytes = try source.read(at: offset, count: count)
                try goal.write(bytes.span.bytes, at: offset)
                // It has become shorter meanwhile: what there was is there.
                if bytes.count < count { break }
            } catch {
                guard error.code == .ioError, error.path == path else { throw error }
                for place in stride(from: offset, to: offset + count, by: sector) {
                    // A sector that cannot be read stays zeros: checksums tell what was in it.
                    let bytes = try? source.read(at: place, count: min(sector, size - place))
                    if let bytes { try goal.write(bytes.span.bytes, at: place) } else { unreadable += sector }
                }
            }
            offset += count
            done(count)
        }
        try goal.truncate(to: size)
        try goal.sync()
        if unreadable > 0 {
            report(RepairNote(file: name, detail: "\(unreadable) bytes cannot be read", isLoss: true))
        }
    }

    private static func hasJournal(_ directory: FilePath) throws -> Bool {
        guard try Directory.names(directory.appending("journal/segments")).isEmpty else { return true }
        return Directory.exists(directory.appending("journal/lmdb/data.mdb"))
    }

    /// Nothing is left of either copy: the blobs are saved all the same, in a vault without a history.
    private static func makeJournal(in directory: FilePath) throws {
        for name in ["journal/lmdb", "journal/segments"] { try Directory.remove(directory.appending(name)) }
        try OpenJournal.create(in: directory.appending("journal"))
    }
}
