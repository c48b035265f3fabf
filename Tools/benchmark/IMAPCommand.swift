import ArgumentParser
import Events
import Glibc
import Synthesis

/// What is measured with a mail server.
enum IMAPSubject: String, CaseIterable {
    case initial, nochange, onepercent, restore, watch, sweep, large

    var title: String {
        switch self {
        case .initial: "first capture"
        case .nochange: "capture again, nothing changed"
        case .onepercent: "capture again, 1 % changed"
        case .restore: "restore of everything to an empty user (compared afterwards)"
        case .watch: "a change acknowledged to its client, until the watch has it durable"
        case .sweep: "a thousand accounts of one server, nothing changed"
        case .large: "one message of 200 MB"
        }
    }
}

/// Yestermail, mbsync, offlineimap and getmail on one user of a Dovecot, in one run; and what only we do.
struct IMAPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imap", abstract: "Beside mbsync, offlineimap and getmail, on a mail server of this machine.")

    @Option var rounds = 3
    @Option(help: "How many messages.") var messages = 10_000
    @Option(help: "How many accounts in the sweep.") var accounts = 1_000
    @Option(help: "How many changes are watched for.") var changes = 100
    @Option var seed: UInt64 = 1
    @Option(help: "Subjects, comma between: initial,nochange,onepercent,restore,watch,sweep,large.") var only: String?
    @Flag(help: "Without offlineimap and getmail, which take minutes.") var quick = false
    @Option(help: "Where to work; removed afterwards.") var work: String?

    func run() throws {
        let work = work ?? Shell.temporary("work")
        try Shell.makeDirectory(work)
        // getmail delivers as another user.
        chmod(work, 0o755)
        defer { Shell.removeTree(work) }
        let subjects =
            try only.map { text in
                try text.split(separator: ",").map { name in
                    guard let subject = IMAPSubject(rawValue: String(name)) else {
                        throw BenchFailure("no subject \(name)")
                    }
                    return subject
                }
            } ?? IMAPSubject.allCases
        print(Machine.report(workingDirectory: work))
        let versions = [
            ["mbsync", "--version"], ["offlineimap", "--version"], ["getmail", "--version"], ["dovecot", "--version"],
        ]
        .compactMap { command in
            Shell.output(command)?.split(separator: "\n").first.map { "\(command[0]) \($0.prefix(40))" }
        }
        print("         " + versions.joined(separator: "; "))
        let begin = Shell.now()
        if !Set(subjects).isDisjoint(with: [.initial, .nochange, .onepercent, .restore]) {
            let mail = try BenchMail(messages, seed: seed, work: work)
            print("mail     \(mail.count) messages, \(mail.bytes / 1_000_000) MB, folders \(mail.folders)")
            var comparison = IMAPComparison(
                work: work, mail: mail, server: try MailServer("dovecot", users: rounds * 4), isQuick: quick,
                subjects: Set(subjects))
            for round in 0..<rounds { try comparison.play(round: round) }
            for table in comparison.tables() { print(table.text) }
        }
        if subjects.contains(.watch) { print(try LatencyBench(work: work, changes: changes).table().text) }
        if subjects.contains(.sweep) {
            print(try SweepBench(work: work, accounts: accounts, rounds: rounds).table().text)
        }
        if subjects.contains(.large) { print(try LargeBench(work: work).table().text) }
        print(
            "\ntook \(Figure.fixed(Double(Shell.now() - begin) / 1e9, 0)) s; load now \(Shell.text(of: "/proc/loadavg") ?? "?")"
        )
    }
}

/// The mail of a user, as it goes over the wire.
struct BenchMail {
    let folders = ["INBOX", "Lists", "Office", "News", "Archive"]
    private(set) var messages: [String: [CorpusMessage]] = [:]
    private(set) var count = 0
    private(set) var bytes = 0

    /// The smallest `wanted` messages of a corpus that has some more: what is left out is as large as all of a tenth.
    init(_ wanted: Int, seed: UInt64, work: String) throws {
        let root = work + "/corpus"
        _ = try MailCorpus(.real, seed: seed, scale: wanted * 1_015 / 19_099).write(to: root)
        defer { Shell.removeTree(root) }
        var found: [(folder: String, bytes: [UInt8])] = []
        for (folder, directory) in [("INBOX", ""), ("Lists", "/.Lists"), ("Office", "/.Office"), ("News", "/.News")] {
            for (number, name) in Corpus.names(in: root + directory + "/cur").enumerated() {
                guard let bytes = Shell.bytes(of: "\(root)\(directory)/cur/\(name)") else { continue }
                found.append((folder == "INBOX" && number % 3 == 0 ? "Archive" : folder, BenchMail.wire(bytes)))
            }
        }
        let limit = found.map(\.bytes.count).sorted()[min(wanted, found.count) - 1]
        for (folder, text) in found where text.count <= limit && count < wanted {
            let date = "\(10 + count % 18)-Mar-20\(10 + count % 14) \(10 + count % 14):\(10 + count % 50):30 +0000"
            messages[folder, default: []].append(
                CorpusMessage(bytes: text, flags: count % 9 == 0 ? "" : "\\Seen", date: date))
            count += 1
            bytes += text.count
        }
    }

    static func wire(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 40)
        var previous: UInt8 = 0
        for byte in text {
            if byte == 10, previous != 13 { result.append(13) }
            result.append(byte)
            previous = byte
        }
        return result
    }
}

/// The rounds of `imap` and what they gave.
struct IMAPComparison {
    let work: String
    let mail: BenchMail
    let server: MailServer
    let isQuick: Bool
    let subjects: Set<IMAPSubject>
    private var results: [IMAPSubject: [String: [Measurement]]] = [:]
    private var order: [String] = []
    private var ceilings: [IMAPSubject: [Double]] = [:]
    private var failures: [String] = []

    init(work: String, mail: BenchMail, server: MailServer, isQuick: Bool, subjects: Set<IMAPSubject>) {
        (self.work, self.mail, self.server, self.isQuick, self.subjects) = (work, mail, server, isQuick, subjects)
    }

    /// One round: a user of its own, every tool from nothing, each step for all tools before the next.
    mutating func play(round: Int) throws {
        let user = round * 4
        let client = try server.client(user)
        for folder in mail.folders where folder != "INBOX" { try client.run("CREATE \(folder)") }
        for folder in mail.folders { try client.append(mail.messages[folder] ?? [], to: folder) }
        let home = "\(work)/round-\(round)"
        try Shell.makeDirectory(home)
        chmod(home, 0o755)
        defer { Shell.removeTree(home) }
        let all: [any IMAPTool] = [
            YestermailIMAP(server: server, user: user, home: home + "/y"),
            Mbsync(server: server, user: user, home: home + "/mf", syncs: false),
            Mbsync(server: server, user: user, home: home + "/mt", syncs: true),
            OfflineIMAP(server: server, user: user, home: home + "/o"),
            Getmail(server: server, user: user, home: home + "/g", folders: mail.folders),
        ]
        let homes = ["/y", "/mf", "/mt", "/o", "/g"]
        for path in homes { try Shell.makeDirectory(home + path) }
        order = all.map(\.name)
        var running: [any IMAPTool] = []
        for place in all.indices {
            let tool = all[(place + round) % all.count]
            if tool.isSlow && (isQuick || round > 0) { continue }
            if let reason = tool.missing() {
                failures.append("\(tool.name): \(reason)")
                continue
            }
            var isReady = true
            for command in try tool.prepare() {
                let result = try Measurement(command)
                if result.status != 0 {
                    failures.append("\(tool.name), prepare: \(result.complaint)")
                    isReady = false
                }
            }
            if isReady { running.append(tool) }
        }
        let (folders, reader) = (mail.folders, try server.client(user))
        ceilings[.initial, default: []].append(try IMAPComparison.time { _ = try reader.drain(folders) })
        var captured: [any IMAPTool] = []
        for tool in running where try measure(tool.capture(), tool, .initial) { captured.append(tool) }
        running = captured
        if subjects.contains(.nochange) { for tool in running { try measure(tool.capture(), tool, .nochange) } }
        try change(client, round)
        if subjects.contains(.onepercent) || subjects.contains(.restore) {
            for tool in running { try measure(tool.capture(), tool, .onepercent) }
        }
        if subjects.contains(.restore) { try restore(running, user) }
    }

    /// Seconds.
    private static func time(_ body: () throws -> Void) throws -> Double {
        sync()
        let begin = Shell.now()
        try body()
        return Double(Shell.now() - begin) / 1e9
    }

    @discardableResult
    private mutating func measure(_ command: Command, _ tool: any IMAPTool, _ subject: IMAPSubject) throws -> Bool {
        sync()
        let result = try Measurement(command)
        guard result.status == 0 else {
            failures.append("\(tool.name), \(subject.rawValue): exit \(result.status): \(result.complaint)")
            return false
        }
        results[subject, default: [:]][tool.name, default: []].append(result)
        return true
    }

    /// Of the messages 0.4 % get other flags, 0.2 % move, 0.2 % are deleted, 0.2 % are new.
    private func change(_ client: WireSession, _ round: Int) throws {
        let share = max(mail.count / 1_000, 1)
        let uids = try client.uids(of: "INBOX").shuffled(SplitRandom(UInt64(round)))
        func set(_ range: Range<Int>) -> String { uids[range].map(String.init).joined(separator: ",") }
        try client.run("UID STORE \(set(0..<4 * share)) +FLAGS (\\Flagged \\Answered)")
        try client.run("UID MOVE \(set(4 * share..<6 * share)) Archive")
        try client.run("UID STORE \(set(6 * share..<8 * share)) +FLAGS (\\Deleted)")
        try client.run("UID EXPUNGE \(set(6 * share..<8 * share))")
        let new = (mail.messages["Lists"] ?? []).prefix(2 * share).enumerated().map { number, message in
            var message = message
            message.bytes = Array("X-New: \(round) \(number)\r\n".utf8) + message.bytes
            return message
        }
        try client.append(new, to: "Lists")
        try client.run("UNSELECT")
    }

    private mutating func restore(_ running: [any IMAPTool], _ user: Int) throws {
        var now: [String: [Digest]] = [:]
        let source = try server.client(user)
        try source.fetch(mail.folders) { now[$0, default: []].append(Digest(hashing: $1.span.bytes)) }
        let raw = try server.client(user + 3)
        let sent = mail
        let took = try IMAPComparison.time {
            for folder in sent.folders where folder != "INBOX" { try raw.run("CREATE \(folder)") }
            for folder in sent.folders { try raw.append(sent.messages[folder] ?? [], to: folder) }
        }
        ceilings[.restore, default: []].append(took)
        for tool in running {
            let target = tool.name == "yestermail" ? user + 1 : user + 2
            guard tool.name == "yestermail" || tool.name == "mbsync, FSync no" else { continue }
            guard let command = try tool.restore(to: target) else { continue }
            let client = try server.client(target)
            guard try measure(command, tool, .restore) else { continue }
            var there: [String: [Digest]] = [:]
            try client.fetch(mail.folders) { there[$0, default: []].append(Digest(hashing: $1.span.bytes)) }
            for folder in mail.folders {
                let (found, wanted) = (there[folder] ?? [], now[folder] ?? [])
                // mbsync writes a field of its own into what it pushes.
                let isSame =
                    tool.name == "yestermail"
                    ? found.map(\.description).sorted() == wanted.map(\.description).sorted()
                    : found.count == wanted.count
                if !isSame {
                    failures.append(
                        "\(tool.name), restore: \(folder) has \(found.count) messages, of \(wanted.count), or others")
                }
            }
        }
    }

    func tables() -> [Table] {
        var tables: [Table] = []
        for subject in IMAPSubject.allCases {
            guard let found = results[subject], subjects.contains(subject) else { continue }
            var table = Table(
                subject.title,
                ["tool", "wall s", "messages/s", "CPU s", "peak RSS MB", "yestermail's wall to its"])
            let own = found["yestermail"] ?? []
            for name in order {
                guard let runs = found[name], let wall = Figure.median(runs.map(\.wall)) else { continue }
                let ratios = zip(own, runs).map { $0.wall / $1.wall }
                table.add([
                    name, Figure.spread(runs.map(\.wall)), Figure.fixed(Double(mail.count) / wall, 0),
                    Figure.short(Figure.median(runs.map(\.processor)) ?? 0),
                    Figure.fixed((Figure.median(runs.map { Double($0.memory) }) ?? 0) / 1e6, 0), Figure.spread(ratios),
                ])
            }
            if let raw = ceilings[subject], let wall = Figure.median(raw) {
                let ratios = zip(own, raw).map { $0.wall / $1 }
                table.add([
                    subject == .initial ? "raw pipelined FETCH" : "raw MULTIAPPEND", Figure.spread(raw),
                    Figure.fixed(Double(mail.count) / wall, 0), "-", "-", Figure.spread(ratios),
                ])
            }
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

/// SplitMix64: the same numbers each time.
struct SplitRandom: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

extension Array {
    fileprivate func shuffled(_ random: SplitRandom) -> [Element] {
        var random = random
        return shuffled(using: &random)
    }
}
