internal import ArgumentParser
internal import Events
internal import Projections

struct VersionCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Prints the version, and the formats it writes.")

    @OptionGroup(title: "Global options") var global: GlobalOptions

    func run(_ context: CommandContext) throws {
        guard context.isJSON else {
            return try context.output.line(
                "yestermail \(Yestermail.versionNumber) (vault format 1, projections \(OpenProjections.version))")
        }
        try context.output.json { json in
            json.beginObject()
            json.key("version")
            json.value(Yestermail.versionNumber)
            json.key("vault_format")
            json.value(1)
            json.key("projections_version")
            json.value(OpenProjections.version)
            json.endObject()
        }
    }
}
