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
