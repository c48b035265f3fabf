import Glibc
import LMDB
import SystemPackage
import TestKit
import Testing

private func environment(_ path: String) throws -> Environment {
    var options = Environment.Options()
    options.withoutSync = true
    return try Environment(path: path, tables: ["one", "two"], options: options)
}

extension LMDB.Environment {
    private func number(_ found: RawSpan?) -> UInt64 {
        guard let found else { return 0 }
        return UInt64(bigEndian: found.unsafeLoadUnaligned(as: UInt64.self))
    }

    fileprivate func count() throws -> UInt64 {
        let one = table("one")
        return try read { (transaction: borrowing ReadTransaction) in
            number(try transaction.value(one, Key(0 as UInt64)))
        }
    }

    /// Adds one to a number, and a row under it.
    fileprivate func increment() throws {
        let (one, two) = (table("one"), table("two"))
        try write { (transaction: inout WriteTransaction) in
            let next = number(try transaction.value(one, Key(0 as UInt64))) + 1
            let bytes = withUnsafeBytes(of: next.bigEndian) { Array($0) }
            try transaction.put(one, Key(0 as UInt64), bytes.span.bytes)
            try transaction.put(
                two, Key(next), [UInt8](repeating: UInt8(truncatingIfNeeded: next), count: 300).span.bytes)
        }
    }

    fileprivate func fill(_ rows: UInt64) throws {
        let two = table("two")
        try write { (transaction: inout WriteTransaction) in
            for row in 0..<rows {
                try transaction.put(
                    two, Key(row), [UInt8](repeating: UInt8(truncatingIfNeeded: row), count: 1_000).span.bytes)
            }
        }
    }

    fileprivate func remove(_ rows: Range<UInt64>) throws {
        let two = table("two")
        try write { (transaction: inout WriteTransaction) in for row in rows { try transaction.delete(two, Key(row)) } }
    }

    fileprivate func rows() throws -> Int {
        let two = table("two")
        return try read { (transaction: borrowing ReadTransaction) in try transaction.count(two) }
    }
}

private func size(_ path: String) -> Int {
    var found = stat()
    return stat(path, &found) == 0 ? Int(found.st_size) : 0
}

@Suite(.serialized)
struct CompactionTests {
    @Test(
        "A compaction gives the space back, a snapshot that is open stays as it was, and everything after it sees the copy"
    )
    func inOneProcess() throws {
        let scratch = Scratch("compaction", isVolatile: true)
        let path = scratch.appending("lmdb").string
        Tree.makeDirectory(scratch.appending("lmdb"))
        let open = try environment(path)
        try open.fill(4_000)
        try open.remove(100..<4_000)
        let before = size(path + "/data.mdb")
        let two = open.table("two")
        try open.read { (transaction: borrowing ReadTransaction) in
            #expect(try open.compact(beside: path + ".beside"))
            #expect(size(path + "/data.mdb") < before / 10)
            try open.fill(50)
            try open.remove(0..<60)
            // The old snapshot.
            #expect(try transaction.count(two) == 100)
            #expect(try transaction.value(two, Key(7 as UInt64))?.byteCount == 1_000)
        }
        #expect(try open.rows() == 40 && open.isInPlace())
        #expect(!Tree.exists(scratch.appending("lmdb.beside")))
        #expect(PageWalk.verify(path, tables: ["one", "two"], optional: [], row: { _, _, _ in nil }).isEmpty)
    }

    @Test(
        "A compaction that was killed before the old file was removed: who has that open goes over to the new one all the same"
    )
    func killedBeforeTheEnd() throws {
        let scratch = Scratch("compaction", isVolatile: true)
        let path = scratch.appending("lmdb").string
        let beside = path + ".beside"
        Tree.makeDirectory(scratch.appending("lmdb"))
        let open = try environment(path)
        try open.increment()
        Tree.makeDirectory(scratch.appending("lmdb.beside"))
        try open.copyCompacted(to: beside)
        #expect(rename(path, path + ".old") == 0 && rename(beside, path) == 0)
        try open.increment()
        #expect(try open.isInPlace() && open.count() == 2)
        #expect(try environment(path + ".old").count() == 1)
    }

    @Test("Two processes write while one of them compacts again and again: no write is lost, and both see all of them")
    func twoProcesses() async throws {
        let scratch = Scratch("compaction", isVolatile: true)
        let path = scratch.appending("lmdb").string
        Tree.makeDirectory(scratch.appending("lmdb"))
        let own = Task.detached {
            let open = try environment(path)
            for _ in 0..<60 {
                for _ in 0..<20 { try open.increment() }
                #expect(try open.compact(beside: path + ".beside"))
            }
            return open
        }
        await #expect(processExitsWith: .success) { [path = path as String] in
            let open = try environment(path)
            var last: UInt64 = 0
            for _ in 0..<1_500 {
                try open.increment()
                let now = try open.count()
                guard now > last else { exit(3) }
                last = now
            }
        }
        let open = try await own.value
        #expect(try open.count() == 2_700 && open.rows() == 2_700)
        #expect(PageWalk.verify(path, tables: ["one", "two"], optional: [], row: { _, _, _ in nil }).isEmpty)
    }

    @Test(
        "Killed at any moment, a compaction leaves the environment as it was or compacted, and the next one removes the rest"
    )
    func killed() async throws {
        let scratch = Scratch("compaction", isVolatile: true)
        var generator = SeededGenerator.announced()
        let path = scratch.appending("lmdb").string
        Tree.makeDirectory(scratch.appending("lmdb"))
        do { try environment(path).fill(2_000) }
        for _ in 0..<12 {
            let pause = UInt32(generator.number(0..<20_000))
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, pause = pause as UInt32] in
                let open = try environment(path)
                killThisProcess(afterMicroseconds: pause)
                while true { _ = try open.compact(beside: path + ".beside") }
            }
            let open = try environment(path)
            #expect(try open.rows() == 2_000)
            try open.increment()
            try open.remove(1..<2)
            try open.fill(2_000)
        }
        let open = try environment(path)
        #expect(try open.compact(beside: path + ".beside"))
        #expect(!Tree.exists(scratch.appending("lmdb.beside")))
        #expect(try open.rows() == 2_000 && open.count() == 12)
    }
}
