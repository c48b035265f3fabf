import Events
import Files
import Glibc
import Journal
import LMDB
import SystemPackage
import TestKit
import Testing

/// Dies in the middle of a write, holding LMDB's lock, with the number of the newest commit not yet told to readers: as a writer does that
/// is killed when the page of the commit is on the disk and the next instruction was not run any more.
private func dieBeforeTelling(_ lmdb: String) throws {
    let environment = try Environment(path: lmdb, tables: ["records", "head"])
    let newest = try newestCommit(lmdb + "/data.mdb")
    let lock = open(lmdb + "/lock.mdb", O_RDWR)
    var bytes = [UInt8](repeating: 0, count: 192)
    _ = pread(lock, &bytes, bytes.count, 0)
    let places = stride(from: 8, to: bytes.count, by: 8).filter { number(bytes, $0) == newest }
    guard places.count == 1 else { exit(3) }
    var stale = newest - 1
    try environment.write { (_: inout WriteTransaction) in
        _ = pwrite(lock, &stale, 8, off_t(places[0]))
        kill(getpid(), SIGKILL)
    }
}

/// The larger of the numbers in LMDB's two meta pages.
private func newestCommit(_ data: String) throws -> UInt64 {
    let file = open(data, O_RDONLY)
    defer { close(file) }
    var pages = [UInt8](repeating: 0, count: 8_192)
    _ = pread(file, &pages, pages.count, 0)
    // Page header 16, then magic 4, version 4, address 8, size of the map 8, two tables of 48, last page 8.
    return max(number(pages, 144), number(pages, 4_096 + 144))
}

private func number(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
}

@Suite(.serialized)
struct StaleHeadTests {
    @Test(
        "A writer that died when its commit was on the disk but not told to readers: the next append goes on behind it, and records nothing twice"
    )
    func stale() async throws {
        let directory = try JournalDirectory()
        let journal = try directory.open()
        for name in ["one", "two", "three"] { try journal.append([entry(name)]) }
        let lmdb = directory.path.appending("lmdb").string
        await #expect(processExitsWith: .signal(SIGKILL)) { [lmdb = lmdb as String] in try dieBeforeTelling(lmdb) }
        // Whoever only reads is told what was before.
        #expect(try journal.head().transaction == TransactionID(rawValue: 2))
        #expect(try journal.append([entry("four")]) == 4..<5)
        #expect(try journal.head().transaction == TransactionID(rawValue: 4))
        #expect(try checkedNames(journal) == ["one", "two", "three", "four"])
    }
}
