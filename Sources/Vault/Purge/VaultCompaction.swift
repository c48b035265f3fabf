internal import Events
internal import Files
internal import Journal
internal import Projections
public import SystemPackage

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
        return true
    }
}
