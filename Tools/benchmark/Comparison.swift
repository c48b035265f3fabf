import Events
import Glibc
import Synthesis

/// The rounds of `peers` and what they gave.
struct Comparison {
    let work: String
    let corpus: MailCorpus
    let bytes: Int
    let subjects: [Subject]
    private let tools: [String]
    /// By tool and round. A run whose result was wrong has no place here: its time would be that of something else.
    private var results: [Subject: [String: [Int: Measurement]]] = [:]
    private var round = 0
    private var sizes: [String: [Double]] = [:]
    private var failures: [String] = []
    /// Of the same tool and subject only the first is told.
    private var failed: Set<String> = []

    init(work: String, corpus: MailCorpus, bytes: Int, subjects: [Subject], tools: [String]) throws {
        (self.work, self.corpus, self.bytes) = (work, corpus, bytes)
        (self.subjects, self.tools) = (subjects, tools)
        for name in tools where Self.make(name, work: work, home: "") == nil { throw BenchFailure("no tool \(name)") }
    }

    var hasFailures: Bool { !failures.isEmpty }

    private static func make(_ name: String, work: String, home: String) -> (any BackupTool)? {
        switch name {
        case "yestermail": Yestermail(work: work, home: home, binary: Yestermail.builtBinary)
        case "restic": Restic(work: work, home: home)
        case "borg": Borg(work: work, home: home)
        case "tar": TarZstd(work: work, home: home)
        default: nil
        }
    }

    /// One round: every tool from nothing to its check, each step for all tools before the next, in an order that
    /// begins with another tool each round. The Maildir goes on from where the round before left it.
    mutating func play(round: Int) throws {
        self.round = round
        let order = tools.indices.map { tools[($0 + round) % tools.count] }
        var running: [any BackupTool] = []
        for name in order {
            let home = "\(work)/\(name)-\(round)"
            guard let tool = Self.make(name, work: work, home: home) else { continue }
            try Shell.makeDirectory(home)
            if let reason = tool.missing() {
                if round == 0 { failures.append("\(tool.name): \(reason)") }
                continue
            }
            var isReady = true
            for command in tool.prepare() where isReady {
                isReady = measure(command, of: tool, for: nil) != nil
            }
            if isReady { running.append(tool) }
        }
        defer { for name in tools { Shell.removeTree("\(work)/\(name)-\(round)") } }

        running = running.filter { measure($0.backup(1), of: $0, for: .initial) != nil }
        let chosen = try choose(round: round)
        // What the virtual file system has to write must not be counted to whoever comes next.
        settle()
        for tool in running { _ = measure(tool.backup(2), of: tool, for: .nochange) }
        _ = try CorpusMutation(root: work + "/w", seed: corpus.seed, round: round, bodies: corpus.bodies)
        settle()
        for tool in running { _ = measure(tool.backup(3), of: tool, for: .onepercent) }
        if subjects.contains(.size) {
            for tool in running {
                sizes[tool.name, default: []].append(Double(Shell.size(of: tool.repository).apparent))
            }
        }
        settle()
        if subjects.contains(.restore) { for tool in running { try restore(tool) } }
        if subjects.contains(.one) {
            for tool in running {
                guard let result = measure(try tool.one(chosen), of: tool, for: .one) else { continue }
                if result.output != chosen.bytes { fail(tool, .one, "gave other bytes than the message has") }
            }
        }
        if subjects.contains(.check) { for tool in running { _ = measure(tool.check(), of: tool, for: .check) } }
    }

    private func settle() { sync() }

    /// A message with a Message-ID, and an instant after the first backup.
    private func choose(round: Int) throws -> ChosenMessage {
        let names = Corpus.names(in: work + "/w/cur")
        for name in names.dropFirst(names.count / 3 + round) {
            guard let bytes = Shell.bytes(of: "\(work)/w/cur/\(name)") else { continue }
            let field = Array("Message-ID: ".utf8)
            guard let line = bytes.split(separator: 10).first(where: { $0.starts(with: field) }) else { continue }
            usleep(2_000)
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return ChosenMessage(
                path: "cur/" + name, messageID: String(decoding: line.dropFirst(field.count), as: UTF8.self),
                bytes: bytes,
                time: Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec)).description)
        }
        throw BenchFailure("no message to ask for")
    }

    /// Runs and keeps; nil when it failed, which is told once.
    private mutating func measure(
        _ command: Command, of tool: any BackupTool, for subject: Subject?
    ) -> Measurement? {
        do {
            let result = try Measurement(command)
            guard result.status == 0 else {
                fail(tool, subject, "exit \(result.status): \(result.complaint)")
                return nil
            }
            if let subject, subjects.contains(subject) {
                results[subject, default: [:]][tool.name, default: [:]][round] = result
            }
            return result
        } catch {
            fail(tool, subject, "\(error)")
            return nil
        }
    }

    private mutating func fail(_ tool: any BackupTool, _ subject: Subject?, _ reason: String) {
        if let subject { results[subject]?[tool.name]?[round] = nil }
        guard failed.insert("\(tool.name) \(subject?.rawValue ?? "")").inserted else { return }
        failures.append("\(tool.name), \(subject?.rawValue ?? "prepare"): \(reason)")
    }

    private mutating func restore(_ tool: any BackupTool) throws {
        var status = stat()
        let memory = stat("/dev/shm", &status) == 0 && access("/dev/shm", W_OK) == 0
        let target = memory ? "/dev/shm/yestermail-bench-\(getpid())" : work + "/restored"
        try Shell.makeDirectory(target)
        defer { Shell.removeTree(target) }
        guard measure(tool.restore(to: target, label: 3), of: tool, for: .restore) != nil else { return }
        let source = MailboxContent(readingMaildir: work + "/w")
        let restored = MailboxContent(readingMaildir: tool.restoredRoot(in: target))
        func bare(_ content: MailboxContent) -> MailboxContent {
            MailboxContent(
                folders: content.folders, subscriptions: [],
                messages: content.messages.map { message in
                    var message = message
                    (message.flags, message.keywords, message.internalDate) = ([], [], 0)
                    return message
                })
        }
        let differences = bare(restored).differences(from: bare(source), limit: 3)
        if !differences.isEmpty { fail(tool, .restore, "differs: " + differences.joined(separator: "; ")) }
    }

    /// A table for each subject.
    func tables() -> [Table] {
        let names = tools.compactMap { Self.make($0, work: "", home: "")?.name }
        let cores = Double(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        var tables: [Table] = []
        for subject in subjects where subject != .size {
            var table = Table(
                subject.title,
                ["tool", "wall s", "MB/s", "CPU s", "CPU s / cores / wall", "peak RSS MB", "times yestermail's wall"])
            let own = results[subject]?["yestermail"] ?? [:]
            for name in names {
                let byRound = (results[subject]?[name] ?? [:]).sorted { $0.key < $1.key }
                let runs = byRound.map(\.value)
                guard let wall = Figure.median(runs.map(\.wall)) else {
                    table.add([name, "-", "-", "-", "-", "-", "-"])
                    continue
                }
                let ratios = byRound.compactMap { round, run in own[round].map { run.wall / $0.wall } }
                table.add([
                    name, Figure.spread(runs.map(\.wall)),
                    subject == .one ? "-" : Figure.short(Double(bytes) / 1e6 / wall),
                    Figure.short(Figure.median(runs.map(\.processor)) ?? 0),
                    Figure.short(Figure.median(runs.map { $0.processor / cores / $0.wall }) ?? 0),
                    Figure.fixed((Figure.median(runs.map { Double($0.memory) }) ?? 0) / 1e6, 0), Figure.spread(ratios),
                ])
            }
            tables.append(table)
        }
        if subjects.contains(.size) {
            var table = Table(Subject.size.title, ["tool", "MB", "% of the mail", "times yestermail's"])
            let own = sizes["yestermail"].flatMap(Figure.median)
            for name in names {
                guard let size = sizes[name].flatMap(Figure.median) else {
                    table.add([name, "-", "-", "-"])
                    continue
                }
                let count = name.hasPrefix("tar") ? 2.0 : 1.0
                table.add([
                    name, Figure.fixed(size / count / 1e6, 1), Figure.fixed(100 * size / count / Double(bytes), 1),
                    own.map { Figure.short(size / count / $0) } ?? "-",
                ])
            }
            table.notes = ["tar keeps one state, not three."]
            tables.append(table)
        }
        if !failures.isEmpty {
            var table = Table("FAILED", ["what"])
            for failure in failures { table.add([failure]) }
            tables.append(table)
        }
        return tables
    }
}
