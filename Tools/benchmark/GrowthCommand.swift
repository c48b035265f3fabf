import ArgumentParser

/// How time and size grow with the number of items: 10 thousand, 100 thousand, 1 million.
struct GrowthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "growth", abstract: "10 thousand to 1 million items.")

    func run() throws { throw BenchFailure("growth: there is no engine to measure yet") }
}
