import Events
import Files
import SystemPackage
import TestKit
import Testing
import Vault

/// A simple model of what a vault must still have: every account with its items, their states and when they were deleted.
private final class RetentionOracle {
    struct Item {
        var text: [String]
        var states = 1
        var deleted: Timestamp?
    }

    struct Mailbox {
        var items: [ItemID: Item] = [:]
        var days = 30
        var hold = false
    }

    var mailboxes: [AccountNumber: Mailbox] = [:]

    /// Forgets what a purge at that time must take.
    func purge(at now: Timestamp) {
        for (number, mailbox) in mailboxes where !mailbox.hold && mailbox.days > 0 {
            for (item, kept) in mailbox.items {
                if let deleted = kept.deleted, now.rawValue - deleted.rawValue >= Int64(mailbox.days) * 86_400_000_000 {
                    mailboxes[number]?.items[item] = nil
                }
            }
        }
    }

    var texts: Set<String> { Set(mailboxes.values.flatMap { $0.items.values.flatMap(\.text) }) }
}

private struct Interrupted: Error {}

struct PurgeModelTests {
    @Test(
        "Random captures, deletions, retention, holds and purges, some of them broken off, leave what an oracle says",
        arguments: 0..<3)
    func model(run: Int) throws {
        let scene = try PurgeScene(.announced("purge model \(run)"))
        let comment: Comment = "seed \(scene.generator.seed)"
        let oracle = RetentionOracle()
        let accounts = try ["anna", "bert"].map { try scene.account($0) }
        for account in accounts { oracle.mailboxes[account] = .init() }
        var holds: [AccountNumber: LegalHold] = [:]
        var purged: [(AccountNumber, ItemID)] = []
        for step in 0..<120 {
            let account = scene.generator.element(accounts)
            let live = oracle.mailboxes[account]!.items.filter { $0.value.deleted == nil }.map(\.key).sorted()
            switch scene.generator.number(0..<20) {
            case 0..<7:
                let text = "text \(scene.generator.number(0..<40)) " + String(repeating: "x", count: 200)
                let item = try scene.deliver(account, text)
                oracle.mailboxes[account]!.items[item] = .init(text: [text])
            case 7..<9 where !live.isEmpty:
                let item = scene.generator.element(live)
                let text = "changed \(step)"
                try scene.change(account, item, text)
                oracle.mailboxes[account]!.items[item]!.text.append(text)
                oracle.mailboxes[account]!.items[item]!.states += 1
            case 9..<13 where !live.isEmpty:
                let item = scene.generator.element(live)
                try scene.delete(account, item)
                oracle.mailboxes[account]!.items[item]!.states += 1
                oracle.mailboxes[account]!.items[item]!.deleted = try scene.lastTime()
            case 13:
                let days = scene.generator.element([0, 5, 30, 60])
                try scene.vault.setRetention(.account(account), RetentionDays(data: days))
                oracle.mailboxes[account]!.days = days
            case 14:
                if let hold = holds.removeValue(forKey: account) {
                    try scene.vault.liftHold(hold.number)
                    oracle.mailboxes[account]!.hold = false
                } else {
                    holds[account] = try scene.vault.placeHold(on: account, query: nil, reason: nil)
                    oracle.mailboxes[account]!.hold = true
                }
            case 15: try scene.reopen(compacting: scene.generator.chance(50))
            case 16, 17: scene.days(scene.generator.number(1..<15))
            default:
                let before = oracle.mailboxes
                let now = scene.clock.now
                // Broken off at any of its reports of progress; what was decided stays decided, the next one finishes it.
                var left = scene.generator.number(0..<6)
                do {
                    _ = try Purge(scene.vault, scene.request()).run { _ in
                        if left == 0 { throw Interrupted() }
                        left -= 1
                    }
                } catch is Interrupted { try scene.reopen() }
                try scene.purge()
                oracle.purge(at: now)
                for (number, mailbox) in before {
                    for item in mailbox.items.keys where oracle.mailboxes[number]!.items[item] == nil {
                        purged.append((number, item))
                    }
                }
            }
        }
        let now = scene.clock.now
        try scene.purge()
        oracle.purge(at: now)
        for problem in try scene.problems() { Issue.record("\(problem), \(comment)") }
        for (number, mailbox) in oracle.mailboxes {
            for (item, kept) in mailbox.items {
                #expect(try scene.states(number, item) == kept.states, "\(item), \(comment)")
                for text in kept.text { #expect(try scene.reads(text), comment) }
            }
        }
        for (number, item) in purged { #expect(try scene.states(number, item) == 0, "\(item), \(comment)") }
        let texts = oracle.texts
        for number in 0..<40 {
            let text = "text \(number) " + String(repeating: "x", count: 200)
            if !texts.contains(text) { #expect(try !scene.stores(text), comment) }
        }
    }
}
