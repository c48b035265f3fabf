import Mbox
import TestKit
import Testing

@Suite struct PostmarkTests {
    @Test(
        arguments: [
            ("From a@b Thu Jul  4 13:45:03 2024", "a@b", 1_720_100_703, false, ""),
            ("From user@domain  Sat Mar 24 23:00:00 2007 +0200", "user@domain", 1_174_770_000, true, ""),
            ("From 16@xxx Tue Mar 19 09:13:51 +0000 2019", "16@xxx", 1_552_986_831, true, ""),
            ("From - Thu Jan  1 00:00:00 1970\r", "-", 0, false, ""),
            ("From a@b Fri Feb 22 17:06 2008", "a@b", 1_203_699_960, false, ""),
            ("From a@b Fri Feb 22 17:06:23 EST 2008", "a@b", 1_203_717_983, true, ""),
            ("From a@b Fri, 22 Feb 2008 17:06:23 -0500", "a@b", 1_203_717_983, true, ""),
            ("From a b c Fri Feb 22 17:06:23 2008 remote from host", "a b c", 1_203_699_983, false, "remote from host"),
            ("From Mon Fri Feb 22 17:06:23 2008", "Mon", 1_203_699_983, false, ""),
            ("From  Fri Feb 22 17:06:23 2008", "", 1_203_699_983, false, ""),
            ("From ???@??? Tue Feb 29 23:59:60 2000", "???@???", 951_868_800, false, ""),
        ] as [(String, String, Int64, Bool, String)])
    func `a postmark is taken apart`(line: String, sender: String, date: Int64, hasZone: Bool, more: String) throws {
        let postmark = try #require(Postmark(parsing: bytes(line)))
        #expect(text(postmark.sender) == sender)
        #expect(postmark.date == date)
        #expect(postmark.hasZone == hasZone)
        #expect(text(postmark.more) == more)
    }

    @Test(arguments: [
        "From a@b Fri Feb 30 17:06:23 2008", "From a@b Fri Feb 22 25:06:23 2008", "From a@b Thu Feb 29 00:00:00 2001",
        "From a@b Fri Feb 0 17:06:23 2008",
    ])
    func `an impossible date is a postmark without a date`(line: String) throws {
        #expect(try #require(Postmark(parsing: bytes(line))).date == nil)
    }

    @Test(arguments: [
        "From the beginning", "From ", "From: a@b", "from a@b Fri Feb 22 17:06:23 2008",
        "From Fri to Mon at 12:00 sharp",
        "From a@b Fri Feb 22 2008", "From a@b Fri Feb 22 17:06:23", "From a@b Fri Feb 22 17:06:23 08",
        ">From a@b Fri Feb 22 17:06:23 2008", "From\ta Fri Feb 22 17:06:23 2008", "From a@b Fri Feb 222 1:2:3 20089",
    ])
    func `text is no postmark`(line: String) { #expect(Postmark(parsing: bytes(line)) == nil) }

    @Test func `any line is taken without harm`() {
        var random = SeededGenerator(seed: 11)
        let words = [
            "Fri", "Feb", "22", "17:06:23", "2008", "+0200", "EST", "::", "9999", "-", "\u{0}", "+99999", "99:99",
        ]
        for _ in 0..<50_000 {
            let line =
                "From "
                + (0..<Int.random(in: 0...9, using: &random)).map { _ in
                    words.randomElement(using: &random) ?? ""
                }.joined(separator: " ")
            _ = Postmark(parsing: bytes(line))
        }
    }
}
