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

/// Histories that are played into real Maildirs, beside one vault that captures them all.
final class ModelStage {
    let scratch = Scratch("model")
    let clock = TestClock(step: 1_000)
    private(set) var mailboxes: [ModelMailbox] = []
    var generator: SeededGenerator
    private var open: OpenVault?
    /// Projections of its own, which follow the journal in batches of their own.
    private var beside: OpenProjections?

    init(seed: UInt64, size: HistorySize, bodies: Bodies) throws {
        generator = SeededGenerator(seed: seed)
        let path = scratch.appending("vault")
        try OpenVault.create(path, clock: clock.wall, using: &generator)
        let vault = try OpenVault(path, clock: clock.wall)
        for number in 0..<size.accounts {
            let history = AccountHistory(seed: seed, account: number, size: size, bodies: bodies)
            let player = try MaildirPlayer(history: history, root: scratch.appending("Mail-\(number)").string)
            let account = try vault.addAccount(
                "user\(number)@example.org", sources: ["maildir:\(player.root)"], using: &generator)
            mailboxes.append(ModelMailbox(account: account, player: player))
        }
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

    /// Plays the next events of a mailbox.
    func play(_ index: Int, _ count: Int) throws { try mailboxes[index].player.play(next: count) }

    /// One pass over a mailbox; false when the source was not to be believed: it is not there, or was made anew and is
    /// empty.
    func pass(_ index: Int) throws -> Bool {
        let mailbox = mailboxes[index]
        do {
            _ = try SmartScan(vault, mailbox.account, MaildirSource(path: mailbox.player.root)).run()
        } catch is SourceFailure {
            guard !mailbox.player.model.exists else { throw Unexpected(what: "a mailbox that is there cannot be read") }
            return false
        } catch let failure as Failure where failure.code == .refused {
            guard mailbox.player.model.messages.isEmpty else { throw failure }
            return false
        }
        mailboxes[index].passes.append((try head, mailbox.player.played))
        return true
    }

    /// What is expected of a restore: the oracle's content, with the subscriptions of folders that are there. A
    /// subscription without a folder belongs to no item, and the player's file of subscriptions has no line for a
    /// name with a line end.
    private func expected(_ mailbox: ModelMailbox, after played: Int) -> MailboxContent {
        let content = mailbox.player.history.content(after: played)
        return MailboxContent(
            folders: content.folders,
            subscriptions: content.subscriptions.filter {
                content.folders.contains($0) && !$0.directoryName.contains(10)
            },
            messages: content.messages)
    }

    /// The first part of a folder's name, with the dot before it.
    private static func beginning(_ folder: FolderPath) -> [UInt8] {
        Array(folder.directoryName.prefix(1)) + folder.directoryName.dropFirst().prefix { $0 != UInt8(ascii: ".") }
    }

    /// What differs between the oracle and a restore as of `point` into a fresh Maildir.
    func differences(_ index: Int, at point: TransactionID, after played: Int) throws -> [String] {
        let mailbox = mailboxes[index]
        let path = scratch.appending("out-\(point.rawValue)-\(try head.rawValue)")
        defer { Tree.remove(path) }
        let operation = UniqueID(using: &generator)
        let request = RestoreRequest(
            account: mailbox.account, point: point, selection: .account(deletedSince: nil),
            target: .maildir(path: path.string))
        let plan = try RestorePlanner.plan(vault, request)
        let report = try RestoreRun(vault, plan, operation: operation).run()
        let restored = MailboxContent(readingMaildir: path.string)
        // A subscription that begins like no folder of the mailbox is somebody else's, a mount point: no folder's.
        let own = Set(restored.folders.map(ModelStage.beginning))
        let found = MailboxContent(
            folders: restored.folders,
            subscriptions: restored.subscriptions.filter {
                ModelStage.beginning($0) == $0.directoryName || own.contains(ModelStage.beginning($0))
            },
            messages: restored.messages)
        return found.differences(from: expected(mailbox, after: played))
            + report.unrestored.map { "unrestored: \($0)" } + report.losses
    }

    /// Whether the replay of the journal and the projections agree on a mailbox as of a transaction.
    func agree(_ index: Int, at point: TransactionID) throws -> Bool {
        let account = mailboxes[index].account.number
        var fold = AccountFold(account: account)
        try fold.fold(vault.journal, through: point)
        var pointers: [ItemPointer] = []
        try vault.projections().pointers(account, asOf: point) { pointers.append($0) }
        let live = pointers.filter { !$0.pointer.isDeleted }
        let deleted = pointers.filter(\.pointer.isDeleted)
        return try fold.live() == live && fold.deleted() == deleted
            && vault.journal.stateDigest(of: fold.live()) == vault.journal.stateDigest(of: live)
    }

    /// Whether projections that follow in steps of `batch` are the same.
    func followBeside(_ batch: Int) throws -> Bool {
        let projections = try beside ?? OpenProjections(scratch.appending("beside"), withoutSync: true)
        beside = projections
        try projections.follow(vault.journal, batch: batch)
        return try projections.contentDigest() == vault.projections().contentDigest()
    }

    /// The messages that have got another item since the last pass although they are the same. A message whose bytes
    /// are there twice is left out: which of two equal ones moved cannot be seen.
    func lostIdentities(_ index: Int) throws -> [String] {
        let player = mailboxes[index].player
        var byDigest: [Digest: ItemID] = [:]
        var pointers: [ItemPointer] = []
        try vault.projections().pointers(mailboxes[index].account.number, asOf: head) {
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
            guard let before = mailboxes[index].items[number] else { continue }
            mailboxes[index].comparedItems += 1
            if before != item { lost.append("message \(number) was \(before) and is \(item)") }
        }
        mailboxes[index].items = now
        return lost
    }

    struct Unexpected: Error { let what: String }
}

/// One account of the stage.
struct ModelMailbox {
    let account: Account
    var player: MaildirPlayer
    /// After each pass: the transaction, and how many events had been played.
    var passes: [(head: TransactionID, played: Int)] = []
    /// The items of messages whose bytes no other message had, as of the last pass.
    var items: [MessageNumber: ItemID] = [:]
    /// How often an item was compared with the one its message had before.
    var comparedItems = 0
}
