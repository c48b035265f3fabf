import ArgumentParser

/// `Tools/bench`: see there.
@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures Yestermail beside its peers, and its engine beside C.",
        subcommands: [
            PeersCommand.self, EngineCommand.self, GrowthCommand.self, RestoreCommand.self, PurgeCommand.self,
            IMAPCommand.self, CorpusCommand.self, ModelCommand.self, ProofsCommand.self, MeasuredCommand.self,
        ])
}

/// What ends a run: told as it is.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
