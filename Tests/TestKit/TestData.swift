internal import Glibc
internal import Synchronization
public import SystemPackage

/// The real mail that tests read where it lies: `YESTERMAIL_TEST_DATA`, or `../shared/data` beside the package.
public enum TestData {
    /// Why tests that need it are skipped.
    public static let absence = "there is no test data: set YESTERMAIL_TEST_DATA to the directory with mail-small"

    /// The package's root.
    public static let package = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent()

    /// `Tests/Fixtures`.
    public static let fixtures = package.appending("Tests/Fixtures")

    /// The data's directory; nil when it is absent.
    public static let directory: FilePath? = {
        let given = getenv("YESTERMAIL_TEST_DATA").map { String(cString: $0) }
        let path = given.map { FilePath($0) } ?? package.removingLastComponent().appending("shared/data")
        return Tree.exists(path) ? path : nil
    }()

    /// Whether ``mailSmall()`` has anything to give.
    public static let hasMail: Bool = {
        guard let directory else { return false }
        return Tree.exists(directory.appending("mail-small")) || Tree.exists(directory.appending("mail-small.tar.zst"))
    }()

    /// The single messages, with their names; unpacked into a scratch directory where they are packed.
    public static func mailSmall() -> [(name: String, bytes: [UInt8])] {
        guard let directory else { return [] }
        let plain = directory.appending("mail-small")
        if Tree.exists(plain) { return messages(plain, "") }
        guard let scratch = unpacked("mail-small.tar.zst") else { return [] }
        return messages(scratch.appending("mail-small"), "")
    }

    /// Whether an archive (`.tar.zst`) of the data is there.
    public static func has(_ archive: String) -> Bool {
        directory.map { Tree.exists($0.appending(archive)) } ?? false
    }

    /// What is in an archive of the data, in a directory of its own; nil when it cannot be unpacked.
    public static func unpacked(_ archive: String) -> Scratch? {
        guard let directory else { return nil }
        let scratch = Scratch("data")
        let script = "zstd -dc \"$1\" | tar -xf - -C \"$2\""
        let words = ["-c", script, "sh", directory.appending(archive).string, scratch.path.string]
        return Tree.run("/bin/sh", words) == 0 ? scratch : nil
    }

    /// The messages of the mailboxes, as they stand between their separators; as many as are asked for.
    public static func mboxes(limit: Int = .max) -> [(name: String, bytes: [UInt8])] {
        guard let directory else { return [] }
        let archive = directory.appending("mbox.tar.zst")
        guard Tree.exists(archive) else { return [] }
        let scratch = Scratch("mbox")
        let script = "zstd -dc \"$1\" | tar -xf - -C \"$2\""
        guard Tree.run("/bin/sh", ["-c", script, "sh", archive.string, scratch.path.string]) == 0 else { return [] }
        var found: [(name: String, bytes: [UInt8])] = []
        for (name, bytes) in files(scratch.path, ".mbox", "") {
            var begin = bytes.startIndex
            var line = begin
            var isAfterEmpty = true
            func take(_ end: Int) {
                guard begin < end, let first = bytes[begin..<end].firstIndex(of: 10) else { return }
                found.append(("\(name)/\(found.count)", Array(bytes[(first + 1)..<end])))
            }
            while line < bytes.endIndex {
                let end = bytes[line...].firstIndex(of: 10).map { $0 + 1 } ?? bytes.endIndex
                if isAfterEmpty, bytes[line..<end].starts(with: Array("From ".utf8)) {
                    take(line)
                    begin = line
                }
                isAfterEmpty = end - line <= 2
                line = end
            }
            take(bytes.endIndex)
        }
        return Array(found.prefix(limit))
    }

    private static func files(
        _ path: FilePath, _ suffix: String, _ prefix: String
    ) -> [(name: String, bytes: [UInt8])] {
        Tree.names(path).flatMap { name in
            let text = String(decoding: name, as: UTF8.self)
            let inner = path.appending(text)
            if text.hasSuffix(suffix) { return Tree.read(inner).map { [(prefix + text, $0)] } ?? [] }
            return text.contains(".") ? [] : files(inner, suffix, prefix + text + "/")
        }
    }

    private static func messages(_ path: FilePath, _ prefix: String) -> [(name: String, bytes: [UInt8])] {
        var found: [(name: String, bytes: [UInt8])] = []
        for name in Tree.names(path) {
            let text = String(decoding: name, as: UTF8.self)
            let inner = path.appending(text)
            if text.hasSuffix(".eml") {
                if let bytes = Tree.read(inner) { found.append((prefix + text, bytes)) }
            } else {
                found += messages(inner, prefix + text + "/")
            }
        }
        return found
    }
}
