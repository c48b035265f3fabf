import Blobs
import Capture
import Connectors
import Events
import Journal
import Projections
import Restore
import Synthesis
import SystemPackage
import TestKit
import Vault

/// A history that is played into a real Maildir, beside a vault that captures it.
final class ModelStage {
    let scratch = Scratch("model")
    let clock = TestClock(step: 1_000)
    let account: Account
    var player: MaildirPlayer
    var generator: SeededGenerator
    private var open: OpenVault?
    /// Projections of its own, which follow the journal in batches of their own.
    private var beside: OpenProjections?
    /// After each pass: the transaction, and how many events had been played.
    private(set) var passes: [(head: TransactionID, played: Int)] = []
    /// The items of messages whose bytes no other message had, as of the last pass.
    private var items: [MessageNumber: ItemID] = [:]
    /// How often an item was compared with the one its message had before.
    private(set) var comparedItems = 0

    init(seed: UInt64) throws {
        generator = SeededGenerator(seed: seed)
        // Short texts: what is tested is what happens to them. Long enough that some are stored in parts.
        let size = HistorySize(
            accounts: 1, months: 3, messagesPerAccount: 300, textCut: 4 << 10, attachmentCut: 16 << 10, treeWidth: 8,
            importCount: 40)
        let history = AccountHistory(seed: seed, size: size, bodies: .generated)
        player = try MaildirPlayer(history: history, root: scratch.appending("Mail").string)
        let path = scratch.appending("vault")
        try OpenVault.create(path, clock: clock.wall, using: &generator)
        let vault = try OpenVault(path, clock: clock.wall)
        account = try vault.addAccount("anna@example.org", sources: ["maildir:\(player.root)"], using: &generator)
        open = vault
        Tree.makeDirectory(scratch.appending("beside"))
    }

    /// The vault, opened when it is not.
    var vault: OpenVault {
        get throws {
            if let open { return open }
            let fresh = try OpenVault(scratch.appending("vault"), clock: clock.wall)
            open = fresh
            return fresh
        }
    }

    /// As if the process had ended and begun again.
    func restart() { (open, beside) = (nil, nil) }

    var head: TransactionID { get throws { try vault.journal.head().transaction } }

    /// One pass; false when the source was not to be believed: the mailbox is not there, or was made anew and is empty.
    func pass() throws -> Bool {
        do {
            _ = try SmartScan(vault, account, MaildirSource(path: player.root)).run()
        } catch is SourceFailure {
            guard !player.model.exists else { throw Unexpected(what: "a mailbox that is there cannot be read") }
            return false
        } catch let failure as Failure where failure.code == .refused {
            guard player.model.messages.isEmpty else { throw failure }
            return false
        }
        passes.append((try head, player.played))
        return true
    }

    /// What is expected of a restore: the oracle's content, with the subscriptions of folders that are there. A
    /// subscription without a folder belongs to no item, and the player's file of subscriptions has no line for a
    /// name with a line end.
    func expected(after played: Int) -> MailboxContent {
        let content = player.history.content(after: played)
        return MailboxContent(
            folders: content.folders,
            subscriptions: content.subscriptions.filter {
                content.folders.contains($0) && !$0.directoryName.contains(10)
            },
            messages: content.messages)
    }

    /// What differs between the oracle and a restore as of `point` into a fresh Maildir.
    func differences(at point: TransactionID, after played: Int) throws -> [String] {
        let path = scratch.appending("out-\(point.rawValue)-\(try head.rawValue)")
        defer { Tree.remove(path) }
        let operation = UniqueID(using: &generator)
        let request = RestoreRequest(
            account: account, point: point, selection: .account(deletedSince: nil),
            target: .maildir(path: path.string))
        let plan = try RestorePlanner.plan(vault, request, operation: operation)
        let report = try RestoreRun(vault, plan, operation: operation).run()
        let found = MailboxContent(readingMaildir: path.string)
        return found.differences(from: expected(after: played))
            + report.unrestored.map { "unrestored: \($0)" } + report.losses
    }

    /// The replay of the journal and the projections must agree as of any transaction.
    func agree(at point: TransactionID) throws -> Bool {
        var fold = AccountFold(account: account.number)
        try fold.fold(vault.journal, through: point)
        var pointers: [ItemPointer] = []
        try vault.projections().pointers(account.number, asOf: point) { pointers.append($0) }
        let live = pointers.filter { !$0.pointer.isDeleted }
        let deleted = pointers.filter(\.pointer.isDeleted)
        return try fold.live() == live && fold.deleted() == deleted
            && vault.journal.stateDigest(of: fold.live()) == vault.journal.stateDigest(of: live)
    }

    /// Projections that follow in steps of any size are the same.
    func followBeside(_ batch: Int) throws -> Bool {
        let projections = try beside ?? OpenProjections(scratch.appending("beside"), withoutSync: true)
        beside = projections
        try projections.follow(vault.journal, batch: batch)
        return try projections.contentDigest() == vault.projections().contentDigest()
    }

    /// The messages that have got another item since the last pass although they are the same. A message whose bytes
    /// are there twice is left out: which of two equal ones moved cannot be seen.
    func lostIdentities() throws -> [String] {
        var byDigest: [Digest: ItemID] = [:]
        var pointers: [ItemPointer] = []
        try vault.projections().pointers(account.number, asOf: head) {
            if $0.item.kind == .message, !$0.pointer.isDeleted { pointers.append($0) }
        }
        try vault.journal.states(pointers) { recorded in
            if let digest = recorded.state.message?.digest { byDigest[digest] = recorded.item }
        }
        var counts: [Digest: Int] = [:]
        for message in player.model.messages.values {
            counts[player.history.digest(ofContent: message.content), default: 0] += 1
        }
        var lost: [String] = []
        var now: [MessageNumber: ItemID] = [:]
        for (number, message) in player.model.messages {
            let digest = player.history.digest(ofContent: message.content)
            guard counts[digest] == 1 else { continue }
            guard let item = byDigest[digest] else {
                lost.append("message \(number) is in no item")
                continue
            }
            now[number] = item
            guard let before = items[number] else { continue }
            comparedItems += 1
            if before != item { lost.append("message \(number) was \(before) and is \(item)") }
        }
        items = now
        return lost
    }

    struct Unexpected: Error { let what: String }
}
