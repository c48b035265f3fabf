import Blobs
import Capture
import Connectors
import Events
import Journal
import Projections
import SystemPackage
import TestKit
import Testing
import Vault

struct MaildirTests {
    private func fixture(_ bench: Bench) -> (MaildirFixture, () throws -> MaildirSource) {
        let fixture = MaildirFixture(bench.scratch.appending("Mail"))
        return (fixture, { try MaildirSource(path: fixture.path.string) })
    }

    @Test("Flags, keywords, moves, renames and deletions of a Maildir are what is recorded")
    func life() throws {
        let bench = try Bench()
        let (mail, source) = fixture(bench)
        mail.makeFolder(".Box")
        mail.makeFolder(".Box.Sub")
        mail.keywords("", ["$Work"])
        mail.deliver("", "1.a:2,", "one")
        mail.deliver("", "2.b:2,a", "two")
        mail.deliver(".Box.Sub", "3.c:2,", "three")
        mail.subscribe(["Box"])
        try bench.pass(source())
        #expect(try bench.mailbox() == ["Box/Sub: 3.c = three", "INBOX: 1.a = one", "INBOX: 2.b = two"])
        #expect(try bench.live()[some(try bench.item("2.b"))]?.message?.keywords == [utf8("$Work")])
        #expect(try bench.live()[some(try bench.folder("Box"))]?.folder?.isSubscribed == true)
        #expect(try bench.recorded(source()).isEmpty)

        let (one, sub) = (try bench.item("1.a"), try bench.folder("Box/Sub"))
        mail.move("", "1.a:2,", to: nil, "1.a:2,RS")
        var changes = try bench.recorded(source()).flatMap(\.entry.changes)
        #expect(changes.map(\.item) == [one] && changes.map(\.kinds) == [.flags])
        mail.move("", "1.a:2,RS", to: ".Box", "9.other:2,RS")
        changes = try bench.recorded(source()).flatMap(\.entry.changes)
        #expect(changes.map(\.item) == [one] && changes.map(\.kinds) == [.moved])
        mail.renameFolder(".Box.Sub", to: ".New.Sub")
        mail.renameFolder(".Box", to: ".New")
        let transactions = try bench.recorded(source())
        #expect(transactions.count == 1 && transactions[0].entry.changes.allSatisfy { $0.kinds.contains(.renamed) })
        #expect(try bench.folder("New/Sub") == sub)
        mail.remove("", "2.b:2,a")
        mail.removeFolder(".New.Sub")
        changes = try bench.recorded(source()).flatMap(\.entry.changes)
        #expect(changes.count == 3 && changes.allSatisfy { $0.kinds == .deleted })
        #expect(try bench.mailbox() == ["New: 9.other = one"])
    }

    @Test("Names that are not UTF-8, 255 bytes long, or full of escapes are captured as they are")
    func hostileNames() throws {
        let bench = try Bench()
        let (mail, source) = fixture(bench)
        let names: [[UInt8]] = [
            [0xFF, 0xC0, 0x80], utf8("line\nbreak\u{1B}[31m"), Array(repeating: UInt8(ascii: "n"), count: 255),
            utf8("-rf *"),
            utf8("\u{202E}txt.exe"),
        ]
        for (index, name) in names.enumerated() { mail.deliver([], name, utf8("text \(index)")) }
        let folders: [[UInt8]] = [
            [0x2E, 0xFE, 0xFF], utf8(".\u{1B}]0;x\u{7}"), [0x2E] + Array(repeating: 0x61, count: 254),
        ]
        for folder in folders {
            mail.makeFolder(folder)
            mail.deliver(folder, utf8("1.a"), folder)
        }
        #expect(try bench.pass(source()).created == names.count + folders.count)
        let states = try bench.live().values
        for name in names { #expect(states.contains { $0.message?.sourceName == name }) }
        for folder in folders { #expect(states.contains { $0.folder?.sourceName == folder }) }
        #expect(try bench.recorded(source()).isEmpty)
        let projections = try bench.vault.projections()
        for item in try bench.live().keys {
            let history = String(decoding: try projections.history(bench.account.number, item), as: UTF8.self)
            #expect(history.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        }
    }

    @Test("A folder without permission is named, and what was in it stays")
    func permission() throws {
        let bench = try Bench()
        let (mail, source) = fixture(bench)
        mail.makeFolder(".Box")
        mail.deliver(".Box", "1.a", "one")
        mail.deliver("", "2.b", "two")
        try bench.pass(source())
        // Its `cur` is a file now: that cannot be listed, even by root.
        Tree.rename(mail.directory(".Box").appending("cur"), to: mail.directory(".Box").appending("cur.away"))
        Tree.write(mail.directory(".Box").appending("cur"), [])
        let report = try bench.pass(source())
        #expect(report.unlistable.count == 1 && report.isEmpty)
        #expect(try bench.mailbox().count == 2)
    }

    @Test("An unmounted Maildir, empty under its old name, is refused")
    func unmounted() throws {
        let bench = try Bench()
        let (mail, source) = fixture(bench)
        mail.deliver("", "1.a", "one")
        try bench.pass(source())
        Tree.rename(mail.path, to: bench.scratch.appending("away"))
        #expect(throws: SourceFailure.self) { try source() }
        _ = MaildirFixture(mail.path)
        #expect(code { try bench.pass(try source()) } == .refused)
        #expect(try bench.mailbox().count == 1)
    }

    @Test(
        "All real messages are captured, and each comes back byte for byte",
        .enabled(if: TestData.hasMail, "\(TestData.absence)"))
    func realMail() throws {
        let bench = try Bench()
        let (mail, source) = fixture(bench)
        let messages = TestData.mailSmall()
        try #require(messages.count > 1_000)
        for (index, message) in messages.enumerated() { mail.deliver([], utf8("\(index).eml:2,"), message.bytes) }
        let report = try bench.pass(source())
        #expect(report.created == messages.count && report.isComplete)
        #expect(report.bytes == UInt64(messages.reduce(0) { $0 + $1.bytes.count }))
        let reader = bench.vault.blobs.reader()
        var seen = 0
        for state in try bench.live().values {
            guard let message = state.message, let digest = message.digest else { continue }
            let text = String(decoding: message.sourceName, as: UTF8.self)
            let index = try #require(Int(text.prefix { $0 != "." }))
            let same = try reader.read(digest) { bytes in
                bytes.withUnsafeBytes { $0.elementsEqual(messages[index].bytes) }
            }
            #expect(same, "\(messages[index].name)")
            seen += 1
        }
        #expect(seen == messages.count)
        #expect(try bench.recorded(source()).isEmpty)
    }
}
