internal import Events
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
        } else if let path = try Configuration(options).values[.vault] {
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
}
