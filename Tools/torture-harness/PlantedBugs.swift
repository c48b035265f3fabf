internal import SystemPackage
internal import TestKit

/// M1 without building anything: a bug that forgets a call, or does it by half, or writes a wrong bit, looks from outside like a system call that
/// lies. The shim tells the lie; a day is lived with it, and what every harness asks afterwards must not be answered well.
public enum PlantedBugs {
    /// `CALL:PART:HOW` (`Tools/torture-shim/shim.c`), each caught on every run.
    static let lies = [
        "pwrite:journal/segments/0:skip", "pwrite:journal/segments/0:half", "pwrite:journal/segments/0:flip",
        "pwrite:journal/segments/sealing:skip", "pwrite:journal/segments/sealing:half",
        "pwrite:journal/segments/sealing:flip", "pwrite:journal/lmdb/data.mdb:skip",
        "pwrite:journal/lmdb/data.mdb:half",
        "pwrite:journal/lmdb/data.mdb:flip", "writev:journal/lmdb/data.mdb:skip", "writev:journal/lmdb/data.mdb:half",
        "writev:journal/lmdb/data.mdb:flip", "pwrite:blobs/packs/0:skip", "pwrite:blobs/packs/0:half",
        "pwrite:blobs/packs/0:flip", "pwrite:blobs/index/data.mdb:skip", "pwrite:blobs/index/data.mdb:flip",
        "writev:blobs/index/data.mdb:skip", "writev:blobs/index/data.mdb:half", "pwrite:projections/data.mdb:skip",
        "pwrite:projections/data.mdb:flip", "writev:projections/data.mdb:skip", "writev:projections/data.mdb:half",
        "pwrite:checkpoints/.newest:skip", "pwrite:checkpoints/.newest:half", "pwrite:checkpoints/.newest:flip",
        "pwrite:checkpoints/.key.pub:flip", "rename:checkpoints/key.pub:skip", "rename:journal/segments:skip",
        "rename:/out/:skip",
    ]

    public static func run(_ tools: World.Tools, count: Int?, seed: UInt64, isLoud: Bool = true) -> Report {
        let report = Report("M1 planted in calls", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        let chosen = count.map { Array(lies.shuffled(using: &generator).prefix($0)) } ?? lies
        for lie in chosen {
            let found = caught(lie, World(tools, "planted"))
            report.end(lie, found == nil ? ["NOT CAUGHT"] : [])
            if let found { report.say("  \(lie): caught: \(found.prefix(140))") }
        }
        return report
    }

    /// By what the bug is noticed; nil when it is not.
    private static func caught(_ lie: String, _ world: World) -> String? {
        var struck = 0
        for step in ScriptedDay.steps(world, isShort: true) where !step.isDamaged {
            guard !["large scan", "rebuild", "rebuild --verify", "restore into the mailbox"].contains(step.name) else {
                continue
            }
            step.before(world)
            var environment = world.shim.environment(0)
            environment["SHIM_LIE"] = lie
            let answer = (step.isWork ? world.worker : world.program).run(step.arguments, environment: environment)
            struck += world.shim.counted.struck
            guard answer.status == 0 else { return "\(step.name): \(answer.brief)" }
            if step.name == "restore", let difference = world.differences().first { return difference }
        }
        guard struck > 0 else { return nil }
        let verified = world.program.run("verify-log", "--json")
        if verified.status != 0 { return "verify-log: \(verified.brief)" }
        return world.holds(world.journal() ?? []).first
    }
}
