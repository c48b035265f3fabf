internal import Events
internal import Files
internal import Presentation
internal import SystemPackage

/// The configuration file (`Specs/Interfaces/CommandLine.md`, "Configuration file"): what flags say, once for all.
///
/// Of YAML it takes what such a file needs: `key: value`, one level of mappings, comments, quotes. Whatever else there is in it is
/// refused with its line, as an unknown key is: a setting that is passed over is worse than none.
struct Configuration {
    /// Nil where there is none.
    private(set) var path: String?
    private(set) var values: [Key: String] = [:]

    enum Key: String, CaseIterable {
        case vault, timezone, color
        case watchCoalesce = "watch.coalesce"
    }

    /// Reads the file that is named, or the first of the usual ones that is there. A file that was named must be there.
    init(_ options: GlobalOptions) throws {
        var candidates: [String] = []
        let named = options.config ?? VaultPlace.environment("YESTERMAIL_CONFIG")
        if let named {
            candidates = [named]
        } else {
            let home = VaultPlace.environment("HOME").map { $0 + "/.config" }
            if let place = VaultPlace.environment("XDG_CONFIG_HOME") ?? home {
                candidates.append(place + "/yestermail/config.yaml")
            }
            candidates.append("/etc/yestermail/config.yaml")
        }
        for path in candidates {
            let bytes: [UInt8]
            do {
                let file = try File(FilePath(path), .read)
                bytes = try file.read(at: 0, count: min(try file.size(), 1 << 20))
            } catch {
                if named == nil, error.isMissing || error.isPermission { continue }
                throw Failure(.usage, "the configuration file cannot be read: \(error)", hint: "Check --config")
            }
            self.path = path
            values = try Configuration.parse(String(decoding: bytes, as: UTF8.self), path)
            return
        }
    }

    /// The number a key has; nil where it is not set.
    func number(_ key: Key) throws -> Int? {
        guard let text = values[key] else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw Failure(.usage, "\(key.rawValue) in \(path ?? "") is no number: \(TerminalText.safe(text))")
        }
        return number
    }

    /// Throws for a value that cannot be.
    func check() throws {
        _ = try number(.watchCoalesce)
        if let color = values[.color], GlobalOptions.ColorMode(rawValue: color) == nil {
            throw Failure(
                .usage, "color in \(path ?? "") is \(TerminalText.safe(color))", hint: "Write auto, always or never")
        }
    }

    static func parse(_ text: String, _ path: String) throws -> [Key: String] {
        var found: [Key: String] = [:]
        var section = ""
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            func refuse(_ why: String, _ hint: String? = nil) -> Failure {
                Failure(.usage, "\(path), line \(index + 1): \(why)", hint: hint)
            }
            let content = line.drop { $0 == " " }
            if content.isEmpty || content.first == "#" || content == "---" { continue }
            guard let colon = content.firstIndex(of: ":"), content.first != "-", !line.contains("\t") else {
                throw refuse("this is not 'key: value'")
            }
            let word = String(content[..<colon])
            let value = try scalar(content[content.index(after: colon)...], refuse)
            let isNested = content.startIndex != line.startIndex
            let name = isNested ? section + "." + word : word
            if !isNested { section = value.isEmpty ? word : "" }
            let isSection = Key.allCases.contains { $0.rawValue.hasPrefix(name + ".") }
            if value.isEmpty, isSection, !isNested { continue }
            guard let key = Key(rawValue: name) else {
                let known = Key.allCases.map(\.rawValue)
                let near = Spelling.nearest(to: name, among: known).map { "Did you mean \($0)?" }
                throw refuse(
                    "there is no setting \(TerminalText.safe(name, maxColumns: 60))",
                    near ?? "There are: \(known.joined(separator: ", "))")
            }
            guard !value.isEmpty else { throw refuse("\(name) has no value") }
            guard found.updateValue(value, forKey: key) == nil else { throw refuse("\(name) is set twice") }
        }
        return found
    }

    /// A value as one writes it: plain or in quotes, a comment behind it.
    private static func scalar(_ text: Substring, _ refuse: (String, String?) -> Failure) throws -> String {
        guard text.isEmpty || text.first == " " else { throw refuse("a blank is missing behind the colon", nil) }
        let trimmed = text.drop { $0 == " " }
        if let quote = trimmed.first, quote == "\"" || quote == "'" {
            let inside = trimmed.dropFirst()
            guard let end = inside.firstIndex(of: quote) else { throw refuse("a quote is not closed", nil) }
            let rest = inside[inside.index(after: end)...].drop { $0 == " " }
            guard rest.isEmpty || rest.first == "#" else { throw refuse("something stands behind the quotes", nil) }
            return String(inside[..<end])
        }
        if trimmed.first == "#" { return "" }
        guard !"[{&*!|>%@`".contains(trimmed.first ?? "a") else {
            throw refuse("this is more YAML than is understood here", "Put the value into quotes")
        }
        var plain = trimmed.firstRange(of: " #").map { trimmed[..<$0.lowerBound] } ?? trimmed
        while plain.last == " " { plain.removeLast() }
        return String(plain)
    }
}
