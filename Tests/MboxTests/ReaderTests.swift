import Glibc
import Mbox
import Testing

private let mark = "From a@b Fri Feb 22 17:06:23 2008\n"

@Suite struct ReaderTests {
    @Test func `messages are parted at From lines after an empty line`() throws {
        #expect(try read(mark + "A: 1\n\nbody\n\n" + mark + "B: 2\n\nmore\n") == ["A: 1\n\nbody\n", "B: 2\n\nmore\n"])
        #expect(try read(mark + "x\n" + mark + "y\n\n") == ["x\n" + mark + "y\n"])
        #expect(try read(mark + "\n" + mark + "\n\n" + mark) == ["", "\n", ""])
        #expect(
            try read(mark + "a\n\nFrom the start\n\nFrom Fri to Mon\n") == ["a\n\nFrom the start\n\nFrom Fri to Mon\n"])
        #expect(try read(mark + "no newline") == ["no newline"])
        #expect(try read("\n\r\n" + mark + "a\n") == ["a\n"])
        #expect(try read("") == [])
        #expect(try read("\n\n") == [])
        #expect(try read("From x\nno date\n\n" + mark + "b\n") == ["no date\n", "b\n"])
    }

    @Test func `CRLF is kept, and parts messages as well`() throws {
        let crlf = "From a@b Fri Feb 22 17:06:23 2008\r\n"
        #expect(
            try read(crlf + "A: 1\r\n\r\nbody\r\n\r\n" + crlf + "B\r\n\r\n\r\n") == [
                "A: 1\r\n\r\nbody\r\n", "B\r\n\r\n",
            ])
        #expect(try read(crlf + "\r\n" + crlf + "\r\n") == ["", ""])
        #expect(try read(crlf + "x\r\n\r\n>From y\r\n>>From z\r\n\r\n") == ["x\r\n\r\nFrom y\r\n>From z\r\n"])
    }

    @Test func `quoting is undone by the variant`() throws {
        let content = mark + ">From a\n>>From b\n > From c\nx >From d\n>From\n>Fromage\n>>>From \n"
        #expect(try read(content, .mboxrd) == ["From a\n>From b\n > From c\nx >From d\n>From\n>Fromage\n>>From \n"])
        #expect(try read(content) == ["From a\n>From b\n > From c\nx >From d\n>From\n>Fromage\n>>From \n"])
        #expect(try read(content, .mboxo) == [String(content.dropFirst(mark.utf8.count))])
        #expect(try read(content, .mboxcl2) == [String(content.dropFirst(mark.utf8.count))])
        #expect(try read(mark + ">From", .mboxrd) == [">From"])
        #expect(try read(mark + ">>", .mboxrd) == [">>"])
    }

    @Test func `a Content-Length that is true parts messages, one that is not is not believed`() throws {
        let first = "Content-Length: \(mark.utf8.count + 7)\n\nhello\n\n" + mark
        let second = "content-length:2\r\n\r\nab"
        let directory = TemporaryDirectory()
        let path = directory.write(
            "m", bytes(mark + first + "\n" + mark + second + "\n\n" + mark + "Content-Length: 0\n\n"))
        let all = try readAll(path)
        #expect(all.variant == .mboxcl2)
        #expect(all.messages.map { text($0.1) } == [first, second, "Content-Length: 0\n\n"])
        for wrong in ["1", "99999", "-5", "99999999999999999999", "x", "", "1 2", "9223372036854775807"] {
            let content = mark + "Content-Length: \(wrong)\n\nhello\n\n" + mark + "b\n"
            #expect(try read(content).count == 2, "\(wrong)")
            #expect(try read(content, .mboxcl2).count == 2, "\(wrong)")
        }
    }

    @Test func `what is no mbox is told with its offset`() throws {
        let directory = TemporaryDirectory()
        let path = directory.write("m", bytes("\n\nSubject: x\n"))
        #expect(throws: MboxError.notAnMbox(offset: 2)) { _ = try MboxReader(path: path) }
        #expect(throws: MboxError.notARegularFile(path: bytes(directory.path))) {
            _ = try MboxReader(path: directory.path)
        }
        mkfifo(directory.path + "/fifo", 0o600)
        #expect(throws: MboxError.self) { _ = try MboxReader(path: directory.path + "/fifo") }
        #expect(throws: MboxError.system(errno: ENOENT, during: .open, path: bytes("/none"))) {
            _ = try MboxReader(path: "/none")
        }
    }

    @Test func `a file that shrank while it was read is told`() throws {
        let directory = TemporaryDirectory()
        let path = directory.write("m", bytes(mark + "a\n\n" + mark + String(repeating: "b\n", count: 400_000)))
        var reader = try MboxReader(path: path)
        _ = try reader.next()
        truncate(path, 1_000)
        #expect(throws: MboxError.self) { while try reader.next() != nil {} }
    }

    @Test func `a separator is found wherever it lies against the chunks of the reader`() throws {
        let directory = TemporaryDirectory()
        for shift in 0..<24 {
            let body = String(repeating: "x", count: 262_144 - 60 + shift) + "\n"
            let path = directory.write("m", bytes(mark + body + "\n" + mark + "b\r\n\r\n" + mark + "c\n"))
            #expect(try readAll(path).messages.map { $0.1.count } == [body.utf8.count, 3, 2], "shift \(shift)")
        }
    }

    @Test func `quoting is undone wherever it lies against the chunks, and after a megabyte of marks`() throws {
        let directory = TemporaryDirectory()
        for shift in 0..<10 {
            let head = String(repeating: "y", count: 262_144 - 9 + shift) + "\n"
            let path = directory.write("m", bytes(mark + head + ">>From z\n>Fro\n"))
            #expect(try readAll(path).messages.map { text($0.1) } == [head + ">From z\n>Fro\n"], "shift \(shift)")
        }
        let marks = String(repeating: ">", count: 1_000_000)
        let path = directory.write("m", bytes(mark + marks + "From \n" + marks))
        #expect(try readAll(path).messages.first?.1.count == 2_000_000 - 1 + 6)
    }

    @Test func `the flags of mail programs are read from the header only`() {
        let message = bytes("Status: RO\r\nX-Status: AFT\nX-KEYWORDS: Work  $Later Work\nSubject: x\n\nStatus: D\n")
        let status = MboxStatus(parsing: message.span)
        #expect(status.isSeen && status.isOld && status.isAnswered && status.isFlagged && status.isDraft)
        #expect(!status.isDeleted)
        #expect(status.keywords.map { text($0) } == ["Work", "$Later"])
        let none: [UInt8] = []
        #expect(MboxStatus(parsing: none.span) == MboxStatus(parsing: bytes("Status:\nX-Status\n:\nS").span))
    }
}
