import Events
import Journal
import SystemPackage
import TestKit
import Testing

struct RecoveryTests {
    /// A journal whose LMDB stands at `["a", "b"]` while its segments have `more` too: as after a crash between the two.
    private func crashed(_ more: [String], segmentBytes: Int? = nil) throws -> JournalDirectory {
        let directory = try JournalDirectory(segmentBytes: segmentBytes)
        try directory.append(["a", "b"])
        let data = try #require(Tree.read(directory.data))
        try directory.append(more)
        Tree.write(directory.data, data)
        return directory
    }

    @Test("Whole records that nobody was told of are taken into LMDB")
    func replayed() throws {
        let directory = try crashed(["c", "d", "e"])
        try directory.append(["f"])
        #expect(try directory.names() == ["a", "b", "c", "d", "e", "f"])
    }

    @Test("A record torn anywhere is cut, and nothing before it is lost")
    func torn() throws {
        let directory = try crashed(["c"])
        let segment = directory.segmentFile(1)
        let whole = try #require(Tree.read(segment))
        let data = try #require(Tree.read(directory.data))
        let end = try #require(whole.lastIndex { $0 != 0 }) + 1
        let start = 72 + (end - 72) / 3 * 2
        var generator = SeededGenerator.announced()
        for length in Array(stride(from: start, through: end, by: 11)) + [start, start + 1, start + 7, end - 1, end] {
            for shape in 0..<3 {
                Tree.write(directory.data, data)
                var torn = Array(whole[..<length])
                switch shape {
                case 0: break
                case 1: torn += Array(repeating: 0, count: whole.count - length)
                default: torn += generator.bytes(200)
                }
                Tree.write(segment, torn)
                try directory.append(["next"])
                let expected = length < end ? ["a", "b", "next"] : ["a", "b", "c", "next"]
                #expect(try directory.names() == expected, "cut after \(length) of \(start)…\(end), shape \(shape)")
            }
        }
    }

    @Test(
        "Never more than one append is cut: behind LMDB's end the last one may be torn, a bit in any before it is damage"
    )
    func oneAppendAtMost() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<20 {
            let directory = try JournalDirectory()
            try directory.append(["a", "b"])
            let data = try #require(Tree.read(directory.data))
            var ends: [Int] = []
            var counts = [2]
            func end() throws -> Int { try #require(Tree.read(directory.segmentFile(1))?.lastIndex { $0 != 0 }) + 1 }
            ends.append(try end())
            for _ in 0..<generator.number(1..<6) {
                let count = generator.number(1..<5)
                let journal = try directory.open()
                try journal.append((0..<count).map { entry("\(counts.count)-\($0)") })
                ends.append(try end())
                counts.append((counts.last ?? 0) + count)
            }
            // LMDB fell back, and a bit of what it does not know is wrong.
            Tree.write(directory.data, data)
            // The last byte of a record may be a zero: not where it matters.
            var byte = ends[0]
            while ends.contains(where: { abs($0 - byte) < 8 }) {
                byte = generator.number(ends[0]..<ends[ends.count - 1])
            }
            let bit = generator.number(0..<8)
            Tree.flip(directory.segmentFile(1), byte: byte, bit: bit)
            let damaged = Tree.read(directory.segmentFile(1))
            let comment = Comment(rawValue: "byte \(byte), bit \(bit), appends end at \(ends)")
            if byte >= ends[ends.count - 2] {
                try directory.append(["next"])
                let names = try directory.names()
                #expect(names.last == "next", comment)
                #expect(names.count > counts[counts.count - 2], comment)
            } else {
                #expect(throws: JournalError.self, comment) { try directory.append(["next"]) }
                #expect(Tree.read(directory.segmentFile(1)) == damaged, comment)
            }
        }
    }

    @Test("Bytes behind the end that are not the next record are cut")
    func strangers() throws {
        let directory = try JournalDirectory()
        try directory.append(["a", "b"])
        let segment = directory.segmentFile(1)
        let whole = try #require(Tree.read(segment))
        let end = try #require(whole.lastIndex { $0 != 0 }) + 1
        // The first record again: whole, but not the next one.
        let again = Array(whole[72..<72 + (end - 72) / 2])
        Tree.write(segment, Array(whole[..<end]) + again)
        try directory.append(["c"])
        #expect(try directory.names() == ["a", "b", "c"])
        // Only a late byte was written.
        var late = try #require(Tree.read(segment))
        late[late.count - 1] = 1
        Tree.write(segment, late)
        try directory.append(["d"])
        #expect(try directory.names() == ["a", "b", "c", "d"])
    }

    @Test("LMDB ahead of the segment is damage, which is named and not written over")
    func ahead() throws {
        let directory = try JournalDirectory()
        try directory.append(["a", "b", "c"])
        let segment = directory.segmentFile(1)
        let whole = try #require(Tree.read(segment))
        let end = try #require(whole.lastIndex { $0 != 0 }) + 1
        for length in [end - 1, end - 40, 72] {
            Tree.write(segment, Array(whole[..<length]))
            #expect(throws: JournalError.self) { try directory.append(["d"]) }
            let journal = try directory.open(readOnly: true)
            #expect(try findings(journal).contains { $0.file.hasSuffix("1.seg") })
            #expect(try journal.head().transaction.rawValue == 3)
        }
        for length in [71, 0] {
            Tree.write(segment, Array(whole[..<length]))
            #expect(throws: JournalError.self) { try directory.append(["d"]) }
        }
        Tree.write(segment, whole)
        try directory.append(["d"])
        #expect(try directory.names() == ["a", "b", "c", "d"])
    }

    @Test("A segment begun by a writer that died is gone on in, whole, empty, or torn in its header")
    func begunSegment() throws {
        for keep in [Int.max, 150, 72, 71, 10, 0] {
            let directory = try crashed(["c: long enough to begin another segment"], segmentBytes: 340)
            let begun = directory.segmentFile(3)
            let whole = try #require(Tree.read(begun), "the third record begins a segment")
            Tree.write(begun, Array(whole[..<min(keep, whole.count)]))
            // A short record would still have gone into the first segment.
            try directory.append(["d", "e", "f", "g"])
            let rest = ["d", "e", "f", "g"]
            let expected =
                keep == .max ? ["a", "b", "c: long enough to begin another segment"] + rest : ["a", "b"] + rest
            #expect(try directory.names() == expected, "\(keep) bytes kept")
        }
    }

    @Test("A segment that was only begun is settled once, and the next opening has nothing to do")
    func begunSegmentIsSettled() throws {
        for keep in [150, 72, 10, 0] {
            let directory = try crashed(["c: long enough to begin another segment"], segmentBytes: 340)
            let begun = directory.segmentFile(3)
            let whole = try #require(Tree.read(begun), "the third record begins a segment")
            Tree.write(begun, Array(whole[..<min(keep, whole.count)]))
            #expect(try directory.open().standing() == .behind)
            try directory.open().settle()
            #expect(try directory.open().standing() == .level, "\(keep) bytes kept")
            #expect(try findings(directory.open()).isEmpty)
            try directory.append(["d", "e"])
            #expect(try directory.names() == ["a", "b", "d", "e"])
        }
    }

    @Test("An LMDB that is segments behind is brought up from the mirror")
    func farBehind() throws {
        let more = (0..<40).map { "record number \($0)" }
        let directory = try crashed(more, segmentBytes: 700)
        #expect(Tree.names(directory.segments).count > 4)
        try directory.append(["last"])
        #expect(try directory.names() == ["a", "b"] + more + ["last"])
    }

    @Test("A crash while a segment was sealed leaves both shapes, or a half of one, and neither does harm")
    func sealing() throws {
        let directory = try JournalDirectory(segmentBytes: 700)
        try directory.append((0..<20).map { "record \($0)" })
        let raw = try #require(Tree.read(directory.segmentFile(1)))
        Tree.write(directory.segments.appending("sealing"), [1, 2, 3])
        try directory.open().sealFullSegments()
        Tree.write(directory.segmentFile(1), raw)
        #expect(try directory.names().count == 20)
        try directory.open().sealFullSegments()
        #expect(try directory.names().count == 20)
        try directory.append(["last"])
        #expect(try directory.names().count == 21)
    }
}
