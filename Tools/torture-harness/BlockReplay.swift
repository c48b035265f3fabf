internal import Glibc
internal import RecordingDisk
internal import Synthesis
internal import SystemPackage
internal import TestKit

/// D4 and D5: the block writes of days are recorded (`RecordedDay`). A disk that lost its power at some moment has all that was written before its
/// last flush that had ended, and of what came later anything: all of it, nothing, some of the writes, some of their sectors. Such disks are made,
/// mounted, and asked what is asked after every case. What was acknowledged before that moment is there.
public enum BlockReplay {
    /// Nil when it can be done here, else why not.
    public static func obstacle(_ system: String) -> String? {
        if geteuid() != 0 { return "needs root" }
        let descriptor = open("/dev/fuse", O_RDWR | O_CLOEXEC)
        if descriptor < 0 { return "needs /dev/fuse" }
        close(descriptor)
        return PowerCut.isPossible(system) ? nil : "needs a loop device and mkfs.\(system)"
    }

    /// Serves the recording disk until it is unmounted.
    public static func serve(base: String, log: String, at place: String) throws {
        let problem = recording_disk(base, log, place)
        guard problem == 0 else { throw Errno(rawValue: problem) }
    }

    enum Loss: String, CaseIterable { case nothing, all, writes, oneWrite, allButOne, sectors, lastTorn }

    public static func run(
        _ tools: World.Tools, system: String, count: Int, everyPrefix: Bool, seed: UInt64, isLoud: Bool = true
    ) -> Report {
        let report = Report("D4, D5 block writes on \(system)", tools, seed: seed, isLoud: isLoud)
        if let obstacle = obstacle(system) {
            report.end("the recording disk", [obstacle])
            return report
        }
        guard own_mounts() == 0 else {
            report.end("the recording disk", ["no mounts of its own"])
            return report
        }
        var generator = SeededGenerator(seed: seed)
        var number = 0
        repeat {
            number += 1
            let world = World(tools, "blocks", isApart: true)
            let day = RecordedDay(world, system: system, &generator, worker: tools.worker)
            report.count("days")
            report.count("writes", day.entries.count { !$0.isFlush })
            report.count("flushes", day.entries.count { $0.isFlush })
            report.add("day \(number)", day.found)
            if !day.found.isEmpty { break }
            var cases: [(cut: Int, loss: Loss)] = []
            if everyPrefix {
                cases = (0...day.entries.count).map { ($0, .nothing) }
            } else {
                for _ in 0..<min(500, max(1, count - report.cases)) {
                    cases.append(
                        (
                            generator.number(0..<day.entries.count + 1),
                            generator.chance(30) ? .nothing : generator.element(Loss.allCases)
                        ))
                }
                cases.sort { $0.cut < $1.cut }
            }
            var disk = Disk(world, day)
            for (cut, loss) in cases where !report.isFull {
                let comment = "day \(number), \(cut) of \(day.entries.count) entries, lost: \(loss.rawValue)"
                guard disk.mount(cut, loss, &generator) else {
                    // It is the file system's own superblock that is torn.
                    report.count("cannot be mounted")
                    report.end(comment, loss == .nothing || loss == .all ? ["cannot be mounted"] : [])
                    continue
                }
                report.count(loss.rawValue)
                report.end(comment, disk.found(report))
                disk.unmount()
            }
        } while report.cases < count && !everyPrefix && !report.isFull
        return report
    }

    /// What a disk has after a cut, and what the vault on it answers.
    private struct Disk {
        let world: World
        let day: RecordedDay
        let place: FilePath
        /// With all that was flushed before the cut.
        private let durable: FilePath
        private let image: FilePath
        private var flushed = 0
        private var promised = RecordedDay.Promised()

        init(_ world: World, _ day: RecordedDay) {
            (self.world, self.day) = (world, day)
            place = world.vault.removingLastComponent()
            (durable, image) = (world.scratch.appending("durable"), world.scratch.appending("image"))
            Tree.copy(day.base, to: durable)
        }

        /// Cuts grow from one call to the next.
        mutating func mount(_ cut: Int, _ loss: Loss, _ generator: inout SeededGenerator) -> Bool {
            let flush = day.entries[..<cut].lastIndex { $0.isFlush } ?? 0
            write(durable, day.entries[flushed..<max(flush, flushed)].map { ($0.offset, $0.bytes) })
            flushed = max(flush, flushed)
            promised = day.promised(before: cut)
            let later = day.entries[flush..<cut].filter { !$0.isFlush }.map { ($0.offset, $0.bytes) }
            Tree.remove(image)
            Tree.copy(durable, to: image)
            write(image, kept(later, loss, &generator))
            return Tree.run("/bin/mount", ["-o", "loop", image.string, place.string]) == 0
        }

        func unmount() { Tree.run("/bin/umount", [place.string]) }

        private typealias Piece = (offset: Int, bytes: Range<Int>)

        private func kept(_ writes: [Piece], _ loss: Loss, _ generator: inout SeededGenerator) -> [Piece] {
            func sectors(_ piece: Piece) -> [Piece] {
                stride(from: 0, to: piece.bytes.count, by: 512).map { start in
                    let from = piece.bytes.lowerBound + start
                    return (piece.offset + start, from..<min(from + 512, piece.bytes.upperBound))
                }
            }
            guard let last = writes.last else { return [] }
            switch loss {
            case .nothing: return writes
            case .all: return []
            case .writes:
                let percent = generator.element([10, 50, 90])
                return writes.filter { _ in generator.chance(percent) }
            case .oneWrite: return [generator.element(writes)]
            case .allButOne:
                var rest = writes
                rest.remove(at: generator.number(0..<rest.count))
                return rest
            case .sectors:
                let percent = generator.element([10, 50, 90])
                return writes.flatMap(sectors).filter { _ in generator.chance(percent) }
            case .lastTorn:
                let pieces = sectors(last)
                let half = generator.number(0..<pieces.count + 1)
                return writes.dropLast() + (generator.chance(50) ? pieces.prefix(half) : pieces.suffix(half))
            }
        }

        private func write(_ path: FilePath, _ pieces: [Piece]) {
            let descriptor = open(path.string, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { fatalError("open \(path): errno \(errno)") }
            defer { close(descriptor) }
            day.log.withUnsafeBytes { log in
                for (offset, bytes) in pieces where !bytes.isEmpty {
                    guard
                        pwrite(descriptor, log.baseAddress! + bytes.lowerBound, bytes.count, off_t(offset))
                            == bytes.count
                    else { fatalError("write \(path): errno \(errno)") }
                }
            }
        }

        func found(_ report: Report) -> [String] {
            let program = world.program
            var found: [String] = []
            if !promised.hasVault {
                let again = program.run("init")
                if again.status != 0, !again.error.contains("already") { return ["init again: \(again.brief)"] }
            }
            var history: [Substring]? = day.journal
            if promised.transactions == 0, let now = world.journal(), now.first != day.journal.first {
                // A vault that was made just now.
                history = nil
            }
            found += world.holds(
                Array(day.journal.prefix(promised.transactions)), maySetAside: true, within: history)
            if !world.hasAccount {
                if promised.hasAccount { found.append("the account is not there") }
                let add = program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
                if add.status != 0 { found.append("account add: \(add.brief)") }
                found += world.holds([], maySetAside: true)
            }
            if promised.transactions > 0 { report.count("with an acknowledgement") }
            if let note = promised.note {
                let kept = world.scratch.appending("note")
                Tree.write(kept, note)
                let verified = program.run("verify-log", "--checkpoint", kept.string, "--json")
                if verified.status != 0 { found.append("verify-log: \(verified.brief)") }
                // Where the next one was being written it may be there already.
                let there = Tree.read(place.appending("note"))
                if there == nil || !day.marks.contains(where: { $0.promised.note == there }) {
                    found.append("the note is not there, but \(there.map { "\($0.count) bytes" } ?? "nothing")")
                }
            }
            if let restored = promised.restored {
                found += MailboxContent(readingMaildir: place.appending("out").string)
                    .differences(from: restored).prefix(3).map { "restored before the cut: \($0)" }
            }
            let hasOther = program.run("ls", "--json").says("bert@example.org")
            if promised.isErased, hasOther { found.append("what was erased is there") }
            if !promised.isErased, !hasOther, promised.transactions > 0 {
                // It may have begun, and is finished now.
                for verb in [["purge", "--json"], ["check", "--read-data", "--json"]] {
                    let answer = program.run(verb)
                    if answer.status != 0 { found.append("\(verb[0]) after an erasure: \(answer.brief)") }
                }
            }
            return found
        }
    }
}
