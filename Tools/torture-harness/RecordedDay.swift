internal import Glibc
internal import RecordingDisk
internal import Synthesis
internal import SystemPackage
internal import TestKit

/// A day of a vault on a file system whose disk remembers every write and every flush, in their order.
final class RecordedDay {
    struct Entry {
        var isFlush: Bool
        var offset: Int
        /// In the log.
        var bytes: Range<Int>
    }

    /// What the program had acknowledged when the log had so many bytes.
    struct Mark {
        var logBytes: Int
        var promised: Promised
    }

    struct Promised {
        var hasVault = false
        var hasAccount = false
        var transactions = 0
        /// A note on the journal that was signed.
        var note: [UInt8]?
        var restored: MailboxContent?
        var isErased = false
    }

    let base: FilePath
    private(set) var entries: [Entry] = []
    private(set) var log: [UInt8] = []
    private(set) var marks: [Mark] = []
    /// The leaf hashes of all that was ever in the journal.
    private(set) var journal: [Substring] = []
    /// What was not as it should be, without any cut.
    private(set) var found: [String] = []

    private let world: World
    private let system: String
    private let disk: FilePath
    private var promised = Promised()
    private var logPath: FilePath { world.scratch.appending("log") }

    init(_ world: World, system: String, _ generator: inout SeededGenerator, worker: String) {
        (self.world, self.system) = (world, system)
        (base, disk) = (world.scratch.appending("base"), world.vault.removingLastComponent())
        let place = world.scratch.appending("device")
        Tree.makeDirectory(disk)
        Tree.write(place, [])
        guard FileSystemImage.make(base, system) else {
            found = ["\(system) cannot be made"]
            return
        }
        let apart = world.scratch.appending("disk-process")
        Tree.makeDirectory(apart)
        let server = Program(worker, vault: world.vault, scratch: apart)
            .start(["work", "disk", base.string, logPath.string, place.string])
        server.says(1, within: 30_000)
        defer {
            // The mounts first: the process that serves the disk ends with the last of them.
            Tree.run("/bin/umount", [disk.string])
            Tree.run("/bin/umount", ["-l", place.string])
            _ = server.end(within: 60_000)
        }
        guard Tree.run("/bin/mount", ["-o", "loop", place.string, disk.string]) == 0 else {
            found = ["the recording disk cannot be mounted"]
            return
        }
        live(&generator)
        log = Tree.read(logPath) ?? []
        read()
    }

    // MARK: The day

    private func live(_ generator: inout SeededGenerator) {
        var mailbox = ChangingMailbox(world.mail)
        let other = MaildirFixture(world.place.appending("Other"))
        for number in 0..<5 {
            other.deliver("", "\(number).x:2,S", "Subject: \(number)\n\nerased \(generator.next())\n")
        }
        for folder in [".Box", ".Trash"] { world.mail.makeFolder(folder) }
        mailbox.change(20, &generator)
        run(["init"]) { $0.hasVault = true }
        run(["account", "add", "anna@example.org", "--source", "maildir:\(world.source)"]) { $0.hasAccount = true }
        run(["account", "add", "bert@example.org", "--source", "maildir:\(other.path)"])
        run(["scan", "--json"])
        var rest = ["erase", "restore"]
        for _ in 0..<generator.number(8..<13) {
            let verb = generator.element(
                ["scan", "scan", "scan", "watch", "seal", "rebuild", "checkpoint", "check"] + rest + rest)
            rest.removeAll { $0 == verb }
            mailbox.change(generator.element([1, 5, 30]), &generator)
            switch verb {
            case "watch": watch(&mailbox, &generator)
            case "seal": run(["work", "seal", "--rounds", "\(generator.number(10..<60))"], isWork: true)
            case "check": run(["check", "--read-data", "--json"])
            case "checkpoint":
                let note = disk.appending("note")
                run(["checkpoint", "--output", note.string, "--json"]) { $0.note = Tree.read(note) }
            case "erase":
                run(["purge", "--erase", "bert@example.org", "--yes", "--empty-quarantine", "--json"]) {
                    $0.isErased = true
                }
            case "restore":
                let out = disk.appending("out")
                run(["restore", "account", "anna", "--to", "maildir:\(out)", "--json"]) {
                    $0.restored = MailboxContent(readingMaildir: out.string)
                }
            default: run([verb, "--json"])
            }
        }
        mailbox.change(5, &generator)
        run(["scan", "--json"])
        guard let lines = world.journal() else {
            found.append("the journal cannot be read")
            return
        }
        journal = lines
    }

    /// Runs one command to its end; what it says while it works is acknowledged when it has been seen.
    private func run(_ arguments: [String], isWork: Bool = false, _ keep: (inout Promised) -> Void = { _ in }) {
        let child = (isWork ? world.worker : world.program).start(arguments)
        var seen = 0
        while child.isAtWork(for: 1) {
            if isWork { acknowledge(child, &seen) }
        }
        let answer = child.end(within: 600_000)
        guard answer.status == 0 else {
            found.append("\(arguments[0]): \(answer.brief)")
            return
        }
        let number = PowerCut.acknowledged(answer.text)
        promised.transactions = max(promised.transactions, number, world.journal()?.count ?? 0)
        keep(&promised)
        mark()
    }

    private func watch(_ mailbox: inout ChangingMailbox, _ generator: inout SeededGenerator) {
        let child = world.program.start(["watch", "--json"])
        child.says(1, within: 2_000)
        var seen = 0
        acknowledge(child, &seen)
        for _ in 0..<3 {
            mailbox.change(generator.number(1..<6), &generator)
            for _ in 0..<40 where child.isAtWork(for: 5) { acknowledge(child, &seen) }
        }
        // Without a farewell: its file system lives on.
        child.kill(after: 0)
        _ = child.end(within: 60_000)
    }

    private func acknowledge(_ child: Program.Child, _ seen: inout Int) {
        let said = Tree.read(child.output) ?? []
        guard said.count > seen else { return }
        seen = said.count
        let number = PowerCut.acknowledged(String(decoding: said, as: UTF8.self))
        guard number > promised.transactions else { return }
        promised.transactions = number
        mark()
    }

    private func mark() {
        var about = stat()
        guard stat(logPath.string, &about) == 0 else { return }
        marks.append(Mark(logBytes: Int(about.st_size), promised: promised))
    }

    // MARK: What was recorded

    private func read() {
        var place = 0
        let head = MemoryLayout<recorded_write>.size
        while place + head <= log.count {
            let entry = log.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: recorded_write.self) }
            place += head
            entries.append(
                Entry(
                    isFlush: entry.kind == UInt32(RECORDED_FLUSH), offset: Int(entry.offset),
                    bytes: place..<place + Int(entry.count)))
            place += Int(entry.count)
        }
    }

    /// What had been acknowledged when no more than the first `count` entries were written.
    func promised(before count: Int) -> Promised {
        let end = count == 0 ? 0 : entries[count - 1].bytes.upperBound
        return marks.last { $0.logBytes <= end }?.promised ?? Promised()
    }
}
