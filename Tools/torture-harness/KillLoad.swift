internal import Glibc
internal import TestKit

/// D1: the program is killed with SIGKILL at random moments while it works; what it had acknowledged is there, and nothing is damaged.
public enum KillLoad {
    private static let verbs = ["scan", "watch", "rebuild", "restore", "check", "seal", "checkpoint"]

    public static func run(_ tools: World.Tools, count: Int, seed: UInt64, isLoud: Bool = true) -> Report {
        let report = Report("D1 kills under load", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        var load = Load(World(tools, "kills"))
        for number in 1...max(1, count) {
            // A journal that stays small keeps the rate.
            if number % 200 == 0 {
                report.end("kill \(number), at the end of a vault", load.whole())
                load = Load(World(tools, "kills"))
            }
            let verb = generator.element(verbs)
            let found = load.kill(verb, &generator, report)
            report.end("kill \(number), \(verb)", found + (number % 25 == 0 ? load.whole() : []))
            if report.isFull { break }
        }
        report.end("the end", load.whole())
        return report
    }

    /// A mailbox that changes, and what is known of its vault.
    private struct Load {
        let world: World
        var journal: [Substring] = []
        var mailbox: ChangingMailbox

        init(_ world: World) {
            self.world = world
            mailbox = ChangingMailbox(world.mail)
            for folder in [".Box", ".Trash"] { world.mail.makeFolder(folder) }
            world.program.run("init")
            world.program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
            var generator = SeededGenerator(seed: 1)
            mailbox.change(60, &generator)
            world.program.run("scan")
            journal = world.journal() ?? []
        }

        mutating func kill(_ verb: String, _ generator: inout SeededGenerator, _ report: Report) -> [String] {
            mailbox.change(generator.element([1, 5, 30]), &generator)
            if verb == "restore" { Tree.remove(world.out) }
            let arguments: [String] =
                switch verb {
                case "restore": ["restore", "account", "anna", "--to", "maildir:\(world.out)", "--json"]
                case "check": ["check", "--read-data", "--json"]
                case "seal": ["work", "seal", "--rounds", "400"]
                case "rebuild": ["rebuild"]
                default: [verb, "--json"]
                }
            let child = (verb == "seal" ? world.worker : world.program).start(arguments)
            if verb == "watch" { mailbox.change(5, &generator) }
            if verb == "seal" || verb == "watch", generator.chance(60) {
                child.says(generator.number(1..<30), within: 300)
            }
            let longest = generator.element([3_000, 9_000, 25_000, 60_000])
            report.count(child.kill(after: generator.number(500..<longest)) ? "killed at work" : "ended before")
            let answer = child.end(within: 60_000)
            // What it said it had written is there, and what was there before is still the same.
            guard let now = world.journal() else {
                return ["log dump fails: \(world.program.run("log", "dump").brief)"]
            }
            var found: [String] = []
            if !now.starts(with: journal) {
                found.append("\(journal.count) transactions were there, now \(now.count) others")
            }
            let acknowledged =
                numbers(answer.text, after: verb == "seal" ? "acknowledged " : "\"last_txid\":").max() ?? 0
            if acknowledged > now.count {
                found.append("@\(acknowledged) was acknowledged, the journal ends at @\(now.count)")
            }
            report.count(acknowledged > 0 ? "with an acknowledgement" : "without one")
            if answer.status != 0, answer.status < 128, answer.status != 7 { found.append(answer.brief) }
            journal = now
            return found
        }

        private func numbers(_ text: String, after word: String) -> [Int] {
            var result: [Int] = []
            // A line counts when all of it was written.
            guard let end = text.lastIndex(of: "\n") else { return [] }
            for line in text[..<end].split(separator: "\n") {
                guard let place = line.firstRange(of: word) else { continue }
                if let number = Int(line[place.upperBound...].prefix { $0 >= "0" && $0 <= "9" }) {
                    result.append(number)
                }
            }
            return result
        }

        mutating func whole() -> [String] {
            let found = world.holds(journal, maySetAside: true)
            journal = world.journal() ?? journal
            return found
        }
    }
}
