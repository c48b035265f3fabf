import Testing

@testable import Presentation

@Suite struct TerminalTextTests {
    @Test func `plain text and letters of all scripts are shown as they are`() {
        for text in ["", "Contract 2026 signed", "Grüße, Привет, 你好, ελληνικά, 👍", "a\u{A0}b", "e\u{301}"] {
            #expect(TerminalText.safe(text) == text)
            #expect(TerminalText.safe(Array(text.utf8)) == text)
        }
    }

    @Test(arguments: [
        ("\u{1B}[31mred", "‹ESC›[31mred"), ("a\u{7}b", "a‹BEL›b"), ("a\nb\r\tc", "a‹LF›b‹CR›‹TAB›c"),
        ("\u{7F}", "‹DEL›"), ("\u{0}", "‹NUL›"), ("\u{9B}2J", "‹U+009B›2J"), ("\u{202E}fdp.exe", "‹U+202E›fdp.exe"),
        ("\u{2066}x\u{2069}", "‹U+2066›x‹U+2069›"), ("\u{200E}\u{200F}\u{61C}", "‹U+200E›‹U+200F›‹U+061C›"),
        ("pay\u{200B}pal", "pay‹U+200B›pal"), ("\u{2028}\u{2029}", "‹U+2028›‹U+2029›"), ("\u{FEFF}", "‹U+FEFF›"),
        ("\u{E0041}", "‹U+E0041›"), ("\u{3164}", "‹U+3164›"), ("\u{AD}", "‹U+00AD›"), ("\u{E000}", "‹U+E000›"),
        ("\u{FFFE}", "‹U+FFFE›"), ("\u{301}x", "‹U+0301›x"),
    ])
    func `what drives a terminal or hides is shown by name`(text: String, shown: String) {
        #expect(TerminalText.safe(text) == shown)
        #expect(TerminalText.safe(Array(text.utf8)) == shown)
    }

    @Test func `bytes that are not UTF-8 are shown by their digits`() {
        #expect(TerminalText.safe([0x61, 0xFF, 0xC3, 0x28, 0xED, 0xA0, 0x80]) == "a‹FF›‹C3›(‹ED›‹A0›‹80›")
        #expect(TerminalText.safe([0xE2, 0x82]) == "‹E2›‹82›")
    }

    @Test func `no scalar at all gets through that a terminal would act upon`() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for shown in TerminalText.safe("x" + String(scalar)).unicodeScalars {
                let control = shown.value < 0x20 || (0x7F..<0xA0).contains(shown.value)
                let format = shown.properties.generalCategory == .format
                if control || format || shown.properties.isBidiControl { Issue.record("U+\(value) got through") }
            }
        }
    }

    @Test(arguments: [
        ("hello", 5, "hello"), ("hello!", 5, "hell…"), ("你好吗", 6, "你好吗"), ("你好吗", 5, "你好…"), ("你好吗", 4, "你…"),
        ("hello", 1, "…"), ("hello", 0, ""), ("", 0, ""), ("cafe\u{301}s", 5, "cafe\u{301}s"),
        ("cafe\u{301}s", 4, "caf…"), ("ab\u{1B}cd", 6, "ab…"), ("ab\u{1B}cd", 8, "ab‹ESC›…"), ("hello", -3, ""),
    ])
    func `long text is cut by columns and says so`(text: String, columns: Int, shown: String) {
        let result = TerminalText.safe(text, maxColumns: columns)
        #expect(result == shown)
        #expect(TerminalText.columns(result) <= max(0, columns))
    }

    @Test func `a letter buried under marks is dug out`() {
        let text = "a" + String(repeating: "\u{301}", count: 1_000)
        #expect(TerminalText.safe(text, maxColumns: 40).unicodeScalars.count < 60)
    }

    @Test func `lines end at LF and CRLF, and tabs go to the next stop`() {
        #expect(TerminalText.lines("a\r\n\tb\u{1B}\n\nc\rd") == ["a", "        b‹ESC›", "", "c‹CR›d"])
        #expect(TerminalText.lines("a\nb\nc", maxLines: 2) == ["a", "b"])
        #expect(TerminalText.lines("") == [])
    }

    @Test func `a table stands straight whatever the scripts in it`() {
        var table = TextTable([.init("FROM"), .init("SIZE", .right), .init("SUBJECT", maxColumns: 8)])
        table.addRow(["Anna", "48 KiB", "Contract 2026"])
        table.addRow(["你好", "1 B", "\u{1B}]0;x"])
        table.addRow(["e\u{301}"])
        #expect(
            table.lines() == [
                "FROM    SIZE  SUBJECT", "Anna  48 KiB  Contrac…", "你好     1 B  ‹ESC›]0…", "e\u{301}",
            ])
    }
}
