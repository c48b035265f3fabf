internal import Glibc
internal import SystemPackage
internal import TestKit

/// D2 and D7: before every system call of a scripted day that writes, the program is killed; or that call fails, once or from then on.
public enum CallSweep {
    public enum Kind: Sendable { case kills, errors }

    /// Every `stride`th call, beginning at one that `seed` chooses; 1: all. `only`: the steps with that in their names.
    public static func run(
        _ tools: World.Tools, _ kind: Kind, stride: Int, seed: UInt64, only: String? = nil, isLoud: Bool = true
    ) -> Report {
        let report = Report(kind == .kills ? "D2 kill at calls" : "D7 failing calls", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        let world = World(tools, "calls")
        let blows: [Shim.Blow] =
            kind == .kills
            ? [.kill]
            : [
                .error(EIO, always: false), .error(ENOSPC, always: false), .error(EINTR, always: false), .short,
                .error(EIO, always: true), .error(ENOSPC, always: true), .error(EROFS, always: true),
            ]
        for step in ScriptedDay.steps(world, isShort: stride > 1) {
            step.before(world)
            world.keep("before")
            // With damage in it nothing may be read before the step.
            let journal = world.hasVault && !step.isDamaged ? world.journal() : []
            guard let journal else {
                report.end(step.name, ["the journal cannot be read before it"])
                break
            }
            let whole = program(step, world).run(step.arguments, environment: world.shim.environment(0))
            let calls = world.shim.counted.calls
            let found = whole.status == 0 ? [] : ["undisturbed it ends with \(whole.brief)"]
            if !found.isEmpty || calls == 0 {
                report.end(step.name, found + (calls == 0 ? ["no call was counted"] : []))
            }
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
        return report
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
