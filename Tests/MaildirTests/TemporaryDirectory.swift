internal import Glibc
internal import Maildir

/// A directory of a test's own, removed with it.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/maildir-tests-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        precondition(path != "/nonexistent")
    }

    deinit { Self.removeTree(path) }

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

    func remove(_ name: String) { Self.removeTree(path + "/" + name) }

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

    static func removeTree(_ path: String) {
        if unlink(path) == 0 { return }
        if let directory = opendir(path) {
            var children: [[CChar]] = []
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) {
                    $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
                }
                if name != [46] && name != [46, 46] { children.append(name) }
            }
            closedir(directory)
            let base = Array(path.utf8CString.dropLast()) + [47]
            for child in children { removeTreeRaw(base + child + [0]) }
        }
        rmdir(path)
    }

    private static func removeTreeRaw(_ path: [CChar]) {
        if unlink(path) == 0 { return }
        chmod(path, 0o700)
        if let directory = opendir(path) {
            var children: [[CChar]] = []
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) {
                    $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
                }
                if name != [46] && name != [46, 46] { children.append(name) }
            }
            closedir(directory)
            for child in children { removeTreeRaw(path.dropLast() + [47] + child + [0]) }
        }
        rmdir(path)
    }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
