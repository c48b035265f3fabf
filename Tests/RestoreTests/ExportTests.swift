import Blobs
import Connectors
import Events
import Journal
import Projections
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

struct ExportTests {
    private let hostile: [[UInt8]] = [
        utf8(".line\nbreak\u{1B}[31m"), utf8(".%2F"), utf8(".~root"), [0x2E, 0xFE, 0xFF],
        [0x2E] + Array(repeating: 0x61, count: 240), utf8(".Sub.Sub"),
    ]

    private func bench() throws -> Bench {
        let bench = try Bench()
        for (number, folder) in hostile.enumerated() {
            bench.mail.makeFolder(folder)
            bench.mail.deliver(folder, utf8("\(number).a:2,S"), utf8("From: a@x\n\nFrom here \(number)"))
        }
        bench.mail.makeFolder(".Empty")
        bench.mail.deliver("", "9.z:2,", "Subject: x\n\nno end")
        try bench.scan()
        return bench
    }

    private func export(_ bench: Bench, _ target: Location) throws -> RestoreReport {
        var request = try bench.request()
        request.target = target
        let plan = try bench.plan(request)
        return try RestoreRun(bench.vault, plan, operation: bench.operation(), kind: "export", ledger: .none).run()
    }

    /// All files below a directory.
    private func files(_ path: FilePath) -> [FilePath] {
        Tree.names(path).flatMap { name -> [FilePath] in
            let child = Tree.child(path, name)
            return Tree.read(child) != nil ? [child] : files(child)
        }
    }

    @Test("As mbox: a file for each folder, whatever its name, within the directory; every byte comes back")
    func mbox() throws {
        let bench = try bench()
        let head = try bench.head
        let out = bench.scratch.appending("place").appending("out")
        Tree.makeDirectory(bench.scratch.appending("place"))
        let report = try export(bench, .mbox(path: out.string))
        #expect(report.restored == hostile.count + 1 && report.unrestored.isEmpty)
        #expect(Tree.names(bench.scratch.appending("place")).count == 1)
        #expect(try bench.head == head)
        let found = files(out)
        #expect(found.count == bench.content("Mail").folders.count)
        #expect(found.allSatisfy { $0.string.utf8.allSatisfy { $0 >= 0x20 } })
        var digests: [Digest] = []
        for file in found {
            let archive = try ArchiveFormat.open(path: file.string, format: .mbox)
            for folder in try archive.folders() {
                let listing = try archive.list(folder)
                for position in 0..<listing.count {
                    var bytes: [UInt8] = []
                    try listing.open(position).read(into: &bytes)
                    digests.append(Digest(hashing: bytes.span.bytes))
                }
            }
        }
        #expect(digests.sorted() == bench.content("Mail").messages.map(\.digest).sorted())
    }

    @Test("As eml: a file for each message, called after its item, with its bytes")
    func eml() throws {
        let bench = try bench()
        let out = bench.scratch.appending("out")
        #expect(try export(bench, .eml(path: out.string)).restored == hostile.count + 1)
        let found = files(out)
        #expect(
            found.allSatisfy { file in
                let name = file.lastComponent?.string ?? ""
                return name.hasPrefix("m") && name.hasSuffix(".eml") && ItemID(String(name.dropLast(4))) != nil
            })
        let digests = found.compactMap { Tree.read($0) }.map { Digest(hashing: $0.span.bytes) }
        #expect(digests.sorted() == bench.content("Mail").messages.map(\.digest).sorted())
        #expect(code { _ = try export(bench, .eml(path: out.string)) } == .notEmpty)
    }

    @Test("As a vault: it opens, is sound, has the same history and restores the same; nobody else is in it")
    func vault() throws {
        let bench = try bench()
        let other = MaildirFixture(bench.scratch.appending("Other"))
        other.deliver("", "1.canary:2,", "canary-of-somebody-else")
        var generator = SeededGenerator(seed: 5)
        _ = try bench.vault.addAccount("ben@example.org", sources: ["maildir:\(other.path)"], using: &generator)
        bench.mail.remove("", "9.z:2,")
        let point = try bench.scan()
        bench.mail.deliver("", "8.late:2,", "after the export's time")
        try bench.scan()
        let out = bench.scratch.appending("exported")
        let report = try VaultExport.run(
            bench.vault, accounts: [bench.account.number], through: point, to: out, using: &generator)
        #expect(report.unrestored.isEmpty && report.messages == hostile.count + 1)
        let made = try OpenVault(out, clock: bench.clock.wall)
        #expect(try made.accounts().map(\.state) == [bench.account.state] && made.id != bench.vault.id)
        var findings = 0
        _ = try made.journal.verify { _ in findings += 1 }
        let digests = try made.verifyProjections()
        #expect(findings == 0 && digests.present == digests.rebuilt)
        let head = try made.journal.head().transaction
        let (old, new) = (
            try bench.vault.journal.stateDigest(of: live(bench.vault, bench.account, point)),
            try made.journal.stateDigest(of: live(made, bench.account, head))
        )
        #expect(old == new)
        let item = try #require(try bench.item("9.z"))
        let states = try (
            bench.vault.projections().states(bench.account.number, item),
            made.projections().states(bench.account.number, item)
        )
        #expect(states.0.count == 2 && states.1.count == 2)
        for (one, two) in zip(states.0, states.1) {
            #expect(try bench.vault.journal.state(item, at: one).time == made.journal.state(item, at: two).time)
        }
        var request = try bench.request()
        request.point = head
        let plan = try RestorePlanner.plan(made, request)
        _ = try RestoreRun(made, plan, operation: bench.operation()).run()
        bench.mail.remove("", "8.late:2,")
        #expect(bench.content() == bench.content("Mail"))
        for file in files(out) {
            let text = String(decoding: Tree.read(file) ?? [], as: UTF8.self)
            #expect(!text.contains("ben@example.org") && !text.contains("canary-of"), "\(file)")
        }
        #expect(
            code {
                _ = try VaultExport.run(
                    bench.vault, accounts: [bench.account.number], through: point, to: out, using: &generator)
            } == .notEmpty)
    }

    private func live(_ vault: OpenVault, _ account: Account, _ point: TransactionID) throws -> [ItemPointer] {
        var fold = AccountFold(account: account.number)
        try fold.fold(vault.journal, through: point)
        return fold.live()
    }

    @Test("What cannot be read is named and left out; the rest is exported")
    func damaged() throws {
        let bench = try Bench()
        for number in 0..<4 {
            bench.mail.deliver("", "\(number).a:2,", "body \(number) " + String(repeating: "\(number)x", count: 200))
        }
        for number in 0..<4 {
            bench.mail.move("", "\(number).a:2,", to: "", "\(number).a:2,")
        }
        try bench.scan()
        let damaged = bench.mail
        damaged.deliver("", "9.b:2,", String(repeating: "other ", count: 300))
        try bench.scan()
        let pack = try #require(bench.packs.first)
        let size = try #require(Tree.read(pack)).lastIndex { $0 != 0 } ?? 0
        // In the payload of the last frame.
        for byte in (size - 24)..<(size - 8) { Tree.flip(pack, byte: byte, bit: 3) }
        var generator = SeededGenerator(seed: 6)
        let report = try VaultExport.run(
            bench.vault, accounts: [bench.account.number], through: try bench.head,
            to: bench.scratch.appending("exported"), using: &generator)
        #expect(report.unrestored.count == 1 && report.messages == 4)
        #expect(report.unrestored.first?.item == (try bench.item("9.b")))
    }
}
