internal import ArgumentParser
internal import Events
internal import Files
internal import Glibc
internal import SystemPackage
internal import Vault

struct InitCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Makes an empty vault.",
        discussion: """
            The directory must be empty or missing, on a local file system that tells upper from lower case. Everything \
            in it is private to the user who makes it.

            Example:
              yestermail --vault /srv/vault init
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    func run(_ context: CommandContext) throws {
        let place = try VaultPlace(context.options)
        if place.isDefault { InitCommand.makeParents(of: place.directory) }
        var generator = SystemRandomNumberGenerator()
        try OpenVault.create(place.directory, using: &generator)
        let vault = try OpenVault(place.directory, readOnly: true)
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("vault")
                json.value(place.directory.string)
                json.key("vault_id")
                json.value(vault.id.description)
                json.endObject()
            }
        } else {
            try context.output.line("Made an empty vault in \(place.directory).")
            try context.output.line("Next: yestermail account add ADDRESS --source maildir:PATH")
        }
    }

    /// The directories of the usual place: nobody has typed them, so nobody can have mistyped them.
    private static func makeParents(of directory: FilePath) {
        var missing: [FilePath] = []
        var path = directory.removingLastComponent()
        while !path.isEmpty, !Directory.exists(path) {
            missing.append(path)
            path = path.removingLastComponent()
        }
        // What cannot be made here is said by the creation of the vault itself.
        for path in missing.reversed() { try? Directory.create(path) }
    }
}
