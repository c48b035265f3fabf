internal import ArgumentParser
internal import Capture
internal import Connectors
internal import Events
internal import Files
internal import Glibc
internal import Journal
internal import Presentation
internal import Synchronization
internal import SystemPackage
internal import TimeLanguage
internal import Vault

struct DemoCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Makes a small mailbox with a history of months, and travels through it.",
        discussion: """
            Needs nothing and touches nothing of yours: mailbox and vault are made in a new directory, which is left for \
            you to play with. The history is recorded by the same scanner that watches real mail, with a clock that is \
            set back.

            Example:
              yestermail demo
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Option(help: ArgumentHelp("Make it in this directory, which must not exist yet.", valueName: "dir")) var into:
        String?

    func run(_ context: CommandContext) throws {
        let directory = try into.map { try DemoDirectory.make(VaultPlace.absolute($0)) } ?? DemoDirectory.temporary()
        let story = try DemoStory(directory, now: context.now)
        try story.play()
        if context.isJSON {
            return try context.output.json { json in
                json.beginObject()
                json.key("directory")
                json.value(directory)
                json.key("vault")
                json.value(story.vault.string)
                json.key("account")
                json.value(DemoStory.address)
                json.key("transactions")
                json.value(story.transactions)
                json.endObject()
            }
        }
        try context.output.line("A mailbox of three months has been made and recorded in \(directory).")
        try context.output.flush()
        let disaster = story.disaster.described(in: context.zone, [.noZone])
        let before = Timestamp(rawValue: story.disaster.rawValue - 60_000_000).described(in: context.zone, [.noZone])
        let account = DemoStory.address
        try show(story, "What is in it now. The folder Clients looks empty:", ["ls", account])
        try show(story, "What it looked like a minute before \(disaster):", ["ls", account, "--at", before])
        try show(story, "Who took what away, newest first:", ["log", account, "--change", "deleted"])
        try show(
            story, "What it would take to have it back. Nothing is written yet:",
            ["restore", "undelete", account, "--from", before, "--dry-run"])
        try show(story, "And back it comes:", ["restore", "undelete", account, "--from", before])
        try show(story, "The mailbox is scanned again: these are the same messages, their histories go on.", ["scan"])
        try show(story, "Any message as it was at any time, byte for byte:", ["show", account, "m3", "--lines", "6"])
        try show(story, "The whole story of one message:", ["log", account, story.witness.description])
        try show(story, "Everything read, hashed and held against each other:", ["check", "--read-data"])
        try context.output.line("")
        try context.output.line("It is yours to play with:   export YESTERMAIL_VAULT=\(story.vault.string)")
        try context.output.line("Then for example:           yestermail log \(account)")
        try context.output.line("To be rid of it:            rm -r \(directory)")
    }

    /// Says what a command shows, and runs it as a person would.
    private func show(_ story: DemoStory, _ why: String, _ arguments: [String]) throws {
        let shown = arguments.map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
        StandardOutput.write("\n# \(why)\n$ yestermail \(shown)\n")
        let all = [CommandLine.arguments[0], "--vault", story.vault.string, "--quiet"] + arguments
        var vector = all.map { strdup($0) } + [nil]
        defer { for case let word? in vector { free(word) } }
        var child = pid_t()
        guard posix_spawn(&child, "/proc/self/exe", nil, nil, &vector, environ) == 0 else {
            throw Failure(.failed, "the program could not be started again: \(String(cString: strerror(errno)))")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw Failure(.failed, "yestermail \(shown) ended with \(status >> 8 & 0xFF)") }
    }
}

/// Where a demo is made.
private enum DemoDirectory {
    static func make(_ path: String) throws -> String {
        guard mkdir(path, 0o700) == 0 else {
            throw Failure(
                .notEmpty, "\(path) cannot be made: \(String(cString: strerror(errno)))", hint: "Name another directory"
            )
        }
        return path
    }

    static func temporary() throws -> String {
        let base = VaultPlace.environment("TMPDIR") ?? "/tmp"
        var template = Array("\(base)/yestermail-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Failure(.failed, "no directory could be made in \(base): \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Standard output, unbuffered: for what stands between the outputs of other processes.
private enum StandardOutput {
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
    }
}

/// Three months in the life of a small mailbox, played into a Maildir and recorded by the scanner.
private final class DemoStory {
    static let address = "demo@example.org"

    let vault: FilePath
    let disaster: Timestamp
    /// A message that goes through all of it.
    private(set) var witness = ItemID(.message, 1)
    private(set) var transactions: UInt64 = 0

    private let mailbox: String
    private let now: Timestamp
    private let clock = SettableClock()
    private var number = 0

    private static let day: Int64 = 86_400_000_000
    private static let people = ["Piero Rossi", "Ingrid Berg", "Amina Diallo", "Tom Baker", "Mei Lin"]
    private static let subjects = [
        "Contract 2026", "Offer for the new roof", "Minutes of Monday", "Invoice 4711", "Photos from the site",
        "Question about the plan", "Delivery on Thursday", "Your signature is missing", "Holiday in May", "Reminder",
    ]

    init(_ directory: String, now: Timestamp) throws {
        self.now = now
        vault = FilePath(directory).appending("vault")
        mailbox = directory + "/Maildir"
        // Two days ago, in the afternoon.
        disaster = Timestamp(rawValue: (now.rawValue / DemoStory.day - 2) * DemoStory.day + 57_840_000_000)
    }

    func play() throws {
        for folder in ["", ".Projects", ".Trash"] {
            try makeDirectory(mailbox + (folder.isEmpty ? "" : "/" + folder))
            for place in ["cur", "new", "tmp"] { try makeDirectory("\(mailbox)/\(folder)/\(place)") }
        }
        clock.set(at(days: 92))
        var generator = SystemRandomNumberGenerator()
        try OpenVault.create(vault, clock: clock.clock, using: &generator)
        let open = try OpenVault(vault, clock: clock.clock)
        let account = try open.addAccount(DemoStory.address, sources: ["maildir:" + mailbox], using: &generator)
        func scan() throws { _ = try SmartScan(open, account, try Location("maildir:" + mailbox).openSource()).run() }
        for week in 0..<13 {
            clock.set(at(days: 91 - week * 7))
            for _ in 0..<3 { try deliver(to: "") }
            try scan()
            clock.set(at(days: 90 - week * 7))
            // Read what came; file the first of it.
            try rename(from: "", to: ".Projects", count: 1, flags: "S")
            try rename(from: "", to: "", count: 2, flags: week % 3 == 0 ? "FS" : "RS")
            try scan()
        }
        clock.set(Timestamp(rawValue: disaster.rawValue - 3 * DemoStory.day))
        guard Glibc.rename(mailbox + "/.Projects", mailbox + "/.Clients") == 0 else {
            throw DemoStory.failure("rename")
        }
        try scan()
        clock.set(disaster)
        for file in try files(".Clients") {
            guard unlink("\(mailbox)/.Clients/cur/\(file)") == 0 else { throw DemoStory.failure("remove a message") }
        }
        try scan()
        clock.set(Timestamp(rawValue: now.rawValue - 3_600_000_000))
        try deliver(to: "")
        try scan()
        transactions = try open.journal.head().transaction.rawValue
    }

    private func at(days: Int) -> Timestamp {
        Timestamp(rawValue: (now.rawValue / DemoStory.day - Int64(days)) * DemoStory.day + 32_400_000_000)
    }

    private func deliver(to folder: String) throws {
        number += 1
        let person = DemoStory.people[number * 7 % DemoStory.people.count]
        let subject = DemoStory.subjects[number * 3 % DemoStory.subjects.count]
        let sent = clock.clock.now()
        let mail = person.lowercased().replacing(" ", with: ".")
        let text = """
            From: \(person) <\(mail)@example.net>
            To: <\(DemoStory.address)>
            Subject: \(subject)
            Date: \(RFC5322.date(sent))
            Message-ID: <\(number).demo@example.net>

            Good morning,

            this is letter number \(number). \(subject): please see to it before the end of the month.

            Regards, \(person)

            """
        let path = "\(mailbox)/\(folder)/cur/\(sent.seconds).M\(number)P1.demo:2,"
        let file = try File(FilePath(path), .create)
        try file.write(Array(text.utf8).span.bytes, at: 0)
        let times = [timespec(tv_sec: Int(sent.seconds), tv_nsec: 0), timespec(tv_sec: Int(sent.seconds), tv_nsec: 0)]
        guard utimensat(AT_FDCWD, path, times, 0) == 0 else { throw DemoStory.failure("set the time of a message") }
    }

    /// Moves the newest messages without flags, or only flags them.
    private func rename(from: String, to: String, count: Int, flags: String) throws {
        for file in try files(from).filter({ $0.hasSuffix(":2,") }).prefix(count) {
            guard Glibc.rename("\(mailbox)/\(from)/cur/\(file)", "\(mailbox)/\(to)/cur/\(file)\(flags)") == 0 else {
                throw DemoStory.failure("move a message")
            }
        }
    }

    private func files(_ folder: String) throws -> [String] {
        try Directory.names(FilePath("\(mailbox)/\(folder)/cur")).map(\.string)
    }

    private func makeDirectory(_ path: String) throws { try Directory.create(FilePath(path)) }

    private static func failure(_ what: String) -> Failure {
        Failure(.failed, "the demo could not \(what): \(String(cString: strerror(errno)))")
    }
}

/// A clock that stands where it was set.
private final class SettableClock: Sendable {
    private let time = Atomic<Int64>(0)

    func set(_ now: Timestamp) { time.store(now.rawValue, ordering: .relaxed) }

    var clock: WallClock { WallClock { Timestamp(rawValue: self.time.load(ordering: .relaxed)) } }
}

/// Dates as mail has them.
private enum RFC5322 {
    static func date(_ time: Timestamp) -> String {
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let civil = time.civil()
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(time.seconds / 86_400 % 7)]), \(civil.day) \(months[civil.month - 1]) \(civil.year) "
            + "\(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)) +0000"
    }
}
