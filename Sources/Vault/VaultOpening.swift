internal import Blobs
internal import Events
internal import Files
internal import Headers
internal import Journal
internal import Projections
internal import SystemPackage

/// What is looked at before the parts of a vault are opened, and put right where that needs no person: LMDB is never trusted with
/// a file that was not looked at (`Specs/Format/Vault.md`, "Opening").
struct VaultOpening {
    let vault: FilePath
    let id: UniqueID
    /// What is missing may be made, and what is damaged set aside.
    let mayWrite: Bool
    /// The vault is opened to be written to, not only to be read.
    let isWriting: Bool
    /// It is somebody else's: LMDB may not even write its lock files.
    var isForeign = false

    private var journal: FilePath { vault.appending("journal") }
    private var blobs: FilePath { vault.appending("blobs") }
    private var projections: FilePath { vault.appending("projections") }

    func run() throws {
        if isForeign {
            // Without a lock nothing keeps what is being read from being changed.
            guard try !UncleanEnd(vault).isAnyAlive else {
                throw Failure(
                    .locked, "another process is writing to the vault in \(vault)",
                    hint: "Stop it (a watch, for example), or copy the vault and use the copy")
            }
        }
        guard mayWrite else { return }
        try makeDirectories()
        let end = try UncleanEnd(vault)
        let mustVerify = end.isUnclean && (isWriting || end.isSuspect)
        guard mustVerify || journalFault != nil || indexFault != nil else { return }
        let lock = try LockFile(vault.appending("locks/repair"))
        try lock.lock()
        defer { lock.unlock() }
        // Another may have done it while this one waited.
        let now = try UncleanEnd(vault)
        let verifies = now.isUnclean && mustVerify
        try openJournal(verifies, now)
        try openIndex(verifies, now)
        if verifies {
            try openProjections()
            try openHeaders()
            try now.settle()
        }
    }

    /// A copy that was made of the segments and the packs alone has no others.
    private func makeDirectories() throws {
        for name in ["locks", "state", "quarantine"] where !Directory.exists(vault.appending(name)) {
            try Directory.create(vault.appending(name))
        }
    }

    private var journalFault: String? {
        switch JournalRebuild.inspect(journal) {
        case .sound: nil
        case .missing: "it is missing"
        case .damaged(let why): why
        }
    }

    private var indexFault: String? { BlobStore.indexFault(blobs.string) }

    private func openJournal(_ verifies: Bool, _ end: UncleanEnd) throws {
        var why = journalFault
        if why == nil, verifies { why = JournalRebuild.verifyRecords(in: journal).first.map { "\($0)" } }
        guard let why else { return }
        // Without a segment there is nothing to make it from: opening says what is wrong.
        guard JournalRebuild.hasSegments(journal) else { return }
        try refuseIfOpen(end, "the journal in LMDB is damaged (\(why))")
        let quarantine = Quarantine(vault)
        let head = try JournalRebuild.fromSegments(
            journal, vault: id, setAside: { try quarantine.setAside($0) })
        Log.shared.note(
            "the journal in LMDB cannot be used (\(why)); it was made anew from the segments, through \(head.transaction)"
        )
    }

    private func openIndex(_ verifies: Bool, _ end: UncleanEnd) throws {
        var why = indexFault
        if why == nil, verifies { why = BlobStore.verifyIndex(blobs.string, vault: id.bytes).first.map { "\($0)" } }
        guard let why else { return }
        try refuseIfOpen(end, "the index of the blobs is damaged (\(why))")
        let place = blobs.appending("index")
        if Directory.exists(place) { try Quarantine(vault).setAside(place) }
        try BlobStore(path: blobs.string, vault: id.bytes).rebuildIndex()
        Log.shared.note("the index of the blobs cannot be used (\(why)); it was made anew from the packs")
    }

    private func openProjections() throws {
        guard Directory.exists(projections.appending("data.mdb")),
            let why = OpenProjections.verify(projections).first
        else { return }
        try Quarantine(vault).setAside(projections)
        Log.shared.note("the projections cannot be used (\(why)); they are rebuilt from the journal")
    }

    private func openHeaders() throws {
        let headers = vault.appending("headers")
        guard Directory.exists(headers.appending("data.mdb")), let why = OpenHeaderIndex.verify(headers).first else {
            return
        }
        try Quarantine(vault).setAside(headers)
        Log.shared.note("the header index cannot be used (\(why)); it is made anew when it is wanted")
    }

    /// Files that another process writes to are not replaced under it.
    private func refuseIfOpen(_ end: UncleanEnd, _ what: String) throws {
        guard end.isAnyAlive else { return }
        throw Failure(
            .locked, "\(what), and another process is writing to the vault",
            hint: "Stop it (a watch, for example), then run any command: the vault heals itself")
    }

    // MARK: The two copies of the journal

    /// Opens the journal. What its segments have and LMDB does not is taken in first.
    func journal(readOnly: Bool, clock: WallClock) throws -> OpenJournal {
        // Each of these is closed before the next is opened: LMDB allows one in a process.
        if let open = try level(readOnly: readOnly, clock) { return open }
        if try settled(clock), let open = try level(readOnly: readOnly, clock) { return open }
        try remake()
        return try OpenJournal(journal, vault: id, readOnly: readOnly, clock: clock)
    }

    /// The journal, when there is nothing to be taken in.
    private func level(readOnly: Bool, _ clock: WallClock) throws -> OpenJournal? {
        let open = try OpenJournal(
            journal, vault: id, readOnly: readOnly, withoutLock: isForeign, clock: clock)
        guard mayWrite else { return open }
        return [.level, .ahead].contains(try open.standing()) ? open : nil
    }

    /// Takes in what a crash left in the newest segment; false when LMDB is too old for that.
    private func settled(_ clock: WallClock) throws -> Bool {
        let open = try OpenJournal(journal, vault: id, readOnly: false, clock: clock)
        if try open.standing() == .fallenBack { return false }
        let before = try open.head().transaction
        try open.settle()
        note(before, try open.head().transaction)
        return true
    }

    private func note(_ before: TransactionID, _ after: TransactionID) {
        guard after > before else { return }
        Log.shared.note(
            "\(after.rawValue - before.rawValue) transactions that only the segments had were taken into LMDB")
    }

    private func remake() throws {
        let lock = try LockFile(vault.appending("locks/repair"))
        try lock.lock()
        defer { lock.unlock() }
        try refuseIfOpen(try UncleanEnd(vault), "the journal in LMDB is older than its segments")
        let quarantine = Quarantine(vault)
        let head = try JournalRebuild.fromSegments(journal, vault: id, setAside: { try quarantine.setAside($0) })
        Log.shared.note(
            "the journal in LMDB is older than its segments; it was made anew from them, through \(head.transaction)")
    }

    /// Opens the blobs. Packs that the index has never heard of are taken in first.
    func blobs(readOnly: Bool) throws -> BlobStore {
        if let open = try current(readOnly: readOnly) { return open }
        try catchUp()
        return try BlobStore(path: blobs.string, vault: id.bytes, readOnly: readOnly)
    }

    private func current(readOnly: Bool) throws -> BlobStore? {
        let open = try BlobStore(path: blobs.string, vault: id.bytes, readOnly: readOnly, withoutLock: isForeign)
        return try mayWrite && open.indexIsBehind() ? nil : open
    }

    private func catchUp() throws {
        do {
            let writing = try BlobStore(path: blobs.string, vault: id.bytes)
            try writing.beginAppending()
            try writing.sync()
        } catch BlobError.busy {
            // Somebody is appending, and does the same.
        }
    }
}
