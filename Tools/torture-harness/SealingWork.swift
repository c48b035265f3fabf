internal import Events
internal import Files
internal import Glibc
internal import Journal
public import SystemPackage
internal import Vault

/// Fills small segments of the journal and seals them: the command line only seals segments of 64 MiB.
public enum SealingWork {
    /// Appends `rounds` times, says each on standard output when it is acknowledged, seals what is full.
    public static func run(_ vault: FilePath, rounds: Int) throws {
        let id = try OpenVault(vault, readOnly: true).id
        var options = JournalOptions()
        options.segmentBytes = 3_000
        let journal = try OpenJournal(
            vault.appending("journal"), vault: id, readOnly: false, clock: .system, options: options)
        for round in 0..<rounds {
            let batch = (0..<round % 3 + 1).map { _ in
                JournalEntry(account: AccountNumber(rawValue: 1), origin: .scan, changes: [])
            }
            let range = try journal.append(batch)
            let line = Array("acknowledged \(range.upperBound - 1)\n".utf8)
            _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
            if round % 5 == 4 { try journal.sealFullSegments() }
        }
    }
}
