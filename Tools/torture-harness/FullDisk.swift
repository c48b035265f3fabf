internal import Glibc
internal import SystemPackage
internal import TestKit

/// D9: disks that get full a little later each time, and are then freed.
public enum FullDisk {
    public static func run(_ tools: World.Tools, count: Int, seed: UInt64, isLoud: Bool = true) -> Report {
        let report = Report("D9 full disks", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        let verbs = [
            ["scan", "--json"], ["rebuild"], ["checkpoint", "--json"], ["check", "--read-data", "--json"],
            ["scan", "--json"],
        ]
        let sizes = 250
        for number in 0..<count {
            let world = World(tools, "disk")
            Tree.makeDirectory(world.vault)
            guard Tree.run("/bin/mount", ["-t", "tmpfs", "-o", "size=128m", "none", world.vault.string]) == 0 else {
                report.end("disk \(number)", ["a tmpfs cannot be mounted: needs root"])
                return report
            }
            defer { Tree.run("/bin/umount", ["-l", world.vault.string]) }
            func resize(_ bytes: Int) { Tree.run("/bin/mount", ["-o", "remount,size=\(bytes)", world.vault.string]) }
            func deliver(_ numbers: Range<Int>) {
                for number in numbers {
                    world.mail.deliver(
                        [], Array("\(number).x:2,S".utf8), generator.bytes(generator.element([100, 3_000, 20_000])),
                        modified: 1_700_000_000)
                }
            }
            world.program.run("init")
            world.program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
            deliver(0..<20)
            world.program.run("scan")
            let before = world.journal() ?? []
            deliver(20..<120)
            var space = statvfs()
            _ = world.vault.withPlatformString { statvfs($0, &space) }
            let used = Int(space.f_blocks - space.f_bfree) * Int(space.f_bsize)
            // A page more each time, until all fits; then from the beginning, each with another verb.
            let left = number % sizes * 4_096
            resize(used + left)
            let verb = verbs[(number + number / sizes) % verbs.count]
            let answer = world.program.run(verb)
            report.count("exit \(answer.status)")
            var found: [String] = []
            if ![0, 13].contains(answer.status) { found.append("\(verb[0]) on the full disk: \(answer.brief)") }
            for question in [["ls", "anna", "--json"], ["log", "dump"]] {
                let read = world.program.run(question)
                // Projections are made anew when a reader wants them, and that wants space.
                if ![0, 13].contains(read.status) { found.append("\(question[0]) on the full disk: \(read.brief)") }
            }
            resize(128 << 20)
            report.end("disk \(number), \(left) bytes left, \(verb[0])", found + world.holds(before, maySetAside: true))
            if report.isFull { break }
        }
        return report
    }
}

/// The vault's file system is mounted to be read only: questions are answered as before, what writes is refused with a word on why.
public enum ReadOnlyMount {
    public static func run(_ tools: World.Tools, seed: UInt64, isLoud: Bool = true) -> Report {
        let report = Report("read-only mount", tools, seed: seed, isLoud: isLoud)
        let world = World(tools, "read-only")
        Tree.makeDirectory(world.vault)
        guard Tree.run("/bin/mount", ["-t", "tmpfs", "-o", "size=64m", "none", world.vault.string]) == 0 else {
            report.end("the mount", ["a tmpfs cannot be mounted: needs root"])
            return report
        }
        defer { Tree.run("/bin/umount", ["-l", world.vault.string]) }
        for number in 0..<10 { world.mail.deliver("", "\(number).x:2,S", "Subject: \(number)\n\nbody\n") }
        world.program.run("init")
        world.program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
        world.program.run("scan")
        let questions = [
            ["ls", "anna", "--json"], ["log", "dump"], ["show", "anna", "m3", "--json"], ["cat", "anna", "m3"],
        ]
        let before = questions.map { world.program.run($0) }
        Tree.run("/bin/mount", ["-o", "remount,ro", world.vault.string])
        for (question, right) in zip(questions, before) {
            let now = world.program.run(question)
            report.end(question[0], now.status == 0 && now.output == right.output ? [] : [now.brief])
        }
        let out = world.place.appending("out")
        let restore = world.program.run("restore", "account", "anna", "--to", "maildir:\(out)")
        report.count("restore ends with \(restore.status)")
        let check = world.program.run("check", "--read-data", "--json")
        report.end("check", [0, 12, 13].contains(check.status) ? [] : [check.brief])
        report.count("check ends with \(check.status)")
        for verb in ["scan", "rebuild", "checkpoint"] {
            let answer = world.program.run(verb)
            report.end(
                verb, [12, 13].contains(answer.status) && answer.error.contains("yestermail:") ? [] : [answer.brief])
        }
        Tree.run("/bin/mount", ["-o", "remount,rw", world.vault.string])
        report.end("writable again", world.holds(world.journal() ?? [], maySetAside: true))
        return report
    }
}
