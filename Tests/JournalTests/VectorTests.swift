import Events
import Glibc
import Journal
import SystemPackage
import TestKit
import Testing

/// A raw segment with two records of format 1, byte for byte: `Tests/Fixtures/format-1/segment.hex`.
struct SegmentVectorTests {
    @Test("A journal of fixed entries and times has the segment that format 1 gave it")
    func segment() throws {
        let directory = try JournalDirectory()
        let clock = TestClock(Timestamp(seconds: 1_772_456_318), step: -1_000_000)
        do {
            let journal = try OpenJournal(directory.path, vault: vaultID, readOnly: false, clock: clock.wall)
            try journal.append([entry("first")])
            try journal.append([entry("second, with the clock a second behind")])
        }
        var bytes = try #require(Tree.read(directory.segmentFile(1)))
        bytes = Array(bytes[...(try #require(bytes.lastIndex { $0 != 0 }))])
        let file = TestData.fixtures.appending("format-1/segment.hex")
        if getenv("YESTERMAIL_WRITE_FIXTURES") != nil, !Tree.exists(file) {
            Tree.write(file, Array((Hex.text(bytes) + "\n").utf8))
        }
        #expect(try #require(Hex.bytes(Tree.read(file) ?? []), "\(file) is missing") == bytes)
    }
}
