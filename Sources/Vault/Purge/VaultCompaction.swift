internal import Blobs
internal import Events
internal import Files
internal import Headers
internal import Journal
internal import Projections
public import SystemPackage

extension OpenVault {
    /// Makes the databases as small as what is in them while other processes read and write: copies without free pages take their places, one after the
    /// other. Pages that are not full stay so, and may have bytes of what was purged. False where the file system does not allow it.
    public func compactDatabases() throws -> Bool {
        guard try journal.compactDatabase() else { return false }
        let others = [
            try projections().compactDatabase(), try blobs.compactIndex(), try headerIndex()?.compactDatabase() ?? true,
        ]
        return others.allSatisfy { $0 }
    }
}

/// Makes the databases of a vault anew, so that they are as small as what is in them; what was in their free pages is gone. The vault must
/// not be open in this process.
public enum VaultCompaction {
    /// False when another process may be writing: then nothing is done.
    public static func run(_ directory: FilePath) throws -> Bool {
        let id = try VaultFormat(readingIn: directory).id
        let lock = try LockFile(directory.appending("locks/repair"))
        try lock.lock()
        defer { lock.unlock() }
        guard try !WriterMark.others(directory).isAnyAlive else { return false }
        // What a compaction beside others that was killed has left.
        for name in ["journal/lmdb", "projections", "blobs/index", "headers"] {
            try Directory.removeFlat(directory.appending(name + ".compacting"))
        }
        let journal = directory.appending("journal")
        let (old, new) = (journal.appending("lmdb"), journal.appending("lmdb.old"))
        try Directory.removeFlat(new)
        // What only LMDB has, or only the segments, is for an opening or a repair to settle.
        let head: JournalHead
        do {
            let open = try OpenJournal(journal, vault: id, readOnly: true, clock: .system)
            guard try open.standing() == .level else { return false }
            head = try open.head()
        }
        var last = TransactionID.beginning
        let made = try JournalRebuild.fromSegments(
            journal, vault: id,
            setAside: { _ in
                guard last == head.transaction || head.transaction == .beginning else {
                    throw Failure(
                        .damaged, "the segments of the journal end at \(last), and not at \(head.transaction)")
                }
                try Directory.rename(old, to: new)
            }, progress: { last = $0 })
        guard made.leaf == head.leaf else {
            throw Failure(.damaged, "the segments of the journal are not what LMDB has; the old database is in \(new)")
        }
        try Directory.removeFlat(new)
        for name in ["projections", "headers"] { try Directory.removeFlat(directory.appending(name)) }
        // Empty ones are filled by whoever opens them next.
        try Directory.create(directory.appending("projections"))
        try Directory.sync(directory)
        return true
    }
}
