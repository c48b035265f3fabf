internal import ArgumentParser

/// Global options may stand before the verb, as in `yestermail --vault V log`; the parser wants them behind it.
enum ArgumentOrder {
    private static let flags: Set<String> = ["--json", "--quiet", "-q", "--verbose", "-v"]
    private static let options: Set<String> = ["--vault", "--config", "--color", "--timezone"]

    /// The arguments with the words of the verb first and then the global options that stood before or between them.
    static func verbFirst(_ arguments: [String], in root: any ParsableCommand.Type) -> [String] {
        var (words, globals): ([String], [String]) = ([], [])
        var command = root
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            if flags.contains(argument) {
                globals.append(argument)
            } else if options.contains(argument), index + 1 < arguments.count {
                globals += [argument, arguments[index + 1]]
                index += 1
            } else if let equals = argument.firstIndex(of: "="), options.contains(String(argument[..<equals])) {
                globals.append(argument)
            } else if let next = command.configuration.subcommands.first(where: { $0._commandName == argument }) {
                words.append(argument)
                command = next
            } else {
                break
            }
            index += 1
        }
        // Without a verb there is nothing they could belong to.
        return words.isEmpty ? Array(arguments[index...]) : words + globals + arguments[index...]
    }
}
