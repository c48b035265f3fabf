internal import Capture
internal import Connectors
internal import Events
internal import Files
internal import Glibc
internal import SystemPackage
internal import Testing
internal import Vault

@testable internal import Journal

/// The program in `Specs/Format/ReadingWithoutYestermail.md` is made from the pages, not from the code: where it reads
/// what we write, the pages are right.
@Suite struct ReadingWithoutYestermailTests {
    private static let repository = FilePath("\(#filePath)").removingLastComponent().removingLastComponent()
        .removingLastComponent()

    private static func run(_ command: String) -> Int32 { system(command) }

    private static let canRun = run("command -v python3 >/dev/null && command -v zstd >/dev/null") == 0

    /// The Python program of the page.
    private func program() throws -> [UInt8] {
        let page = try File(Self.repository.appending("Specs/Format/ReadingWithoutYestermail.md"), .read)
        let text = String(decoding: try page.read(at: 0, count: try page.size()), as: UTF8.self)
        let begin = try #require(text.firstRange(of: "```python\n"))
        let end = try #require(text[begin.upperBound...].firstRange(of: "\n```"))
        return Array(text[begin.upperBound..<end.lowerBound].utf8)
    }

    private func write(_ bytes: [UInt8], _ path: FilePath) throws {
        try File(path, .create).write(bytes.span.bytes, at: 0)
    }

    @Test(
        "the page's program gives back every message, byte for byte, from raw and from sealed segments",
        .enabled(if: canRun, "python3 and zstd are needed"))
    func everythingComesBack() throws {
        let temporary = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var name = Array((temporary + "/reading-XXXXXX").utf8CString)
        let made = mkdtemp(&name)
        let place = FilePath(String(cString: try #require(made)))
        defer { _ = Self.run("rm -rf '\(place)'") }

        let root = place.appending("Maildir")
        for folder in ["", "cur", "new", "tmp", ".Old", ".Old/cur", ".Old/new", ".Old/tmp"] {
            try Directory.create(folder.isEmpty ? root : root.appending(folder))
        }
        var messages: [[UInt8]] = []
        for number in 0..<40 {
            var text = "Subject: \(number)\r\n\r\n\u{e9} \(number)\r\n"
            if number % 3 == 0 {
                // An attachment, which is stored as a part: 76 characters a line, CRLF.
                let line = String(repeating: "QUJD", count: 19) + "\r\n"
                text += String(repeating: line, count: 100 + number) + "QUI=\r\n--end\r\n"
            }
            if number == 7 { text = String(repeating: "x", count: 3_000_000) }
            if number == 8 { text = "" }
            messages.append(Array(text.utf8) + (number == 9 ? [0, 255, 254, 10, 13] : []))
            let folder = number % 4 == 0 ? ".Old/cur" : "cur"
            try write(messages[number], root.appending("\(folder)/\(1_700_000_000 + number).M\(number).host:2,S"))
        }

        let directory = place.appending("vault")
        var generator = SystemRandomNumberGenerator()
        try OpenVault.create(directory, using: &generator)
        do {
            let vault = try OpenVault(directory)
            let account = try vault.addAccount("anna@example.org", sources: ["maildir:\(root)"], using: &generator)
            let capture = try AccountCapture(vault, account, try MaildirSource(path: root.string))
            let report = try capture.pass(.all, origin: Origin.scan)
            #expect(report.created == messages.count)
            try Directory.removeFile(root.appending("cur/1700000001.M1.host:2,S"))
            _ = try capture.pass(.all, origin: Origin.scan)
        }

        try write(try program(), place.appending("yester.py"))
        func check(_ output: String) throws {
            let mail = place.appending(output)
            #expect(Self.run("python3 '\(place)/yester.py' '\(directory)' '\(mail)'") == 0)
            #expect(Self.run("python3 '\(place)/yester.py' '\(directory)' >'\(place)/\(output).journal'") == 0)
            var expected = messages
            expected.remove(at: 1)
            var found: [[UInt8]] = []
            for folder in try Directory.names(mail.appending("anna@example.org")) {
                let path = mail.appending("anna@example.org").appending(folder)
                for name in try Directory.names(path) {
                    let file = try File(path.appending(name), .read)
                    found.append(try file.read(at: 0, count: try file.size()))
                }
            }
            #expect(Set(found) == Set(expected))
            #expect(found.count == expected.count)
        }
        try check("raw")
        let segments = SegmentDirectory(path: directory.appending("journal/segments"))
        try SegmentSealer.seal(try #require(try segments.entries().first), in: segments)
        try check("sealed")
        #expect(Self.run("cmp '\(place)/raw.journal' '\(place)/sealed.journal'") == 0)
        // A flipped bit is noticed.
        #expect(
            Self.run(
                "cd '\(directory)/blobs/packs' && printf '\\377' | dd of=$(ls | head -1) bs=1 seek=400 conv=notrunc 2>/dev/null && ! python3 '\(place)/yester.py' '\(directory)' '\(place)/damaged' 2>/dev/null"
            ) == 0)
    }
}
