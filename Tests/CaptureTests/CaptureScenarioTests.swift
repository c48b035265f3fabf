import Capture
import Connectors
import Events
import Glibc
import Journal
import Network
import Projections
import Synchronization
import TestKit
import Testing
import Threads
import Vault

/// How many changes are made while a watch runs: `YESTERMAIL_CAPTURE_OPERATIONS`, else some hundred.
private let operations = getenv("YESTERMAIL_CAPTURE_OPERATIONS").flatMap { Int(String(cString: $0)) } ?? 400

/// How many passes of a hundred are cut; in a short run more, so that there are some.
private let cutPercent = operations < 2_000 ? 15 : 3

/// What the clients of one user do to their mailboxes, several at once, until all is done.
private final class Load: Sendable {
    private struct State {
        var left: Int
        var number = 0
        var folders: Set<String> = ["INBOX"]
        /// What was put there, by the words in its subject.
        var appended: [String] = []
        var running: Int
        var trouble: String?
        var lostConnections: [String] = []
    }

    private let state: Mutex<State>
    private let server: RealServer
    private let user: (name: String, password: String)

    init(_ server: RealServer, _ user: (name: String, password: String), _ operations: Int, clients: Int) {
        (self.server, self.user) = (server, user)
        state = Mutex(State(left: operations, running: clients))
    }

    var isDone: Bool { state.withLock { $0.running == 0 } }
    var appended: [String] { state.withLock { $0.appended } }
    var trouble: String? { state.withLock { $0.trouble } }
    var lostConnections: [String] { state.withLock { $0.lostConnections } }

    func begin(_ random: inout SeededGenerator, ended: @escaping @Sendable () -> Void) {
        let clients = state.withLock { $0.running }
        for _ in 0..<clients {
            let seed = random.next()
            _ = WorkerThread {
                do { try self.run(SeededGenerator(seed: seed)) } catch {
                    self.state.withLock { $0.trouble = "\(error)" }
                }
                self.state.withLock { $0.running -= 1 }
                ended()
            }
        }
    }

    private func run(_ generator: SeededGenerator) throws {
        var random = generator
        var client = try WireClient(server, user)
        while take() {
            do { try act(client, &random) } catch let broken as WireClient.Broken {
                // Servers' processes die of some things that several clients do at once.
                state.withLock { $0.lostConnections.append("\(broken)") }
                client = try WireClient(server, user)
            }
        }
    }

    private func act(_ client: WireClient, _ random: inout SeededGenerator) throws {
        let folder = state.withLock { $0.folders.sorted() }.randomElement(using: &random) ?? "INBOX"
        switch random.number(0..<20) {
        case 0...6: try append(client, folder, &random)
        case 7:
            let name = newName("F")
            if try client.command("CREATE \(name)").isOK { state.withLock { _ = $0.folders.insert(name) } }
        case 8: try rename(client, folder, &random)
        case 9 where random.chance(50): try empty(client, folder)
        default: try change(client, folder, &random)
        }
    }

    private func take() -> Bool {
        state.withLock { state in
            guard state.left > 0 else { return false }
            state.left -= 1
            return true
        }
    }

    private func newName(_ letter: String) -> String {
        state.withLock { state in
            state.number += 1
            return "\(letter)\(state.number)"
        }
    }

    private func append(_ client: WireClient, _ folder: String, _ random: inout SeededGenerator) throws {
        let name = newName("m")
        let body = String(repeating: "line \(name)\r\n", count: random.number(0..<60))
        let bytes = Array("Subject: \(name)\r\n\r\n\(body)".utf8)
        let flags = ["", "\\Seen", "\\Flagged k1", "\\Draft"].randomElement(using: &random) ?? ""
        // Another client may have removed or renamed the folder.
        if try client.command("APPEND \(folder) (\(flags)) {\(bytes.count)}", bytes).isOK {
            state.withLock { $0.appended.append("\(Digest(hashing: bytes.span.bytes))") }
        }
    }

    /// Renames it, deletes it, or deletes it and makes it again.
    private func rename(_ client: WireClient, _ folder: String, _ random: inout SeededGenerator) throws {
        guard folder != "INBOX" else { return }
        switch random.number(0..<3) {
        case 0:
            let name = newName("R")
            if try client.command("RENAME \(folder) \(name)").isOK {
                state.withLock { state in
                    state.folders.remove(folder)
                    state.folders.insert(name)
                }
            }
        case 1:
            if try client.command("DELETE \(folder)").isOK { state.withLock { _ = $0.folders.remove(folder) } }
        default:
            _ = try client.command("DELETE \(folder)")
            _ = try client.command("CREATE \(folder)")
        }
    }

    private func empty(_ client: WireClient, _ folder: String) throws {
        guard try client.command("SELECT \(folder)").isOK else { return }
        _ = try client.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        _ = try client.command("EXPUNGE")
        _ = try client.command("UNSELECT")
    }

    private func change(_ client: WireClient, _ folder: String, _ random: inout SeededGenerator) throws {
        guard try client.command("SELECT \(folder)").isOK else { return }
        let uids =
            try client.command("UID SEARCH ALL").texts.first { $0.hasPrefix("* SEARCH") }?
            .split(separator: " ").compactMap { Int($0) } ?? []
        if let uid = uids.randomElement(using: &random) {
            let other = state.withLock { $0.folders.sorted() }.randomElement(using: &random) ?? "INBOX"
            switch random.number(0..<6) {
            case 0...1:
                let sign = random.chance(50) ? "+" : "-"
                _ = try client.command("UID STORE \(uid) \(sign)FLAGS (\\Answered k\(random.number(0..<3)))")
            case 2...3: _ = try client.command("UID MOVE \(uid) \(other)")
            case 4: _ = try client.command("UID COPY \(uid) \(other)")
            default:
                _ = try client.command("UID STORE \(uid) +FLAGS (\\Deleted)")
                _ = try client.command("UID EXPUNGE \(uid)")
            }
        }
        _ = try client.command("UNSELECT")
    }
}

/// What a server has of a user, by a client that knows nothing of the product: `folder: uid flags digest`.
private func truth(_ client: WireClient) throws -> Set<String> {
    var found: Set<String> = []
    for line in try client.done("LIST \"\" \"*\"").texts where !line.lowercased().contains("\\noselect") {
        guard let name = line.split(separator: " ").last.map({ String($0.filter { $0 != "\"" }) }) else { continue }
        guard let validity = try value("UIDVALIDITY", client.done("EXAMINE \(name)").texts) else { continue }
        found.insert("\(name):")
        for row in try client.done("UID FETCH 1:* (UID FLAGS BODY.PEEK[])").lines {
            let text = String(decoding: row, as: UTF8.self)
            guard let uid = text.range(of: "UID "), let begin = text.range(of: "FLAGS ("),
                let brace = row.firstIndex(of: UInt8(ascii: "{")),
                let close = row[brace...].firstIndex(of: UInt8(ascii: "}")),
                let size = Int(String(decoding: row[(brace + 1)..<close], as: UTF8.self))
            else { continue }
            let number = text[uid.upperBound...].prefix { $0.isNumber }
            let flags = text[begin.upperBound...].prefix { $0 != ")" }.split(separator: " ").map { $0.lowercased() }
                .filter { $0 != "\\recent" }.sorted()
            let body = Array(row[(close + 3)..<(close + 3 + size)])
            found.insert("\(name): \(validity).\(number) \(flags) \(Digest(hashing: body.span.bytes))")
        }
    }
    try client.done("UNSELECT")
    return found
}

private func value(_ key: String, _ lines: [String]) -> Int? {
    for line in lines {
        if let found = line.range(of: "[\(key) ") { return Int(line[found.upperBound...].prefix { $0.isNumber }) }
    }
    return nil
}

extension String {
    fileprivate func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}

extension Bench {
    /// The same of what the vault has now.
    fileprivate func captured(_ account: Account) throws -> Set<String> {
        var found: Set<String> = []
        let projections = try vault.projections()
        var pointers: [ItemPointer] = []
        try projections.pointers(account.number, asOf: projections.position()) { pointers.append($0) }
        var states: [ItemID: ItemState] = [:]
        try vault.journal.states(pointers) { if !$0.state.isDeleted { states[$0.item] = $0.state } }
        for state in states.values {
            if let folder = state.folder { found.insert(String(decoding: folder.joinedPath, as: UTF8.self) + ":") }
            guard let message = state.message,
                let folder = states[ItemID(.folder, message.folder)]?.folder?.joinedPath
            else { continue }
            var flags = MessageFlags.names.filter { message.flags.contains($0.flag) }.map { "\($0.name)".lowercased() }
            flags += message.keywords.map { String(decoding: $0, as: UTF8.self).lowercased() }
            let digest = message.digest.map { "\($0)" } ?? "?"
            found.insert(
                "\(String(decoding: folder, as: UTF8.self)): \(String(decoding: message.sourceName, as: UTF8.self)) \(flags.sorted()) \(digest)"
            )
        }
        return found
    }

    /// Every message that the account ever had.
    fileprivate func everCaptured() throws -> Set<String> {
        Set(try transactions().flatMap(\.entry.changes).compactMap { $0.state.message?.digest.map { "\($0)" } })
    }
}

@Suite(.serialized) struct CaptureScenarioTests {
    @Test(
        "Several clients change everything while a watch runs whose connections are cut: at the end the vault is the server",
        .enabled(
            if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrusNotifying)
                && RealServer.isAvailable(.dovecotLazy), "no servers here"),
        arguments: [RealServer.Kind.dovecot, .cyrusNotifying, .dovecotLazy])
    func load(kind: RealServer.Kind) throws {
        var random = SeededGenerator.announced("load(\(kind))")
        let server = try RealServer.shared(kind)
        let proxy = CuttingProxy(to: server.port)
        let bench = try Bench()
        var captured: [(account: Account, source: AnySource)] = []
        var loads: [Load] = []
        var clients: [WireClient] = []
        let users = 4
        for number in 0..<users {
            let user = server.nextUser()
            let password = Array(user.password.utf8)
            clients.append(try ServerAccount.client(of: user, on: server))
            let hints =
                server.properties["spool"].map { HintChannel.dovecotSpool(path: $0) }
                ?? server.properties["notify"].map { HintChannel.cyrusSocket(path: $0) }
            let source = IMAPSource(
                ServerAccess(
                    endpoint: Endpoint(host: "127.0.0.1", port: proxy.port), security: .plaintext, user: user.name,
                    secret: { password }), hints: hints)
            let account = try bench.vault.addAccount(
                "u\(number)@example.org", sources: ["imap://u\(number)@x"], using: &bench.generator)
            captured.append((account, AnySource(source)))
            loads.append(Load(server, user, operations / users, clients: 2))
        }
        var options = RealtimeOptions()
        options.retryMilliseconds = 20
        // What no hint told of is found by a sweep.
        options.sweepMilliseconds = 2_000
        let scanner = try RealtimeScanner(bench.vault, captured, options: options)
        let waker = Mutex<(@Sendable () -> Void)?>(nil)
        var passes = 0
        var looks = 0
        var end: Deadline?
        var wrong: [String] = []
        var isReady = false
        try scanner.run(
            isStopped: {
                guard isReady, loads.allSatisfy(\.isDone) else { return false }
                looks += 1
                if end == nil { end = .after(milliseconds: 120_000) }
                do {
                    wrong = []
                    for (place, (account, _)) in captured.enumerated() {
                        let (is_, should) = (try bench.captured(account), try truth(clients[place]))
                        wrong += is_.subtracting(should).map { "\(place) has \($0)" }
                        wrong += should.subtracting(is_).map { "\(place) has not \($0)" }
                    }
                } catch { wrong = ["\(error)"] }
                // Whatever was missed is found by a sweep; what is not by many of them is lost. On a machine that has no
                // time for it, there are few in a minute.
                return wrong.isEmpty || looks >= 40 && end.map(\.hasPassed) ?? true
            },
            waker: { wake in waker.withLock { $0 = wake } },
            report: { event in
                switch event {
                case .ready:
                    isReady = true
                    for load in loads {
                        load.begin(&random) { waker.withLock { $0 }?() }
                    }
                case .recorded:
                    passes += 1
                    if random.chance(cutPercent) { proxy.cut(after: random.number(0..<4_000)) }
                case .failed, .recovered: break
                }
            })
        for load in loads {
            #expect(load.trouble == nil, "\(load.trouble ?? "")")
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(4))")
        let ever = try bench.everCaptured()
        let appended = loads.flatMap(\.appended)
        let unseen = appended.filter { !ever.contains($0) }
        print(
            "\(kind): \(operations) operations, \(passes) passes, \(proxy.cuts) cuts, \(appended.count) appended, \(unseen.count) never seen, \(wrong.count) wrong after \(looks) looks; clients lost \(loads.flatMap(\.lostConnections))"
        )
        if kind == .dovecotLazy { #expect(unseen.isEmpty) }
    }
}
