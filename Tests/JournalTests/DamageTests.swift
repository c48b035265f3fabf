import Events
import Journal
import SystemPackage
import TestKit
import Testing

struct DamageTests {
    /// Where `needle` stands in a file, every time.
    private func offsets(of needle: [UInt8], in file: FilePath) throws -> [Int] {
        let bytes = try #require(Tree.read(file))
        return bytes.indices.filter { bytes[$0...].starts(with: needle) }
    }

    private func records(_ journal: OpenJournal) throws -> [[UInt8]] {
        var all: [[UInt8]] = []
        try journal.scan(from: TransactionID(rawValue: 1), through: journal.head().transaction) {
            all.append($0.bytes.withUnsafeBytes { Array($0) })
            return true
        }
        return all
    }

    @Test("Every flipped bit of a record in LMDB is found by reading, every flipped byte by verifying, and named")
    func flipsInLMDB() throws {
        let directory = try JournalDirectory()
        try directory.append(["a", "b", "c"])
        let journal = try directory.open(readOnly: true)
        for (index, record) in try records(journal).enumerated() {
            let id = TransactionID(rawValue: UInt64(index + 1))
            let places = try offsets(of: record, in: directory.data)
            try #require(!places.isEmpty)
            for bit in 0..<record.count * 8 {
                for place in places { Tree.flip(directory.data, byte: place + bit / 8, bit: bit % 8) }
                defer { for place in places { Tree.flip(directory.data, byte: place + bit / 8, bit: bit % 8) } }
                do {
                    _ = try journal.transaction(id)
                    Issue.record("bit \(bit) of \(id) is not noticed when it is read")
                } catch JournalError.damaged(let finding) {
                    #expect(finding.transaction == id)
                }
                // Verifying reads all of both copies: one bit of each byte will do.
                guard bit % 8 == bit / 8 % 8 else { continue }
                let found = try findings(journal)
                #expect(
                    found.contains { $0.transaction == id && $0.file == "journal/lmdb/data.mdb" },
                    "bit \(bit) of \(id): \(found)")
            }
        }
        #expect(try checkedNames(journal) == ["a", "b", "c"])
    }

    @Test("Every flipped byte of a raw segment is found by verifying, and named")
    func flipsInSegment() throws {
        let directory = try JournalDirectory()
        try directory.append(["a", "b", "c"])
        let journal = try directory.open(readOnly: true)
        let records = try records(journal)
        let file = directory.segmentFile(1)
        let name = "journal/segments/00000000000000000001.seg"
        var start = 0
        var ends: [(end: Int, id: UInt64)] = [(72, 1)]
        for (index, record) in records.enumerated() {
            start += record.count
            ends.append((72 + start, UInt64(index + 1)))
        }
        for byte in 0..<72 + start where !(68..<72).contains(byte) {
            Tree.flip(file, byte: byte, bit: byte % 8)
            defer { Tree.flip(file, byte: byte, bit: byte % 8) }
            let id = try #require(ends.first { byte < $0.end }).id
            let found = try findings(journal)
            #expect(
                found.contains { $0.file == name && $0.transaction?.rawValue == id }, "byte \(byte): \(found)")
        }
    }

    @Test("Every flipped byte of a sealed segment is found by verifying")
    func flipsInSealed() throws {
        let directory = try JournalDirectory(segmentBytes: 300)
        let journal = try directory.open()
        for number in 0..<4 { try journal.append([entry("\(number)")]) }
        try journal.sealFullSegments()
        let file = directory.segmentFile(1, "sealed")
        let size = try #require(Tree.read(file)).count
        for byte in 0..<size where !(68..<72).contains(byte) {
            Tree.flip(file, byte: byte, bit: byte % 8)
            defer { Tree.flip(file, byte: byte, bit: byte % 8) }
            let found = try findings(journal)
            #expect(found.contains { $0.file.hasSuffix(".sealed") }, "byte \(byte) of \(size)")
        }
        for length in [0, 50, 72, 100, size - 1] {
            let copy = try #require(Tree.read(file))
            Tree.truncate(file, to: length)
            #expect(try !findings(journal).isEmpty, "cut to \(length)")
            Tree.write(file, copy)
        }
        #expect(try checkedNames(journal).count == 4)
    }

    @Test("A segment that is missing, or a record that is, is named by both kinds of reading")
    func missing() throws {
        let directory = try JournalDirectory(segmentBytes: 1_000)
        let journal = try directory.open()
        for number in 0..<20 { try journal.append([entry("\(number)")]) }
        for name in Tree.names(directory.segments) {
            let path = Tree.child(directory.segments, name)
            let content = try #require(Tree.read(path))
            Tree.remove(path)
            #expect(try !findings(journal).isEmpty, "\(String(decoding: name, as: UTF8.self))")
            Tree.write(path, content)
            #expect(try findings(journal).isEmpty)
        }
    }

    @Test("An empty, missing, cut or foreign data.mdb is an error, never an empty journal")
    func dataFile() throws {
        let directory = try JournalDirectory()
        try directory.append((0..<50).map { "\($0)" })
        let whole = try #require(Tree.read(directory.data))
        for size in [0, 1, 4_096, 8_192, 12_288, whole.count - 4_096] {
            Tree.write(directory.data, Array(whole[..<size]))
            for readOnly in [true, false] {
                #expect(throws: JournalError.self, "\(size) bytes") { try directory.open(readOnly: readOnly) }
            }
        }
        Tree.write(directory.data, Array(repeating: 0x5A, count: whole.count))
        #expect(throws: JournalError.self) { try directory.open() }
        Tree.remove(directory.data)
        for readOnly in [true, false] {
            #expect(throws: JournalError.self) { try directory.open(readOnly: readOnly) }
        }
        #expect(!Tree.exists(directory.data))
        Tree.write(directory.data, whole)
        #expect(try directory.names().count == 50)
    }
}
