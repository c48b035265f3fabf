internal import Events

/// Which folder is the one where mail waits to be deleted: by its name, because a Maildir has no other sign of it
/// (`Specs/Interfaces/CommandLine.md`, "restore").
enum TrashFolder {
    /// Lower-case, as the usual servers and clients make them.
    private static let names: Set<String> = [
        "trash", "deleted items", "deleted messages", "bin", "papierkorb", "cestino", "corbeille", "papelera",
    ]
    /// Where servers put the folders of the system.
    private static let parents: Set<String> = ["inbox", "[gmail]", "[google mail]"]

    /// Whether the folder with that path is the trash, or within it.
    static func contains(_ path: [[UInt8]]) -> Bool {
        var path = path[...]
        func word(_ component: [UInt8]) -> String { String(decoding: component, as: UTF8.self).lowercased() }
        if path.count > 1, let first = path.first, parents.contains(word(first)) { path = path.dropFirst() }
        return path.first.map { names.contains(word($0)) } ?? false
    }
}
