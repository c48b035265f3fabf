internal import Glibc
internal import SystemPackage
internal import TestKit

/// D3: the vault lives on a file system in a file. While the program works the file system is shut down without writing back anything
/// (FS_IOC_SHUTDOWN), as if its power had been cut, and mounted again.
public enum PowerCut {
    /// `_IOR('X', 125, uint32_t)`
    private static let shutdown: UInt = 0x8004_587D

    /// Whether such a file system can be made and mounted here.
    public static func isPossible(_ system: String) -> Bool {
        let scratch = Scratch("mount", isVolatile: true)
        let (image, place) = (scratch.appending("image"), scratch.appending("place"))
        Tree.makeDirectory(place)
        Tree.write(image, [])
        Tree.truncate(image, to: 320 << 20)
        guard Tree.exists(FilePath(maker(system))),
            Tree.run(maker(system), [system == "xfs" ? "-q" : "-qF", image.string]) == 0,
            Tree.run("/bin/mount", ["-o", "loop", image.string, place.string]) == 0
        else { return false }
        return Tree.run("/bin/umount", [place.string]) == 0
    }

    private static func maker(_ system: String) -> String { system == "xfs" ? "/sbin/mkfs.xfs" : "/sbin/mkfs.ext4" }

    public static func run(_ tools: World.Tools, system: String, count: Int, seed: UInt64, isLoud: Bool = true)
        -> Report
    {
        let report = Report("D3 power cuts on \(system)", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        let world = World(tools, "power", isApart: true)
        let image = world.scratch.appending("image")
        let disk = world.vault.removingLastComponent()
        let make = maker(system)
        func mount() -> Bool { Tree.run("/bin/mount", ["-o", "loop", image.string, disk.string]) == 0 }
        Tree.makeDirectory(disk)
        var number = 0
        while number < count {
            // A new file system now and then: the first moments of a vault matter as much as the later ones.
            Tree.remove(image)
            Tree.write(image, [])
            Tree.truncate(image, to: 320 << 20)
            guard Tree.run(make, [system == "xfs" ? "-q" : "-qF", image.string]) == 0, mount() else {
                report.end(
                    "a file system",
                    ["\(system) cannot be made or mounted: needs root, a loop device and mkfs.\(system)"])
                return report
            }
            defer { Tree.run("/bin/umount", ["-l", disk.string]) }
            world.program.run("init")
            world.program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
            var journal = world.journal() ?? []
            for _ in 0..<min(50, count - number) {
                number += 1
                for _ in 0..<generator.element([3, 10, 40]) {
                    world.mail.deliver(
                        "", "\(generator.next()).x:2,S",
                        "Subject: \(number)\n\n" + String(repeating: "text ", count: generator.element([2, 900])))
                }
                let verb = generator.element(["scan", "watch", "scan", "seal", "rebuild", "checkpoint"])
                let child =
                    verb == "seal"
                    ? world.worker.start(["work", "seal", "--rounds", "400"])
                    : world.program.start(verb == "rebuild" ? [verb] : [verb, "--json"])
                // Mostly while it acknowledges, sometimes before.
                if generator.chance(60) { child.says(generator.number(1..<20), within: 1_000) }
                usleep(UInt32(generator.number(2_000..<generator.element([30_000, 120_000, 400_000]))))
                // What was said by now counts; what is said after the cut does not.
                let said = String(decoding: Tree.read(child.output) ?? [], as: UTF8.self)
                let descriptor = disk.withPlatformString { open($0, O_RDONLY) }
                var flags: UInt32 = generator.chance(70) ? 2 : 1
                let code = ioctl(descriptor, shutdown, &flags)
                let problem = errno
                close(descriptor)
                child.kill(after: 0)
                let answer = child.end(within: 60_000)
                guard code == 0 else {
                    report.end("cut \(number)", ["FS_IOC_SHUTDOWN: errno \(problem)"])
                    return report
                }
                report.count(answer.status == 137 ? "cut at work" : "ended before")
                guard Tree.run("/bin/umount", [disk.string]) == 0, mount() else {
                    report.end("cut \(number)", ["it cannot be mounted again"])
                    return report
                }
                // A mount namespace that was made meanwhile keeps the one that was shut down: there is nothing to be seen here.
                let probe = disk.appending("probe")
                guard probe.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno != EIO else {
                    report.count("held by another mount namespace")
                    break
                }
                Tree.remove(probe)
                var found = world.holds(journal, maySetAside: true)
                let now = world.journal() ?? []
                let acknowledged = PowerCut.acknowledged(said)
                if acknowledged > now.count {
                    found.append("@\(acknowledged) was acknowledged, the journal ends at @\(now.count)")
                }
                if acknowledged > 0 { report.count("with an acknowledgement") }
                report.end("cut \(number), \(verb), flags \(flags)", found)
                journal = now
                if report.isFull { return report }
            }
            // The mailbox is emptied with the vault.
            for name in Tree.names(world.source.appending("cur")) {
                Tree.remove(Tree.child(world.source.appending("cur"), name))
            }
        }
        return report
    }

    /// The newest transaction that a program said it had written.
    static func acknowledged(_ said: String) -> Int {
        guard let end = said.lastIndex(of: "\n") else { return 0 }
        return said[..<end].split(separator: "\n").compactMap { line -> Int? in
            for word in ["acknowledged ", "\"last_txid\":"] {
                if let place = line.firstRange(of: word) {
                    return Int(line[place.upperBound...].prefix { $0 >= "0" && $0 <= "9" })
                }
            }
            return nil
        }.max() ?? 0
    }
}
