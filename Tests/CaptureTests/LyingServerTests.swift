import Capture
import Connectors
import Events
import Glibc
import Network
import TestKit
import Testing
import Vault

/// A vault, a server that lies now and then, and the truth.
private final class Lies {
    let mail = ModelMail()
    let server: ScriptedServer
    let bench: Bench
    var random: SeededGenerator
    var appended = 0
    /// Of those that a pass had seen.
    var deleted = 0
    private var seen: Set<String> = []

    init(
        _ random: SeededGenerator, capabilities: [String] = ModelSession.capabilities, isVolatile: Bool = false
    ) throws {
        self.random = random
        server = ScriptedServer(mail, capabilities: capabilities)
        bench = try Bench(isVolatile: isVolatile)
        for folder in ["INBOX", "Work", "Work/Sub"] { for _ in 0..<4 { append(folder) } }
        try bench.pass(source())
        seen = names()
    }

    private func names() -> Set<String> {
        Set(mail.mailboxes.flatMap { name, mailbox in mailbox.messages.map { "\(name) \($0.uid)" } })
    }

    deinit { server.stop() }

    /// `isPatient` false: for a server that may say nothing at all; what it costs then is a pass, not an answer.
    func source(isPatient: Bool = true) -> IMAPSource {
        var patience = IMAPPatience()
        if !isPatient {
            patience.connectMilliseconds = 2_000
            patience.silenceMilliseconds = 150
            patience.commandMilliseconds = 1_000
        }
        return IMAPSource(
            ServerAccess(
                endpoint: Endpoint(host: "127.0.0.1", port: server.port), security: .plaintext, user: "anna",
                secret: { Array("pw".utf8) }), patience: patience)
    }

    func append(_ folder: String) {
        appended += 1
        let body = String(repeating: "x", count: random.number(0..<400))
        mail.append(
            folder, "Subject: \(appended)\r\n\r\n\(body)\r\n",
            flags: random.chance(50) ? ["\\Seen"] : ["k\(appended % 5)"])
    }

    /// A few changes, for a pass to find.
    func change() {
        for folder in ["INBOX", "Work", "Work/Sub"] where random.chance(60) {
            append(folder)
            guard let message = mail.mailboxes[folder]?.messages.randomElement(using: &random) else { continue }
            mail.setFlags(folder, message.uid, random.chance(50) ? ["\\Flagged"] : [])
            if random.chance(30), let gone = mail.mailboxes[folder]?.messages.randomElement(using: &random) {
                mail.expunge(folder, [gone.uid])
                if seen.contains("\(folder) \(gone.uid)") { deleted += 1 }
            }
        }
    }

    /// `folder: name flags keywords digest` of every message there is.
    func truth() -> [String] {
        mail.mailboxes.flatMap { name, mailbox in
            mailbox.messages.map { message in
                let flags = message.flags.filter { $0.hasPrefix("\\") }.map { $0.lowercased() }.sorted()
                let keywords = message.flags.filter { !$0.hasPrefix("\\") }.sorted()
                return
                    "\(name): \(mailbox.uidValidity).\(message.uid) \(flags) \(keywords) \(Digest(hashing: message.bytes.span.bytes))"
            }
        }.sorted()
    }

    func recorded() throws -> [String] {
        let states = try bench.live()
        return states.compactMap { item, state -> String? in
            guard let message = state.message,
                let folder = states[ItemID(.folder, message.folder)]?.folder?.joinedPath
            else { return nil }
            let flags = MessageFlags.names.filter { message.flags.contains($0.flag) }.map { "\($0.name)".lowercased() }
            let digest = message.digest.map { "\($0)" } ?? "?"
            return
                "\(String(decoding: folder, as: UTF8.self)): \(String(decoding: message.sourceName, as: UTF8.self)) \(flags.sorted()) \(message.keywords.map { String(decoding: $0, as: UTF8.self) }) \(digest)"
        }.sorted()
    }

    /// One pass with the script, one without. What the lie was must not be believed for longer than it lasts. Returns whether the
    /// script had its way.
    @discardableResult
    func round(_ script: ScriptedServer.Script, deep: Bool = false) throws -> Bool {
        change()
        server.follow(script)
        do { try bench.pass(source(isPatient: false), deep: deep) } catch let failure as Failure {
            if ![.unreachable, .sourceDamaged, .signIn, .refused].contains(failure.code) {
                Issue.record("\(script): \(failure.code) \(failure)")
            }
        }
        let hasMisbehaved = server.record.hasMisbehaved
        server.follow(ScriptedServer.Script())
        try bench.pass(source())
        seen = names()
        return hasMisbehaved
    }

    /// Keeps mailboxes small over many rounds.
    func prune() {
        for (folder, mailbox) in mail.mailboxes where mailbox.messages.count > 8 {
            for message in mailbox.messages.prefix(4) {
                mail.expunge(folder, [message.uid])
                if seen.contains("\(folder) \(message.uid)") { deleted += 1 }
            }
        }
    }

    /// What a pass says and hears that finds some changes, or reads everything.
    func measure(deep: Bool) throws -> ScriptedServer.Record {
        change()
        server.follow(ScriptedServer.Script())
        try bench.pass(source(), deep: deep)
        seen = names()
        return server.record
    }

    /// After a deep pass all is as it is, nothing was ever recorded as deleted that was not, and nothing twice.
    func check(_ what: String) throws {
        try bench.pass(source(), deep: true)
        let (truth, recorded) = (truth(), try recorded())
        if truth != recorded {
            let missing = truth.filter { !recorded.contains($0) }
            let extra = recorded.filter { !truth.contains($0) }
            Issue.record("\(what): missing \(missing.prefix(3)), extra \(extra.prefix(3))")
        }
        var deletions = 0
        var creations = 0
        for change in try bench.transactions().flatMap(\.entry.changes) where change.item.kind == .message {
            if change.kinds.contains(.deleted) { deletions += 1 }
            if change.kinds.contains(.created) { creations += 1 }
        }
        #expect(deletions == deleted, "\(what): \(deletions) deletions recorded, \(deleted) happened")
        #expect(creations <= appended, "\(what): \(creations) recorded, \(appended) came")
    }
}

private let poor = ModelSession.capabilities.filter {
    !["CONDSTORE", "QRESYNC", "OBJECTID", "LIST-STATUS"].contains($0)
}

/// As many of each as `YESTERMAIL_LIES` says.
private let wanted = getenv("YESTERMAIL_LIES").flatMap { Int(String(cString: $0)) } ?? 1

@Suite struct LyingServerTests {
    @Test("Who is refused while he is signed in ahead is not refused a second time, and is told why")
    func refusedAhead() throws {
        let lies = try Lies(SeededGenerator(seed: 1))
        // Greeting and capabilities, then the answer to the password.
        for response in 0..<4 {
            lies.server.follow(ScriptedServer.Script(.refused, at: response, isLasting: true))
            let source = lies.source()
            source.prepare()
            let connections = lies.server.record.connections
            guard lies.server.record.hasMisbehaved else { continue }
            #expect(throws: (any Error).self) { try source.folders() }
            #expect(connections == 1 && lies.server.record.connections == 1)
            // Then it may try again.
            lies.server.follow(ScriptedServer.Script())
            #expect(try source.folders().count == 3)
        }
    }

    @Test(
        "Whatever a server says wrongly at one response, nothing is lost, doubled or deleted by it",
        arguments: Misbehaviour.allCases)
    func lies(misbehaviour: Misbehaviour) throws {
        let random = SeededGenerator.announced("\(misbehaviour)")
        for capabilities in [ModelSession.capabilities, poor] {
            let lies = try Lies(random, capabilities: capabilities)
            for _ in 0..<wanted {
                let script = ScriptedServer.Script(misbehaviour, at: lies.random.number(0..<45))
                try lies.round(script)
            }
            try lies.check("\(misbehaviour)")
        }
    }

    @Test("A message at which the connection always breaks is recorded as unreadable, and the others are read")
    func poison() throws {
        let lies = try Lies(SeededGenerator(seed: 4))
        for _ in 0..<30 { lies.append("INBOX") }
        let whole = lies.appended - 13
        var script = ScriptedServer.Script()
        script.poison = "\(whole)"
        lies.server.follow(script)
        let report = try lies.bench.pass(lies.source())
        #expect(report.created == 30 && report.unreadable.count == 1 && !report.isComplete)
        #expect(report.unreadable.first?.contains("each time it is read") == true, "\(report.unreadable)")
        // Again, and it is still so; when it can be read it is.
        #expect(try lies.bench.pass(lies.source()).unreadable.count == 1)
        lies.server.follow(ScriptedServer.Script())
        #expect(try lies.bench.pass(lies.source()).isComplete)
        try lies.check("poison")
    }

    @Test("What came and went before anybody looked is noted")
    func missed() throws {
        let lies = try Lies(SeededGenerator(seed: 5))
        let uids = (0..<3).map { _ -> UInt32 in
            lies.append("Work")
            return lies.mail.mailboxes["Work"]?.messages.last?.uid ?? 0
        }
        lies.mail.expunge("Work", [uids[0], uids[2]])
        lies.append("INBOX")
        let seen = try lies.bench.recorded(lies.source())
        let notes = seen.compactMap(\.entry.note).filter { $0.kind == .missed }
        #expect(notes.count == 1 && notes.first?.number("missed") == 2 && notes.first?.text("folder") == utf8("Work"))
        let names = String(decoding: notes.first?.text("names") ?? [], as: UTF8.self)
        #expect(names.hasSuffix(".\(uids[0]),\(uids[2])"), "\(names)")
        try lies.check("missed")
    }

    /// Together with the cuts of restores (`ServerRestoreTests`) two thousand; with `YESTERMAIL_CUTS=all` at every byte that comes, every
    /// byte that goes, and before every answer.
    @Test(
        "A connection cut at any byte costs nothing but time: nothing is lost, doubled or deleted by it",
        arguments: 0..<4)
    func cuts(part: Int) throws {
        let lies = try Lies(SeededGenerator.announced("cuts(\(part))"), isVolatile: true)
        let isFull = getenv("YESTERMAIL_CUTS").map { String(cString: $0) } == "all"
        var effective = 0
        func cut(_ script: ScriptedServer.Script, deep: Bool) throws {
            lies.prune()
            if try lies.round(script, deep: deep) { effective += 1 }
            let (truth, recorded) = (lies.truth(), try lies.recorded())
            if truth != recorded { Issue.record("\(script): \(truth.count) there, \(recorded.count) recorded") }
        }
        func script(_ way: Int, _ place: Int) -> ScriptedServer.Script {
            var script = ScriptedServer.Script()
            switch way {
            case 0: script.cutAfterSending = place
            case 1: script.cutAfterReceiving = place
            default: script.cutBeforeAnswer = place
            }
            return script
        }
        // A pass that finds something, and one that reads everything.
        let lengths = try [false, true].map { deep in
            let record = try lies.measure(deep: deep)
            return (deep, [record.sent, record.received, record.commands])
        }
        if isFull {
            for (deep, lengths) in lengths {
                for (way, length) in lengths.enumerated() {
                    for place in stride(from: part, to: length, by: 4) { try cut(script(way, place), deep: deep) }
                }
            }
        } else {
            // One that finds less than the measured one is over before some places.
            var tries = 0
            while effective < cutsOfAPart, tries < cutsOfAPart * 4 {
                let (deep, lengths) = lengths[tries % 4 == 0 ? 1 : 0]
                let way = [0, 0, 0, 1, 1, 2][lies.random.number(0..<6)]
                try cut(script(way, lies.random.number(0..<lengths[way])), deep: deep)
                tries += 1
            }
            #expect(effective == cutsOfAPart)
        }
        try lies.check("cuts")
    }
}

private let cutsOfAPart = 300
