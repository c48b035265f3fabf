import Glibc
import LMDB
import SystemPackage
import TestKit
import Testing

struct PageWalkTests {
    private static let tables = ["one", "two"]

    private func fill(_ scratch: Scratch) throws {
        let environment = try Environment(path: scratch.path.string, tables: Self.tables)
        let (one, two) = (environment.table("one"), environment.table("two"))
        var generator = SeededGenerator(seed: 7)
        // In several commits, some of it written over: pages become free, some values have pages of their own.
        for round in 0..<12 as Range<UInt64> {
            try environment.write { (transaction: inout WriteTransaction) in
                for number in 0..<60 as Range<UInt64> {
                    let value = generator.bytes(generator.chance(5) ? 5_000 : 120)
                    try transaction.put(one, Key(number * 7 + round), value.span.bytes)
                    try transaction.put(two, Key(generator.next()), value.span.bytes.extracting(first: 20))
                }
            }
        }
    }

    /// All rows, read without LMDB.
    private func rows(_ path: FilePath) -> (findings: [PageFinding], rows: [[UInt8]]) {
        var rows: [[UInt8]] = []
        let findings = PageWalk.verify(path.string, tables: Self.tables) { table, key, value in
            rows.append(Array(table.utf8) + key.withUnsafeBytes { Array($0) } + value.withUnsafeBytes { Array($0) })
            return nil
        }
        return (findings, rows)
    }

    @Test("Every row is found, and what LMDB has just written is sound")
    func sound() throws {
        let scratch = Scratch("walk")
        try fill(scratch)
        let (findings, rows) = rows(scratch.path)
        #expect(findings.isEmpty, "\(findings)")
        let environment = try Environment(path: scratch.path.string, tables: Self.tables)
        let (one, two) = (environment.table("one"), environment.table("two"))
        let count = try environment.read { (transaction: borrowing ReadTransaction) in
            try transaction.count(one) + transaction.count(two)
        }
        #expect(rows.count == count)
        #expect(try environment.verifyPages().isEmpty)
        #expect(PageWalk.verify(scratch.path.string, tables: ["one"]).count == 1)
        #expect(PageWalk.verify(scratch.path.string, tables: ["one", "two", "three"]).count == 1)
    }

    @Test("A flipped bit is found, or is in a value, or changes nothing: no row is lost or moved unnoticed")
    func flips() throws {
        let scratch = Scratch("walk")
        try fill(scratch)
        let file = scratch.appending("data.mdb")
        let whole = try #require(Tree.read(file))
        let before = rows(scratch.path).rows
        var generator = SeededGenerator.announced()
        var (found, values, silent, older) = (0, 0, 0, 0)
        for _ in 0..<1_500 {
            // Headers of pages more often than what is in them.
            let page = generator.number(0..<whole.count / 4096)
            let byte = page * 4096 + (generator.chance(60) ? generator.number(0..<160) : generator.number(0..<4096))
            let bit = generator.number(0..<8)
            Tree.flip(file, byte: byte, bit: bit)
            defer { Tree.flip(file, byte: byte, bit: bit) }
            let (findings, after) = rows(scratch.path)
            // A page number of 64 bits has no place in any file; asking for it must not end the process.
            #expect(findings.allSatisfy { $0.offset >= 0 })
            if !findings.isEmpty {
                found += 1
            } else if after == before {
                silent += 1
            } else if byte % 4096 >= 144, byte % 4096 < 152, page < 2 {
                // The number of a meta page's transaction: the snapshot before the last one, whole, may pass for the newest then. The file alone
                // cannot tell; the segments, the packs and the journal's head can.
                older += 1
            } else {
                // A row's own bytes: that is for the checksums of who wrote it. One row only, and none is missing.
                values += 1
                let differing = zip(before, after).count { $0 != $1 }
                #expect(after.count == before.count && differing == 1, "byte \(byte), bit \(bit)")
            }
        }
        print("page walk: \(found) found, \(values) in values, \(silent) without effect, \(older) older")
        #expect(found > 100)
    }

    @Test("A page number that no file can have is a finding with a place")
    func impossiblePage() throws {
        let scratch = Scratch("walk")
        try fill(scratch)
        let file = scratch.appending("data.mdb")
        let whole = try #require(Tree.read(file))
        // The roots of the tables, in their rows of the main table; the name comes before the row.
        var roots = 0
        for place in 0..<whole.count - 60
        where whole[place..<place + 3].elementsEqual(Array("two".utf8))
            || whole[place..<place + 3].elementsEqual(Array("one".utf8))
        {
            for high in [0x7F, 0x80, 0xFF] as [UInt8] {
                var bytes = whole
                bytes[place + 3 + 47] ^= high
                Tree.write(file, bytes)
                let findings = rows(scratch.path).findings
                if findings.contains(where: { $0.offset == .max }) { roots += 1 }
            }
        }
        #expect(roots > 0)
        Tree.write(file, whole)
    }

    @Test("An environment whose maker died before its first commit is told from a damaged one")
    func unbegun() throws {
        let scratch = Scratch("walk")
        #expect(!Inspection.isUnbegun(scratch.path.string))
        Tree.write(scratch.appending("data.mdb"), [])
        #expect(Inspection.isUnbegun(scratch.path.string))
        try fill(scratch)
        #expect(!Inspection.isUnbegun(scratch.path.string))
        Tree.truncate(scratch.appending("data.mdb"), to: 5_000)
        #expect(!Inspection.isUnbegun(scratch.path.string))
    }

    @Test("A page of zeros, of another place, or of random bytes is a finding and not the end of the process")
    func pages() throws {
        let scratch = Scratch("walk")
        try fill(scratch)
        let file = scratch.appending("data.mdb")
        let whole = try #require(Tree.read(file))
        let before = rows(scratch.path).rows
        var generator = SeededGenerator.announced()
        for page in 0..<whole.count / 4096 {
            for kind in 0..<3 {
                var bytes = whole
                let other = generator.number(2..<whole.count / 4096)
                let content: [UInt8] =
                    switch kind {
                    case 0: Array(repeating: 0, count: 4096)
                    case 1: Array(whole[other * 4096..<other * 4096 + 4096])
                    default: generator.bytes(4096)
                    }
                bytes.replaceSubrange(page * 4096..<page * 4096 + 4096, with: content)
                Tree.write(file, bytes)
                let (findings, after) = rows(scratch.path)
                // A page that nothing leads to may hold anything.
                let isInOneValue = after.count == before.count && zip(before, after).count { $0 != $1 } <= 1
                #expect(!findings.isEmpty || isInOneValue, "page \(page), kind \(kind)")
            }
        }
    }
}
