internal import Events
internal import Files
internal import SystemPackage

/// The file `FORMAT` of a vault: what it is, for a person and for a program (`Specs/Format/Vault.md`).
struct VaultFormat: Hashable, Sendable {
    static let current = 1
    static let fileName = "FORMAT"

    var version: Int
    var id: UniqueID
    /// When, as text: for a person only.
    var created: String

    /// The lines of the file; the last one is the CRC32C of those before it.
    func encoded() -> [UInt8] {
        let lines = "yestermail vault\nformat \(version)\nid \(id)\ncreated \(created)\n"
        let sum = String(crc32c(Array(lines.utf8).span.bytes), radix: 16)
        return Array((lines + "crc32c " + String(repeating: "0", count: 8 - sum.count) + sum + "\n").utf8)
    }

    init(version: Int, id: UniqueID, created: String) {
        (self.version, self.id, self.created) = (version, id, created)
    }

    /// Reads the file of the vault in `directory`.
    init(readingIn directory: FilePath) throws {
        let path = directory.appending(VaultFormat.fileName)
        let bytes: [UInt8]
        do {
            bytes = try File(path, .read).read(at: 0, count: 4096)
        } catch {
            guard error.isMissing else { throw error }
            throw Failure(
                .noVault, "there is no vault in \(directory)",
                hint: "Make one with: yestermail --vault \(directory) init")
        }
        try self.init(bytes, of: directory)
    }

    /// The file's content, in the vault `directory`.
    init(_ bytes: [UInt8], of directory: FilePath) throws {
        let path = directory.appending(VaultFormat.fileName)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.first == "yestermail vault", lines.count >= 2, lines[1].hasPrefix("format "),
            let version = Int(lines[1].dropFirst(7))
        else {
            throw Failure(
                .noVault, "\(path) is not the file of a vault", hint: "Point --vault at the directory that init made")
        }
        // Whatever the rest of a newer format looks like, its number stands in the second line.
        guard version <= VaultFormat.current else {
            throw Failure(
                .newerFormat,
                "the vault in \(directory) has format \(version); this program knows \(VaultFormat.current)",
                hint: "Use a newer yestermail; nothing was changed")
        }
        guard version > 0, lines.count >= 5, lines[2].hasPrefix("id "), let id = UniqueID(String(lines[2].dropFirst(3)))
        else {
            throw VaultFormat.damaged(path)
        }
        guard lines[3].hasPrefix("created "), lines[4].hasPrefix("crc32c ") else { throw VaultFormat.damaged(path) }
        self.init(version: version, id: id, created: String(lines[3].dropFirst(8)))
        let body = lines[..<4].joined(separator: "\n") + "\n"
        guard UInt32(lines[4].dropFirst(7), radix: 16) == crc32c(Array(body.utf8).span.bytes) else {
            throw VaultFormat.damaged(path)
        }
    }

    private static func damaged(_ path: FilePath) -> Failure {
        Failure(
            .damaged, "\(path) is damaged",
            hint: "Put it right with: yestermail check --repair")
    }
}
