internal import Glibc
internal import Maildir
internal import SystemPackage
internal import TestKit

/// A directory of a test's own, removed with it.
final class TemporaryDirectory {
    private let scratch = Scratch("maildir")
    var path: String { scratch.path.string }

    var bytes: [UInt8] { Array(path.utf8) }

    func makeDirectory(_ name: String) { precondition(mkdir(path + "/" + name, 0o700) == 0) }

    /// A directory with `cur`, `new` and `tmp`; empty name: the temporary directory itself.
    func makeFolder(_ name: String) {
        let base = name.isEmpty ? "" : name + "/"
        if !name.isEmpty { mkdir(path + "/" + name, 0o700) }
        for place in ["tmp", "new", "cur"] { mkdir(path + "/" + base + place, 0o700) }
    }

    func write(_ name: String, _ content: String) { write(name, Array(content.utf8)) }

    func write(_ name: String, _ content: [UInt8]) {
        let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(descriptor >= 0, name)
        precondition(Glibc.write(descriptor, content, content.count) == content.count)
        close(descriptor)
    }

    func move(_ old: String, _ new: String) { precondition(Glibc.rename(path + "/" + old, path + "/" + new) == 0) }

    func remove(_ name: String) { Tree.remove(FilePath(path + "/" + name)) }

    /// Every path below, relative, sorted; directories end with a slash.
    func tree() -> [String] { Self.tree(path).sorted() }

    static func tree(_ root: String, _ prefix: String = "") -> [String] {
        guard let directory = opendir(root + "/" + prefix) else { return [] }
        defer { closedir(directory) }
        var result: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            if entry.pointee.d_type == 4 {
                result.append(prefix + name + "/")
                result += tree(root, prefix + name + "/")
            } else {
                result.append(prefix + name)
            }
        }
        return result
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
