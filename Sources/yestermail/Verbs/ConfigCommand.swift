internal import ArgumentParser
internal import Events
internal import Presentation

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Checks and shows the configuration file.",
        discussion: """
            Examples:
              yestermail config check
              yestermail config show --config ./config.yaml
            """,
        subcommands: [ConfigCheckCommand.self, ConfigShowCommand.self])
}

struct ConfigCheckCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Says whether the configuration file can be used; ends with 2 when it cannot.")

    @OptionGroup(title: "Global options") var global: GlobalOptions

    func run(_ context: CommandContext) throws {
        if context.isJSON { return try ConfigShowCommand.print(context) }
        let file = context.configuration.path.map { "\(TerminalText.safe($0)) can be used." }
        try context.output.line(file ?? "There is no configuration file; none is needed.")
    }
}

struct ConfigShowCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the settings of the configuration file.")

    @OptionGroup(title: "Global options") var global: GlobalOptions

    func run(_ context: CommandContext) throws {
        if context.isJSON { return try ConfigShowCommand.print(context) }
        try context.output.line("# \(TerminalText.safe(context.configuration.path ?? "no configuration file"))")
        for key in Configuration.Key.allCases {
            let value = context.configuration.values[key].map { TerminalText.safe($0) } ?? "(not set)"
            try context.output.line("\(key.rawValue): \(value)")
        }
    }

    static func print(_ context: CommandContext) throws {
        try context.output.json { json in
            json.beginObject()
            json.key("file")
            json.optional(context.configuration.path)
            json.key("settings")
            json.beginObject()
            for key in Configuration.Key.allCases {
                json.key(text: key.rawValue)
                json.optional(context.configuration.values[key])
            }
            json.endObject()
            json.endObject()
        }
    }
}
