import BenchmarkLoops
import Events
import Files
import Glibc
import Journal
import Projections
import SystemPackage

/// Our journal through its public door: both copies, chained and hashed, in records of about 300 bytes.
struct SwiftJournal: EngineContestant {
    let name = "Journal"

    /// Its records are not those of the table that the others scan: see ``JournalReplay``.
    func scan(_ path: String, _ way: ScanWay, _ count: UInt64) throws -> Double? { nil }

    func append(_ path: String, _ count: UInt64, group: UInt64) throws -> (wall: Double, processor: Double)? {
        let journal = try SwiftJournal.make(path)
        var cost = (wall: 0.0, processor: 0.0)
        var done: UInt64 = 0
        while done < count {
            let size = min(group, count - done)
            // Who appends has them already.
            let entries = (done..<done + size).map(SwiftJournal.entry)
            let began = (Shell.now(), Shell.processorTime())
            try journal.append(entries)
            cost.wall += Double(Shell.now() - began.0) / 1e9
            cost.processor += Double(Shell.processorTime() - began.1) / 1e9
            done += size
        }
        return cost
    }

    static func make(_ path: String) throws -> OpenJournal {
        try Directory.create(FilePath(path))
        try OpenJournal.create(in: FilePath(path))
        return try OpenJournal(
            FilePath(path), vault: UniqueID(high: 1, low: 2), readOnly: false, clock: .system)
    }

    /// A message that arrives; with a name that makes its record 300 bytes long.
    static func entry(_ number: UInt64) -> JournalEntry {
        let state = MessageState(
            folder: 1, content: .blob(Digest(leaf: [UInt8(truncatingIfNeeded: number)].span.bytes), size: 4_711),
            internalDate: Timestamp(rawValue: 1_700_000_000_000_000), flags: .seen,
            sourceName: [UInt8](repeating: UInt8(ascii: "x"), count: 171))
        let change = Change(ItemID(.message, UInt32(truncatingIfNeeded: number + 1)), .created, ItemState(state))
        return JournalEntry(account: AccountNumber(rawValue: 1), origin: .scan, changes: [change])
    }
}

/// What is done with a journal that is there: a bare scan, a fold to the newest transaction, projections made anew.
struct JournalReplay {
    let work: String
    let records: UInt64
    let rounds: Int

    func table() throws -> Table {
        let journal = try SwiftJournal.make(work)
        var done: UInt64 = 0
        while done < records {
            let size = min(10_000, records - done)
            try journal.append((done..<done + size).map(SwiftJournal.entry))
            done += size
        }
        let head = try journal.head().transaction
        var rates: [[Double]] = [[], [], []]
        for _ in 0..<rounds {
            rates[0].append(
                try rate { try journal.scan(from: TransactionID(rawValue: 1), through: head) { _ in true } })
            rates[1].append(
                try rate {
                    var fold = AccountFold(account: AccountNumber(rawValue: 1))
                    try fold.fold(journal, through: head)
                })
        }
        let path = work + "/projections"
        try Directory.create(FilePath(path))
        rates[2].append(
            try rate {
                let projections = try OpenProjections(FilePath(path), withoutSync: true)
                try projections.follow(journal)
                try projections.sync()
            })
        var table = Table(
            "journal of \(records) transactions of 300 bytes, checksums verified: million a second of CPU",
            ["scan", "fold", "projections made anew"])
        table.add(rates.map(Figure.spread))
        return table
    }

    private func rate(_ body: () throws -> Void) throws -> Double {
        let began = Shell.processorTime()
        try body()
        return Double(records) / (Double(Shell.processorTime() - began) / 1e9) / 1e6
    }
}
