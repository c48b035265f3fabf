internal import ArgumentParser

struct CompletionCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Prints a script that completes commands in a shell.",
        discussion: """
            Examples:
              yestermail completion bash > \\
                ~/.local/share/bash-completion/completions/yestermail
              yestermail completion zsh > ~/.zfunc/_yestermail
              yestermail completion fish > ~/.config/fish/completions/yestermail.fish
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "bash, zsh or fish.") var shell: Shell

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    func run(_ context: CommandContext) throws {
        let shell: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        try context.output.line(Yestermail.completionScript(for: shell))
    }
}
