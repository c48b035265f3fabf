/// Holds imports and targets against the table of `Specs/Architecture.md`, "Layers".
///
/// SwiftPM lets a module import a C module that only another target depends on; this does not.
struct Layers {
    private static let page = "Specs/Architecture.md"
    private let tree: Tree
    private var rows: [String: Set<String>] = [:]

    init(_ tree: Tree) {
        self.tree = tree
        for (_, cells) in tree.file(Layers.page)?.table(markedBy: "layers") ?? [] where cells.count >= 2 {
            rows[words(cells[0]).first ?? ""] = Set(words(cells[1]))
        }
    }

    func findings() -> [Finding] {
        guard !rows.isEmpty else {
            return [Finding(path: Layers.page, line: 1, sentence: "the table of layers cannot be found")]
        }
        return tree.files.filter(\.isSwift).flatMap(imports) + targets()
    }

    private func imports(_ file: TextFile) -> [Finding] {
        var found: [Finding] = []
        for (index, line) in file.code.enumerated() {
            guard let name = importedModule(line) else { continue }
            let sentence: String
            if let module = file.module {
                guard let row = rows[module] else {
                    found.append(
                        Finding(
                            path: file.path, line: index + 1,
                            sentence: "module \(module) has no row in \(Layers.page), \"Layers\""))
                    break
                }
                if row.contains(name) || name == "Swift" { continue }
                sentence =
                    "\(module) imports \(name); it may import \(row.sorted().joined(separator: ", ")) (\(Layers.page), \"Layers\")"
            } else {
                guard file.path.hasPrefix("Tests/"), name == "CLMDB" else { continue }
                sentence = "a test imports \(name); use the module that is its face"
            }
            found.append(Finding(path: file.path, line: index + 1, sentence: sentence))
        }
        return found
    }

    private func importedModule(_ line: Substring) -> String? {
        var words = line.split(separator: " ")[...]
        while let first = words.first,
            first.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains(first)
        {
            words = words.dropFirst()
        }
        guard words.first == "import" else { return nil }
        words = words.dropFirst()
        if let kind = words.first,
            ["struct", "class", "enum", "func", "protocol", "var", "let", "typealias"].contains(kind)
        {
            words = words.dropFirst()
        }
        return words.first.flatMap { $0.split(separator: ".").first }.map(String.init)
    }

    /// The dependencies of the targets in `Package.swift`.
    private func targets() -> [Finding] {
        guard let file = tree.file("Package.swift") else { return [] }
        var found: [Finding] = []
        var module: String?
        var isInList = false
        // What stands before the targets is about the package.
        let begin = file.lines.firstIndex { $0.contains("targets: [") } ?? 0
        for (index, line) in file.lines.enumerated().dropFirst(begin + 1) {
            let quoted = quotedStrings(line)
            if line.contains("arget(") { (module, isInList) = (nil, false) }
            if module == nil, let range = line.firstRange(of: "name: \""),
                !line.contains(".product(name: \"") || line.contains("arget(name")
            {
                module = String(line[range.upperBound...].prefix { $0 != "\"" })
            }
            if line.contains("dependencies: [") { isInList = true }
            guard isInList, let module, let row = rows[module] else { continue }
            for name in quoted where name != module && !row.contains(name) && !name.contains("-") {
                if ["Lifetimes", "lmdb", "Tests"].contains(where: { name.hasPrefix($0) }) { continue }
                found.append(
                    Finding(
                        path: file.path, line: index + 1,
                        sentence:
                            "target \(module) depends on \(name), which its row in \(Layers.page), \"Layers\", does not allow"
                    ))
            }
            if line.contains("]") { isInList = false }
        }
        return found
    }

    private func quotedStrings(_ line: Substring) -> [String] {
        line.split(separator: "\"", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
            .map { String($0.element) }
    }
}

/// What stands between backticks.
func words(_ cell: String) -> [String] {
    cell.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
        .map { String($0.element) }
}

extension TextFile {
    /// The rows of the Markdown table that follows `<!-- tidy: NAME -->`, without its head, each with its line number.
    func table(markedBy name: String) -> [(line: Int, cells: [String])] {
        guard let mark = lines.firstIndex(where: { $0 == "<!-- tidy: \(name) -->" }) else { return [] }
        var rows: [(line: Int, cells: [String])] = []
        for index in (mark + 1)..<lines.count {
            guard lines[index].hasPrefix("|") else { break }
            let cells = lines[index].split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
            rows.append((index + 1, cells.map { trimmed($0) }))
        }
        return Array(rows.dropFirst(2))
    }
}

func trimmed(_ text: Substring) -> String {
    var text = text
    while text.first == " " { text = text.dropFirst() }
    while text.last == " " { text = text.dropLast() }
    return String(text)
}
