import ArgumentParser
import Events
import Glibc
import Synthesis

/// What is measured of each tool.
enum Subject: String, CaseIterable {
    case initial, nochange, onepercent, restore, one, check, size

    var title: String {
        switch self {
        case .initial: "initial backup"
        case .nochange: "backup again, nothing changed"
        case .onepercent: "backup again, 1 % changed"
        case .restore: "restore of everything (compared with the source afterwards)"
        case .one: "one message as it was at the first backup (compared)"
        case .check: "check of every byte kept"
        case .size: "size on disk after the three backups"
        }
    }
}

/// Yestermail, restic, borg and tar on one Maildir, in one run.
struct PeersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "peers", abstract: "Beside restic, borg and tar.")

    @Option(help: "real, biz, mixed or small100k.") var size = MailCorpus.Kind.mixed
    @Option(help: "Per mille of its messages.") var scale = 1_000
    @Option var rounds = 3
    @Option var seed: UInt64 = 1
    @Option(help: "Subjects, comma between: initial,nochange,onepercent,restore,one,check,size.") var only: String?
    @Option(help: "Tools, comma between: yestermail,restic,borg,tar.") var tools = "yestermail,restic,borg,tar"
    @Option(help: "Where to work; removed afterwards.") var work: String?

    func run() throws {
        let work = work ?? Shell.temporary("work")
        try Shell.makeDirectory(work)
        defer { Shell.removeTree(work) }
        print(Machine.report(workingDirectory: work))
        let begin = Shell.now()
        let corpus = MailCorpus(size, seed: seed, scale: scale)
        let statistics = try corpus.write(to: work + "/w")
        print("mail     " + Corpus.describe(statistics, corpus, seconds: Double(Shell.now() - begin) / 1e9))
        fflush(nil)
        var comparison = try Comparison(
            work: work, corpus: corpus, bytes: statistics.bytes,
            subjects: Subject.allCases.filter { subject in
                only.map { $0.split(separator: ",").contains { $0 == subject.rawValue } } ?? true
            },
            tools: tools.split(separator: ",").map { String($0) })
        for round in 0..<rounds { try comparison.play(round: round) }
        for table in comparison.tables() { print(table.text) }
        print("\nload at the end  " + (Shell.text(of: "/proc/loadavg") ?? ""))
        if comparison.hasFailures { throw ExitCode(1) }
    }
}
