import Glibc

/// How long it takes from the server's word to a client until the watch has the change in its journal: `yestermail watch --json`
/// is told of by what it prints, which it does when the change is durable.
struct LatencyBench {
    let work: String
    let changes: Int

    private enum Way: String, CaseIterable {
        case dovecotHook = "Dovecot, hook"
        case dovecotPlain = "Dovecot, plain login (NOTIFY)"
        case cyrusSocket = "Cyrus, notify socket"
        case cyrusPlain = "Cyrus, plain login (IDLE)"

        var server: String { self == .dovecotHook || self == .dovecotPlain ? "dovecot" : "cyrus" }
        func hints(_ server: MailServer) -> String? {
            switch self {
            case .dovecotHook: server.properties["spool"].map { "spool:" + $0 }
            case .cyrusSocket: server.properties["notify"].map { "cyrus:" + $0 }
            case .dovecotPlain, .cyrusPlain: nil
            }
        }
    }

    func table() throws -> Table {
        var table = Table(IMAPSubject.watch.title, ["how", "changes", "median ms", "p90 ms", "p99 ms", "most ms"])
        for way in Way.allCases {
            do {
                let times = try measure(way).sorted()
                func at(_ share: Double) -> String {
                    Figure.short(times[min(times.count - 1, Int(Double(times.count) * share))])
                }
                table.add([
                    way.rawValue, "\(times.count)", Figure.short(Figure.median(times) ?? 0), at(0.9), at(0.99), at(1),
                ])
            } catch { table.add([way.rawValue, "\(error)", "-", "-", "-", "-"]) }
        }
        return table
    }

    private func measure(_ way: Way) throws -> [Double] {
        let server = try MailServer(way.server, users: 1)
        defer { _ = Shell.output(["Tools/servers", "down", server.directory]) }
        let client = try server.client(0)
        let home = "\(work)/watch-\(way)"
        try Shell.makeDirectory(home)
        let vault = home + "/vault"
        let binary = Yestermail.builtBinary
        _ = Shell.output([binary, "--vault", vault, "init"])
        let hints = way.hints(server).map { ["--hints", $0] } ?? []
        guard
            Shell.output(
                [
                    binary, "--vault", vault, "account", "add", "bench@example.org", "--source",
                    try server.url(0, secrets: home + "/secrets"),
                ] + hints) != nil
        else { throw BenchFailure("no account") }
        let watch = try LineProcess([binary, "--vault", vault, "watch", "--json"])
        defer { watch.stop() }
        try watch.wait(for: "\"ready\"", seconds: 30)
        try client.run("SELECT INBOX")
        var times: [Double] = []
        let message = CorpusMessage(
            bytes: Array("Subject: news\r\n\r\n".utf8) + Array(repeating: 0x78, count: 4_000), flags: "",
            date: "10-Mar-2020 10:10:10 +0000")
        var random = SplitRandom(7)
        for number in -3..<changes {
            // Alone: what came before is over.
            usleep(UInt32.random(in: 150_000...400_000, using: &random))
            watch.drain()
            if number % 3 == 1 {
                try client.run("STORE 1 \(number % 2 == 0 ? "-" : "+")FLAGS (\\Flagged)")
            } else {
                var unique = message
                unique.bytes += Array("\(number)\r\n".utf8)
                try client.append([unique], to: "INBOX")
            }
            let begin = Shell.now()
            try watch.wait(for: "\"recorded\"", seconds: 20)
            // The first few find nothing warm.
            if number >= 0 { times.append(Double(Shell.now() - begin) / 1e6) }
        }
        return times
    }
}

/// A process whose lines are read as they come.
final class LineProcess {
    private var child: pid_t = 0
    private let descriptor: Int32
    private var text = ""

    init(_ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw BenchFailure("no pipe") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        let code = posix_spawnp(&child, arguments[0], &actions, nil, pointers, environ)
        close(ends[1])
        descriptor = ends[0]
        guard code == 0 else { throw BenchFailure("\(arguments[0]): \(String(cString: strerror(code)))") }
    }

    /// Waits until a line has come that contains `what`; forgets the lines up to it.
    func wait(for what: String, seconds: Int) throws {
        let end = Shell.now() + UInt64(seconds) * 1_000_000_000
        while true {
            while let newline = text.firstIndex(of: "\n") {
                let line = text[..<newline]
                let isIt = line.contains(what)
                text = String(text[text.index(after: newline)...])
                if isIt { return }
            }
            guard Shell.now() < end, read(milliseconds: 100) else { throw BenchFailure("no \(what) in \(seconds) s") }
        }
    }

    /// Forgets what has come.
    func drain() {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&waiting, 1, 0) > 0, read(milliseconds: 0) {}
        text = ""
    }

    private func read(milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, milliseconds) > 0 else { return true }
        var piece = [UInt8](repeating: 0, count: 4_096)
        let count = Glibc.read(descriptor, &piece, piece.count)
        guard count > 0 else { return false }
        text += String(decoding: piece[..<count], as: UTF8.self)
        return true
    }

    func stop() {
        kill(child, SIGTERM)
        var status: Int32 = 0
        waitpid(child, &status, 0)
        close(descriptor)
    }
}

/// Many accounts in which nothing happens.
struct SweepBench {
    let work: String
    let accounts: Int
    let rounds: Int

    func table() throws -> Table {
        let server = try MailServer("dovecot", users: accounts)
        let home = work + "/sweep"
        try Shell.makeDirectory(home)
        let message = CorpusMessage(
            bytes: Array("Subject: one\r\n\r\none\r\n".utf8), flags: "", date: "10-Mar-2020 10:10:10 +0000")
        var list = ""
        for number in 0..<accounts {
            let client = try server.client(number)
            for folder in ["Archive", "Sent"] { try client.run("CREATE \(folder)") }
            try client.append([message, message], to: "INBOX")
            try client.append([message], to: "Archive")
            try server.secret(number, in: home + "/secrets")
            list += MailServer.name(number) + "\n"
        }
        try Shell.write(list, to: home + "/accounts")
        let yestermail = [Yestermail.builtBinary, "--vault", home + "/vault"]
        let configuration = server.directory + "/etc/dovecot.conf"
        let doveadm = [
            "doveadm", "-c", configuration, "mailbox", "status", "-A",
            "messages uidnext uidvalidity highestmodseq guid", "*",
        ]
        for command in [
            ["init"],
            [
                "account", "add", "--accounts", home + "/accounts", "--source", "imap://%u@127.0.0.1:\(server.port)/",
                "--secret", "file:\(home)/secrets/%u", "--hints", "spool:" + (server.properties["spool"] ?? ""),
            ],
            ["scan", "--quiet"],
        ] {
            let result = try Measurement(Command(arguments: yestermail + command))
            guard result.status == 0 else { throw BenchFailure("\(command[0]): \(result.complaint)") }
        }
        var table = Table(IMAPSubject.sweep.title, ["what", "wall s", "CPU s", "peak RSS MB", "ratio to doveadm"])
        var (ours, theirs): ([Measurement], [Measurement]) = ([], [])
        for _ in 0..<max(rounds, 1) {
            sync()
            theirs.append(try Measurement(Command(arguments: doveadm)))
            sync()
            ours.append(try Measurement(Command(arguments: yestermail + ["scan", "--quiet"])))
        }
        for (name, runs) in [("doveadm mailbox status -A", theirs), ("yestermail scan", ours)] {
            if let bad = runs.first(where: { $0.status != 0 }) { throw BenchFailure("\(name): \(bad.complaint)") }
            table.add([
                name, Figure.spread(runs.map(\.wall)), Figure.short(Figure.median(runs.map(\.processor)) ?? 0),
                Figure.fixed((Figure.median(runs.map { Double($0.memory) }) ?? 0) / 1e6, 0),
                Figure.spread(zip(runs, theirs).map { $0.wall / $1.wall }),
            ])
        }
        return table
    }
}

/// A message that must not be held in memory.
struct LargeBench {
    let work: String

    func table() throws -> Table {
        let server = try MailServer("dovecot", users: 3)
        let home = work + "/large"
        try Shell.makeDirectory(home)
        var random = SplitRandom(3)
        var bytes = Array("Subject: large\r\nContent-Type: application/octet-stream\r\n\r\n".utf8)
        bytes.reserveCapacity(205_000_000)
        while bytes.count < 200_000_000 {
            for _ in 0..<76 { bytes.append(UInt8(0x30 + random.next() % 64)) }
            bytes += [13, 10]
        }
        let client = try server.client(0)
        try client.append([CorpusMessage(bytes: bytes, flags: "", date: "10-Mar-2020 10:10:10 +0000")], to: "INBOX")
        _ = try server.client(1)
        bytes = []
        let tools: [any IMAPTool] = [
            YestermailIMAP(server: server, user: 0, home: home + "/y"),
            Mbsync(server: server, user: 0, home: home + "/m", syncs: false),
        ]
        for path in ["/y", "/m"] { try Shell.makeDirectory(home + path) }
        var table = Table(IMAPSubject.large.title, ["tool", "what", "wall s", "peak RSS MiB"])
        for (place, tool) in tools.enumerated() {
            for command in try tool.prepare() { _ = try Measurement(command) }
            for (what, command) in [("capture", tool.capture()), ("restore", try tool.restore(to: place + 1))] {
                guard let command else { continue }
                sync()
                let result = try Measurement(command)
                table.add([
                    tool.name, what, result.status == 0 ? Figure.short(result.wall) : result.complaint,
                    Figure.fixed(Double(result.memory) / 1_048_576, 0),
                ])
            }
        }
        return table
    }
}
