internal import ArgumentParser

/// The options every verb has.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The vault. Else YESTERMAIL_VAULT, the configuration file's vault, or $XDG_DATA_HOME/yestermail.",
            valueName: "dir"), completion: .directory)
    var vault: String?

    @Option(
        help: ArgumentHelp(
            "The configuration file. Else YESTERMAIL_CONFIG, $XDG_CONFIG_HOME/yestermail/config.yaml, /etc/yestermail/config.yaml.",
            valueName: "file"), completion: .file())
    var config: String?

    @Flag(help: "Answer in JSON on standard output: one document, or JSON Lines where the answer is a list.")
    var json = false

    @Flag(name: [.long, .customShort("q")], help: "No progress and no remarks on standard error; errors only.")
    var quiet = false

    @Flag(name: [.long, .customShort("v")], help: "Say more.")
    var verbose = false

    @Option(help: ArgumentHelp("Colours: auto (the default), always or never. NO_COLOR is heeded.", valueName: "when"))
    var color: ColorMode?

    @Option(
        help: ArgumentHelp("The time zone times are read and printed in. Default: the system's.", valueName: "zone"))
    var timezone: String?

    enum ColorMode: String, ExpressibleByArgument, CaseIterable { case auto, always, never }
}
