internal import Events
internal import Files
internal import Glibc
internal import SystemPackage

/// A file that says a process may be writing to the vault: locked by it while it lives, removed when it ends as it should. One that
/// nobody holds was left by a process that died (`Specs/Format/Vault.md`, "Unclean ends").
final class WriterMark: Sendable {
    private let path: FilePath
    private let lock: LockFile
    private static let prefix = "writer-"

    /// Makes the mark of this process.
    init(_ vault: FilePath) throws {
        var random = SystemRandomNumberGenerator()
        let state = vault.appending("state")
        path = state.appending(WriterMark.prefix + "\(getpid())-\(UInt32.random(in: .min ... .max, using: &random))")
        lock = try LockFile(path)
        _ = try lock.tryLock()
    }

    /// The end as it should be. A process that ends otherwise leaves the mark.
    deinit { try? Directory.removeFile(path) }  // A mark that stays costs the next writer a verification, no more.

    /// The marks in the vault that nobody holds, and whether others are held.
    static func others(_ vault: FilePath) throws -> (dead: [FilePath], isAnyAlive: Bool) {
        let state = vault.appending("state")
        guard Directory.exists(state) else { return ([], false) }
        var (dead, isAnyAlive) = ([FilePath](), false)
        for name in try Directory.names(state) where name.string.hasPrefix(prefix) {
            let path = state.appending(name)
            // It may end at this moment, and the file with it.
            guard let lock = try? LockFile(existing: path) else { continue }
            if try lock.tryLock() { dead.append(path) } else { isAnyAlive = true }
        }
        return (dead, isAnyAlive)
    }
}

/// Whether anything happened since the vault was last known to be whole after which it is not written to before it has been
/// looked at.
struct UncleanEnd {
    private let vault: FilePath
    let dead: [FilePath]
    let isAnyAlive: Bool
    /// The machine was started since.
    let isRestarted: Bool
    /// A process met a page that it could not read.
    let isSuspect: Bool

    var isUnclean: Bool { !dead.isEmpty || isRestarted || isSuspect }

    init(_ vault: FilePath) throws {
        self.vault = vault
        (dead, isAnyAlive) = try WriterMark.others(vault)
        let boot = UncleanEnd.bootID()
        // What was not recorded, or cannot be read, is another boot.
        isRestarted = boot != nil && (try? UncleanEnd.recorded(vault)) != boot
        isSuspect = Directory.exists(vault.appending("state/suspect"))
    }

    /// Remembers that the vault has been verified since.
    func settle() throws {
        for path in dead { try? Directory.removeFile(path) }  // Another has removed it.
        if isSuspect { try? Directory.removeFile(vault.appending("state/suspect")) }  // The same.
        if isRestarted, let boot = UncleanEnd.bootID() { try UncleanEnd.record(vault, boot) }
    }

    /// For a vault that was just made.
    static func begin(_ vault: FilePath) throws { if let boot = bootID() { try record(vault, boot) } }

    private static func record(_ vault: FilePath, _ boot: [UInt8]) throws {
        let path = vault.appending("state/boot")
        let temporary = vault.appending("state/boot.new-\(getpid())")
        if Directory.exists(temporary) { try Directory.removeFile(temporary) }
        let file = try File(temporary, .create)
        try file.write(boot.span.bytes, at: 0)
        try Directory.rename(temporary, to: path)
    }

    private static func recorded(_ vault: FilePath) throws -> [UInt8] {
        try File(vault.appending("state/boot"), .read).read(at: 0, count: 64)
    }

    /// The kernel's name for this run of the machine; nil where it gives none.
    private static func bootID() -> [UInt8]? {
        // Another kernel may have no such file: then a restart is told by the marks only.
        guard let bytes = try? File("/proc/sys/kernel/random/boot_id", .read).read(at: 0, count: 64), bytes.count >= 36
        else { return nil }
        return Array(bytes[..<36])
    }
}
