internal import Synthesis
internal import SystemPackage
internal import TestKit

/// I4 and I5: at random points in time, the state by the projections is the fold of the journal, what is restored is what the mailbox was, and
/// what is restored and captured again by another vault is the same once more. Projections made anew are the ones there were.
public enum TimePoints {
    public static func run(_ tools: World.Tools, count: Int, seed: UInt64, isLoud: Bool = true) -> Report {
        let report = Report("I4/I5 points in time", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        let world = World(tools, "points")
        let folders = ["", ".Box", ".Trash"]
        for folder in folders.dropFirst() { world.mail.makeFolder(folder) }
        world.program.run("init")
        world.program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
        var contents: [Int: MailboxContent] = [:]
        var files: [(folder: String, name: String)] = []
        for round in 0..<25 {
            for number in 0..<generator.number(1..<12) {
                let what = files.count < 5 ? 0 : generator.number(0..<6)
                let index = files.isEmpty ? 0 : generator.number(0..<files.count)
                switch what {
                case 0..<3:
                    files.append((generator.element(folders), "\(round)-\(number).x:2,S"))
                    world.mail.deliver(files.last!.folder, files.last!.name, "Subject: \(generator.next())\n\nbody\n")
                case 3:
                    let folder = generator.element(folders)
                    world.mail.move(files[index].folder, files[index].name, to: folder)
                    files[index].folder = folder
                case 4:
                    let name =
                        files[index].name.prefix { $0 != ":" } + ":2," + generator.element(["", "RS", "FS", "F"])
                    world.mail.move(files[index].folder, files[index].name, to: nil, String(name))
                    files[index].name = String(name)
                default: world.mail.remove(files[index].folder, files.remove(at: index).name)
                }
            }
            let scan = world.program.run("scan", "--json")
            if scan.status != 0 { report.end("scan \(round)", [scan.brief]) }
            contents[world.journal()?.count ?? 0] = MailboxContent(readingMaildir: world.source.string)
        }
        let head = world.journal()?.count ?? 0
        let ends = contents.keys.sorted()
        guard head > 3, report.findings.isEmpty else {
            report.end("the mailbox's life", ["its journal has \(head) transactions"])
            return report
        }
        let again = Program(
            tools.program, vault: world.place.appending("second"), scratch: world.scratch, library: tools.shim)
        let out = world.place.appending("out2")
        for number in 1...max(1, count) {
            let point = number % 2 == 0 ? generator.element(ends) : generator.number(3..<head + 1)
            var found: [String] = []
            if number % 20 == 0 {
                Tree.remove(world.vault.appending("projections"))
                report.count("projections made anew")
            }
            let replay = world.program.run("replay", "anna", "--at", "@\(point)", "--verify")
            if replay.status != 0 { found.append("replay --verify: \(replay.brief)") }
            if number % 20 == 0 {
                let rebuild = world.program.run("rebuild", "--verify")
                if rebuild.status != 0 { found.append("rebuild --verify: \(rebuild.brief)") }
            }
            Tree.remove(world.out)
            let restore = world.program.run(
                "restore", "account", "anna", "--at", "@\(point)", "--to", "maildir:\(world.out)")
            if restore.status != 0 { found.append("restore: \(restore.brief)") }
            let restored = MailboxContent(readingMaildir: world.out.string)
            if let right = contents[point] {
                report.count("held against the mailbox as it was")
                found += restored.differences(from: right).prefix(3)
            }
            if Tree.exists(world.out) {
                Tree.remove(again.vault)
                Tree.remove(out)
                again.run("init")
                again.run("account", "add", "bob@example.org", "--source", "maildir:\(world.out)")
                let scan = again.run("scan")
                let back = again.run("restore", "account", "bob", "--to", "maildir:\(out)")
                if scan.status != 0 || back.status != 0 { found.append("captured again: \(scan.brief) \(back.brief)") }
                found += MailboxContent(readingMaildir: out.string).differences(from: restored).prefix(3)
                report.count("captured again")
            }
            report.end("point \(number), @\(point)", found)
            if report.isFull { break }
        }
        return report
    }
}
