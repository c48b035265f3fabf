internal import Events
internal import Files
internal import Journal
internal import SystemPackage

/// Puts the file `FORMAT` right: from its checksum where one bit is wrong, else from what the segments say of their vault.
struct FormatRepair {
    let vault: FilePath

    func run(_ report: (RepairNote) -> Void) throws {
        let path = vault.appending(VaultFormat.fileName)
        do {
            _ = try VaultFormat(readingIn: vault)
            let bytes = try File(path, .read).read(at: 0, count: 4096)
            if bytes == (try VaultFormat(bytes, of: vault)).encoded() { return }
        } catch let failure as Failure {
            // Of a newer format this program knows nothing.
            guard failure.code != .newerFormat || Directory.exists(path) else { throw failure }
        }
        guard let right = try corrected(path) ?? fromSegments() else {
            _ = try VaultFormat(readingIn: vault)
            return
        }
        let beside = vault.appending("FORMAT.new")
        if Directory.exists(beside) { try Directory.removeFile(beside) }
        let file = try File(beside, .create)
        try file.write(right.encoded().span.bytes, at: 0)
        try file.sync()
        if Directory.exists(path) { try Quarantine(vault).keepCopy(path) }
        try Directory.rename(beside, to: path)
        try Directory.sync(vault)
        report(RepairNote(file: VaultFormat.fileName, detail: "written again, for vault \(right.id)"))
    }

    /// With one bit flipped back.
    private func corrected(_ path: FilePath) throws -> VaultFormat? {
        guard Directory.exists(path) else { return nil }
        let bytes = try File(path, .read).read(at: 0, count: 4096)
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            // Every other flip is refused.
            if let format = try? VaultFormat(flipped, of: vault), format.encoded() == flipped { return format }
        }
        return nil
    }

    private func fromSegments() throws -> VaultFormat? {
        guard let found = try JournalRebuild.vault(of: vault.appending("journal")) else { return nil }
        return VaultFormat(version: VaultFormat.current, id: found.id, created: "\(found.created)")
    }
}
