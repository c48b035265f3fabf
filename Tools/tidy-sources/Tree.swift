internal import Glibc

/// The files of the package that people write: what the rules are about.
struct Tree {
    let root: String
    /// Sorted by path.
    var files: [TextFile] = []

    /// Reads every text file below `root` that is ours; nothing that was built or fetched.
    init(root: String) {
        self.root = root
        for top in ["Package.swift", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"] { add(top) }
        for folder in ["Sources", "Specs", "Tests", "Tools", ".ci"] { walk(folder) }
        files.sort { $0.path < $1.path }
    }

    func exists(_ path: String) -> Bool { access(root + "/" + path, F_OK) == 0 }

    func file(_ path: String) -> TextFile? { files.first { $0.path == path } }

    private mutating func walk(_ folder: String) {
        guard let directory = opendir(root + "/" + folder) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") || name == "Fixtures" { continue }
            let path = folder + "/" + name
            if entry.pointee.d_type == UInt8(DT_DIR) { walk(path) } else { add(path) }
        }
    }

    private mutating func add(_ path: String) {
        let descriptor = open(root + "/" + path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        // What is no text is none of our business.
        guard !bytes.contains(0) else { return }
        files.append(TextFile(path: path, text: String(decoding: bytes, as: UTF8.self)))
    }
}

/// A file, line by line.
struct TextFile {
    let path: String
    let lines: [Substring]
    /// For Swift and C: the lines with comments and the insides of string literals replaced by blanks.
    let code: [Substring]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let isCode = [".swift", ".c", ".h"].contains { path.hasSuffix($0) }
        code = isCode ? CodeBlanker.blank(text).split(separator: "\n", omittingEmptySubsequences: false) : []
    }

    /// `Sources/Journal/Record.swift`: `Journal`. `Tools/tidy-sources/…`: `tidy`.
    var module: String? {
        let parts = path.split(separator: "/")
        guard parts.count >= 3 else { return nil }
        if parts[0] == "Sources" { return String(parts[1]) }
        if parts[0] == "Tools", parts[1].hasSuffix("-sources") { return String(parts[1].dropLast("-sources".count)) }
        return nil
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
}
