import Glibc
import Testing

/// The messages of `mail-small.tar.zst`, read where they are.
enum Corpus {
    static let directory = getenv("YESTERMAIL_TEST_DATA").map { String(cString: $0) } ?? "../shared/data"
    static let path = directory + "/mail-small.tar.zst"
    static let isThere = access(path, R_OK) == 0
    static let absence = Comment(rawValue: "NOT RUN: there is no test mail at \(path); set YESTERMAIL_TEST_DATA")

    /// Every message by its path within the archive.
    static let messages: [String: [UInt8]] = read()

    static func message(_ name: String) throws -> [UInt8] { try #require(messages["mail-small/" + name]) }

    private static func read() -> [String: [UInt8]] {
        guard let pipe = popen("zstd -dcq '\(path)'", "r") else { return [:] }
        defer { pclose(pipe) }
        var archive: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = fread(&piece, 1, piece.count, pipe), count > 0 { archive += piece[..<count] }
        var messages: [String: [UInt8]] = [:]
        var position = 0
        // The blocks of ustar: 512 bytes of header, then the content.
        while position + 512 <= archive.count, archive[position] != 0 {
            func text(_ offset: Int, _ count: Int) -> String {
                String(
                    decoding: archive[(position + offset)..<(position + offset + count)].prefix { $0 != 0 },
                    as: UTF8.self)
            }
            let size = Int(text(124, 11), radix: 8) ?? 0
            let name = text(0, 100)
            if name.hasSuffix(".eml") { messages[name] = Array(archive[(position + 512)..<(position + 512 + size)]) }
            position += 512 + (size + 511) / 512 * 512
        }
        return messages
    }
}
