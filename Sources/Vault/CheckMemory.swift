public import Events
internal import Files
internal import SystemPackage

/// What earlier checks have verified, and when: `state/checked` (`Specs/Format/Vault.md`, "What was checked"). It may be lost;
/// then a check begins from nothing.
public struct CheckMemory: Sendable {
    /// Both copies of the journal were verified through this transaction.
    public var journal: (transaction: TransactionID, leaf: Digest, at: Timestamp)?
    /// The projections were compared with the journal as of this transaction.
    public var projections: (transaction: TransactionID, at: Timestamp)?
    /// Of each pack: how far its blobs were read and hashed.
    public var packs: [UInt32: UInt32] = [:]
    /// When all bytes of all blobs were last read.
    public var readAll: Timestamp?

    public init() {}

    /// What the vault remembers; nothing where it cannot be read.
    public init(_ vault: OpenVault) {
        // Forgetting costs a longer check, no more.
        guard let bytes = try? File(vault.directory.appending("state/checked"), .read).read(at: 0, count: 1 << 24),
            let end = bytes.dropLast().lastIndex(of: 10)
        else { return }
        let text = String(decoding: bytes, as: UTF8.self)
        let body = Array(bytes[...end])
        guard text.hasSuffix("crc32c \(String(crc32c(body.span.bytes), radix: 16))\n") else { return }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            switch words.first {
            case "journal":
                if words.count == 4, let id = UInt64(words[1]), let leaf = Digest(String(words[2])),
                    let time = Int64(words[3])
                {
                    journal = (TransactionID(rawValue: id), leaf, Timestamp(rawValue: time))
                }
            case "projections":
                if words.count == 3, let id = UInt64(words[1]), let time = Int64(words[2]) {
                    projections = (TransactionID(rawValue: id), Timestamp(rawValue: time))
                }
            case "pack":
                if words.count == 3, let number = UInt32(words[1]), let end = UInt32(words[2]) { packs[number] = end }
            case "all": if words.count == 2, let time = Int64(words[1]) { readAll = Timestamp(rawValue: time) }
            default: continue
            }
        }
    }

    private func encoded() -> [UInt8] {
        var text = "yestermail checked 1\n"
        if let journal {
            text += "journal \(journal.transaction.rawValue) \(journal.leaf.hex) \(journal.at.rawValue)\n"
        }
        if let projections { text += "projections \(projections.transaction.rawValue) \(projections.at.rawValue)\n" }
        for (number, end) in packs.sorted(by: { $0.key < $1.key }) { text += "pack \(number) \(end)\n" }
        if let readAll { text += "all \(readAll.rawValue)\n" }
        let body = Array(text.utf8)
        return Array((text + "crc32c \(String(crc32c(body.span.bytes), radix: 16))\n").utf8)
    }

    /// Remembers, where the vault can be written.
    public func save(_ vault: OpenVault) throws {
        let path = vault.directory.appending("state/checked")
        guard Directory.isWritable(path.removingLastComponent()) else { return }
        let beside = vault.directory.appending("state/checked.new")
        if Directory.exists(beside) { try Directory.removeFile(beside) }
        let file = try File(beside, .create)
        try file.write(encoded().span.bytes, at: 0)
        try Directory.rename(beside, to: path)
    }
}
