import CZstd
import Glibc

/// Reads the files of a tar archive that zstd compressed. Knows ustar and GNU long names: enough for the test data.
enum TarArchive {
    static func files(inZstandard path: String) -> [(name: String, content: [UInt8])]? {
        guard let packed = FileSystem.read(path), let bytes = decompress(packed) else { return nil }
        var files: [(name: String, content: [UInt8])] = []
        var longName: String?
        var offset = 0
        while offset + 512 <= bytes.count, bytes[offset] != 0 {
            let size = number(bytes[(offset + 124)..<(offset + 136)])
            let type = bytes[offset + 156]
            let start = offset + 512
            guard size >= 0, start + size <= bytes.count else { return nil }
            let content = Array(bytes[start..<(start + size)])
            if type == UInt8(ascii: "L") {
                longName = text(content[...])
            } else {
                let prefix = text(bytes[(offset + 345)..<(offset + 500)])
                let name = text(bytes[offset..<(offset + 100)])
                if type == UInt8(ascii: "0") || type == 0 {
                    files.append((longName ?? (prefix.isEmpty ? name : prefix + "/" + name), content))
                }
                longName = nil
            }
            offset = start + (size + 511) / 512 * 512
        }
        // The archive's order is an accident of whoever packed it.
        return files.sorted { $0.name < $1.name }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func number(_ octal: ArraySlice<UInt8>) -> Int {
        octal.reduce(0) { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($1) ? $0 * 8 + Int($1 - 48) : $0 }
    }

    private static func decompress(_ packed: [UInt8]) -> [UInt8]? {
        guard let context = ZSTD_createDCtx() else { return nil }
        defer { ZSTD_freeDCtx(context) }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var position = 0
        while position < packed.count {
            let (status, taken, made): (Int, Int, Int) = packed.withUnsafeBytes { source in
                chunk.withUnsafeMutableBytes { target in
                    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
                    var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let status = ZSTD_decompressStream(context, &output, &input)
                    return (status, input.pos, output.pos)
                }
            }
            if ZSTD_isError(status) != 0 || (taken == position && made == 0) { return nil }
            result.append(contentsOf: chunk[..<made])
            position = taken
            if status == 0, position == packed.count { break }
        }
        return result
    }
}
