public import ArgumentParser
import Glibc
public import Synthesis

extension MailCorpus.Kind: ExpressibleByArgument {}

/// Makes a Maildir and tells what it is like.
struct CorpusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "corpus", abstract: "Makes a Maildir for benchmarks.")

    @Option(help: "real, biz, mixed or small100k.") var size = MailCorpus.Kind.mixed
    @Option(help: "Per mille of its messages.") var scale = 1_000
    @Option var seed: UInt64 = 1
    @Option(help: "Where; by default made, measured and removed.") var to: String?

    func run() throws {
        let root = to ?? Shell.temporary("corpus")
        let begin = Shell.now()
        let corpus = MailCorpus(size, seed: seed, scale: scale)
        let statistics = try corpus.write(to: root)
        let seconds = Double(Shell.now() - begin) / 1e9
        defer { if to == nil { Shell.removeTree(root) } }
        print(Corpus.describe(statistics, corpus, seconds: seconds))
        print(Corpus.ratios(statistics, root: root))
    }
}

/// Figures of a Maildir made by ``MailCorpus``.
enum Corpus {
    static func describe(_ statistics: CorpusStatistics, _ corpus: MailCorpus, seconds: Double) -> String {
        let small = statistics.share(below: 16 << 10)
        return
            "\(corpus.kind), seed \(corpus.seed), texts from \(corpus.bodies.name): \(statistics.messages) messages, "
            + "\(Figure.fixed(Double(statistics.bytes) / 1e6, 1)) MB, mean \(statistics.mean) bytes, "
            + "\(small.messages / 10) % under 16 KiB (\(small.bytes / 10) % of the bytes); made in \(Figure.short(seconds)) s"
    }

    static func ratios(_ statistics: CorpusStatistics, root: String) -> String {
        var table = Table("zstd -3, % of raw", ["folder", "messages", "MB", "mean", "each alone", "solid 256 KiB"])
        var all = Ratio()
        for folder in statistics.folders {
            var ratio = Ratio()
            let directory = String(decoding: folder.folder.directoryName, as: UTF8.self)
            let path = root + (directory.isEmpty ? "" : "/" + directory) + "/cur"
            for name in names(in: path) {
                guard let bytes = Shell.bytes(of: path + "/" + name) else { continue }
                ratio.add(bytes)
                all.add(bytes)
            }
            ratio.finish()
            all.finish()
            table.add([
                folder.folder.description, "\(folder.messages)", Figure.fixed(Double(folder.bytes) / 1e6, 1),
                "\(folder.bytes / max(folder.messages, 1))", ratio.alonePercent, ratio.solidPercent,
            ])
        }
        table.add([
            "all", "\(statistics.messages)", Figure.fixed(Double(all.raw) / 1e6, 1), "", all.alonePercent,
            all.solidPercent,
        ])
        return table.text
    }

    static func names(in path: String) -> [String] {
        (Shell.output(["ls", "-1", path]) ?? "").split(separator: "\n").map { String($0) }
    }
}
