import Glibc
import Maildir
import Testing

@Suite struct WriterTests {
    private func path(_ components: String...) -> MaildirFolderPath { MaildirFolderPath(components.map { bytes($0) }) }

    private func names() -> MaildirNameSource {
        MaildirNameSource(host: bytes("a/b:c"), now: { FileTime(seconds: 1_700_000_000) }, random: { 0xABCD })
    }

    @Test(arguments: [MaildirWriter.Durability.each, .batch])
    func `what is delivered is read again with its flags and date`(durability: MaildirWriter.Durability) throws {
        let directory = TemporaryDirectory()
        let writer = try MaildirWriter(path: bytes(directory.path + "/M"), durability: durability, names: names())
        let folder = try writer.folder(path("Work", "2024"))
        let content = bytes("Subject: x\n\nbody\n")
        let date = FileTime(seconds: -86_400, nanoseconds: 5)
        let delivered = try folder.deliver(
            content.span,
            .init(baseName: bytes("1.x.h"), flags: [.seen, .flagged], unknownFlags: bytes("X"), internalDate: date))
        #expect(delivered.place == .cur && delivered.name == bytes("1.x.h:2,FSX"))
        let generated = try folder.deliver(content.span, .init(place: .new))
        #expect(text(generated.name) == "1700000000.M0P\(getpid())Q2Rabcd.a\\057b\\072c,S=17")
        let both = try folder.deliver(content.span, .init(place: .new, flags: .seen))
        #expect(both.place == .cur)
        try writer.sync()
        let maildir = try Maildir(path: directory.path + "/M")
        #expect(try maildir.folders().map { text($0.rawName) } == ["", ".Work.2024"])
        let read = try maildir.open(rawName: bytes(".Work.2024"))
        let listing = try read.list()
        #expect(listing.count == 3)
        let message = try read.message(bytes("1.x.h:2,FSX"), in: .cur)
        #expect(message.modified == date)
        var buffer: [UInt8] = []
        try message.read(into: &buffer)
        #expect(buffer == content)
        #expect(directory.tree().contains("M/.Work.2024/maildirfolder"))
        #expect(!directory.tree().contains { $0.contains("/tmp/") && !$0.hasSuffix("tmp/") })
    }

    @Test func `a delivery given up leaves nothing, one in chunks is whole`() throws {
        let directory = TemporaryDirectory()
        let inbox = try MaildirWriter(path: directory.bytes).folder(.inbox)
        let before = directory.tree()
        do {
            let delivery = try inbox.begin(.init())
            try delivery.write(bytes("half").span)
        }
        #expect(directory.tree() == before)
        let delivery = try inbox.begin(.init(baseName: bytes("1")))
        for _ in 0..<100 { try delivery.write(bytes("0123456789").span) }
        #expect(try delivery.finish().name == bytes("1:2,"))
        #expect(throws: MaildirError.self) { try delivery.finish() }
        #expect(delivery.size == 1_000)
    }

    @Test func `nothing that exists is overwritten`() throws {
        let directory = TemporaryDirectory()
        let inbox = try MaildirWriter(path: directory.bytes).folder(.inbox)
        directory.write("cur/1:2,S", "mine")
        directory.write("cur/2:2,", "other")
        let tree = directory.tree()
        #expect(throws: MaildirError.exists(name: bytes("1:2,S"))) {
            _ = try inbox.deliver(bytes("yours").span, .init(baseName: bytes("1"), flags: .seen))
        }
        directory.write("cur/1:2,F", "third")
        #expect(throws: MaildirError.exists(name: bytes("1:2,F"))) {
            try inbox.setFlags(.flagged, ofMessage: bytes("1:2,S"), in: .cur)
        }
        #expect(directory.tree().filter { $0 != "cur/1:2,F" } == tree)
        var buffer: [UInt8] = []
        try Maildir(path: directory.path).open(rawName: []).message(bytes("1:2,S"), in: .cur).read(into: &buffer)
        #expect(buffer == bytes("mine"))
    }

    @Test func `flags are changed by a rename into cur, messages are removed`() throws {
        let directory = TemporaryDirectory()
        let inbox = try MaildirWriter(path: directory.bytes, durability: .each).folder(.inbox)
        directory.write("new/1", "x")
        #expect(try inbox.setFlags([.seen, .replied], ofMessage: bytes("1"), in: .new) == bytes("1:2,RS"))
        #expect(try inbox.setFlags([.seen, .replied], ofMessage: bytes("1:2,RS"), in: .cur) == bytes("1:2,RS"))
        #expect(
            try inbox.setFlags([], unknownFlags: bytes("X"), ofMessage: bytes("1:2,RS"), in: .cur) == bytes("1:2,X"))
        try inbox.remove(bytes("1:2,X"), in: .cur)
        #expect(throws: MaildirError.vanished(name: bytes("1:2,X"))) { try inbox.remove(bytes("1:2,X"), in: .cur) }
        #expect(throws: MaildirError.vanished(name: bytes("1"))) {
            try inbox.setFlags([], ofMessage: bytes("1"), in: .new)
        }
    }

    @Test func `keywords are merged with those that are there, the 27th is told as unfit`() throws {
        let directory = TemporaryDirectory()
        let inbox = try MaildirWriter(path: directory.bytes).folder(.inbox)
        directory.write("dovecot-keywords", "3 Old\n")
        let first = try inbox.letters(for: [bytes("New"), bytes("old"), bytes("a\nb")])
        #expect(first.flags.letters == bytes("ad"))
        #expect(first.unfit == [bytes("a\nb")])
        let many = try inbox.letters(for: (0..<30).map { bytes("k\($0)") })
        #expect(many.flags.keywordIndexes.count == 24)
        #expect(many.unfit.count == 6)
        let keywords = try Maildir(path: directory.path).open(rawName: []).keywords()
        #expect(keywords.name(ofLetter: UInt8(ascii: "d")) == bytes("Old"))
        #expect(keywords.name(ofLetter: UInt8(ascii: "a")) == bytes("New"))
        directory.write("dovecot-keywords", "")
        directory.write("dovecot-keywords.lock", "")
        #expect(throws: MaildirError.locked(path: bytes(directory.path + "/dovecot-keywords"))) {
            _ = try inbox.letters(for: [bytes("x")])
        }
        #expect(directory.tree().contains("dovecot-keywords.lock"))
    }

    @Test func `subscriptions are written, and those without a name on disk returned`() throws {
        let directory = TemporaryDirectory()
        let writer = try MaildirWriter(path: directory.bytes)
        let unfit = try writer.setSubscriptions([.inbox, path("Work", "a.b"), path("x", ""), path("Entwürfe")])
        #expect(unfit == [path("x", "")])
        #expect(
            try Maildir(path: directory.path).subscriptions()?.folders == [
                .inbox, path("Work", "a.b"), path("Entwürfe"),
            ])
        #expect(!directory.tree().contains("subscriptions.lock"))
    }

    /// Bytes that are most apt to lead out of a directory, or to be taken for something else.
    private static let hostile: [UInt8] =
        [0, 1, 9, 10, 13, 0x1B, 0x7F, 0x80, 0xC3, 0xFF] + bytes("./\\:;!,&-~* aA%+cI")

    @Test func `no folder name of one or two hostile bytes leads out, and every one made is read as it was given`()
        throws
    {
        let directory = TemporaryDirectory()
        directory.makeDirectory("M")
        let outside = directory.tree()
        let writer = try MaildirWriter(path: bytes(directory.path + "/M"))
        var made: Set<MaildirFolderPath> = []
        let singles = Self.hostile.map { [$0] }
        let pairs = singles.flatMap { first in Self.hostile.map { first + [$0] } }
        var rawNames: Set<[UInt8]> = []
        for bytes in [[]] + singles + pairs {
            for isVerbatim in [false, true] {
                for path in [
                    MaildirFolderPath([.init(bytes, isVerbatim: isVerbatim)]),
                    MaildirFolderPath([.init([0x78]), .init(bytes, isVerbatim: isVerbatim)]),
                ] {
                    do throws(MaildirError) {
                        let folder = try writer.folder(path)
                        rawNames.insert(folder.rawName)
                        made.insert(path)
                    } catch {
                        guard case .unrepresentable = error else {
                            Issue.record("\(path): \(error)")
                            continue
                        }
                    }
                }
            }
        }
        #expect(made.count > 1_000)
        let tree = directory.tree()
        #expect(tree.filter { !$0.hasPrefix("M/") } == outside.filter { !$0.hasPrefix("M/") })
        let folders = try Maildir(path: directory.path + "/M").folders()
        #expect(Set(folders.map(\.rawName)) == rawNames.union([[]]))
        #expect(folders.allSatisfy { $0.problem == nil })
        // Verbatim bytes that are canonical after all are read as what they stand for: the same bytes on disk.
        let read = Set(folders.map(\.path))
        for path in made where !path.isVerbatim {
            let isUTF8 = path.components.allSatisfy { String(validating: $0.bytes, as: UTF8.self) != nil }
            if isUTF8 { #expect(read.contains(path), "\(path)") }
        }
        for folder in folders { #expect(try folder.path.directoryName() == folder.rawName) }
    }

    @Test(arguments: [
        "..", ".", "../../etc", "/etc/passwd", "a/../../b", "cur", "new", "tmp", "\u{0}", "a\u{0}b", "%2e%2e", "..\\..",
        "nul", "&", "&AC8-", "-rf", "~root", "$(id)", "\u{202E}x", "\u{1B}[2J",
    ])
    func `a hostile name stays inside and is read as it was given`(name: String) throws {
        let directory = TemporaryDirectory()
        directory.makeDirectory("M")
        let folder = try MaildirWriter(path: bytes(directory.path + "/M")).folder(path(name))
        #expect(folder.rawName.first == UInt8(ascii: ".") && !folder.rawName.contains(UInt8(ascii: "/")))
        #expect(TemporaryDirectory.tree(directory.path).allSatisfy { $0.hasPrefix("M/") })
        #expect(try Maildir(path: directory.path + "/M").folders().contains { $0.path == path(name) })
    }

    @Test func `names too long for the disk are told as such`() throws {
        let directory = TemporaryDirectory()
        let writer = try MaildirWriter(path: directory.bytes)
        let tree = directory.tree()
        let fits = String(repeating: "x", count: 254)
        _ = try writer.folder(path(fits))
        #expect(throws: MaildirError.nameTooLong(name: bytes("." + fits + "x"))) {
            _ = try writer.folder(path(fits + "x"))
        }
        let inbox = try writer.folder(.inbox)
        #expect(throws: MaildirError.self) {
            _ = try inbox.deliver([UInt8]().span, .init(baseName: bytes(fits), flags: .seen))
        }
        for base in ["", "a/b", "../x", ".hidden", "a:2,S", "a\u{0}", "a\nb"] {
            #expect(throws: MaildirError.self) { _ = try inbox.deliver([UInt8]().span, .init(baseName: bytes(base))) }
            #expect(throws: MaildirError.self) { try inbox.remove(bytes(base.isEmpty ? "" : "../" + base), in: .cur) }
        }
        #expect(directory.tree().filter { !$0.hasPrefix("." + fits) } == tree)
    }

    @Test func `links planted in the target are not followed`() throws {
        let directory = TemporaryDirectory()
        directory.makeDirectory("M")
        directory.makeDirectory("outside")
        directory.makeFolder("outside")
        let before = TemporaryDirectory.tree(directory.path + "/outside").sorted()
        let writer = try MaildirWriter(path: bytes(directory.path + "/M"))
        symlink(directory.path + "/outside", directory.path + "/M/.L")
        #expect(throws: MaildirError.symbolicLink(path: bytes(directory.path + "/M/.L"))) {
            _ = try writer.folder(path("L"))
        }
        directory.makeDirectory("M/.K")
        symlink(directory.path + "/outside/cur", directory.path + "/M/.K/cur")
        #expect(throws: MaildirError.symbolicLink(path: bytes(directory.path + "/M/.K/cur"))) {
            _ = try writer.folder(path("K"))
        }
        #expect(TemporaryDirectory.tree(directory.path + "/outside").sorted() == before)
    }

    @Test func `reading changes nothing on disk`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.makeFolder(".A")
        directory.write("new/1", "x")
        directory.write(".A/cur/2:2,S", "y")
        func state() -> [String] {
            directory.tree().map { name in
                var status = stat()
                lstat(directory.path + "/" + name, &status)
                let times = [status.st_mtim, status.st_ctim] + (name.hasSuffix("/") ? [] : [status.st_atim])
                return "\(name) \(times.map { "\($0.tv_sec).\($0.tv_nsec)" }) \(status.st_mode) \(status.st_size)"
            }
        }
        let before = state()
        let maildir = try Maildir(path: directory.path)
        for folder in try maildir.folders() {
            let open = try maildir.open(folder)
            let listing = try open.list()
            for position in 0..<listing.count {
                var buffer: [UInt8] = []
                try open.message(listing.name(at: position), in: listing[position].place).read(into: &buffer)
            }
            _ = try open.keywords()
        }
        _ = try maildir.subscriptions()
        #expect(state() == before)
    }
}
