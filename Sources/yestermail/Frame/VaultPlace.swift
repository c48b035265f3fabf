internal import Events
internal import Files
internal import Glibc
internal import SystemPackage

/// Finds the vault a command is about: option, environment, configuration file, default.
struct VaultPlace {
    let directory: FilePath
    /// Nobody named it: it is the default place.
    let isDefault: Bool

    init(_ options: GlobalOptions) throws {
        if let path = options.vault ?? VaultPlace.environment("YESTERMAIL_VAULT") {
            guard !path.isEmpty else {
                throw Failure(.usage, "the name of the vault is empty", hint: "Write --vault DIR")
            }
            (directory, isDefault) = (FilePath(VaultPlace.absolute(path)), false)
        } else if let path = try VaultPlace.configured(options) {
            (directory, isDefault) = (FilePath(VaultPlace.absolute(path)), false)
        } else if let path = VaultPlace.dataHome {
            (directory, isDefault) = (FilePath(path + "/yestermail"), true)
        } else {
            throw Failure(.noVault, "no vault was named", hint: "Write --vault DIR, or set YESTERMAIL_VAULT")
        }
    }

    static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value[0] != 0 else { return nil }
        return String(cString: value)
    }

    /// Where relative paths are told from.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
        defer { free(directory) }
        return String(cString: directory) + "/" + path
    }

    private static var dataHome: String? {
        if let home = environment("XDG_DATA_HOME"), home.hasPrefix("/") { return home }
        return environment("HOME").map { $0 + "/.local/share" }
    }

    /// The top-level `vault:` of the configuration file. A file that was named must be there; the usual ones need not.
    private static func configured(_ options: GlobalOptions) throws -> String? {
        var candidates: [String] = []
        let named = options.config ?? environment("YESTERMAIL_CONFIG")
        if let named {
            candidates = [named]
        } else {
            if let home = environment("XDG_CONFIG_HOME") ?? environment("HOME").map({ $0 + "/.config" }) {
                candidates.append(home + "/yestermail/config.yaml")
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
            for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
                guard line.hasPrefix("vault:") else { continue }
                let value = scalar(line.dropFirst(6))
                if !value.isEmpty { return value }
            }
        }
        return nil
    }

    /// A scalar of YAML as one writes a path: plain or in quotes.
    private static func scalar(_ text: Substring) -> String {
        let trimmed = text.drop { $0 == " " || $0 == "\t" }
        if let quote = trimmed.first, quote == "\"" || quote == "'" {
            return String(trimmed.dropFirst().prefix { $0 != quote })
        }
        var plain = trimmed.firstRange(of: " #").map { trimmed[..<$0.lowerBound] } ?? trimmed
        while plain.last == " " { plain.removeLast() }
        return String(plain)
    }
}
