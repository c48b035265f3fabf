import Blobs
import Events
import Files
import Journal
import Projections
import SystemPackage
import TestKit
import Testing
import Vault

/// A vault with messages, whose bytes are known.
private struct MailVault {
    let scratch = Scratch("healing")
    var path: FilePath { scratch.appending("vault") }
    var contents: [Digest: [UInt8]] = [:]

    init(_ count: Int = 60) throws {
        var generator = SeededGenerator(seed: 11)
        try OpenVault.create(path, clock: TestClock(step: 1_000).wall, using: &generator)
        let vault = try OpenVault(path, clock: TestClock(step: 1_000).wall)
        let account = try vault.addAccount("anna@example.org", sources: [], using: &generator)
        var entries = [
            JournalEntry(
                account: account.number, origin: .scan,
                changes: [
                    Change(
                        ItemID(.folder, 1), .created,
                        ItemState(FolderState(path: [Array("INBOX".utf8)], sourceName: [1])))
                ])
        ]
        for number in 1...count {
            let text = Array("Subject: message \(number)\n\n".utf8) + generator.bytes(generator.number(10..<3_000))
            let digest = Digest(hashing: text.span.bytes)
            contents[digest] = text
            let encoder = vault.blobs.encoder()
            try encoder.add(text.span.bytes)
            let batch = try encoder.finish()
            try vault.appendBlobs {
                try vault.blobs.append(batch)
                try vault.blobs.sync()
            }
            let state = MessageState(
                folder: 1, content: .blob(digest, size: UInt64(text.count)), internalDate: Timestamp(rawValue: 0),
                flags: [], sourceName: Array("\(number)".utf8))
            entries.append(
                JournalEntry(
                    account: account.number, origin: .scan,
                    changes: [Change(ItemID(.message, UInt32(number)), .created, ItemState(state))]))
        }
        try vault.commit(entries)
        _ = try vault.projections()
    }

    /// Which of the blobs cannot be read; all others have been compared.
    func unreadable() throws -> Set<Digest> {
        let vault = try OpenVault(path, clock: TestClock().wall)
        let reader = vault.blobs.reader()
        var lost: Set<Digest> = []
        for (digest, content) in contents {
            do {
                let same = try reader.read(digest) { bytes in bytes.withUnsafeBytes { $0.elementsEqual(content) } }
                #expect(same)
            } catch is BlobError { lost.insert(digest) }
        }
        return lost
    }

    func digest() throws -> Digest { try OpenVault(path).projections().contentDigest() }

    func repair() throws -> [RepairNote] {
        var notes: [RepairNote] = []
        try VaultRepair.run(path) { notes.append($0) }
        return notes
    }

    /// All files of the vault that are not locks.
    func files() -> [FilePath] {
        ["FORMAT", "journal/lmdb/data.mdb", "blobs/index/data.mdb", "projections/data.mdb"].map { path.appending($0) }
            + ["journal/segments", "blobs/packs"].flatMap { directory in
                Tree.names(path.appending(directory)).map { Tree.child(path.appending(directory), $0) }
            }
    }
}

struct HealingTests {
    @Test("Any one flipped bit, in any file, is healed without a loss, and a second repair finds nothing")
    func flips() throws {
        let mail = try MailVault()
        let digest = try mail.digest()
        let copy = mail.scratch.appending("copy")
        Tree.copy(mail.path, to: copy)
        var generator = SeededGenerator.announced()
        for round in 0..<60 {
            let file = mail.files()[round % mail.files().count]
            let size = try #require(Tree.read(file)?.count)
            let (byte, bit) = (generator.number(0..<size), generator.number(0..<8))
            Tree.flip(file, byte: byte, bit: bit)
            let comment: Comment = "\(file) byte \(byte) bit \(bit)"
            let found = try mail.repair()
            #expect(found.allSatisfy { !$0.isLoss }, comment)
            let lost = try mail.unreadable()
            #expect(lost.isEmpty, comment)
            #expect(try mail.digest() == digest, comment)
            let again = try mail.repair()
            #expect(again.isEmpty, "\(file) byte \(byte) bit \(bit): \(again)")
            Tree.remove(mail.path)
            Tree.copy(copy, to: mail.path)
        }
    }

    @Test("An index of blobs that names another vault, or another version, is found, and made anew")
    func strangeIndex() throws {
        let mail = try MailVault()
        let id = try OpenVault(mail.path, readOnly: true).id.bytes
        let file = mail.path.appending("blobs/index/data.mdb")
        let sound = try #require(Tree.read(file))
        for offset in [0, 17] {
            var bytes = sound
            for at in 0..<bytes.count - 18 where Array(bytes[at..<at + 16]) == id { bytes[at + offset] ^= 4 }
            #expect(bytes != sound)
            Tree.write(file, bytes)
            let inspected = try VaultInspection.run(mail.path)
            #expect(inspected.map(\.file) == ["blobs/index/data.mdb"])
            let found = try mail.repair()
            #expect(found.map(\.file) == ["blobs/index/data.mdb"])
            #expect(try mail.unreadable().isEmpty)
            #expect(try mail.repair().isEmpty)
        }
    }

    @Test("A copy of segments, packs and header alone opens, and is the whole vault")
    func copied() throws {
        let mail = try MailVault()
        let digest = try mail.digest()
        for name in [
            "journal/lmdb", "journal/lock", "blobs/index", "blobs/LOCK", "projections", "locks", "state", "quarantine",
        ] {
            Tree.remove(mail.path.appending(name))
        }
        #expect(try mail.unreadable().isEmpty)
        #expect(try mail.digest() == digest)
        let found = try mail.repair()
        #expect(found.isEmpty)
    }

    @Test("A header index whose maker died before its first commit is no damage, and is made when it is wanted")
    func unbegunHeaders() throws {
        let mail = try MailVault(3)
        let headers = mail.path.appending("headers")
        Tree.remove(headers)
        Tree.makeDirectory(headers)
        Tree.write(headers.appending("data.mdb"), [])
        #expect(try VaultInspection.run(mail.path).isEmpty)
        let vault = try OpenVault(mail.path, clock: TestClock().wall)
        #expect(try vault.headerIndex() != nil)
        #expect(try VaultInspection.run(mail.path).isEmpty)
    }

    @Test("A flipped bit in a key, the newest checkpoint, or the subtrees is found, named, and put right")
    func checkpoints() throws {
        let mail = try MailVault()
        var generator = SeededGenerator.announced()
        do {
            let vault = try OpenVault(mail.path, clock: TestClock(step: 1_000).wall)
            for _ in 0..<250 {
                try vault.commit([
                    JournalEntry(account: AccountNumber(rawValue: 1), origin: .scan, changes: [])
                ])
            }
            _ = try VaultCheckpoints(vault).sign(using: &generator)
            #expect(try VaultCheckpoints(vault).check(isWhole: true).isEmpty)
        }
        for name in ["key", "key.pub", "newest", "subtrees"] {
            let file = mail.path.appending("checkpoints/\(name)")
            let whole = try #require(Tree.read(file))
            for _ in 0..<12 {
                let (byte, bit) = (generator.number(0..<whole.count), generator.number(0..<8))
                Tree.flip(file, byte: byte, bit: bit)
                let found = try VaultCheckpoints(OpenVault(mail.path, clock: TestClock().wall)).check(isWhole: true)
                #expect(found.map(\.file).contains("checkpoints/\(name)"), "\(name) byte \(byte) bit \(bit): \(found)")
                let notes = try mail.repair()
                #expect(notes.allSatisfy { !$0.isLoss } && !notes.isEmpty, "\(name) byte \(byte) bit \(bit): \(notes)")
                let after = try VaultCheckpoints(OpenVault(mail.path, clock: TestClock().wall)).check(isWhole: true)
                #expect(after.isEmpty, "\(name) byte \(byte) bit \(bit): \(after)")
                if name != "subtrees" { #expect(Tree.read(file) == whole) }
                Tree.write(file, whole)
            }
        }
        // Both halves of what is known of the key are gone: it is said, and the vault goes on.
        Tree.write(mail.path.appending("checkpoints/newest"), Array("nonsense\n".utf8))
        let notes = try mail.repair()
        #expect(notes.contains { $0.isLoss && $0.file == "checkpoints/newest" })
        #expect(try mail.repair().isEmpty)
    }

    @Test("A frame that cannot be healed costs the messages in it and no other; the pack is kept")
    func lostFrame() throws {
        let mail = try MailVault()
        let pack = mail.path.appending("blobs/packs/0000000000000001.pack")
        var bytes = try #require(Tree.read(pack))
        let middle = bytes.count / 2
        for offset in 0..<40 { bytes[middle + offset] ^= 0xA5 }
        Tree.write(pack, bytes)
        let notes = try mail.repair()
        #expect(notes.contains { $0.isLoss })
        let lost = try mail.unreadable()
        #expect((1...2).contains(lost.count), "\(lost.count) lost")
        #expect(Tree.read(mail.path.appending("quarantine/0000000000000001.pack-1")) == bytes)
        #expect(try mail.repair().isEmpty)
        // Another message can be stored, and the lost one too when it comes again.
        let vault = try OpenVault(mail.path)
        let encoder = vault.blobs.encoder()
        for digest in lost {
            let content = try #require(mail.contents[digest])
            try encoder.add(content.span.bytes)
        }
        let batch = try encoder.finish()
        try vault.appendBlobs {
            try vault.blobs.append(batch)
            try vault.blobs.sync()
        }
        let reader = vault.blobs.reader()
        for digest in lost { try reader.read(digest) { #expect($0.byteCount == mail.contents[digest]?.count) } }
    }

    @Test("Of a frame that cannot be healed, the messages before the damage are saved")
    func partlyLostFrame() throws {
        let mail = try MailVault(3)
        var generator = SeededGenerator(seed: 3)
        let texts = (0..<200).map { Array("Subject: \($0)\n\n".utf8) + generator.bytes(3_000) }
        do {
            let vault = try OpenVault(mail.path)
            let encoder = vault.blobs.encoder()
            for text in texts { try encoder.add(text.span.bytes) }
            let batch = try encoder.finish()
            try vault.appendBlobs {
                try vault.blobs.append(batch)
                try vault.blobs.sync()
            }
        }
        let pack = mail.path.appending("blobs/packs/0000000000000001.pack")
        var bytes = try #require(Tree.read(pack))
        // Near the end of the large frame, in two places.
        for offset in [bytes.count - 60_000, bytes.count - 59_000] { bytes[offset] ^= 0xFF }
        Tree.write(pack, bytes)
        let notes = try mail.repair()
        let vault = try OpenVault(mail.path)
        let reader = vault.blobs.reader()
        var saved = 0
        for text in texts {
            do {
                try reader.read(Digest(hashing: text.span.bytes)) { #expect($0.byteCount == text.count) }
                saved += 1
            } catch is BlobError {
                // Lost, as it was said.
                #expect(notes.contains { $0.isLoss })
            }
        }
        #expect(saved >= 100 && saved < 200, "\(saved) saved: \(notes)")
    }

    @Test("After an unclean end the vault is verified before it is written to, and a damaged database is made anew")
    func uncleanEnd() throws {
        let mail = try MailVault()
        let digest = try mail.digest()
        for name in ["journal/lmdb", "blobs/index", "projections"] {
            let file = mail.path.appending(name).appending("data.mdb")
            var bytes = try #require(Tree.read(file))
            // The root of the newest state, or a page near it.
            for page in 2..<bytes.count / 4096 where page % 2 == 0 {
                for index in page * 4096..<page * 4096 + 4096 { bytes[index] = 0 }
            }
            Tree.write(file, bytes)
            Tree.write(mail.path.appending("state/writer-1-1"), [])
            let vault = try OpenVault(mail.path)
            #expect(try vault.projections().contentDigest() == digest)
            #expect(try vault.journal.head().transaction.rawValue == 63)
            #expect(!Tree.exists(mail.path.appending("state/writer-1-1")))
        }
        #expect(try mail.unreadable().isEmpty)
        #expect(Tree.names(mail.path.appending("quarantine")).count == 3)
    }

    @Test("A restart of the machine is an unclean end; a clean one leaves no mark")
    func restart() throws {
        let mail = try MailVault()
        #expect(Tree.names(mail.path.appending("state")).map { String(decoding: $0, as: UTF8.self) } == ["boot"])
        Tree.write(mail.path.appending("state/boot"), Array("00000000-0000-0000-0000-000000000000".utf8))
        let file = mail.path.appending("projections/data.mdb")
        var bytes = try #require(Tree.read(file))
        for index in 8192..<bytes.count { bytes[index] = 0 }
        Tree.write(file, bytes)
        do {
            let vault = try OpenVault(mail.path)
            #expect(try vault.accounts().count == 1)
        }
        #expect(Tree.read(mail.path.appending("state/boot")) != Array("00000000-0000-0000-0000-000000000000".utf8))
    }

    @Test("A journal in LMDB that fell back, however far, is brought up when the vault is opened")
    func fellBack() throws {
        let mail = try MailVault()
        let file = mail.path.appending("journal/lmdb/data.mdb")
        let older = try #require(Tree.read(file))
        do {
            let vault = try OpenVault(mail.path)
            try vault.commit([JournalEntry(account: .directory, origin: .admin, changes: [], note: Note(.gap))])
        }
        Tree.write(file, older)
        #expect(try OpenVault(mail.path, readOnly: true).journal.head().transaction.rawValue == 64)
        // Empty, as a copy of a file in use may be.
        Tree.remove(mail.path.appending("journal/lmdb"))
        try OpenJournal.create(in: mail.scratch.appending("other").appendingMade())
        Tree.copy(mail.scratch.appending("other/lmdb"), to: mail.path.appending("journal/lmdb"))
        #expect(try OpenVault(mail.path, readOnly: true).journal.head().transaction.rawValue == 64)
    }

    @Test("FORMAT is written again from one wrong bit, or from the segments when it is gone")
    func format() throws {
        let mail = try MailVault(3)
        let whole = try #require(Tree.read(mail.path.appending("FORMAT")))
        for byte in 0..<whole.count {
            Tree.flip(mail.path.appending("FORMAT"), byte: byte, bit: byte % 8)
            _ = try mail.repair()
            #expect(Tree.read(mail.path.appending("FORMAT")) == whole, "byte \(byte)")
        }
        let id = try OpenVault(mail.path).id
        Tree.remove(mail.path.appending("FORMAT"))
        _ = try mail.repair()
        #expect(try OpenVault(mail.path).id == id)
    }
}

extension FilePath {
    fileprivate func appendingMade() -> FilePath {
        Tree.makeDirectory(self)
        return self
    }
}
