import Maildir
import TestKit
import Testing

@Suite struct FileNameTests {
    @Test(arguments: [
        ("1.a.h:2,FS", "1.a.h", "FS", ""), ("1.a.h", "1.a.h", "", ""), ("1.a.h:2,", "1.a.h", "", ""),
        ("1.a.h;2,S", "1.a.h", "S", ""), ("1.a.h!2,RS", "1.a.h", "RS", ""), ("1.a.h:1,x", "1.a.h", "", ""),
        ("1.a.h:2,SabzX9", "1.a.h", "Sabz", "X9"), ("a!2,b:2,S", "a!2,b", "S", ""), (":2,S", "", "S", ""),
        ("a:b:2,S", "a", "", ""), ("a:2,S:2,F", "a", "FS", ":2,"), ("a;b", "a;b", "", ""), ("a:", "a", "", ""),
        ("a:2", "a", "", ""), ("a;2,x;2,S", "a;2,x", "S", ""), ("", "", "", ""),
    ])
    func `a name is taken apart`(name: String, base: String, letters: String, unknown: String) {
        let parsed = MaildirFileName(parsing: bytes(name))
        #expect(text(parsed.base) == base)
        #expect(text(parsed.flags.letters) == letters)
        #expect(text(parsed.unknownFlags) == unknown)
    }

    @Test func `a name put together again is the same, but for the order of its flags`() {
        for name in ["1.a.h:2,FS", "1.a.h", "1.a.h:1,x", "1.a.h;2,S", "1.a.h:2,SabX9", "a:", "a:2", "1.a:"] {
            #expect(text(MaildirFileName(parsing: bytes(name)).bytes) == name)
        }
        #expect(text(MaildirFileName(parsing: bytes("a:2,SFSaX")).bytes) == "a:2,FSaX")
    }

    @Test func `the size hints are read from the base name and nothing else`() {
        let name = MaildirFileName(parsing: bytes("1276528487.M364837P9451.kurkku,S=1355,W=1394:2,S"))
        #expect(name.sizeHint == 1355)
        #expect(name.wireSizeHint == 1394)
        #expect(MaildirFileName(parsing: bytes("a,S=:2,S")).sizeHint == nil)
        #expect(MaildirFileName(parsing: bytes("a,S=99999999999999999999")).sizeHint == nil)
        #expect(MaildirFileName(parsing: bytes("a:2,,S=5")).sizeHint == nil)
    }

    @Test func `every flag has one letter and every letter its flag`() {
        for letter in UInt8.min...UInt8.max {
            guard let flag = MaildirFlags(letter: letter) else { continue }
            #expect(flag.letters == [letter])
            #expect(flag.rawValue.nonzeroBitCount == 1)
        }
        #expect(MaildirFlags(rawValue: .max).letters == bytes("DFPRSTabcdefghijklmnopqrstuvwxyz"))
        #expect(MaildirFlags(keyword: 26) == nil)
        #expect(MaildirFlags(keyword: 0)?.letters == bytes("a"))
    }

    @Test func `any bytes are a name`() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<20_000 {
            let name = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                bytes(":;!2,SFax1.").randomElement(using: &random) ?? 0
            }
            let parsed = MaildirFileName(parsing: name)
            let again = MaildirFileName(parsing: parsed.bytes)
            #expect(parsed == again)
            #expect(name.starts(with: parsed.base))
        }
    }
}

@Suite struct DovecotFileTests {
    @Test func `keywords are read, hostile lines are passed over`() {
        let content =
            "0 $Forwarded\n1 Work\n\n26 no\n-1 no\nx y\n2\n3 \n1 again\n 4 no\n99999999999999999999 no\n5 $forwarded\n6 ok fine"
        let keywords = DovecotKeywords(parsing: bytes(content))
        #expect(keywords.name(ofLetter: UInt8(ascii: "a")).map(text) == "$Forwarded")
        #expect(keywords.name(ofLetter: UInt8(ascii: "b")).map(text) == "Work")
        #expect(keywords.names.compactMap { $0 }.map { text($0) } == ["$Forwarded", "Work", "ok fine"])
        #expect(DovecotKeywords(parsing: keywords.bytes) == keywords)
        let flags = MaildirFileName(parsing: bytes("x:2,Sabcz")).flags
        #expect(keywords.keywords(of: flags).map { text($0) } == ["$Forwarded", "Work"])
    }

    @Test func `a keyword takes the first free letter, and the 27th finds none`() {
        var keywords = DovecotKeywords(parsing: bytes("1 b\n"))
        #expect(keywords.insert(bytes("x")) == 0)
        #expect(keywords.insert(bytes("X")) == 0)
        #expect(keywords.insert(bytes("y")) == 2)
        #expect(keywords.insert(bytes("a\nb")) == nil)
        #expect(keywords.insert([]) == nil)
        for number in 0..<23 { #expect(keywords.insert(bytes("k\(number)")) != nil) }
        #expect(keywords.insert(bytes("one more")) == nil)
    }

    @Test func `a uidlist of version 3 gives its header and the UIDs by base name`() throws {
        let content =
            "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394:2,\n25017 W2481 :1276533073.M242911P3632.kurkku:2,F\nnonsense\n0 :zero\n7 :\n8\n"
        let list = try #require(DovecotUIDList(parsing: bytes(content)))
        #expect(list.uidValidity == 1_275_660_208)
        #expect(list.nextUID == 25_022)
        #expect(list.uids.count == 2)
        #expect(list.uids[bytes("1276533073.M242911P3632.kurkku")] == 25_017)
        for hostile in ["", "1 1 1\n", "3\n", "3 V1\n", "3 V99999999999 N1\n", "\n\n"] {
            #expect(DovecotUIDList(parsing: bytes(hostile)) == nil)
        }
    }

    @Test func `subscriptions are read in all three forms and written in version 2`() {
        let expected = [["INBOX"], ["Work", "2024"], ["Entwürfe"], ["a.b"]].map {
            MaildirFolderPath($0.map { bytes($0) })
        }
        let version1 = "INBOX\nWork.2024\nEntw&APw-rfe\n\na&AC4-b\n"
        let version2 = "V\t2\n\nINBOX\nWork\t2024\nEntw&APw-rfe\na&AC4-b\n"
        let courier = "INBOX\nINBOX.Work.2024\nINBOX.Entw&APw-rfe\nINBOX.a&AC4-b\n"
        let first = MaildirSubscriptions(parsingDovecot: bytes(version1), layout: .maildirPlusPlus)
        #expect(first.folders == expected)
        #expect(MaildirSubscriptions(parsingDovecot: bytes(version2), layout: .maildirPlusPlus) == first)
        #expect(MaildirSubscriptions(parsingCourier: bytes(courier)) == first)
        #expect(text(first.bytes(layout: .maildirPlusPlus)) == version2)
    }

    @Test func `tab escapes in subscriptions come back, and hostile ones harm nobody`() {
        let hostile: [UInt8] = bytes("V\t2\n\na") + [1] + bytes("tb\tc") + [1, 0x0A, 1, 1, 0x30, 1]
        let folders = MaildirSubscriptions(parsingDovecot: hostile, layout: .maildirPlusPlus).folders
        #expect(folders.first?.components.first?.bytes == bytes("a\tb"))
        let verbatim = MaildirFolderPath([.init([0xFF, 0xFE], isVerbatim: true)])
        let written = MaildirSubscriptions([verbatim]).bytes(layout: .maildirPlusPlus)
        #expect(MaildirSubscriptions(parsingDovecot: written, layout: .maildirPlusPlus).folders == [verbatim])
    }
}
