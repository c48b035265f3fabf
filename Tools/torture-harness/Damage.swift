internal import Glibc
internal import SystemPackage
internal import TestKit

/// I1 and I2: a sound vault, one file of it changed behind its back. The only thing that is never forgiven is a wrong answer that
/// says it is right. Else: what is damaged is named, and repair brings everything back.
public enum Damage {
    public enum Kind: Sendable { case bits, files }

    public static func run(
        _ tools: World.Tools, _ kind: Kind, count: Int, seed: UInt64, file: String = "", isLoud: Bool = true
    ) -> Report {
        let report = Report(kind == .bits ? "I1 flipped bits" : "I2 damaged files", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        let victim = Victim(World(tools, "damage"))
        let trouble = victim.problems()
        if !trouble.isEmpty {
            report.end("the vault before any damage", trouble)
            return report
        }
        let files = victim.files.filter { file.isEmpty || $0.contains(file) }
        for number in 1...max(1, count) {
            let name = generator.element(files)
            guard let change = kind == .bits ? victim.flip(name, &generator) : victim.spoil(name, &generator) else {
                continue
            }
            report.end(
                "case \(number), \(name): \(change)",
                victim.judge(name, isSampled: number % 10 == 0, victim.questions(&generator), report))
            if report.isFull { break }
        }
        return report
    }
}

/// A small vault with all kinds of files, and what it answers when it is sound.
private struct Victim {
    let world: World
    /// The files of the sound vault, by their paths in it.
    let files: [String]
    private let items: [String]
    private let answers: [[String]: [UInt8]]
    private let sound: [String: [UInt8]]
    /// The same files at an earlier moment.
    private let older: [String: [UInt8]]

    init(_ world: World) {
        self.world = world
        for step in ScriptedDay.steps(world, isShort: true) where !step.isDamaged {
            // A vault of few pages: most of its bits mean something.
            guard
                !["large scan", "check", "rebuild", "rebuild --verify", "restore into the mailbox"].contains(step.name)
            else { continue }
            step.before(world)
            if step.name == "scan of changes" { world.keep("older") }
            (step.isWork ? world.worker : world.program).run(step.arguments)
        }
        world.program.run("check", "--read-data")
        let listing = world.program.run("find", "anna", "--ever", "subject:number", "--json")
        items = Array(
            Set(
                listing.text.split(separator: "\n").compactMap { line in
                    line.firstRange(of: "\"item\":\"").map { String(line[$0.upperBound...].prefix { $0 != "\"" }) }
                })
        ).sorted()
        world.keep("sound")
        let sound = Victim.read(world.scratch.appending("sound/vault"))
        self.sound = sound
        older = Victim.read(world.scratch.appending("older/vault"))
        files = sound.keys.filter {
            !sound[$0]!.isEmpty && !$0.contains("lock.mdb") && !$0.hasPrefix("quarantine") && !$0.hasPrefix("locks")
        }.sorted()
        var answers: [[String]: [UInt8]] = [:]
        for question in Victim.questions(items) {
            let answer = world.program.run(question)
            if answer.status == 0 { answers[question] = answer.output }
        }
        self.answers = answers
    }

    private static func read(_ root: FilePath) -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        func add(_ path: FilePath, _ name: String) {
            if let bytes = Tree.read(path) {
                found[name] = bytes
            } else {
                for child in Tree.names(path) {
                    let text = String(decoding: child, as: UTF8.self)
                    add(path.appending(text), name.isEmpty ? text : "\(name)/\(text)")
                }
            }
        }
        add(root, "")
        return found
    }

    private static let listings = [
        ["ls", "anna:INBOX", "--json"], ["log", "dump"], ["ls", "anna", "--deleted", "--json"],
    ]

    private static func questions(_ items: [String]) -> [[String]] {
        listings + items.flatMap { [["cat", "anna", $0], ["history", "anna", $0, "--json"]] }
    }

    /// One about what was, one about a message, and the whole journal: asked before and after the healing.
    func questions(_ generator: inout SeededGenerator) -> [[String]] {
        let item = generator.element(items)
        return [
            generator.element(Victim.listings),
            generator.chance(50) ? ["cat", "anna", item] : ["history", "anna", item, "--json"],
        ]
    }

    func problems() -> [String] {
        var found: [String] = []
        if items.count < 10 { found.append("it has only \(items.count) messages") }
        if answers.count < items.count + 3 { found.append("only \(answers.count) questions are answered") }
        if files.count < 9 { found.append("it has only the files \(files)") }
        let check = world.program.run("check", "--read-data", "--json")
        if check.status != 0 { found.append(check.brief) }
        return found
    }

    // MARK: Damage

    private func path(_ name: String) -> FilePath { world.vault.appending(name) }

    /// Another vault each time: all files are written anew.
    private func putBack() {
        Tree.remove(world.vault)
        Tree.copy(world.scratch.appending("sound/vault"), to: world.vault)
    }

    func flip(_ name: String, _ generator: inout SeededGenerator) -> String? {
        putBack()
        let (byte, bit) = (generator.number(0..<sound[name]!.count), generator.number(0..<8))
        Tree.flip(path(name), byte: byte, bit: bit)
        return "byte \(byte) bit \(bit)"
    }

    func spoil(_ name: String, _ generator: inout SeededGenerator) -> String? {
        putBack()
        var bytes = sound[name]!
        let what = generator.number(0..<9)
        func zero(_ size: Int) -> String {
            let first = generator.number(0..<bytes.count) / size * size
            for index in first..<min(first + size, bytes.count) { bytes[index] = 0 }
            return "\(size) bytes zeroed at \(first)"
        }
        var told: String
        switch what {
        case 0: told = zero(1)
        case 1: told = zero(512)
        case 2: told = zero(4096)
        case 3:
            guard bytes.count >= 8192 else { return nil }
            let (one, other) = (generator.number(0..<bytes.count / 4096), generator.number(0..<bytes.count / 4096))
            let page = Array(bytes[one * 4096..<one * 4096 + 4096])
            bytes.replaceSubrange(one * 4096..<one * 4096 + 4096, with: bytes[other * 4096..<other * 4096 + 4096])
            bytes.replaceSubrange(other * 4096..<other * 4096 + 4096, with: page)
            told = "pages \(one) and \(other) swapped"
        case 4:
            bytes.removeLast(generator.number(1..<bytes.count + 1))
            told = "cut off at \(bytes.count)"
        case 5:
            bytes = []
            told = "emptied"
        case 6:
            Tree.remove(path(name))
            return "removed"
        case 7:
            guard let before = older[name], before != bytes else { return nil }
            bytes = before
            told = "an older one put back"
        default:
            // Of one copy only: what both copies have lost is lost.
            func directory(_ name: String) -> Substring {
                name.prefix(upTo: name.lastIndex(of: "/") ?? name.startIndex)
            }
            let others = files.filter { $0 != name && directory($0) == directory(name) }
            guard !others.isEmpty else { return nil }
            let other = generator.element(others)
            Tree.write(path(other), bytes)
            bytes = sound[other]!
            told = "exchanged with \(other)"
        }
        guard bytes != sound[name] else { return nil }
        Tree.write(path(name), bytes)
        return told
    }

    // MARK: Judgement

    /// Files of which every bit has a meaning: no change of them may go unnoticed. The others have room that nobody reads.
    private func isDense(_ name: String) -> Bool {
        name == "FORMAT" || name.hasSuffix(".sealed") || name.hasSuffix(".pack")
    }

    /// What a vault can do without: such a file need not be named, only give no wrong answer.
    private func isSpare(_ name: String) -> Bool { name.hasPrefix("state/") || name.hasPrefix("checkpoints/") }

    private func ask(_ question: [String], _ when: String, mustAnswer: Bool = false) -> [String] {
        guard let right = answers[question] else { return [] }
        let answer = world.program.run(question)
        let words = question.joined(separator: " ")
        switch answer.status {
        case 0: return answer.output == right ? [] : ["WRONG ANSWER \(when): \(words): \(answer.brief)"]
        case 1, 2, 3, 4, 6, 8, 9, 128...: return ["\(when): \(words): \(answer.brief)"]
        default: return mustAnswer ? ["\(when): \(words): \(answer.brief)"] : []
        }
    }

    func judge(_ name: String, isSampled: Bool, _ questions: [[String]], _ report: Report) -> [String] {
        let kind =
            name.hasSuffix(".sealed")
            ? "sealed segment" : name.hasSuffix(".seg") ? "segment" : name.hasSuffix(".pack") ? "pack" : name
        let before = Tree.read(path(name))
        var found: [String] = []
        for question in questions { found += ask(question, "damaged") }
        let check = world.program.run("check", "--read-data", "--json")
        let wasSetAside = Tree.names(world.vault.appending("quarantine")).contains { $0 != Array("lost".utf8) }
        if check.status == 0 {
            if wasSetAside || Tree.read(path(name)) != before {
                report.count("\(kind): healed by opening")
            } else if name.hasPrefix("checkpoints/") {
                let verified = world.program.run("verify-log", "--json")
                report.count("\(kind): \(verified.status == 0 ? "no effect" : "named by verify-log")")
                if verified.status != 0, verified.status != 5, verified.status != 11 {
                    found.append("verify-log: \(verified.brief)")
                }
            } else if isDense(name) {
                found.append("NOT NOTICED: \(check.brief)")
            } else {
                report.count("\(kind): no effect")
            }
            return found + after(questions, isWhole: found.isEmpty)
        }
        let directory = name.split(separator: "/").dropLast().joined(separator: "/")
        // A file that is missing, and a row that is, have no name any more; their directory has.
        let isNamed = [check.text, check.error].contains { text in
            // What a row of the index says wrong is told at its place in the pack, as the index's.
            text.contains(name) || name.hasPrefix("blobs/index") && text.contains("the index ")
                || !directory.isEmpty && text.contains("\"\(directory)\"")
                || !directory.isEmpty && (before == nil || check.status != 5) && text.contains(directory)
        }
        if !isSpare(name), !isNamed {
            report.count("\(kind): not named")
            found.append("not named: \(check.brief)")
        }
        if ![5, 10, 11].contains(check.status) { found.append("check: \(check.brief)") }
        let repair = world.program.run("check", "--repair", "--json")
        let repaired = repair.status == 0 ? Tree.read(path(name)) : nil
        switch repair.status {
        case 0: report.count("\(kind): \(repaired == sound[name] ? "repaired bit by bit" : "repaired")")
        case 5: report.count("\(kind): lost, named")
        default: found.append("check --repair: \(repair.brief)")
        }
        if isSampled || repair.status != 0 {
            let again = world.program.run("check", "--repair", "--json")
            if again.status != 0 { found.append("a second repair: \(again.brief)") }
            if !again.says("\"repairs\":[]") { found.append("a second repair finds something: \(again.brief)") }
        }
        let second = world.program.run("check", "--read-data", "--json")
        if second.status != 0 { found.append("check after repair: \(second.brief)") }
        return found + after(questions, isWhole: repair.status == 0)
    }

    private func after(_ questions: [[String]], isWhole: Bool) -> [String] {
        questions.flatMap { ask($0, "afterwards", mustAnswer: isWhole) }
    }
}
