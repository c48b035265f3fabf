import Blobs
import Capture
import Connectors
import Events
import Files
import Glibc
import Journal
import Projections
import SystemPackage
import TestKit
import Testing
import Vault

/// The vault of format 1, `Tests/Fixtures/vault-1`: made once, kept for ever, and opened by every later version.
struct GoldenVaultTests {
    private static let golden = TestData.fixtures.appending("vault-1")

    /// What is in the vault at its end, and in `expected.txt` beside it.
    private struct Summary: Equatable {
        var lines: [String]

        init(_ vault: OpenVault) throws {
            let head = try vault.journal.head()
            lines = ["vault \(vault.id)", "head \(head.transaction) \(head.time) \(head.leaf.hex)"]
            let reader = vault.blobs.reader()
            for account in try vault.accounts() {
                lines.append("account \(account.number.rawValue) \(account.state.address) \(account.state.id)")
                var fold = AccountFold(account: account.number)
                for id in 1...head.transaction.rawValue {
                    try fold.fold(vault.journal, through: TransactionID(rawValue: id))
                    lines.append("@\(id) \(try vault.journal.stateDigest(of: fold.live()).hex)")
                }
                try vault.journal.states(fold.live() + fold.deleted()) { recorded in
                    guard let digest = recorded.state.message?.digest else { return }
                    let size = try reader.read(digest) { $0.byteCount }
                    lines.append("\(recorded.item) deleted \(recorded.state.isDeleted) \(digest.hex) \(size)")
                }
            }
        }
    }

    /// Makes the vault: everything it depends on is given.
    private static func make(_ path: FilePath) throws {
        var generator = SeededGenerator(seed: 1)
        let clock = TestClock(Timestamp(seconds: 1_772_456_318), step: 1_000_000)
        try OpenVault.create(path, clock: clock.wall, using: &generator)
        let vault = try OpenVault(path, clock: clock.wall)
        let anna = try vault.addAccount("anna@example.org", sources: ["maildir:/var/mail/anna"], using: &generator)
        _ = try vault.addAccount("bert@example.org", sources: [], using: &generator)
        let mail = (1...12).map { number in
            MemorySource.Message(
                "\(number).x",
                "From: a@example.org\r\nSubject: \(number)\r\n\r\n" + String(repeating: "line \(number)\r\n", count: 9))
        }
        let source = MemorySource {
            $0.add("INBOX", Array(mail[..<8]))
            $0.add("Box", Array(mail[8...]))
            $0.folders.append(
                MemorySource.Folder(name: [0xFF, 0x2E], path: [[0xFF, 0x2E]], identity: [9, 99]))
            $0["INBOX"].messages[7].unreadable = 5
        }
        let capture = try AccountCapture(vault, anna, source)
        _ = try capture.pass(origin: .scan)
        source.change {
            $0["INBOX"].messages[0].flags = [.seen, .passed]
            $0["INBOX"].messages[1].keywords = [Array("$Work".utf8), [0xFE]]
            $0["Box"].messages.append($0.take("3.x", from: "INBOX"))
            _ = $0.take("4.x", from: "INBOX")
            $0["INBOX"].messages.removeAll { $0.name == Array("8.x".utf8) }
        }
        _ = try capture.pass(origin: .realtime)
        source.change { $0.rename("Box", to: "Archive/Box") }
        _ = try capture.pass(origin: .scan)
        _ = try vault.projections()
        Tree.write(
            path.appending("expected.txt"), Array((try Summary(vault).lines.joined(separator: "\n") + "\n").utf8))
    }

    @Test("The generator still makes a vault that says what the golden one says")
    func generator() throws {
        if getenv("YESTERMAIL_WRITE_FIXTURES") != nil, !Tree.exists(Self.golden) {
            let scratch = Scratch("golden")
            try Self.make(scratch.appending("vault-1"))
            for name in ["journal/lmdb", "projections", "blobs/index"] {
                Tree.remove(scratch.appending("vault-1/\(name)/lock.mdb"))
            }
            Tree.copy(scratch.appending("vault-1"), to: Self.golden)
        }
        let scratch = Scratch("golden")
        try Self.make(scratch.appending("vault"))
        // At what moments it was recorded is not part of what a vault says: a pass that appends less often asks the clock less often.
        func said(_ path: FilePath) throws -> [String] {
            let text = String(decoding: try #require(Tree.read(path)), as: UTF8.self)
            return text.split(separator: "\n").map { line in
                line.hasPrefix("head ") ? line.split(separator: " ").prefix(2).joined(separator: " ") : String(line)
            }
        }
        #expect(
            try said(scratch.appending("vault/expected.txt")) == said(Self.golden.appending("expected.txt")))
    }

    @Test("The vault of format 1 opens, for reading and for writing, and is whole", arguments: [true, false])
    func opens(readOnly: Bool) throws {
        let scratch = Scratch("golden")
        let path = scratch.appending("vault")
        Tree.copy(Self.golden, to: path)
        for name in ["locks", "quarantine", "state"] { Tree.makeDirectory(path.appending(name)) }
        let expected = String(decoding: try #require(Tree.read(path.appending("expected.txt"))), as: UTF8.self)
        let clock = TestClock(Timestamp(seconds: 1_800_000_000), step: 1_000)
        let vault = try OpenVault(path, readOnly: readOnly, clock: clock.wall)
        #expect(try Summary(vault).lines.joined(separator: "\n") + "\n" == expected)
        var findings: [JournalFinding] = []
        try vault.journal.verify { findings.append($0) }
        #expect(findings.isEmpty)
        let both = try vault.verifyProjections()
        #expect(both.present == both.rebuilt)
        guard !readOnly else { return }
        let before = try vault.journal.head().transaction
        let bert = try vault.account("bert")
        let report = try AccountCapture(vault, bert, sampleSource()).pass(origin: .scan)
        #expect(report.created == 5 && report.firstTransaction == before.next)
        try vault.journal.verify { findings.append($0) }
        #expect(findings.isEmpty)
    }
}
