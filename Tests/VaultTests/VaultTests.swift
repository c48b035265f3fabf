import Events
import Files
import Glibc
import Journal
import Projections
import SystemPackage
import TestKit
import Testing
import Vault

private func code(_ body: () throws -> Void) -> Failure.Code? {
    do { try body() } catch { return (error as? Failure)?.code }
    return nil
}

private func makeVault(_ path: FilePath, seed: UInt64 = 1) throws {
    var generator = SeededGenerator(seed: seed)
    try OpenVault.create(path, clock: TestClock(step: 1_000).wall, using: &generator)
}

/// A vault with some accounts and a random history of each.
private func filledVault(_ path: FilePath, _ count: Int = 200) throws -> Digest {
    try makeVault(path)
    let vault = try OpenVault(path, clock: TestClock(step: 1_000).wall)
    var history = HistoryGenerator(.announced())
    for name in ["anna", "bert", "carl"] {
        _ = try vault.addAccount("\(name)@example.org", sources: [], using: &history.generator)
    }
    try vault.commit(history.entries(count))
    return try vault.projections().contentDigest()
}

struct VaultTests {
    @Test("A vault is made where nothing is, opened again, and begins with a note of it")
    func create() throws {
        let scratch = Scratch("vault")
        Tree.makeDirectory(scratch.appending("empty"))
        for path in [scratch.appending("new"), scratch.appending("empty")] {
            try makeVault(path)
            let vault = try OpenVault(path)
            #expect(try vault.journal.head().transaction.rawValue == 1)
            let first = try vault.journal.transaction(TransactionID(rawValue: 1))
            #expect(first?.entry.note?.text("id") == Array(vault.id.description.utf8))
            #expect(try vault.accounts().isEmpty)
        }
    }

    @Test("A directory with anything in it, another vault, or no parent is refused")
    func refusals() throws {
        let scratch = Scratch("vault")
        try makeVault(scratch.appending("vault"))
        #expect(code { try makeVault(scratch.appending("vault")) } == .notEmpty)
        #expect(code { try makeVault(scratch.path) } == .notEmpty)
        #expect(code { try makeVault(scratch.appending("no/where")) } == .notFound)
        #expect(Failure.Code.notEmpty.exitStatus == 6)
        Tree.write(scratch.appending("file"), [1])
        #expect(throws: (any Error).self) { try makeVault(scratch.appending("file")) }
        #expect(Tree.read(scratch.appending("file")) == [1])
    }

    @Test("What is no vault, a damaged FORMAT and a newer one are told apart")
    func format() throws {
        let scratch = Scratch("vault")
        #expect(code { _ = try OpenVault(scratch.path) } == .noVault)
        #expect(code { _ = try OpenVault(scratch.appending("nowhere")) } == .noVault)
        let path = scratch.appending("vault")
        try makeVault(path)
        let file = path.appending("FORMAT")
        let whole = try #require(Tree.read(file))
        let text = String(decoding: whole, as: UTF8.self)
        #expect(text.hasPrefix("yestermail vault\nformat 1\nid "))
        for newer in ["2", "10", "999999"] {
            Tree.write(file, Array("yestermail vault\nformat \(newer)\nwhatever comes then\n".utf8))
            #expect(code { _ = try OpenVault(path) } == .newerFormat)
        }
        #expect(Failure.Code.newerFormat.exitStatus == 11 && Failure.Code.noVault.exitStatus == 10)
        for wrong in ["", "something else\n", "yestermail vault\n", "yestermail vault\nformat x\n"] {
            Tree.write(file, Array(wrong.utf8))
            #expect(code { _ = try OpenVault(path) } == .noVault)
        }
        for length in 27..<whole.count - 1 {
            Tree.write(file, Array(whole[..<length]))
            #expect(code { _ = try OpenVault(path) } == .damaged, "cut after \(length)")
        }
        for bit in 0..<whole.count * 8 - 8 {
            var flipped = whole
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            Tree.write(file, flipped)
            let found = code { _ = try OpenVault(path) }
            // The case of a hexadecimal digit of the checksum says nothing.
            let isCase = bit % 8 == 5 && bit / 8 > whole.count - 10
            #expect(
                isCase || [.damaged, .newerFormat, .noVault].contains(found), "bit \(bit % 8) of byte \(bit / 8)")
        }
        for old in ["0", "-1"] {
            Tree.write(file, Array(text.replacing("format 1", with: "format \(old)").utf8))
            #expect(code { _ = try OpenVault(path) } == .damaged)
        }
        Tree.write(file, whole)
        #expect(try OpenVault(path).journal.head().transaction.rawValue == 1)
    }

    @Test("Accounts are found by address, by UUID and by the beginning of an address that is enough")
    func accounts() throws {
        let scratch = Scratch("vault")
        let path = scratch.appending("vault")
        try makeVault(path)
        let vault = try OpenVault(path)
        var generator = SeededGenerator(seed: 5)
        let addresses = ["anna@example.org", "annabel@example.org", "bert@example.org"]
        var added: [Account] = []
        for address in addresses {
            added.append(try vault.addAccount(address, sources: ["maildir:/x"], using: &generator))
        }
        #expect(added.map(\.number.rawValue) == [1, 2, 3])
        #expect(try vault.accounts() == added)
        #expect(try vault.account("anna@example.org") == added[0])
        #expect(try vault.account("annab") == added[1])
        #expect(try vault.account("b") == added[2])
        #expect(try vault.account(added[1].state.id.description.uppercased()) == added[1])
        #expect(code { _ = try vault.account("anna") } == .ambiguous)
        #expect(code { _ = try vault.account("") } == .notFound)
        #expect(code { _ = try vault.account("z") } == .notFound)
        #expect(code { _ = try vault.account("ANNA@example.org") } == .notFound)
        #expect(code { _ = try vault.addAccount("anna@example.org", sources: [], using: &generator) } == .refused)

        var gone = added[1]
        gone.isDeleted = true
        try vault.record(gone, .deleted)
        #expect(try vault.account("anna") == added[0])
        #expect(try vault.account("annabel@example.org") == gone)
        let again = try vault.addAccount("annabel@example.org", sources: [], using: &generator)
        #expect(again.number.rawValue == 4)
        #expect(try vault.account("annabel@example.org") == again)
        #expect(try vault.account(gone.state.id.description) == gone)
    }

    @Test("One account is captured by one at a time; others are not held up")
    func captureLock() throws {
        let scratch = Scratch("vault")
        let path = scratch.appending("vault")
        try makeVault(path)
        let vault = try OpenVault(path)
        let one = AccountNumber(rawValue: 1)
        do {
            let lock = try vault.captureLock(one)
            #expect(lock != nil)
            #expect(try vault.captureLock(one) == nil)
            #expect(try vault.captureLock(AccountNumber(rawValue: 2)) != nil)
            withExtendedLifetime(lock) {}
        }
        #expect(try vault.captureLock(one) != nil)
        #expect(Failure.Code.captured.exitStatus == 7)
    }

    @Test("Cut, foreign, empty, stale and missing projections are made anew with the same content")
    func rebuild() throws {
        let scratch = Scratch("vault")
        let path = scratch.appending("vault")
        let digest = try filledVault(path)
        let projections = path.appending("projections")
        let data = projections.appending("data.mdb")
        let whole = try #require(Tree.read(data))
        func check(_ what: Comment) throws {
            let vault = try OpenVault(path)
            #expect(try vault.projections().contentDigest() == digest, what)
            let both = try vault.verifyProjections()
            #expect(both.present == digest && both.rebuilt == digest, what)
        }
        for size in [0, 5, 8_192, whole.count / 2] {
            Tree.write(data, Array(whole[..<size]))
            try check("cut to \(size) bytes")
        }
        Tree.write(data, Array(repeating: 0x42, count: whole.count))
        try check("foreign")
        Tree.remove(data)
        try check("data.mdb missing")
        Tree.remove(projections)
        try check("directory missing")
        // Of another vault, and longer.
        let other = scratch.appending("other")
        _ = try filledVault(other, 300)
        Tree.remove(projections)
        Tree.copy(other.appending("projections"), to: projections)
        try check("another vault's")
        #expect(Tree.names(path.appending("quarantine")).count >= 5)
        do {
            let vault = try OpenVault(path)
            _ = try vault.projections()
            #expect(try vault.rebuildProjections().contentDigest() == digest)
            try vault.commit([JournalEntry(account: .directory, origin: .admin, changes: [])])
            #expect(try vault.projections().position() == vault.journal.head().transaction)
        }
        #expect(!Tree.exists(path.appending("projections.new")) && !Tree.exists(path.appending("projections.verify")))
    }

    @Test("A vault that cannot be written opens for reading, and for nothing else")
    func readOnly() async throws {
        let scratch = Scratch("vault")
        let path = scratch.appending("vault")
        _ = try filledVault(path)
        do { _ = try OpenVault(path).projections() }
        Tree.makeReadOnly(path)
        Tree.chmod(scratch.path, 0o755)
        Tree.chmod(scratch.path.removingLastComponent(), 0o755)
        let text = path.string
        // The administrator may write anything: another user opens it.
        await #expect(processExitsWith: .success) { [text = text as String] in
            if getuid() == 0 { guard setgid(65_534) == 0, setuid(65_534) == 0 else { exit(40) } }
            #expect(throws: Failure.self) { _ = try OpenVault(FilePath(text)) }
            let vault = try OpenVault(FilePath(text), readOnly: true)
            guard vault.isReadOnly, try vault.accounts().count == 3 else { exit(41) }
            guard (try? vault.commit([])) == nil else { exit(42) }
            var fold = AccountFold(account: AccountNumber(rawValue: 1))
            try fold.fold(vault.journal, through: vault.journal.head().transaction)
            guard !fold.live().isEmpty else { exit(43) }
        }
    }
}
