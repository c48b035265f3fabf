import Maildir
import Testing

/// The file `dovecot-acl`.
struct AccessListTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("What Dovecot reads is read, quoted identifiers and rights with names too; what it does not is passed over")
    func reading() {
        let list = DovecotAccessList(
            parsing: bytes(
                "user=anna lrwst\n\nanyone\n\"user=a \\\"b\\\\\" lr\n\"user=open lr\n-group=x  w :named one\nuser=anna l\n"
            ))
        #expect(
            list.entries.map { String(decoding: $0.identifier, as: UTF8.self) } == [
                "user=anna", "anyone", "user=a \"b\\", "-group=x",
            ])
        #expect(list.entries.map { String(decoding: $0.rights, as: UTF8.self) } == ["l", "", "lr", "w :named one"])
        #expect(DovecotAccessList(parsing: list.bytes) == list)
    }

    @Test("Any bytes are read, and what was read is written so that it is read the same")
    func anyBytes() {
        var state: UInt64 = 7
        let alphabet = bytes("user=\"\\ \n-ab:\u{7F}\u{0}")
        for _ in 0..<2_000 {
            var content: [UInt8] = []
            for _ in 0..<60 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                content.append(alphabet[Int(state >> 33) % alphabet.count])
            }
            let list = DovecotAccessList(parsing: content)
            #expect(DovecotAccessList(parsing: list.bytes) == list, "\(content)")
        }
    }

    @Test("No line can be made to be two")
    func accepting() {
        #expect(DovecotAccessList.accepts(bytes("user=anna"), bytes("lr")))
        #expect(!DovecotAccessList.accepts(bytes("user=a\nanyone"), bytes("lr")))
        #expect(!DovecotAccessList.accepts(bytes("user=a"), bytes("lr\nanyone lrwstipekxa")))
        #expect(!DovecotAccessList.accepts([], bytes("lr")))
    }
}
