import Synthesis

/// A vault, and a Maildir that gets more and more mail.
final class GrowingVault {
    static let account = "bench@example.org"
    private static let partMessages = 10_000

    let binary, work, path: String
    private let seed: UInt64
    private(set) var messages = 0
    private(set) var bytes = 0
    private var parts = 0

    init(binary: String, work: String, seed: UInt64) {
        (self.binary, self.work, self.seed) = (binary, work, seed)
        path = work + "/vault"
    }

    func make() throws {
        for name in ["", "/cur", "/new", "/tmp"] { try Shell.makeDirectory(work + "/w" + name) }
        _ = try measure(["init"])
        _ = try measure(["account", "add", GrowingVault.account, "--source", "maildir:\(work)/w"])
    }

    /// Adds parts of ten thousand small messages, each below a folder of its own.
    func grow(to wanted: Int) throws {
        while messages < wanted {
            let corpus = MailCorpus(.small100k, seed: seed &+ UInt64(parts), scale: 100)
            let part = work + "/part"
            let statistics = try corpus.write(to: part)
            let script = """
                cd "$1" && for f in .?* ; do [ "$f" = .. ] || mv -- "$f" "$2$f" || exit 1; done
                cd .. && mv -- "$1" "$2"
                """
            let folder = "\(work)/w/.Part\(parts)"
            guard
                try Shell.run(["sh", "-c", script, "sh", part, folder], output: "/dev/null", error: "/dev/null").status
                    == 0
            else { throw BenchFailure("\(part) cannot be moved to \(folder)") }
            messages += statistics.messages
            bytes += statistics.bytes
            parts += 1
        }
        guard messages == wanted else { throw BenchFailure("\(wanted) is no multiple of \(GrowingVault.partMessages)") }
    }

    func measure(_ arguments: [String]) throws -> Measurement {
        // Nobody pays for what another left to be written.
        _ = Shell.output(["sync"])
        let measured = try Measurement(Command(arguments: [binary, "--vault", path] + arguments))
        guard measured.status == 0 else { throw BenchFailure("\(arguments[0]): \(measured.complaint)") }
        return measured
    }
}
