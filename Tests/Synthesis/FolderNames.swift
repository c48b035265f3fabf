/// Names of folders: ordinary ones, and those that break software.
enum FolderNames {
    static let ordinary: [[UInt8]] = [
        "Projects", "Invoices", "Family", "Travel", "Orders", "Lists", "Contracts", "2023", "Clients", "Reports",
        "Bank", "School", "Photos", "Taxes", "Entwürfe alt", "Rückläufer", "日本語", "Архив", "R&D", "Old & new", "Work",
        "work", "été", "House", "Insurance", "Garden", "Press",
    ].map(ModifiedUTF7.encode)

    /// As on disk; without `.`, `/` and NUL. Line ends and escape sequences among them.
    static let hostile: [[UInt8]] =
        [
            "e\u{301}te\u{301}", "\u{1F4E7} mail", "\u{202E}gnp exe", "*%", "\"quoted\\", " leading and trailing ",
            "~root",
            "cur", "new", "tmp", "$(reboot)", "-rf", "{5}", "\u{FEFF}bom", "[Gmail]", "COM1", "con:",
        ].map(ModifiedUTF7.encode)
        + [
            // No modified UTF-7: somebody's mkdir, or a server of another kind.
            Array("caf".utf8) + [0xE9], Array("&bad".utf8), Array("&AOk".utf8), Array("raw ü".utf8),
            Array("line\nbreak".utf8), [0x1B] + Array("[31mred".utf8), Array("tab\there".utf8), [0x80, 0xFF],
            Array("&AGE-".utf8), Array(repeating: UInt8(ascii: "l"), count: 200),
        ]
}
