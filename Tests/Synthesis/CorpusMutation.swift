/// What happens to a Maildir between two backups: 1 % of its messages change.
public struct CorpusMutation: Sendable {
    /// How many messages were renamed for flags, moved to `.Archive`, deleted, and new.
    public private(set) var flagged = 0, moved = 0, deleted = 0, delivered = 0

    /// Changes the Maildir++ at `root`: of its messages 0.4 % get other flags, 0.2 % are moved to `.Archive`, 0.2 % are
    /// deleted, 0.2 % are new, or `perMille` instead of 10 in the same proportion. The same `seed` and `round` on the
    /// same tree do the same.
    public init(
        root: String, seed: UInt64, round: Int, perMille: Int = 10, bodies: Bodies = .available
    ) throws {
        var stream = RandomStream(seed: seed, "corpus/mutation/\(round)")
        let rootBytes = Array(root.utf8)
        let slash = [UInt8(ascii: "/")]
        let archive = rootBytes + Array("/.Archive".utf8)
        if !FileSystem.isDirectory(archive) {
            try FileSystem.makeDirectory(archive)
            for name in ["/tmp", "/new", "/cur"] { try FileSystem.makeDirectory(archive + Array(name.utf8)) }
        }
        var files: [(directory: [UInt8], name: [UInt8])] = []
        for folder in [[]] + FileSystem.names(in: rootBytes) where folder.isEmpty || folder[0] == UInt8(ascii: ".") {
            let directory = rootBytes + (folder.isEmpty ? [] : slash + folder) + Array("/cur/".utf8)
            files += FileSystem.names(in: directory).map { (directory, $0) }
        }
        let unit = files.count * perMille / 5_000
        func take() -> (directory: [UInt8], name: [UInt8])? {
            files.isEmpty ? nil : files.remove(at: stream.below(files.count))
        }
        for _ in 0..<(2 * unit) {
            guard let file = take() else { break }
            let base = file.name.prefix { $0 != UInt8(ascii: ":") }
            let flags = file.name.suffix(2) == Array("FS".utf8)[...] ? ":2,S" : ":2,FS"
            try FileSystem.rename(file.directory + file.name, to: file.directory + base + Array(flags.utf8))
            flagged += 1
        }
        for _ in 0..<unit {
            guard let file = take() else { break }
            try FileSystem.rename(file.directory + file.name, to: archive + Array("/cur/".utf8) + file.name)
            moved += 1
        }
        for _ in 0..<unit {
            guard let file = take() else { break }
            try FileSystem.unlink(file.directory + file.name)
            deleted += 1
        }
        var text = CorpusText(.offers, seed: seed, stream: "new-\(round)", bodies: bodies)
        for number in 0..<unit {
            let message = text.next(number)
            let time = 1_700_000_000 + Int64(round * 100_000 + number)
            let name = "/new/\(time).M\(number)P\(round).bench,S=\(message.count)"
            try FileSystem.write(message, to: rootBytes + Array(name.utf8), modified: time)
            delivered += 1
        }
    }
}
