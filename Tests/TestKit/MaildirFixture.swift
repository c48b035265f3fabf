public import SystemPackage

/// Makes a Maildir++ tree and changes it as a mail server or a user would.
public struct MaildirFixture: Sendable {
    public let path: FilePath

    /// Makes the root (INBOX) at `path`.
    public init(_ path: FilePath) {
        self.path = path
        Tree.makeDirectory(path)
        makePlaces(path)
    }

    private func makePlaces(_ directory: FilePath) {
        for place in ["tmp", "new", "cur"] { Tree.makeDirectory(directory.appending(place)) }
    }

    /// The directory of a folder by its name on disk (`.A.B`); the empty name is INBOX.
    public func directory(_ folder: [UInt8]) -> FilePath {
        folder.isEmpty ? path : Tree.path(Tree.bytes(of: path) + [47] + folder)
    }

    public func directory(_ folder: String) -> FilePath { directory(Array(folder.utf8)) }

    public func makeFolder(_ name: String) { makeFolder(Array(name.utf8)) }

    public func makeFolder(_ name: [UInt8]) {
        Tree.makeDirectory(directory(name))
        makePlaces(directory(name))
    }

    public func file(_ folder: [UInt8], _ place: String, _ name: [UInt8]) -> FilePath {
        Tree.path(Tree.bytes(of: directory(folder).appending(place)) + [47] + name)
    }

    public func file(_ folder: String, _ place: String, _ name: String) -> FilePath {
        file(Array(folder.utf8), place, Array(name.utf8))
    }

    /// Puts a file into `cur` of a folder; `name` with its flags (`1.a:2,S`).
    public func deliver(_ folder: String, _ name: String, _ text: String, modified: Int = 1_700_000_000) {
        deliver(Array(folder.utf8), Array(name.utf8), Array(text.utf8), modified: modified)
    }

    public func deliver(_ folder: [UInt8], _ name: [UInt8], _ bytes: [UInt8], modified: Int = 1_700_000_000) {
        Tree.write(file(folder, "cur", name), bytes, modified: modified)
    }

    /// As mail is delivered while somebody may be watching: it is whole when it is seen.
    public func deliverWhole(_ folder: String, _ name: String, _ text: String) {
        let beside = directory(folder).appending("tmp").appending("delivered")
        Tree.write(beside, Array(text.utf8), modified: 1_700_000_000)
        Tree.rename(beside, to: file(folder, "cur", name))
    }

    /// Renames a file of `cur`: other flags, another folder.
    public func move(_ folder: String, _ name: String, to other: String? = nil, _ newName: String? = nil) {
        Tree.rename(file(folder, "cur", name), to: file(other ?? folder, "cur", newName ?? name))
    }

    public func remove(_ folder: String, _ name: String) { Tree.remove(file(folder, "cur", name)) }

    public func renameFolder(_ folder: String, to other: String) {
        Tree.rename(directory(folder), to: directory(other))
    }

    public func removeFolder(_ folder: String) { Tree.remove(directory(folder)) }

    /// Writes `dovecot-keywords` of a folder.
    public func keywords(_ folder: String, _ names: [String]) {
        let lines = names.enumerated().map { "\($0.offset) \($0.element)\n" }.joined()
        Tree.write(directory(folder).appending("dovecot-keywords"), Array(lines.utf8))
    }

    public func subscribe(_ names: [String]) {
        Tree.write(path.appending("subscriptions"), Array((names.joined(separator: "\n") + "\n").utf8))
    }
}
