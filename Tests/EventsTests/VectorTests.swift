import Events
import Glibc
import SystemPackage
import TestKit
import Testing

/// The bytes of format 1, kept for ever: `Tests/Fixtures/format-1/body-*.hex`, to which `Specs/Format/Events.md` refers.
struct VectorTests {
    private func file(_ name: String) -> FilePath { TestData.fixtures.appending("format-1/body-\(name).hex") }

    @Test(
        "Every sort of entry has the bytes that format 1 gave it, and is read from them",
        arguments: Samples.entries.map(\.name))
    func vectors(name: String) throws {
        let entry = try #require(Samples.entries.first { $0.name == name }).entry
        let bytes = Samples.body(entry)
        if getenv("YESTERMAIL_WRITE_FIXTURES") != nil, !Tree.exists(file(name)) {
            Tree.write(file(name), Array((Hex.text(bytes) + "\n").utf8))
        }
        let kept = try #require(Hex.bytes(Tree.read(file(name)) ?? []), "\(file(name)) is missing")
        #expect(kept == bytes)
        #expect(try EncodingTests.decode(entry, kept) == entry)
    }
}
