import Events
import Files
import Journal
import SystemPackage
import TestKit

let vaultID = UniqueID(high: 0x1111_2222_3333_4444, low: 0x8555_6666_7777_8888)

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A journal in a scratch directory; opened and closed as a test wants.
struct JournalDirectory {
    let scratch = Scratch("journal")
    let clock = TestClock(step: 1_000)
    var options = JournalOptions()

    var path: FilePath { scratch.appending("journal") }
    var data: FilePath { path.appending("lmdb/data.mdb") }
    var segments: FilePath { path.appending("segments") }

    init(segmentBytes: Int? = nil) throws {
        if let segmentBytes { options.segmentBytes = segmentBytes }
        Tree.makeDirectory(path)
        try OpenJournal.create(in: path)
    }

    func open(readOnly: Bool = false) throws -> OpenJournal {
        try OpenJournal(path, vault: vaultID, readOnly: readOnly, clock: clock.wall, options: options)
    }

    /// Appends entries one by one and closes.
    func append(_ names: [String]) throws {
        let journal = try open()
        for name in names { try journal.append([entry(name)]) }
    }

    func segmentFile(_ first: UInt64, _ suffix: String = "seg") -> FilePath {
        let digits = String(first)
        return segments.appending(String(repeating: "0", count: 20 - digits.count) + digits + "." + suffix)
    }

    /// All records' names, having checked that the journal is whole and the two copies say the same.
    func names() throws -> [String] {
        let journal = try open(readOnly: true)
        return try checkedNames(journal)
    }
}

struct NotWhole: Error, CustomStringConvertible {
    let description: String
}

func checkedNames(_ journal: OpenJournal) throws -> [String] {
    let findings = try findings(journal)
    guard findings.isEmpty else { throw NotWhole(description: "\(findings)") }
    var names: [String] = []
    var time = Timestamp(rawValue: .min)
    let head = try journal.head().transaction
    try journal.scan(from: TransactionID(rawValue: 1), through: head) { record in
        let transaction = try record.transaction()
        guard transaction.id.rawValue == UInt64(names.count + 1), transaction.time >= time else {
            throw NotWhole(description: "\(transaction.id) behind \(names.count)")
        }
        time = transaction.time
        names.append(String(decoding: transaction.entry.note?.text("name") ?? [], as: UTF8.self))
        return true
    }
    return names
}

func findings(_ journal: OpenJournal) throws -> [JournalFinding] {
    var found: [JournalFinding] = []
    try journal.verify { found.append($0) }
    return found
}

/// An entry that is told by its name.
func entry(_ name: String) -> JournalEntry {
    JournalEntry(
        account: AccountNumber(rawValue: 1), origin: .scan, changes: [],
        note: Note(.operationStep, [.init("name", .text(utf8(name)))]))
}
