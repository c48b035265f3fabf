internal import Blobs
public import Events
public import Files
internal import Headers
internal import Journal
internal import Projections
public import SystemPackage

/// Heals a vault that nobody writes to: header, journal, blobs, index, projections, in this order. Nothing is deleted; what is
/// replaced is in `quarantine/` afterwards. What only a source can give back is the command's matter.
public enum VaultRepair {
    public static func run(
        _ directory: FilePath, clock: WallClock = .system, report: @escaping (RepairNote) -> Void
    ) throws {
        guard Directory.exists(directory), Directory.isWritable(directory) else {
            // Says which of the reasons it is.
            _ = try OpenVault(directory, clock: clock)
            return
        }
        for name in ["locks", "state", "quarantine"] where !Directory.exists(directory.appending(name)) {
            // A directory that is no vault is not made into one.
            guard Directory.exists(directory.appending("journal")) else { break }
            try Directory.create(directory.appending(name))
        }
        try FormatRepair(vault: directory).run(report)
        let id = try VaultFormat(readingIn: directory).id
        guard try !WriterMark.others(directory).isAnyAlive else {
            throw Failure(
                .locked, "another process is writing to the vault in \(directory)",
                hint: "Stop it (a watch, for example) and run the repair again")
        }
        let quarantine = Quarantine(directory)
        do {
            let lock = try LockFile(directory.appending("locks/repair"))
            try lock.lock()
            defer { lock.unlock() }
            try JournalRepair(
                directory.appending("journal"), vault: id, setAside: { try quarantine.setAside($0) },
                keepCopy: { try quarantine.keepCopy($0) }, report: report
            ).run()
            let blobs = directory.appending("blobs")
            if Directory.exists(blobs.appending("index/data.mdb")),
                let why = BlobStore.indexFault(blobs.string)
                    ?? BlobStore.verifyIndex(blobs.string, vault: id.bytes).first?.reason
            {
                try quarantine.setAside(blobs.appending("index"))
                report(
                    RepairNote(file: "blobs/index/data.mdb", detail: "set aside (\(why)) and made anew from the packs"))
            }
            let projections = directory.appending("projections")
            if Directory.exists(projections.appending("data.mdb")), let why = OpenProjections.verify(projections).first
            {
                try quarantine.setAside(projections)
                report(
                    RepairNote(
                        file: "projections/data.mdb", detail: "set aside (\(why)) and made anew from the journal"))
            }
        }
        let headers = directory.appending("headers")
        if Directory.exists(headers.appending("data.mdb")), let why = OpenHeaderIndex.verify(headers).first {
            try quarantine.setAside(headers)
            report(
                RepairNote(file: "headers/data.mdb", detail: "set aside (\(why)); it is made anew when it is wanted"))
        }
        let vault = try OpenVault(directory, clock: clock)
        try vault.blobs.repair(keepCopy: { try quarantine.keepCopy(FilePath($0)) }, report: report)
        let digests = try vault.verifyProjections()
        if digests.present != digests.rebuilt {
            try vault.rebuildProjections()
            report(
                RepairNote(
                    file: "projections/data.mdb",
                    detail: "set aside and made anew from the journal: they were not what it gives"))
        }
        try VaultCheckpoints(vault).repair(quarantine, report)
    }
}

extension OpenVault {
    /// Whether the file `FORMAT` is, byte for byte, what it must be.
    public func isHeaderSound() throws -> Bool {
        let file = try File(directory.appending(VaultFormat.fileName), .read)
        let bytes = try file.read(at: 0, count: 4096)
        return try VaultFormat(bytes, of: directory).encoded() == bytes
    }

    /// Whether another process may be writing to the vault now.
    public func hasOtherWriters() throws -> Bool { try isReadOnly && WriterMark.others(directory).isAnyAlive }

    /// What repairs have put aside.
    public func quarantined() throws -> [String] { try Quarantine(directory).names() }

    /// Removes what repairs have put aside, for good.
    public func emptyQuarantine() throws { try Quarantine(directory).empty() }

    /// What earlier repairs could not bring back: a line each, as ``record(losses:)`` was given them.
    public func knownLosses() throws -> Set<String> { try Quarantine(directory).knownLosses() }

    /// Writes down what could not be brought back.
    public func record(losses: [String]) throws { try Quarantine(directory).record(losses: losses) }

    /// Says that something could not be read: whoever opens the vault next verifies it first.
    public func suspect() throws { try Directory.touch(directory.appending("state/suspect")) }
}
