import ArgumentParser
import Glibc

/// A command to be measured.
struct Command {
    var arguments: [String]
    var directory: String? = nil
}

/// What running it cost.
struct Measurement {
    /// Seconds of wall clock, and of CPU (user and system, with all children).
    let wall, processor: Double
    /// Peak resident set of its largest process, bytes.
    let memory: Int
    /// Of the process; 0 is success.
    let status: Int
    let output: [UInt8]
    let error: String

    /// Runs `command` below a fresh small process: the peak of memory that Linux tells of a child begins with that of
    /// the process it was made by, and ours has grown by then.
    init(_ command: Command) throws {
        let result = Shell.temporary("result")
        defer { for suffix in ["", ".out", ".err", ".own"] { unlink(result + suffix) } }
        let wrapped =
            [Shell.ownPath, "measured", "--result", result]
            + (command.directory.map { ["--directory", $0] } ?? []) + ["--"] + command.arguments
        let own = try Shell.run(wrapped, output: "/dev/null", error: result + ".own")
        let numbers = (Shell.text(of: result) ?? "").split(separator: " ").compactMap { Int($0) }
        guard own.status == 0, numbers.count == 4 else {
            throw BenchFailure(Shell.text(of: result + ".own") ?? "the measuring process failed")
        }
        wall = Double(numbers[0]) / 1e9
        processor = Double(numbers[1]) / 1e6
        memory = numbers[2]
        status = numbers[3]
        output = Shell.bytes(of: result + ".out") ?? []
        error = Shell.text(of: result + ".err") ?? ""
    }

    /// The last line of what it complained of.
    var complaint: String { error.split(separator: "\n").last.map { String($0) } ?? "exit \(status)" }
}

/// The small process of ``Measurement``: runs a command and writes down what it cost.
struct MeasuredCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "measured", shouldDisplay: false)

    @Option var result: String
    @Option var directory: String?
    @Argument(parsing: .postTerminator) var arguments: [String]

    func run() throws {
        if let directory, chdir(directory) != 0 { throw BenchFailure("cannot go to \(directory)") }
        let begin = Shell.now()
        let (status, usage) = try Shell.run(arguments, output: result + ".out", error: result + ".err")
        let wall = Shell.now() - begin
        func microseconds(_ time: timeval) -> Int { Int(time.tv_sec) * 1_000_000 + Int(time.tv_usec) }
        let processor = microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
        let line = "\(wall) \(processor) \(Int(usage.ru_maxrss) * 1_024) \(status)"
        guard let file = fopen(result, "w") else { throw BenchFailure("cannot write \(result)") }
        fputs(line, file)
        fclose(file)
    }
}
