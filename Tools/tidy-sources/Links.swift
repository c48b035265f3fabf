/// Links in the pages, and citations of the pages in the code, must lead somewhere.
struct Links {
    private let tree: Tree

    init(_ tree: Tree) { self.tree = tree }

    func findings() -> [Finding] {
        tree.files.flatMap { file -> [Finding] in
            let isPage = file.path.hasSuffix(".md")
            var isQuoted = false
            // The rules' own tests cite pages they have made up.
            if file.path.hasPrefix("Tests/TidyTests/") { return [] }
            return file.lines.enumerated().flatMap { index, line -> [Finding] in
                if isPage, line.hasPrefix("```") { isQuoted.toggle() }
                guard !isQuoted else { return [] }
                return ((isPage ? links(line, in: file) : []) + citations(line))
                    .map { Finding(path: file.path, line: index + 1, sentence: $0) }
            }
        }
    }

    /// `[text](target)`, relative to the page.
    private func links(_ line: Substring, in file: TextFile) -> [String] {
        var found: [String] = []
        for piece in line.split(separator: "](", omittingEmptySubsequences: false).dropFirst() {
            let target = piece.prefix { $0 != ")" }
            if target.contains("://") || target.hasPrefix("mailto:") { continue }
            let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let path = parts[0].isEmpty ? file.path : resolve(parts[0], from: file.path)
            if !tree.exists(path) {
                found.append("the link leads nowhere: \(target)")
            } else if parts.count > 1, let page = tree.file(path), !page.anchors.contains(String(parts[1])) {
                found.append("\(path) has no heading for #\(parts[1])")
            }
        }
        return found
    }

    private func resolve(_ target: Substring, from path: String) -> String {
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") {
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(String(part)) }
        }
        return parts.joined(separator: "/")
    }

    /// The path of a page, and the heading in quotation marks behind it.
    private func citations(_ line: Substring) -> [String] {
        var found: [String] = []
        for piece in line.split(separator: "Specs/", omittingEmptySubsequences: false).dropFirst() {
            let path = piece.prefix { isIdentifier($0.utf8.first ?? 0) || $0 == "/" || $0 == "-" || $0 == "." }
            guard path.hasSuffix(".md") || path.hasSuffix(".md.") else { continue }
            let name = "Specs/" + (path.hasSuffix(".") ? path.dropLast() : path)
            guard let page = tree.file(name) else {
                found.append("\(name) is cited and is not there")
                continue
            }
            let rest = piece.dropFirst(path.count)
            for start in ["`, \"", ", \""] where rest.hasPrefix(start) {
                let heading = rest.dropFirst(start.count).prefix { $0 != "\"" }
                // A heading that goes on in the next line is not looked for.
                if rest.dropFirst(start.count).contains("\""), !page.headings.contains(where: { $0.contains(heading) })
                {
                    found.append("\(name) has no heading \"\(heading)\"")
                }
            }
        }
        return found
    }
}

extension TextFile {
    /// The texts of headings, and of what is set in bold at the beginning of a paragraph.
    var headings: [String] {
        lines.compactMap { line in
            if line.hasPrefix("#") { return trimmed(line.drop { $0 == "#" }) }
            return line.hasPrefix("**") ? String(line.dropFirst(2).prefix { $0 != "*" }) : nil
        }
    }

    /// What `#…` may say: a heading in lower case, blanks as hyphens, no punctuation.
    var anchors: Set<String> {
        Set(
            lines.filter { $0.hasPrefix("#") }.map { line in
                let kept = trimmed(line.drop { $0 == "#" }).lowercased().filter {
                    $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_"
                }
                return String(kept.map { $0 == " " ? "-" : $0 })
            })
    }
}
