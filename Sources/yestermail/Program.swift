internal import ArgumentParser
internal import CLinux
internal import Events
internal import Glibc
internal import Presentation

/// Where the program begins and ends: parses, runs, and turns whatever happened into one exit status
/// (`Specs/Interfaces/ExitStatus.md`).
@main
enum Program {
    static func main() {
        Termination.install()
        boundMemory()
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Buffers from this size on go back to the kernel when they are freed. By itself glibc raises that limit to the size of
    /// the largest buffer it has seen freed, and the heap of every worker thread then keeps its peak: 30 MB in a scan.
    private static func boundMemory() {
        let largestKeptBytes: Int32 = 256 << 10
        _ = mallopt(M_MMAP_THRESHOLD, largestKeptBytes)
    }

    private static func run(_ written: [String]) -> Int32 {
        let isJSON = written.prefix { $0 != "--" }.contains("--json")
        let arguments = ArgumentOrder.verbFirst(written, in: Yestermail.self)
        if let failure = unknownVerb(arguments.first) {
            ErrorReport.print(failure, isJSON: isJSON)
            return failure.code.exitStatus
        }
        var command: any ParsableCommand
        do {
            command = try Yestermail.parseAsRoot(arguments)
        } catch {
            return answer(parserError: error, isJSON: isJSON)
        }
        do {
            try command.run()
            return 0
        } catch let status as ExitStatus {
            return status.code
        } catch is OutputClosed {
            // Whoever read has read enough (`| head`): there is nobody left to tell.
            return 0
        } catch {
            let code = Yestermail.exitCode(for: error)
            if code == .success || code == .validationFailure { return answer(parserError: error, isJSON: isJSON) }
            let failure = Failure(error)
            ErrorReport.print(failure, isJSON: isJSON)
            return failure.code.exitStatus
        }
    }

    private static func unknownVerb(_ word: String?) -> Failure? {
        let verbs = Yestermail.configuration.subcommands.map { $0._commandName } + ["help"]
        guard let word, !word.hasPrefix("-"), !verbs.contains(word) else { return nil }
        return Failure(
            .usage, "there is no verb '\(TerminalText.safe(word, maxColumns: 60))'",
            hint: Spelling.nearest(to: word, among: verbs).map { "Did you mean \($0)?" } ?? "See: yestermail --help")
    }

    /// Help, version and completion scripts come as errors too; a real one is a usage error, which is 2 and not 64.
    private static func answer(parserError error: any Error, isJSON: Bool) -> Int32 {
        if Yestermail.exitCode(for: error) == .success {
            let output = Output()
            do {
                try output.line(Yestermail.fullMessage(for: error))
                try output.flush()
            } catch {}
            return 0
        }
        if isJSON {
            ErrorReport.print(
                Failure(.usage, Yestermail.message(for: error), hint: "See: yestermail --help"), isJSON: true)
        } else {
            StandardError.write(Yestermail.fullMessage(for: error) + "\n")
        }
        return Failure.Code.usage.exitStatus
    }
}

/// Ends the program with that status when everything there was to say has been said.
struct ExitStatus: Error {
    let code: Int32

    init(_ code: Failure.Code) { self.code = code.exitStatus }
}
