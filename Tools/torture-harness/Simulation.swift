internal import Blobs
internal import Capture
internal import Connectors
internal import Events
internal import Files
internal import Journal
internal import Projections
internal import Restore
internal import SystemPackage
internal import TestKit
internal import Vault

/// S1: days of a mailbox and its vault in one process, driven by one thread: a source in memory, a clock that is set, and a seed from which
/// everything follows. Scans, deletions, moves, sources that fail in the middle, ends without a farewell, flipped bits and repairs, rebuilds, clocks that jump;
/// after each step the vault is held against what was remembered beside it.
public enum Simulation {
    /// `count` runs, each of some days, with the seeds from `seed` on.
    public static func run(_ tools: World.Tools, count: Int, seed: UInt64, isLoud: Bool = true) -> Report {
        let report = Report("S1 simulated days", tools, seed: seed, isLoud: isLoud)
        for number in 0..<max(1, count) {
            let seed = seed &+ UInt64(number)
            do {
                var life = try SimulatedLife(seed: seed)
                try life.run(report)
                report.end("seed \(seed)", life.found)
            } catch { report.end("seed \(seed)", ["it throws: \(error)"]) }
            if report.isFull { break }
        }
        return report
    }
}

/// One run.
private struct SimulatedLife {
    private typealias Snapshot = [String: Int]

    private let scratch = Scratch("simulation", isVolatile: true)
    private let clock = TestClock(step: 1_000)
    private let source = MemorySource(hasUniqueNames: true) { $0.add("INBOX") }
    private var generator: SeededGenerator
    private var account: Account
    private var open: OpenVault?
    private var last = 0
    /// What the mailbox was when a scan had seen all of it.
    private var points: [(head: TransactionID, content: Snapshot)] = []
    private var head = TransactionID.beginning
    private var began: Timestamp
    private(set) var found: [String] = []

    private var path: FilePath { scratch.appending("vault") }

    init(seed: UInt64) throws {
        generator = SeededGenerator(seed: seed)
        began = clock.now
        try OpenVault.create(scratch.appending("vault"), clock: clock.wall, using: &generator)
        let vault = try OpenVault(scratch.appending("vault"), clock: clock.wall)
        account = try vault.addAccount("anna@example.org", sources: ["maildir:/nowhere"], using: &generator)
        open = vault
    }

    private mutating func vault() throws -> OpenVault {
        if let open { return open }
        let fresh = try OpenVault(path, clock: clock.wall)
        open = fresh
        return fresh
    }

    mutating func run(_ report: Report) throws {
        var microseconds: Int64 = 0
        let steps = generator.number(20..<45)
        for step in 0..<steps where found.isEmpty {
            let passed = Int64(generator.number(60..<21_600))
            clock.advance(seconds: passed)
            microseconds += passed * 1_000_000
            let what = generator.number(0..<100)
            do {
                switch what {
                case 0..<50:
                    change(generator.number(1..<8))
                    try scan(report)
                case 50..<58: try failingScan(report)
                case 58..<66: crash(report)
                case 66..<72: try damage(report)
                case 72..<80: try rebuild(report)
                case 80..<88: try look(report)
                case 88..<93: try restore(report)
                case 93..<96:
                    // A battery that was empty, a time zone that was set wrong, a server of time that lies.
                    clock.advance(seconds: Int64(generator.element([-86_400 * 400, -3_600, 3_600, 86_400 * 30])))
                    report.count("clock jumps")
                default: change(generator.number(5..<30))
                }
            } catch { found.append("step \(step) (\(what)): \(error)") }
        }
        if found.isEmpty {
            try scan(report)
            try look(report)
            try check()
        }
        open = nil
        report.count("simulated hours", Int(microseconds / 3_600_000_000))
    }

    // MARK: The mailbox

    private mutating func change(_ count: Int) {
        for _ in 0..<count {
            let what = generator.number(0..<100)
            let names = source.change { $0.folders.map { String(decoding: $0.name, as: UTF8.self) } }
            let folder = generator.element(names)
            let messages = source.change { $0[folder].messages.map { String(decoding: $0.name, as: UTF8.self) } }
            if what < 45 || messages.isEmpty && what < 85 {
                last += 1
                let text =
                    "Subject: \(last)\n\n"
                    + String(repeating: "line \(generator.number(0..<50))\n", count: generator.element([1, 4, 300]))
                let message = MemorySource.Message(
                    "\(last)", text, MessageFlags(rawValue: UInt8(generator.number(0..<8))))
                source.change { $0[folder].messages.append(message) }
            } else if what < 60 {
                let name = generator.element(messages)
                source.change { _ = $0.take(name, from: folder) }
            } else if what < 72 {
                let (name, other) = (generator.element(messages), generator.element(names))
                source.change { contents in
                    let message = contents.take(name, from: folder)
                    contents[other].messages.append(message)
                }
            } else if what < 85 {
                let (name, flags) = (
                    generator.element(messages), MessageFlags(rawValue: UInt8(generator.number(0..<16)))
                )
                source.change { contents in
                    if let index = contents[folder].messages.firstIndex(where: { $0.name == Array(name.utf8) }) {
                        contents[folder].messages[index].flags = flags
                    }
                }
            } else if what < 92, names.count < 6 {
                last += 1
                let name = "Folder \(last)"
                source.change { $0.add(name) }
            } else if folder != "INBOX" {
                last += 1
                let name = "Renamed \(last)"
                if generator.chance(60) {
                    source.change { $0.rename(folder, to: name) }
                } else {
                    source.change { $0.remove(folder) }
                }
            }
        }
    }

    private func content() -> Snapshot {
        var snapshot: Snapshot = [:]
        for folder in source.change({ $0.folders }) {
            for message in folder.messages {
                snapshot[
                    SimulatedLife.line(folder.path, Digest(hashing: message.bytes.span.bytes), message.flags),
                    default: 0] += 1
            }
        }
        return snapshot
    }

    private static func line(_ path: [[UInt8]], _ digest: Digest, _ flags: MessageFlags) -> String {
        path.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/") + " \(digest.hex) \(flags.rawValue)"
    }

    // MARK: What happens to the vault

    private mutating func scan(_ report: Report) throws {
        let vault = try vault()
        let pass: PassReport
        do {
            pass = try SmartScan(vault, account, source).run()
        } catch let failure as Failure where failure.code == .refused {
            // Everything gone at once is not believed.
            report.count("scans that did not believe what they saw")
            return
        }
        report.count("scans")
        try mark(vault, isComplete: pass.isComplete)
    }

    private mutating func mark(_ vault: OpenVault, isComplete: Bool) throws {
        let now = try vault.journal.head().transaction
        if now < head { found.append("the journal was \(head) long, and is \(now)") }
        head = now
        if isComplete { points.append((now, content())) }
    }

    private mutating func failingScan(_ report: Report) throws {
        change(3)
        let vault = try vault()
        let name = generator.element(source.change { $0.folders.map(\.name) })
        let kind = generator.number(0..<3)
        source.change { contents in
            guard let index = contents.folders.firstIndex(where: { $0.name == name }) else { return }
            switch kind {
            case 0: contents.foldersFailure = .unavailable("the source")
            case 1: contents.folders[index].listFailure = .unreadable(code: 5, "the folder")
            default:
                for message in contents.folders[index].messages.indices {
                    contents.folders[index].messages[message].vanishes = true
                }
            }
        }
        // What it could not see is no point in time; whether it throws or says so is told by the tests of capture.
        let pass = try? SmartScan(vault, account, source).run()
        source.change { contents in
            contents.foldersFailure = nil
            for folder in contents.folders.indices {
                contents.folders[folder].listFailure = nil
                for message in contents.folders[folder].messages.indices {
                    contents.folders[folder].messages[message].vanishes = false
                }
            }
        }
        report.count("scans with a failing source")
        _ = pass
        try mark(vault, isComplete: false)
    }

    /// The process is gone, and could not say that it went: its marks are still there. Sometimes in the middle of a scan.
    private mutating func crash(_ report: Report) {
        change(4)
        if generator.chance(60), let open {
            let listings = source.change { $0.listings }
            let most = generator.number(1..<4)
            source.change { contents in
                contents.afterListing = { number, contents in
                    if number >= listings + most { contents.foldersFailure = .unavailable("gone") }
                    if number >= listings + most {
                        for index in contents.folders.indices {
                            contents.folders[index].listFailure = .unreadable(code: 5, "gone")
                        }
                    }
                }
            }
            // It dies of it.
            _ = try? SmartScan(open, account, source).run()
            source.change { contents in
                contents.afterListing = nil
                contents.foldersFailure = nil
                for index in contents.folders.indices { contents.folders[index].listFailure = nil }
            }
        }
        let (state, kept) = (path.appending("state"), scratch.appending("state"))
        Tree.remove(kept)
        Tree.copy(state, to: kept)
        open = nil
        Tree.remove(state)
        Tree.copy(kept, to: state)
        report.count("ends without a farewell")
    }

    private mutating func damage(_ report: Report) throws {
        _ = try vault()
        open = nil
        let places = ["journal/lmdb", "journal/segments", "blobs/packs", "blobs/index", "projections", "checkpoints"]
        let directory = path.appending(generator.element(places))
        let names = Tree.names(directory).filter { $0 != Array("lock.mdb".utf8) }
        guard !names.isEmpty else { return }
        let file = Tree.child(directory, generator.element(names))
        guard let bytes = Tree.read(file), !bytes.isEmpty else { return }
        let (byte, bit) = (generator.number(0..<bytes.count), generator.number(0..<8))
        Tree.flip(file, byte: byte, bit: bit)
        var losses: [RepairNote] = []
        try VaultRepair.run(path, clock: clock.wall) { if $0.isLoss { losses.append($0) } }
        if !losses.isEmpty { found.append("\(file), byte \(byte) bit \(bit): \(losses)") }
        report.count("flipped bits")
        try mark(vault(), isComplete: false)
    }

    private mutating func rebuild(_ report: Report) throws {
        let vault = try vault()
        let before = try vault.projections().contentDigest()
        if try vault.rebuildProjections().contentDigest() != before { found.append("projections made anew differ") }
        report.count("rebuilds")
    }

    // MARK: What must hold

    private mutating func look(_ report: Report) throws {
        guard !points.isEmpty else { return }
        let vault = try vault()
        for point in [points[points.count - 1], generator.element(points)] {
            var pointers: [ItemPointer] = []
            try vault.projections().pointers(account.number, asOf: point.head) {
                if !$0.pointer.isDeleted { pointers.append($0) }
            }
            var fold = AccountFold(account: account.number)
            try fold.fold(vault.journal, through: point.head)
            if fold.live() != pointers { found.append("fold and projections differ as of \(point.head)") }
            var folders: [UInt32: [[UInt8]]] = [:]
            var messages: [MessageState] = []
            try vault.journal.states(pointers) { recorded in
                if let folder = recorded.state.folder { folders[recorded.item.number] = folder.path }
                if let message = recorded.state.message { messages.append(message) }
            }
            var now: Snapshot = [:]
            for message in messages {
                let line = SimulatedLife.line(folders[message.folder] ?? [], message.digest ?? .zero, message.flags)
                now[line, default: 0] += 1
            }
            if now != point.content {
                let difference = Set(now.keys).symmetricDifference(point.content.keys).sorted().prefix(3)
                found.append("as of \(point.head) the mailbox is another: \(Array(difference))")
            }
            report.count("points looked at")
        }
    }

    private mutating func restore(_ report: Report) throws {
        guard !points.isEmpty else { return }
        let (vault, point, out) = (try vault(), generator.element(points), scratch.appending("out"))
        Tree.remove(out)
        let operation = UniqueID(using: &generator)
        let request = RestoreRequest(
            account: account, point: point.head, selection: .account(deletedSince: nil),
            target: .maildir(path: out.string))
        let plan = try RestorePlanner.plan(vault, request)
        let outcome = try RestoreRun(vault, plan, operation: operation).run()
        var now: [String: Int] = [:]
        func collect(_ directory: FilePath) {
            for name in Tree.names(directory) {
                let path = Tree.child(directory, name)
                if let bytes = Tree.read(path) {
                    let parent = directory.lastComponent?.string ?? ""
                    if parent == "cur" || parent == "new" {
                        now[Digest(hashing: bytes.span.bytes).hex, default: 0] += 1
                    }
                } else {
                    collect(path)
                }
            }
        }
        collect(out)
        var right: [String: Int] = [:]
        for (line, count) in point.content {
            let words = line.split(separator: " ")
            right[String(words[words.count - 2]), default: 0] += count
        }
        if now != right {
            let difference = Set(now.keys).symmetricDifference(right.keys).sorted().prefix(3)
            found.append("restored as of \(point.head): \(Array(difference)) differ; \(outcome)")
        }
        report.count("restores")
        try mark(vault, isComplete: false)
    }

    private mutating func check() throws {
        let vault = try vault()
        _ = try vault.journal.verify { finding in found.append("check: \(finding)") }
        var options = BlobCheckOptions()
        options.threads = 1
        try vault.blobs.check(options, report: { found.append("check: \($0)") })
        let digests = try vault.verifyProjections()
        if digests.present != digests.rebuilt { found.append("check: the projections are not what the journal gives") }
    }
}
