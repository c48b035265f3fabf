internal import Events
internal import Files
internal import Presentation
internal import SystemPackage
internal import Yams

/// The configuration file (`Specs/Interfaces/CommandLine.md`, "Configuration file"): what flags say, once for all.
struct Configuration {
    /// Nil where there is none.
    private(set) var path: String?
    private(set) var values: [Key: String] = [:]

    enum Key: String, CaseIterable {
        case vault, timezone, color
        case watchCoalesce = "watch.coalesce"
        case captureLoss = "capture.loss"
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

    /// The share of a folder that may go at once without being looked at twice; nil where it is not set.
    var lossPercent: Int? {
        get throws {
            guard let percent = try number(.captureLoss) else { return nil }
            guard percent <= 100 else {
                throw Failure(.usage, "capture.loss in \(path ?? "") is \(percent)", hint: "Write 0 to 100, per cent")
            }
            return percent
        }
    }

    /// Throws for a value that cannot be.
    func check() throws {
        _ = try number(.watchCoalesce)
        _ = try lossPercent
        if let color = values[.color], GlobalOptions.ColorMode(rawValue: color) == nil {
            throw Failure(
                .usage, "color in \(path ?? "") is \(TerminalText.safe(color))", hint: "Write auto, always or never")
        }
    }

    /// Reads YAML: keys and values, one level of mappings. Throws a usage error that names the line for anything else, and for a
    /// key that there is none of: a setting that is passed over is worse than none.
    static func parse(_ text: String, _ path: String) throws -> [Key: String] {
        let root: Node?
        do { root = try compose(yaml: text) } catch { throw refusal(error, path) }
        guard let root else { return [:] }
        var found: [Key: String] = [:]
        try read(root, below: "", path, into: &found)
        return found
    }

    private static func read(
        _ node: Node, below section: String, _ path: String, into found: inout [Key: String]
    ) throws {
        guard let mapping = node.mapping else { throw refusal("this is not 'key: value'", node.mark, path) }
        for (name, value) in mapping {
            let word = section + (name.scalar?.string ?? "")
            if section.isEmpty, Key.allCases.contains(where: { $0.rawValue.hasPrefix(word + ".") }) {
                try read(value, below: word + ".", path, into: &found)
                continue
            }
            guard let key = Key(rawValue: word) else {
                let known = Key.allCases.map(\.rawValue)
                let near = Spelling.nearest(to: word, among: known).map { "Did you mean \($0)?" }
                throw refusal(
                    "there is no setting \(TerminalText.safe(word, maxColumns: 60))", name.mark, path,
                    hint: near ?? "There are: \(known.joined(separator: ", "))")
            }
            guard let scalar = value.scalar else { throw refusal("\(word) is no single value", value.mark, path) }
            guard !scalar.string.isEmpty else { throw refusal("\(word) has no value", name.mark, path) }
            found[key] = scalar.string
        }
    }

    private static func refusal(_ why: String, _ mark: Mark?, _ path: String, hint: String? = nil) -> Failure {
        Failure(.usage, "\(TerminalText.safe(path)), line \(mark?.line ?? 1): \(why)", hint: hint)
    }

    /// What YAML itself has against the text.
    private static func refusal(_ error: any Error, _ path: String) -> Failure {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _)?, .parser(_, let problem, let mark, _)?,
            .composer(_, let problem, let mark, _)?:
            refusal(TerminalText.safe(problem), mark, path)
        case .duplicatedKeysInMapping(let keys, let context)?:
            refusal("\(TerminalText.safe(keys.first ?? "a key")) is set twice", context.mark, path)
        default: refusal("this is no YAML", nil, path)
        }
    }
}
