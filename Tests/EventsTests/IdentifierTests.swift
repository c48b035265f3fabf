import Events
import TestKit
import Testing

struct IdentifierTests {
    @Test("Item IDs are read as they are written", arguments: ItemKind.allCases)
    func items(kind: ItemKind) {
        for number in [1, 7, 1042, UInt32.max] {
            let item = ItemID(kind, number)
            #expect(item.description == "\(kind.letter)\(number)")
            #expect(ItemID(item.description) == item)
        }
    }

    @Test(
        "What is no item ID is refused",
        arguments: [
            "", "m", "m0", "m01", "m-1", "m+1", " m1", "m1 ", "m1x", "x1", "M1", "1", "m4294967296", "m١", "ｍ1", "m1\0",
            "m\u{301}1",
        ])
    func badItems(text: String) { #expect(ItemID(text) == nil) }

    @Test("Letters and names of kinds are all different")
    func kinds() {
        #expect(Set(ItemKind.allCases.map(\.letter)).count == ItemKind.allCases.count)
        #expect(Set(ItemKind.allCases.map(\.name)).count == ItemKind.allCases.count)
        for kind in ItemKind.allCases { #expect(ItemKind(letter: kind.letter) == kind) }
    }

    @Test("UUIDs are read as they are written, in either case, and nothing else is")
    func uuids() {
        var generator = SeededGenerator.announced()
        for _ in 0..<200 {
            let id = UniqueID(using: &generator)
            let text = id.description
            #expect(UniqueID(text) == id)
            #expect(UniqueID(text.uppercased()) == id)
            #expect(Array(text)[14] == "4" && "89ab".contains(Array(text)[19]))
            #expect(id.bytes.count == 16)
        }
        let text = "01234567-89ab-4def-8123-456789abcdef"
        #expect(UniqueID(text)?.description == text)
        for bad in ["", "0123456789ab4def8123456789abcdef", text + "0", "g" + text.dropFirst(), "+" + text.dropFirst()]
        {
            #expect(UniqueID(bad) == nil)
        }
    }

    @Test("Digests are read as they are written, with or without sha256:")
    func digests() {
        let digest = EventsTests.digest(utf8("abc"))
        #expect(digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Digest(digest.hex) == digest)
        #expect(Digest(digest.description) == digest)
        for bad in ["", "sha256:", String(digest.hex.dropLast()), digest.hex + "0", "x" + digest.hex.dropFirst()] {
            #expect(Digest(bad) == nil)
        }
        var builder = DigestBuilder()
        for byte in utf8("abc") {
            let piece = [byte]
            builder.update(piece.span.bytes)
        }
        #expect(builder.finish() == digest)
        #expect(leaf(utf8("abc")) == EventsTests.digest([0] + utf8("abc")))
    }

    @Test("Digests are ordered as their bytes are")
    func digestOrder() {
        var generator = SeededGenerator.announced()
        for _ in 0..<200 {
            let (left, right) = (generator.bytes(32), generator.bytes(32))
            #expect(
                (digest(reading: left) < digest(reading: right)) == left.lexicographicallyPrecedes(right))
        }
    }

    @Test("Exit statuses are those of the command line's contract")
    func statuses() {
        let expected: [Failure.Code: Int32] = [
            .failed: 1, .usage: 2, .partial: 3, .notFound: 4, .outOfRange: 4, .differences: 5, .refused: 6,
            .notEmpty: 6,
            .locked: 7, .captured: 7, .signIn: 8, .unreachable: 9, .noVault: 10, .damaged: 11, .newerFormat: 11,
            .permission: 12, .noSpace: 13, .interrupted: 130, .terminated: 143,
        ]
        for (code, status) in expected { #expect(code.exitStatus == status, "\(code)") }
        for code in Failure.Code.allCases { #expect(code.exitStatus != 0) }
    }
}
