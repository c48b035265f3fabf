/// The registers of numbers in `Specs/Format/Events.md` must be those of the code.
struct Registers {
    private static let page = "Specs/Format/Events.md"
    private let tree: Tree

    init(_ tree: Tree) { self.tree = tree }

    func findings() -> [Finding] {
        guard let page = tree.file(Registers.page) else { return [] }
        var found: [Finding] = []
        for (index, line) in page.lines.enumerated() where line.hasPrefix("<!-- tidy: register ") {
            let mark = line.dropFirst("<!-- tidy: ".count).dropLast(" -->".count)
            let words = mark.split(separator: " ").map(String.init)
            func say(_ sentence: String) {
                found.append(Finding(path: page.path, line: index + 1, sentence: sentence))
            }
            let files = words.count > 2 ? tree.files.filter { $0.path == words[2] } : tree.files
            guard words.count > 1, let inCode = values(of: words[1], in: files) else {
                say("\(words.dropFirst().joined(separator: " ")) is not in the code")
                continue
            }
            var inPage: [String: UInt64] = [:]
            for row in page.table(markedBy: String(mark)) where row.cells.count >= 2 {
                inPage[row.cells[1]] = UInt64(row.cells[0])
            }
            for (name, value) in inCode.sorted(by: { $0.key < $1.key }) where inPage[name] != value {
                say(
                    "\(words[1]).\(name) is \(value) in the code and \(inPage[name].map(String.init) ?? "missing") here"
                )
            }
            for name in inPage.keys.sorted() where inCode[name] == nil { say("\(words[1]).\(name) is not in the code") }
        }
        return found
    }

    /// Names and raw values of the enumeration or option set `name`.
    private func values(of name: String, in files: [TextFile]) -> [String: UInt64]? {
        for file in files where file.module == "Events" && file.isSwift {
            guard
                let start = file.code.firstIndex(where: { hasWord($0, "enum \(name)") || hasWord($0, "struct \(name)") }
                )
            else { continue }
            let indent = file.code[start].prefix { $0 == " " }
            var found: [String: UInt64] = [:]
            for line in file.code[(start + 1)...] {
                if line == indent + "}" { break }
                let words = line.split(whereSeparator: { !isIdentifier($0.utf8.first ?? 0) })
                if words.count == 3, words[0] == "case", let value = UInt64(words[2]) {
                    found[String(words[1])] = value
                } else if words.count == 7, words[1] == "static", words[5] == "rawValue", let value = UInt64(words[6]) {
                    found[String(words[3])] = value
                }
            }
            return found
        }
        return nil
    }
}
