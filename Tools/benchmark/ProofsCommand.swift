import ArgumentParser
import Events
import Files
import Journal
import SystemPackage
import Transparency
import Vault

/// What checkpoints and proofs cost, with the stored subtrees and without them.
struct ProofsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proofs", abstract: "Checkpoints and proofs over a journal of so many records.")

    @Option var rounds = 5
    @Option(help: "Records of the journal.") var records: UInt64 = 1_000_000
    @Option(help: "Where to work; removed afterwards.") var work: String?

    func run() throws {
        let work = work ?? Shell.temporary("proofs")
        try Shell.makeDirectory(work)
        defer { Shell.removeTree(work) }
        print(Machine.report(workingDirectory: work))
        let path = FilePath(work + "/vault")
        var generator = SystemRandomNumberGenerator()
        try OpenVault.create(path, using: &generator)
        let vault = try OpenVault(path)
        try append(records - vault.journal.head().transaction.rawValue, vault)
        let checkpoints = VaultCheckpoints(vault)
        let stored = path.appending("checkpoints/subtrees")
        let away = path.appending("checkpoints/away")

        var costs: [(what: String, seconds: [Double])] = [
            ("verify-log", []), ("first checkpoint", []), ("checkpoint again", []), ("checkpoint, 1,000 more", []),
            ("proof", []), ("proof, nothing stored", []),
        ]
        for round in 0..<rounds {
            for name in ["newest", "subtrees"] where Directory.exists(path.appending("checkpoints/\(name)")) {
                try Directory.removeFile(path.appending("checkpoints/\(name)"))
            }
            costs[0].seconds.append(try cost { _ = try checkpoints.verifyLog(outside: [], key: nil) })
            costs[1].seconds.append(try cost { _ = try checkpoints.sign(using: &generator) })
            costs[2].seconds.append(try cost { _ = try checkpoints.sign(using: &generator) })
            try append(1_000, vault)
            costs[3].seconds.append(try cost { _ = try checkpoints.sign(using: &generator) })
            guard let signed = try checkpoints.newest() else { throw BenchFailure("no checkpoint") }
            func prove(_ number: UInt64) throws {
                _ = try checkpoints.prove(TransactionID(rawValue: number % records + 1), in: signed)
            }
            let all = try cost { for number in 0..<100 as Range<UInt64> { try prove(number * 7_919 + UInt64(round)) } }
            costs[4].seconds.append(all / 100)
            try Directory.rename(stored, to: away)
            costs[5].seconds.append(try cost { try prove(7_919) })
            try Directory.rename(away, to: stored)
        }
        var table = Table("journal of \(records) records of 300 bytes: milliseconds of CPU", costs.map(\.what))
        table.add(costs.map { Figure.spread($0.seconds.map { $0 * 1e3 }) })
        let bytes = try File(stored, .read).size()
        table.notes.append("\(bytes) bytes of stored subtrees")
        print(table.text)
    }

    private func append(_ count: UInt64, _ vault: OpenVault) throws {
        var done: UInt64 = 0
        while done < count {
            let size = min(10_000, count - done)
            try vault.commit((done..<done + size).map(SwiftJournal.entry))
            done += size
        }
    }

    private func cost(_ body: () throws -> Void) rethrows -> Double {
        let began = Shell.processorTime()
        try body()
        return Double(Shell.processorTime() - began) / 1e9
    }
}
