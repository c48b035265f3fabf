internal import Events
internal import Files
internal import SystemPackage

/// Where a repair puts what it replaces (`Specs/Format/Vault.md`, "Quarantine"). Nothing is ever removed from there.
struct Quarantine {
    private let vault: FilePath
    private var directory: FilePath { vault.appending("quarantine") }

    init(_ vault: FilePath) { self.vault = vault }

    /// Moves a file or a directory there; returns the name it has now, relative to the vault.
    @discardableResult
    func setAside(_ path: FilePath, as name: String? = nil) throws -> String {
        let (place, text) = try free(name ?? Quarantine.name(path))
        try Directory.rename(path, to: place)
        try Directory.sync(directory)
        return text
    }

    /// Gives a file a second name there, before another takes its place.
    func keepCopy(_ path: FilePath) throws {
        let (place, _) = try free(Quarantine.name(path))
        try Directory.link(path, to: place)
        try Directory.sync(directory)
    }

    /// Puts bytes there that are about to be cut from a file.
    func keep(_ bytes: [UInt8], as name: String) throws {
        let (place, _) = try free(name)
        let file = try File(place, .create)
        try file.write(bytes.span.bytes, at: 0)
        try file.sync()
        try Directory.sync(directory)
    }

    private func free(_ name: String) throws -> (FilePath, String) {
        if !Directory.exists(directory) { try Directory.create(directory) }
        var number = 1
        while Directory.exists(directory.appending("\(name)-\(number)")) { number += 1 }
        return (directory.appending("\(name)-\(number)"), "quarantine/\(name)-\(number)")
    }

    /// `lmdb` and `index` say little by themselves: the directory they are in stands before them.
    private static func name(_ path: FilePath) -> String {
        let last = path.lastComponent?.string ?? "file"
        let parent = path.removingLastComponent().lastComponent?.string ?? ""
        return ["lmdb", "index"].contains(last) ? "\(parent)-\(last)" : last
    }

    /// What is there, but for the list of losses.
    func names() throws -> [String] {
        guard Directory.exists(directory) else { return [] }
        return try Directory.names(directory).map(\.string).filter { $0 != "lost" }
    }

    /// Removes what is there, but for the list of losses: for an erasure only.
    func empty() throws {
        for name in try names() {
            let path = directory.appending(name)
            if Directory.isDirectory(path) { try Directory.removeFlat(path) } else { try Directory.removeFile(path) }
        }
        try Directory.sync(directory)
    }

    // MARK: What is lost for good

    private var losses: FilePath { directory.appending("lost") }

    /// What earlier repairs could not bring back: a line each.
    func knownLosses() throws -> Set<String> {
        guard Directory.exists(losses) else { return [] }
        let file = try File(losses, .read)
        let text = String(decoding: try file.read(at: 0, count: try file.size()), as: UTF8.self)
        return Set(text.split(separator: "\n").map(String.init))
    }

    /// Writes down what could not be brought back.
    func record(losses new: [String]) throws {
        let known = try knownLosses()
        let lines = new.filter { !known.contains($0) }
        guard !lines.isEmpty else { return }
        if !Directory.exists(directory) { try Directory.create(directory) }
        let file = try Directory.exists(losses) ? File(losses, .readWrite) : File(losses, .create)
        try file.write(Array((lines.joined(separator: "\n") + "\n").utf8).span.bytes, at: try file.size())
        try file.sync()
        try Directory.sync(directory)
    }
}
