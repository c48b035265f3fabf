import Glibc
import Mbox
import SystemPackage
import TestKit
import Testing

/// A directory of a test's own, removed with it.
final class TemporaryDirectory {
    private let scratch = Scratch("mbox")
    var path: String { scratch.path.string }

    func write(_ name: String, _ content: [UInt8]) -> String {
        let file = path + "/" + name
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(Glibc.write(descriptor, content, content.count) == content.count)
        close(descriptor)
        return file
    }

    static func names(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var result: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { result.append(name) }
        }
        return result.sorted()
    }

    /// All files below `path`.
    static func files(_ path: String) -> [String] {
        var status = stat()
        guard lstat(path, &status) == 0 else { return [] }
        if status.st_mode & S_IFMT == S_IFREG { return [path] }
        return names(path).flatMap { files(path + "/" + $0) }
    }
}

func contents(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count <= 0 { return result }
        result += buffer[..<count]
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

/// Everything a reader gives of a file.
func readAll(
    _ path: String, _ variant: MboxVariant? = nil
) throws -> (variant: MboxVariant, messages: [(MboxMessage, [UInt8])]) {
    var reader = try MboxReader(path: path, variant: variant)
    var result: [(MboxMessage, [UInt8])] = []
    while let message = try reader.next() {
        var content: [UInt8] = []
        try reader.read(message, into: &content)
        result.append((message, content))
    }
    return (reader.variant, result)
}

func read(_ content: String, _ variant: MboxVariant? = nil) throws -> [String] {
    let directory = TemporaryDirectory()
    return try readAll(directory.write("m", bytes(content)), variant).messages.map { text($0.1) }
}
