import Connectors
import Events
import Journal
import Projections
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

/// What a mailbox had at any time, as whoever changed it remembers, and what purges must have taken.
private final class MailboxOracle {
    struct Item {
        var states: [(from: TransactionID, digest: Digest, flags: Events.MessageFlags, isDeleted: Bool)] = []
        var deleted: Timestamp?
        var isPurged = false
    }

    struct Line: Hashable {
        var digest: Digest
        /// As a Maildir has them.
        var letters: [UInt8]
    }

    var items: [ItemID: Item] = [:]
    var days = 30
    var isHeld = false

    var live: [ItemID] { items.filter { $0.value.deleted == nil }.map(\.key).sorted() }

    func purge(at now: Timestamp) {
        guard !isHeld, days > 0 else { return }
        for (item, kept) in items {
            guard let deleted = kept.deleted else { continue }
            if now.rawValue - deleted.rawValue >= Int64(days) * 86_400_000_000 { items[item]?.isPurged = true }
        }
    }

    /// What a restore as of that transaction has to give.
    func content(asOf point: TransactionID) -> [Line: Int] {
        var lines: [Line: Int] = [:]
        for item in items.values where !item.isPurged {
            guard let state = item.states.last(where: { $0.from <= point }), !state.isDeleted else { continue }
            lines[Line(digest: state.digest, letters: letters(state.flags)), default: 0] += 1
        }
        return lines
    }

    private func letters(_ flags: Events.MessageFlags) -> [UInt8] {
        (flags.contains(.answered) ? [UInt8(ascii: "R")] : []) + (flags.contains(.seen) ? [UInt8(ascii: "S")] : [])
    }

    /// Items that were there then, and are gone for good.
    func missing(asOf point: TransactionID) -> Set<ItemID> {
        Set(
            items.filter { _, item in
                item.isPurged && item.states.last { $0.from <= point }.map { !$0.isDeleted } ?? false
            }.keys)
    }
}

private struct Interrupted: Error {}

struct PurgeRestoreModelTests {
    @Test(
        "Random captures, deletions, retention, holds, purges broken off and finished, restores at random points and their undoing are what an oracle says",
        arguments: 0..<3)
    func model(run: Int) throws {
        let scene = try PurgeScene(.announced("purge and restore \(run)"))
        let comment: Comment = "seed \(scene.generator.seed)"
        let number = try scene.account("anna")
        let account = try #require(try scene.vault.accounts().first)
        let oracle = MailboxOracle()
        let first = try scene.vault.journal.head().transaction
        var hold: LegalHold?
        var restored = 0

        for _ in 0..<140 {
            let live = oracle.live
            switch scene.generator.number(0..<22) {
            case 0..<6:
                let item = ItemID(.message, UInt32(oracle.items.count + 1))
                var state = try scene.state("text \(scene.generator.number(0..<30))\n")
                state.sourceName = utf8("\(item)")
                try scene.record(number, [Change(item, .created, ItemState(state))])
                oracle.items[item] = .init()
                oracle.items[item]!.states.append(
                    (try scene.vault.journal.head().transaction, try #require(state.digest), [], false))
            case 6..<9 where !live.isEmpty:
                let item = scene.generator.element(live)
                let last = oracle.items[item]!.states.last!
                let flags = Events.MessageFlags(rawValue: UInt8(scene.generator.number(0..<4)) & ~last.flags.rawValue)
                guard flags != last.flags else { continue }
                var state = try #require(try message(scene, number, item))
                state.flags = flags
                try scene.record(number, [Change(item, .flags, ItemState(state))])
                oracle.items[item]!.states.append(
                    (try scene.vault.journal.head().transaction, last.digest, flags, false))
            case 9..<13 where !live.isEmpty:
                let item = scene.generator.element(live)
                try scene.delete(number, item)
                let last = oracle.items[item]!.states.last!
                oracle.items[item]!.states.append(
                    (try scene.vault.journal.head().transaction, last.digest, last.flags, true))
                oracle.items[item]!.deleted = try scene.lastTime()
            case 13:
                oracle.days = scene.generator.element([0, 5, 30])
                try scene.vault.setRetention(.account(number), RetentionDays(data: oracle.days))
            case 14:
                if let placed = hold {
                    try scene.vault.liftHold(placed.number)
                    hold = nil
                } else {
                    hold = try scene.vault.placeHold(on: number, query: nil, reason: nil)
                }
                oracle.isHeld = hold != nil
            case 15, 16: scene.days(scene.generator.number(1..<15))
            case 17, 18: try purge(scene, oracle)
            default:
                let head = try scene.vault.journal.head().transaction
                let point = TransactionID(
                    rawValue: UInt64(scene.generator.number(Int(first.rawValue)..<Int(head.rawValue) + 1)))
                restored += 1
                let name = "restored \(restored)"
                let request = RestoreRequest(
                    account: account, point: point, selection: .account(deletedSince: nil),
                    target: .maildir(path: scene.scratch.appending(name).string))
                let operation = UniqueID(using: &scene.generator)
                let plan = try RestorePlanner.plan(scene.vault, request)
                let report = try RestoreRun(scene.vault, plan, operation: operation).run()
                #expect(report.unrestored.isEmpty, comment)
                #expect(content(scene, name) == oracle.content(asOf: point), "as of \(point), \(comment)")
                // What is missing in it is told.
                let told = try scene.vault.purges(of: number).missing(number, asOf: point).flatMap { share in
                    (share.items[.message]?.ranges ?? []).joined().map { ItemID(.message, UInt32($0)) }
                }
                #expect(Set(told) == oracle.missing(asOf: point), "as of \(point), \(comment)")
                if scene.generator.chance(30) { try purge(scene, oracle) }
                if scene.generator.chance(60) {
                    let undo = try Undo.plan(
                        scene.vault, scene.vault.operation(operation.description), account: account)
                    _ = try RestoreRun(
                        scene.vault, undo, operation: UniqueID(using: &scene.generator), kind: "undo"
                    ).run()
                    #expect(content(scene, name).isEmpty, "undone, \(comment)")
                }
            }
        }
        try purge(scene, oracle)
        #expect(restored > 0)
        for problem in try scene.problems() { Issue.record("\(problem), \(comment)") }
    }

    /// The state of an item now.
    private func message(_ scene: PurgeScene, _ account: AccountNumber, _ item: ItemID) throws -> MessageState? {
        let projections = try scene.vault.projections()
        let pointer = try projections.pointer(account, item, asOf: projections.position())
        return try pointer.flatMap { try scene.vault.journal.state(item, at: $0).state.message }
    }

    /// A purge that is broken off at any of its reports, and the one that finishes it.
    private func purge(_ scene: PurgeScene, _ oracle: MailboxOracle) throws {
        let now = scene.clock.now
        for _ in 0..<scene.generator.number(0..<3) {
            var left = scene.generator.number(0..<6)
            do {
                _ = try Purge(scene.vault, scene.request()).run { _ in
                    if left == 0 { throw Interrupted() }
                    left -= 1
                }
            } catch is Interrupted {
                if scene.generator.chance(50) { try scene.reopen() }
            }
        }
        try scene.purge()
        oracle.purge(at: now)
    }

    private func content(_ scene: PurgeScene, _ name: String) -> [MailboxOracle.Line: Int] {
        var lines: [MailboxOracle.Line: Int] = [:]
        for message in MailboxContent(readingMaildir: scene.scratch.appending(name).string).messages {
            lines[MailboxOracle.Line(digest: message.digest, letters: message.flags.letters), default: 0] += 1
        }
        return lines
    }
}
