import Glibc
import LMDB
import SystemPackage
import TestKit
import Testing

private func bytes(_ span: RawSpan) -> [UInt8] { span.withUnsafeBytes { Array($0) } }

private func open(_ scratch: Scratch, readOnly: Bool = false) throws -> Environment {
    var options = Environment.Options()
    options.readOnly = readOnly
    return try Environment(path: scratch.path.string, tables: ["one", "two"], options: options)
}

extension LMDB.Environment {
    fileprivate func put(_ number: UInt64, _ value: [UInt8]) throws {
        let one = table("one")
        try write { (transaction: inout WriteTransaction) in
            try transaction.put(one, Key(number), value.span.bytes)
        }
    }

    fileprivate func get(_ number: UInt64) throws -> [UInt8]? {
        let one = table("one")
        return try read { (transaction: borrowing ReadTransaction) -> [UInt8]? in
            guard let found = try transaction.value(one, Key(number)) else { return nil }
            return bytes(found)
        }
    }
}

/// What `/proc/self/smaps` tells of the map of that file under this name.
private func smaps(_ name: String, ofMap file: String) -> Substring? {
    guard let stream = fopen("/proc/self/smaps", "r") else { return nil }
    defer { fclose(stream) }
    var text: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&piece, 1, piece.count, stream), count > 0 { text += piece[..<count] }
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
    guard let map = lines.firstIndex(where: { $0.hasSuffix(file) }) else { return nil }
    return lines[map...].first { $0.hasPrefix(name + ":") }?.dropFirst(name.utf8.count + 1)
}

private func residentBytes(ofMap file: String) -> Int? {
    smaps("Rss", ofMap: file).flatMap { Int($0.dropLast(2).filter { $0 != " " }) }.map { $0 * 1_024 }
}

/// Whether the kernel was told that the map is read here and there.
private func isWithoutReadAhead(map file: String) -> Bool? {
    smaps("VmFlags", ofMap: file)?.split(separator: " ").contains("rr")
}

/// How many bytes of the file the kernel has in its cache; with `forget`, after it was asked to have none.
private func cachedBytes(of file: String, forget: Bool = false) -> Int {
    let descriptor = Glibc.open(file, O_RDONLY)
    defer { close(descriptor) }
    if forget {
        fsync(descriptor)
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    }
    let length = Int(lseek(descriptor, 0, SEEK_END))
    guard let map = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0), map != MAP_FAILED else { return 0 }
    defer { munmap(map, length) }
    var pages = [UInt8](repeating: 0, count: (length + 4_095) / 4_096)
    mincore(map, length, &pages)
    return pages.count { $0 & 1 == 1 } * 4_096
}

struct EnvironmentTests {
    @Test("Who looks up one key reads the pages it is on, and who walks reads ahead")
    func readAhead() async throws {
        let scratch = Scratch("lmdb")
        let rows: UInt64 = 20_000
        do {
            let environment = try open(scratch)
            let (one, value) = (environment.table("one"), [UInt8](repeating: 1, count: 2_000))
            try environment.write { (transaction: inout WriteTransaction) in
                for row in 0..<rows { try transaction.append(one, Key(row), value.span.bytes) }
            }
        }
        let file = scratch.appending("data.mdb").string
        if cachedBytes(of: file, forget: true) > 1 << 20 {
            try Test.cancel("what this file system has read cannot be forgotten")
        }
        let path = scratch.path.string
        // In a process of its own: others have come to many pages before.
        await #expect(processExitsWith: .success) { [path = path as String, file = file as String] in
            var options = Environment.Options()
            options.readOnly = true
            let environment = try Environment(path: path, tables: ["one", "two"], options: options)
            #expect(try environment.get(12_345)?.count == 2_000)
            #expect(cachedBytes(of: file) < 1 << 20)
            #expect(isWithoutReadAhead(map: file) == true)
            for row in 0..<600 { _ = try environment.get(UInt64(row)) }
            #expect(isWithoutReadAhead(map: file) == false)
        }
    }

    @Test("A walk through a large environment does not hold all of it in memory")
    func memoryOfAWalk() throws {
        let scratch = Scratch("lmdb", isVolatile: true)
        let environment = try open(scratch)
        let one = environment.table("one")
        let value = [UInt8](repeating: 1, count: 2_000)
        let rows: UInt64 = 40_000
        try environment.write { (transaction: inout WriteTransaction) in
            for row in 0..<rows { try transaction.append(one, Key(row), value.span.bytes) }
        }
        var seen: UInt64 = 0
        try environment.read { (transaction: borrowing ReadTransaction) in
            try transaction.cursor(one) { (cursor: inout Cursor) in
                while try cursor.nextPrefetching() { seen += UInt64(cursor.value.unsafeLoad(as: UInt8.self)) }
            }
        }
        #expect(seen == rows)
        #expect(environment.usedBytes() > 78 << 20)
        let held = try #require(residentBytes(ofMap: scratch.path.string + "/data.mdb"))
        #expect(held < 48 << 20, "\(held) bytes of the map are held")
    }

    @Test("What was put is there after the environment is opened again, values of any size")
    func roundTrip() throws {
        let scratch = Scratch("lmdb")
        let sizes = [0, 1, 2_021, 2_022, 2_023, 4_096, 100_000]
        do {
            let environment = try open(scratch)
            for (index, size) in sizes.enumerated() {
                try environment.put(UInt64(index), Array(repeating: UInt8(index), count: size))
            }
        }
        let environment = try open(scratch, readOnly: true)
        for (index, size) in sizes.enumerated() {
            #expect(try environment.get(UInt64(index)) == Array(repeating: UInt8(index), count: size))
        }
        #expect(try environment.get(99) == nil)
    }

    @Test("Nothing of a write that throws stays")
    func abort() throws {
        struct Stop: Error {}
        let environment = try open(Scratch("lmdb"))
        try environment.put(1, [1])
        let one = environment.table("one")
        #expect(throws: Stop.self) {
            try environment.write { (transaction: inout WriteTransaction) in
                let value: [UInt8] = [2]
                try transaction.put(one, Key(1), value.span.bytes)
                try transaction.put(one, Key(2), value.span.bytes)
                throw Stop()
            }
        }
        #expect(try environment.get(1) == [1])
        #expect(try environment.get(2) == nil)
        try environment.put(2, [3])
        #expect(try environment.get(2) == [3])
    }

    @Test("Append refuses a key that is not the greatest, and putAscending takes any")
    func append() throws {
        let environment = try open(Scratch("lmdb"))
        let one = environment.table("one")
        let value: [UInt8] = [7]
        for key in [5, 4] as [UInt64] {
            #expect(throws: LMDBError.self) {
                try environment.write { (transaction: inout WriteTransaction) in
                    try transaction.append(one, Key(5), value.span.bytes)
                    try transaction.append(one, Key(key), value.span.bytes)
                }
            }
        }
        try environment.write { (transaction: inout WriteTransaction) in
            for key in [5, 9, 4, 5, 10, 1] as [UInt64] { try transaction.putAscending(one, Key(key), value.span.bytes) }
        }
        let count = try environment.read { (transaction: borrowing ReadTransaction) in try transaction.count(one) }
        #expect(count == 5)
    }

    @Test("A cursor goes through the keys in the order of their bytes, from anywhere, both ways")
    func cursor() throws {
        let environment = try open(Scratch("lmdb"))
        var generator = SeededGenerator.announced()
        let numbers = Set((0..<500).map { _ in generator.next() >> UInt64(generator.number(0..<64)) })
        for number in numbers.shuffled(using: &generator) { try environment.put(number, []) }
        let sorted = numbers.sorted()
        let one = environment.table("one")
        func key(_ cursor: borrowing Cursor) -> UInt64 { bytes(cursor.key).reduce(0) { $0 << 8 | UInt64($1) } }
        try environment.read { (transaction: borrowing ReadTransaction) in
            try transaction.cursor(one) { (cursor: inout Cursor) in
                var found: [UInt64] = []
                while try cursor.nextPrefetching() { found.append(key(cursor)) }
                #expect(found == sorted)
                for _ in 0..<200 {
                    let wanted = generator.next() >> UInt64(generator.number(0..<64))
                    let after = try cursor.seek(Key(wanted)) ? key(cursor) : nil
                    #expect(after == sorted.first { $0 >= wanted })
                    let before = try cursor.seekBefore(Key(wanted)) ? key(cursor) : nil
                    #expect(before == sorted.last { $0 < wanted })
                }
                _ = try cursor.first()
                #expect(key(cursor) == sorted.first)
                let hasMore = try cursor.previous()
                #expect(!hasMore)
                _ = try cursor.last()
                #expect(key(cursor) == sorted.last)
            }
        }
    }

    @Test("A snapshot does not change while others write, and delete and clear leave nothing behind")
    func snapshot() throws {
        let environment = try open(Scratch("lmdb"))
        try environment.put(1, [1])
        let one = environment.table("one")
        try environment.read { (transaction: borrowing ReadTransaction) in
            try environment.put(1, [2])
            guard let seen = try transaction.value(one, Key(1)) else {
                Issue.record("it is gone")
                return
            }
            let found = bytes(seen)
            #expect(found == [1])
        }
        #expect(try environment.get(1) == [2])
        try environment.write { (transaction: inout WriteTransaction) in
            let was = (try transaction.delete(one, Key(1)), try transaction.delete(one, Key(1)))
            #expect(was.0 && !was.1)
        }
        try environment.put(3, [3])
        try environment.write { (transaction: inout WriteTransaction) in try transaction.clear(one) }
        #expect(try environment.get(3) == nil)
    }

    @Test("A compacted copy has the same rows")
    func copy() throws {
        let environment = try open(Scratch("lmdb"))
        for number in 0..<300 as Range<UInt64> { try environment.put(number, Array(repeating: 1, count: 900)) }
        let other = Scratch("copy")
        try environment.copyCompacted(to: other.path.string)
        let copied = try open(other, readOnly: true)
        #expect(try copied.get(299) == Array(repeating: 1, count: 900))
        #expect(Inspection(of: other.path.string) == .sound)
    }

    @Test("Opening what is missing or cannot be is an error that says so")
    func missing() throws {
        let scratch = Scratch("lmdb")
        #expect(throws: LMDBError.self) {
            try Environment(path: scratch.appending("nowhere").string, tables: ["one"])
        }
        #expect(throws: LMDBError.self) { try open(scratch, readOnly: true) }
        do {
            let environment = try open(scratch)
            try environment.put(1, [1])
        }
        var options = Environment.Options()
        options.readOnly = true
        let error = #expect(throws: LMDBError.self) {
            try Environment(path: scratch.path.string, tables: ["three"], options: options)
        }
        #expect(error?.during == .table)
        // The failure has let go of the environment.
        #expect(try open(scratch).get(1) == [1])
    }

    @Test("A second environment on one directory in one process ends the process rather than lose its locks")
    func twice() async {
        await #expect(processExitsWith: .failure) {
            let scratch = Scratch("lmdb")
            let first = try open(scratch)
            let second = try open(scratch)
            withExtendedLifetime((first, second)) {}
        }
    }
}

struct InspectionTests {
    @Test("A missing, empty, foreign or cut file is told before LMDB is trusted with it")
    func damage() throws {
        let scratch = Scratch("lmdb")
        #expect(Inspection(of: scratch.path.string) == .missing)
        do {
            let environment = try open(scratch)
            for number in 0..<200 as Range<UInt64> { try environment.put(number, Array(repeating: 1, count: 1_000)) }
        }
        #expect(Inspection(of: scratch.path.string) == .sound)
        let file = scratch.appending("data.mdb")
        let whole = try #require(Tree.read(file))
        func expectDamage(_ content: [UInt8], _ what: Comment) {
            Tree.write(file, content)
            guard case .damaged = Inspection(of: scratch.path.string) else {
                Issue.record(what)
                return
            }
        }
        for size in [0, 1, 100, 4_095, 4_096, 8_191, 8_192, whole.count / 2, whole.count - 4_096] {
            expectDamage(Array(whole[..<size]), "cut to \(size) bytes")
        }
        expectDamage(Array(repeating: 0, count: whole.count), "zeros")
        // The root of the newer meta page (its number is at 144) must be there; that of the older is never used, and is what LMDB leaves when a
        // commit fails in its last write.
        let newer = whole[144..<152].reversed().lexicographicallyPrecedes(whole[4_240..<4_248].reversed()) ? 4_096 : 0
        for page in [0, 4_096] {
            var content = whole
            content[page + 128 + 2] = 0xFF
            if page == newer {
                expectDamage(content, "the root of the newer meta page")
            } else {
                Tree.write(file, content)
                #expect(Inspection(of: scratch.path.string) == .sound)
            }
        }
        var generator = SeededGenerator.announced()
        expectDamage(generator.bytes(20_000), "random bytes")
        for offset in [10, 16, 20, 40, 4_096 + 10, 4_096 + 16] {
            var content = whole
            content[offset] ^= 0xFF
            expectDamage(content, "byte \(offset) of the meta pages")
        }
        Tree.write(file, whole)
        #expect(Inspection(of: scratch.path.string) == .sound)
    }
}
