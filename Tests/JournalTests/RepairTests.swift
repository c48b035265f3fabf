import Events
import Journal
import SystemPackage
import TestKit
import Testing

struct RepairTests {
    /// A journal of several segments, sealed ones and a raw one, and what is in it.
    private func filled(_ count: Int = 120) throws -> (JournalDirectory, [String]) {
        let directory = try JournalDirectory(segmentBytes: 6_000)
        let names = (0..<count).map { "transaction number \($0) of this journal" }
        let half = Array(names[..<(count * 2 / 3)])
        try directory.append(half)
        try directory.open().sealFullSegments()
        try directory.append(Array(names[half.count...]))
        return (directory, names)
    }

    private struct Repair {
        var notes: [RepairNote] = []
        var setAside = 0
        var changed = false
    }

    private func repair(_ directory: JournalDirectory) throws -> Repair {
        var repair = Repair()
        let quarantine = directory.scratch.appending("quarantine")
        Tree.makeDirectory(quarantine)
        var (number, notes, moved) = (Tree.names(quarantine).count, [RepairNote](), 0)
        func place() -> FilePath {
            number += 1
            moved += 1
            return quarantine.appending("\(number)")
        }
        let healing = JournalRepair(
            directory.path, vault: vaultID, setAside: { Tree.rename($0, to: place()) },
            keepCopy: { Tree.copy($0, to: place()) }, report: { notes.append($0) })
        repair.changed = try healing.run()
        (repair.notes, repair.setAside) = (notes, moved)
        return repair
    }

    private func files(_ directory: JournalDirectory) -> [FilePath] {
        [directory.data] + Tree.names(directory.segments).map { Tree.child(directory.segments, $0) }
    }

    @Test("A sound journal is left as it is")
    func sound() throws {
        let (directory, names) = try filled()
        let before = files(directory).map { Tree.read($0) }
        let result = try repair(directory)
        #expect(!result.changed && result.notes.isEmpty && result.setAside == 0)
        #expect(files(directory).map { Tree.read($0) } == before)
        #expect(try directory.names() == names)
    }

    @Test("Every flipped bit of every file is healed from the other copy, and a second repair finds nothing")
    func flips() throws {
        let (directory, names) = try filled()
        var generator = SeededGenerator.announced()
        let all = files(directory)
        var repaired = 0
        for round in 0..<260 {
            let file = round % 4 == 0 ? all[0] : generator.element(all)
            let whole = try #require(Tree.read(file))
            let (byte, bit) = (generator.number(0..<whole.count), generator.number(0..<8))
            Tree.flip(file, byte: byte, bit: bit)
            let comment: Comment = "\(file.lastComponent?.string ?? ""), byte \(byte), bit \(bit)"
            let result = try repair(directory)
            if result.changed { repaired += 1 }
            #expect(result.notes.allSatisfy { !$0.isLoss }, comment)
            #expect(try directory.names() == names, comment)
            #expect(try !repair(directory).changed, comment)
            // Back to the files as they were: sealed segments stay sealed.
            for (path, bytes) in zip([file], [whole]) { Tree.write(path, bytes) }
            for name in Tree.names(directory.segments) {
                let path = Tree.child(directory.segments, name)
                if !all.contains(path) { Tree.remove(path) }
            }
        }
        print("journal repair: \(repaired) of 260 flips had an effect")
        #expect(repaired > 100)
    }

    @Test("A record damaged in the only copy is put right where one bit is wrong")
    func singleBitWithoutOther() throws {
        let (directory, names) = try filled()
        var generator = SeededGenerator.announced()
        let raw = Tree.names(directory.segments).map { Tree.child(directory.segments, $0) }.filter {
            $0.extension == "seg"
        }
        let file = try #require(raw.first)
        let whole = try #require(Tree.read(file))
        let end = try #require(whole.lastIndex { $0 != 0 }) + 1
        let data = try #require(Tree.read(directory.data))
        for _ in 0..<60 {
            let byte = generator.number(72..<end)
            Tree.flip(file, byte: byte, bit: generator.number(0..<8))
            Tree.remove(directory.path.appending("lmdb"))
            let result = try repair(directory)
            #expect(result.notes.allSatisfy { !$0.isLoss }, "byte \(byte): \(result.notes)")
            #expect(try directory.names() == names, "byte \(byte)")
            Tree.write(file, whole)
            Tree.write(directory.data, data)
        }
    }

    enum Accident: String, CaseIterable, CustomTestStringConvertible {
        case zeroedPage, truncated, emptied, missing, swapped, random

        var testDescription: String { rawValue }
    }

    @Test("A file that is cut, emptied, missing, swapped, or has holes is made again", arguments: Accident.allCases)
    func accidents(accident: Accident) throws {
        let (directory, names) = try filled()
        var generator = SeededGenerator.announced()
        for file in files(directory) {
            let whole = try #require(Tree.read(file))
            let others = files(directory).filter { $0 != file && $0.extension == file.extension }
            let otherBytes = others.isEmpty ? nil : Tree.read(generator.element(others))
            var bytes = whole
            guard !whole.isEmpty else { continue }
            let start = generator.number(0..<whole.count)
            switch accident {
            case .zeroedPage: for index in start..<min(start + 4096, whole.count) { bytes[index] = 0 }
            case .truncated: bytes = Array(whole[..<start])
            case .emptied: bytes = []
            case .missing: Tree.remove(file)
            case .swapped: bytes = otherBytes ?? bytes
            case .random: bytes.replaceSubrange(start..., with: generator.bytes(whole.count - start))
            }
            if accident != .missing { Tree.write(file, bytes) }
            let comment: Comment =
                "\(accident.rawValue) \(file.lastComponent?.string ?? "") at \(start), seed \(generator.seed)"
            let result = try repair(directory)
            #expect(result.notes.allSatisfy { !$0.isLoss }, comment)
            #expect(try directory.names() == names, comment)
            #expect(try !repair(directory).changed, comment)
        }
    }

    @Test("A copy that fell back to an older state is brought up from the other")
    func rolledBack() throws {
        let (directory, names) = try filled(40)
        let older = files(directory).map { ($0, Tree.read($0) ?? []) }
        let more = (0..<30).map { "later \($0)" }
        try directory.append(more)
        // LMDB alone.
        let newer = try #require(Tree.read(directory.data))
        Tree.write(directory.data, older[0].1)
        _ = try repair(directory)
        #expect(try directory.names() == names + more)
        // The segments alone: those that came later are gone.
        Tree.write(directory.data, newer)
        for file in files(directory).dropFirst() { Tree.remove(file) }
        for (path, bytes) in older.dropFirst() { Tree.write(path, bytes) }
        _ = try repair(directory)
        #expect(try directory.names() == names + more)
    }

    @Test("What neither copy has any more is named, keeps its place, and everything else stays")
    func lost() throws {
        let directory = try JournalDirectory()
        let names = (0..<20).map { "transaction number \($0) of this journal" }
        try directory.append(names)
        // More than a bit, in both copies, in two records that are neighbours and one that is not.
        for name in [names[5], names[6], names[11]] {
            for file in [directory.data, directory.segmentFile(1)] {
                var bytes = try #require(Tree.read(file))
                let wanted = utf8(name)
                var index = 0
                while index + wanted.count <= bytes.count {
                    if bytes[index..<index + wanted.count].elementsEqual(wanted) {
                        for offset in 0..<8 { bytes[index + offset] ^= 0x55 }
                    }
                    index += 1
                }
                Tree.write(file, bytes)
            }
        }
        let result = try repair(directory)
        #expect(result.notes.filter(\.isLoss).compactMap(\.transaction?.rawValue) == [6, 7, 12])
        #expect(try !repair(directory).changed)
        let journal = try directory.open()
        #expect(try findings(journal).map(\.reason) == [.lost, .lost, .lost])
        var left: [String] = []
        try journal.scan(from: TransactionID(rawValue: 1), through: try journal.head().transaction) { record in
            let note = try record.transaction().entry.note
            left.append(note?.kind == .lost ? "lost" : String(decoding: note?.text("name") ?? [], as: UTF8.self))
            return true
        }
        var expected = names
        for index in [5, 6, 11] { expected[index] = "lost" }
        #expect(left == expected)
        try journal.append([entry("after")])
        #expect(try journal.head().transaction.rawValue == 21)
    }

    @Test("An empty LMDB never makes an append begin the segments anew")
    func emptyLMDB() throws {
        let (directory, names) = try filled(30)
        Tree.remove(directory.path.appending("lmdb"))
        let other = try JournalDirectory()
        Tree.copy(other.path.appending("lmdb"), to: directory.path.appending("lmdb"))
        do {
            let journal = try directory.open()
            #expect(try journal.standing() == .fallenBack)
            #expect(throws: JournalError.self) { try journal.append([entry("x")]) }
        }
        _ = try repair(directory)
        #expect(try directory.names() == names)
    }
}
