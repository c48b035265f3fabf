import Events

extension MailboxContent {
    /// What the Maildir++ tree at `root` holds, read from disk with code of its own: to hold a played script, or what
    /// the product restored, against the oracle. A tree that is not there holds nothing, not even INBOX.
    ///
    /// Reads `dovecot-keywords` and `subscriptions` (both versions). The internal date is the file's time of modification.
    public init(readingMaildir root: String) {
        let rootBytes = Array(root.utf8)
        let slash = [UInt8(ascii: "/")]
        var folders: [FolderPath] = []
        var messages: [Message] = []
        for name in [[]] + FileSystem.names(in: rootBytes) {
            let directory = name.isEmpty ? rootBytes : rootBytes + slash + name
            guard let folder = name.isEmpty ? FolderPath.inbox : FolderPath(directoryName: name),
                FileSystem.isDirectory(directory + Array("/cur".utf8))
            else { continue }
            folders.append(folder)
            let keywords = Self.keywords(FileSystem.read(directory + Array("/dovecot-keywords".utf8)) ?? [])
            for place in ["/new", "/cur"] {
                let path = directory + Array(place.utf8)
                for file in FileSystem.names(in: path) where file.first != UInt8(ascii: ".") {
                    guard let bytes = FileSystem.read(path + slash + file),
                        let modified = FileSystem.modificationTime(path + slash + file)
                    else { continue }
                    let letters = Self.flagLetters(file)
                    let named = letters.compactMap { letter in keywords.first { $0.letter == letter }?.keyword }
                    messages.append(
                        Message(
                            folder: folder, digest: Digest(hashing: bytes.span.bytes),
                            flags: MessageFlags(letters: letters),
                            keywords: named.sorted { $0.lexicographicallyPrecedes($1) }, internalDate: modified))
                }
            }
        }
        let subscriptions = Self.subscriptions(FileSystem.read(rootBytes + Array("/subscriptions".utf8)) ?? [])
        self.init(folders: folders, subscriptions: subscriptions, messages: messages)
    }

    /// What follows the last `:2,` of a file's name.
    private static func flagLetters(_ name: [UInt8]) -> [UInt8] {
        guard let colon = name.lastIndex(of: UInt8(ascii: ":")), colon + 2 < name.count,
            name[colon + 1] == UInt8(ascii: "2"), name[colon + 2] == UInt8(ascii: ",")
        else { return [] }
        return Array(name[(colon + 3)...])
    }

    private static func keywords(_ file: [UInt8]) -> [(letter: UInt8, keyword: [UInt8])] {
        file.split(separator: 10).compactMap { line in
            guard let space = line.firstIndex(of: UInt8(ascii: " ")),
                let index = UInt8(String(decoding: line[..<space], as: UTF8.self)), index < 26
            else { return nil }
            return (UInt8(ascii: "a") + index, Array(line[(space + 1)...]))
        }
    }

    private static func subscriptions(_ file: [UInt8]) -> [FolderPath] {
        let version2 = Array("V\t2\n\n".utf8)
        if file.starts(with: version2) {
            return file.dropFirst(version2.count).split(separator: 10).map { line in
                FolderPath(line.split(separator: 9).map(unescaped))
            }
        }
        return file.split(separator: 10).map { line in
            FolderPath(line.split(separator: UInt8(ascii: ".")).map(Array.init))
        }
    }

    /// Without the tab escapes of Dovecot: octet 1 and `0`, `1`, `t`, `r`, `n`.
    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var isEscaped = false
        for byte in bytes {
            if isEscaped {
                let meanings: [UInt8: UInt8] = [48: 0, 49: 1, 116: 9, 114: 13, 110: 10]
                result.append(meanings[byte] ?? byte)
                isEscaped = false
            } else if byte == 1 {
                isEscaped = true
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
