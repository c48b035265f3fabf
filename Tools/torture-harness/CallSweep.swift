internal import Glibc
internal import SystemPackage
internal import TestKit

/// D2 and D7: before every system call of a scripted day that writes, the program is killed; or that call fails, once or from then on.
public enum CallSweep {
    /// `halves`: only writes of which half is done. `syncs`: only syncs; one fails, and what was written since the last one is lost,
    /// whatever a later one says.
    public enum Kind: String, Sendable, CaseIterable { case kills, errors, halves, syncs }

    /// Every `stride`th call, beginning at one that `seed` chooses; 1: all. `only`: the steps with that in their names.
    public static func run(
        _ tools: World.Tools, _ kind: Kind, stride: Int, seed: UInt64, only: String? = nil, isLoud: Bool = true
    ) -> Report {
        let name =
            switch kind {
            case .kills: "D2 kill at calls"
            case .syncs: "D8 failing syncs"
            case .errors, .halves: "D7 failing calls"
            }
        let report = Report(name, tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        let world = World(tools, "calls")
        let blows: [Shim.Blow] =
            switch kind {
            case .kills: [.kill]
            case .halves: [.short]
            case .syncs: [.lostSync]
            case .errors:
                [
                    .error(EIO, always: false), .error(ENOSPC, always: false), .error(EINTR, always: false), .short,
                    .error(EIO, always: true), .error(ENOSPC, always: true), .error(EROFS, always: true),
                ]
            }
        for step in ScriptedDay.steps(world, isShort: stride > 1) {
            step.before(world)
            world.keep("before")
            // With damage in it nothing may be read before the step.
            let journal = world.hasVault && !step.isDamaged ? world.journal() : []
            guard let journal else {
                report.end(step.name, ["the journal cannot be read before it"])
                break
            }
            let whole = program(step, world).run(step.arguments, environment: world.shim.environment(0, blows[0]))
            let calls = world.shim.counted.calls
            let found = whole.status == 0 ? [] : ["undisturbed it ends with \(whole.brief)"]
            let isQuiet = calls == 0 && kind != .syncs
            if !found.isEmpty || isQuiet { report.end(step.name, found + (isQuiet ? ["no call was counted"] : [])) }
            world.keep("after")
            world.putBack("before")
            world.keep("before")
            if only.map({ step.name.contains($0) }) ?? true {
                for blow in blows {
                    var at = stride == 1 ? 1 : generator.number(1..<stride + 1)
                    while at <= calls, !report.isFull {
                        world.putBack("before")
                        let comment = "\(step.name), call \(at) of \(calls), \(blow)"
                        report.end(comment, strike(step, at, blow, world, journal, report))
                        at += stride
                    }
                }
            }
            world.putBack("after")
        }
        if kind == .syncs, only.map({ $0 == "watch" }) ?? true { watched(tools, stride, &generator, report) }
        return report
    }

    /// What goes on after a sync that failed must not acknowledge what it lost.
    private static func watched(
        _ tools: World.Tools, _ stride: Int, _ generator: inout SeededGenerator, _ report: Report
    ) {
        let world = World(tools, "watched")
        world.mail.makeFolder(".Box")
        for number in 0..<10 { world.mail.deliver("", "\(number).x:2,S", "Subject: \(number)\n\nbody\n") }
        world.program.run("init")
        world.program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
        world.program.run("scan")
        let before = world.journal() ?? []
        world.keep("before")
        func watch(_ at: Int) -> Program.Answer {
            let child = world.program.start(["watch", "--json"], environment: world.shim.environment(at, .lostSync))
            child.says(1, within: 2_000)
            for round in 0..<4 {
                let said = Tree.read(child.output)?.count ?? 0
                for number in 0..<3 {
                    world.mail.deliverWhole(
                        round % 2 == 0 ? "" : ".Box", "\(round)-\(number).y:2,S",
                        "Subject: \(round) \(number)\n\nbody\n")
                }
                for _ in 0..<100 where (Tree.read(child.output)?.count ?? 0) == said && child.isAtWork(for: 5) {}
            }
            child.interrupt()
            return child.end(within: 60_000)
        }
        let whole = watch(0)
        let calls = world.shim.counted.calls
        if whole.status != 143 && whole.status != 0 || calls == 0 {
            report.end("watch", ["undisturbed, after \(calls) syncs, it ends with \(whole.brief)"])
        }
        var at = stride == 1 ? 1 : generator.number(1..<stride + 1)
        while at <= calls, !report.isFull {
            world.putBack("before")
            world.keep("before")
            let answer = watch(at)
            var found: [String] = []
            if answer.status >= 128, answer.status != 143 { found.append("ended by a signal: \(answer.brief)") }
            report.count(world.shim.counted.struck > 0 ? "watch: exit \(answer.status)" : "not reached")
            found += lost(answer, world)
            report.end("watch, sync \(at) of \(calls)", found + world.holds(before, maySetAside: true))
            at += stride
        }
    }

    private static func lost(_ answer: Program.Answer, _ world: World) -> [String] {
        let (acknowledged, count) = (PowerCut.acknowledged(answer.text), world.journal()?.count ?? 0)
        return acknowledged > count ? ["@\(acknowledged) was acknowledged, the journal ends at @\(count)"] : []
    }

    private static func program(_ step: ScriptedDay.Step, _ world: World) -> Program {
        step.isWork ? world.worker : world.program
    }

    private static func strike(
        _ step: ScriptedDay.Step, _ at: Int, _ blow: Shim.Blow, _ world: World, _ before: [Substring], _ report: Report
    ) -> [String] {
        let answer = program(step, world).run(step.arguments, environment: world.shim.environment(at, blow))
        guard world.shim.counted.struck > 0 else {
            report.count("not reached")
            return []
        }
        var found: [String] = []
        if case .kill = blow {
            if answer.status != 128 + SIGKILL { found.append("killed, but \(answer.brief)") }
        } else {
            switch answer.status {
            case 0: report.count("went on")
            case 128...: found.append("ended by a signal: \(answer.brief)")
            default:
                report.count("exit \(answer.status)")
                if !step.isWork && !answer.error.contains("yestermail:") && !answer.error.contains("\"error\"")
                    && answer.status != 5
                    && answer.status != 3
                {
                    found.append("no message: \(answer.brief)")
                }
            }
        }
        if case .lostSync = blow { found += lost(answer, world) }
        // What a run that is begun again needs.
        if step.name == "init" {
            let again = world.program.run("init")
            if again.status != 0 && !again.error.contains("already") { found.append("init again: \(again.brief)") }
        }
        if step.name == "account add", !world.hasAccount {
            let again = world.program.run(step.arguments)
            if again.status != 0 { found.append("account add again: \(again.brief)") }
        }
        if step.name == "repair" {
            let again = world.program.run(step.arguments)
            if again.status != 0 { found.append("repair again: \(again.brief)") }
        }
        if step.name == "restore" {
            let again = world.program.run(step.arguments)
            if again.status != 0 { found.append("restore again: \(again.brief)") }
            found += world.differences()
        }
        // What it said it has captured has been captured: nothing is left for the next scan.
        if step.captures, answer.status == 0, answer.says("\"complete\":true") {
            let next = world.program.run("scan", "--json")
            if !next.says("\"created\":0,\"moved\":0,\"changed\":0,\"deleted\":0") {
                found.append("acknowledged, but not there: \(next.brief)")
            }
        }
        var maySetAside = step.setsAside
        // What an error leaves behind is verified before the next write; making a part anew is right.
        if case .kill = blow {} else { maySetAside = true }
        return found + world.holds(before, mayRepair: step.isDamaged, maySetAside: maySetAside)
    }
}

extension CallSweep {
    /// Says which calls each step of the day makes.
    public static func list(_ tools: World.Tools) {
        let world = World(tools, "calls")
        for step in ScriptedDay.steps(world, isShort: false) {
            step.before(world)
            var environment = world.shim.environment(0)
            environment["SHIM_LOG"] = world.scratch.appending("log").string
            Tree.remove(world.scratch.appending("log"))
            let answer = program(step, world).run(step.arguments, environment: environment)
            print("\(step.name): \(world.shim.counted.calls) calls, exit \(answer.status)")
            print(String(decoding: Tree.read(world.scratch.appending("log")) ?? [], as: UTF8.self))
        }
    }
}
