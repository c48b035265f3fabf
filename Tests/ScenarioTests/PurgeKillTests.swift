import Events
import Files
import Foundation
import Glibc
import SystemPackage
import TestKit
import Testing
import Vault

/// The program purges and is killed at random moments, while mail comes in that has the bytes of what goes.
struct PurgeKillTests {
    /// `YESTERMAIL_PURGE_KILLS`: how many vaults. The default is for every day.
    private static let vaults = getenv("YESTERMAIL_PURGE_KILLS").flatMap { Int(String(cString: $0)) } ?? 4

    @Test(
        "Killed at any moment, beside captures of the same bytes, a purge loses nothing of what stays, and the next one finishes it",
        arguments: 1...vaults)
    func killed(round: Int) throws {
        let life = try PurgedLife(SeededGenerator.announced("purge killed \(round)"))
        for _ in 0..<life.scene.generator.number(1..<5) { try life.purgeKilled() }
        life.scene.close()
        let answer = try life.program.run("purge", "--json")
        #expect(answer.status == 0, "\(answer.error)")
        #expect(try answer.object["sweep_deferred"] as? Bool == false)
        try life.scene.open()
        try life.expectAll("seed \(life.scene.generator.seed)")
        life.scene.close()
        for arguments in [
            ["check", "--read-data"], ["verify-log"], ["replay", "anna", "--verify"], ["rebuild", "--verify"],
        ] {
            let answer = try life.program.run(arguments)
            #expect(
                answer.status == 0, "\(arguments), seed \(life.scene.generator.seed): \(answer.text) \(answer.error)")
        }
    }
}

/// Two accounts with mail in common, of which a part was deleted long ago, and what must be left of it.
final class PurgedLife {
    let scene: PurgeScene
    let program: CommandLineProgram
    private var accounts: [AccountNumber] = []
    /// What stays, with the number of its states and its text; what goes.
    private var kept: [(account: AccountNumber, item: ItemID, states: Int, text: String)] = []
    private var gone: [(account: AccountNumber, item: ItemID, text: String)] = []

    init(_ generator: SeededGenerator) throws {
        let now = WallClock.system.now()
        scene = try PurgeScene(generator, from: Timestamp(rawValue: now.rawValue - 100 * 86_400_000_000))
        program = CommandLineProgram(vault: scene.path)
        accounts = [try scene.account("anna"), try scene.account("bert")]
        var items: [(account: AccountNumber, item: ItemID, states: Int, text: String)] = []
        for number in 1...scene.generator.number(40..<160) {
            let account = scene.generator.element(accounts)
            let text = try text(number)
            let item = try scene.deliver(account, text)
            if scene.generator.chance(20) {
                try scene.change(account, item, text + " changed")
                items.append((account, item, 2, text + " changed"))
            } else {
                items.append((account, item, 1, text))
            }
            if scene.generator.chance(30) {
                let other = accounts[account == accounts[0] ? 1 : 0]
                items.append((other, try scene.deliver(other, text), 1, text))
            }
        }
        for entry in items {
            switch scene.generator.number(0..<3) {
            case 0:
                try scene.delete(entry.account, entry.item)
                gone.append((entry.account, entry.item, entry.text))
            default: kept.append(entry)
            }
        }
        scene.clock.set(Timestamp(rawValue: now.rawValue - 86_400_000_000))
        for index in kept.indices where scene.generator.chance(15) {
            try scene.delete(kept[index].account, kept[index].item)
            kept[index].states += 1
        }
        scene.clock.set(now)
    }

    /// Some with an attachment in base64, which is stored as parts that others have too.
    private func text(_ number: Int) throws -> String {
        var text =
            "Subject: \(number)\n\n"
            + String(repeating: "line of \(number)\n", count: scene.generator.element([1, 60, 3_000]))
        if scene.generator.chance(25) {
            var bytes: [UInt8] = []
            var part = SeededGenerator(seed: UInt64(scene.generator.number(1..<6)))
            for _ in 0..<30_000 { bytes.append(UInt8(truncatingIfNeeded: part.next())) }
            text +=
                "\n" + Data(bytes).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed]) + "\n"
        }
        return text
    }

    /// Starts a purge, captures mail that has the bytes of what goes, and kills it.
    func purgeKilled() throws {
        let child = try ProgramChild(
            vault: scene.path, ["purge", "--json"], output: scene.scratch.appending("child"))
        let watch = TreeWatch([scene.path])
        for _ in 0..<scene.generator.number(0..<6) {
            let text = scene.generator.element(gone).text
            let account = scene.generator.element(accounts)
            kept.append((account, try scene.deliver(account, text), 1, text))
        }
        watch.wait(
            for: scene.generator.number(0..<scene.generator.element([3, 20, 120])), orEndOf: child.ended,
            milliseconds: 250)
        child.signal(SIGKILL)
        child.wait()
    }

    func expectAll(_ comment: Comment) throws {
        for problem in try scene.problems() { Issue.record("\(problem), \(comment)") }
        for entry in kept {
            #expect(try scene.states(entry.account, entry.item) == entry.states, comment)
            #expect(try scene.reads(entry.text), comment)
        }
        // Of a message that changed, the first text stays too.
        let texts = Set(kept.map { $0.text.hasSuffix(" changed") ? String($0.text.dropLast(8)) : $0.text })
            .union(kept.map(\.text))
        for entry in gone {
            #expect(try scene.states(entry.account, entry.item) == 0, comment)
            guard !texts.contains(entry.text) else { continue }
            // Where too little of a pack is dead, the bytes wait; nothing is found of them that a capture would refer to.
            #expect(try !scene.stores(entry.text), comment)
        }
    }
}
