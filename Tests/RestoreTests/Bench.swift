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

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A Maildir, a vault that captures it, and restores out of it.
final class Bench {
    let scratch: Scratch
    let clock = TestClock(step: 1_000)
    let mail: MaildirFixture
    let account: Account
    let vault: OpenVault
    private var generator = SeededGenerator(seed: 1)

    /// `isVolatile`: for what writes so much that a disk would be in the way.
    init(isVolatile: Bool = false) throws {
        scratch = Scratch("restore", isVolatile: isVolatile)
        mail = MaildirFixture(scratch.appending("Mail"))
        let path = scratch.appending("vault")
        try OpenVault.create(path, clock: clock.wall, using: &generator)
        vault = try OpenVault(path, clock: clock.wall)
        account = try vault.addAccount("anna@example.org", sources: ["maildir:\(mail.path)"], using: &generator)
    }

    var head: TransactionID { get throws { try vault.journal.head().transaction } }

    /// Brings the vault up to date with the Maildir and returns the newest transaction.
    @discardableResult
    func scan() throws -> TransactionID {
        _ = try report()
        return try head
    }

    func report() throws -> PassReport {
        try SmartScan(vault, account, MaildirSource(path: mail.path.string)).run()
    }

    func request(
        _ selection: RestoreRequest.Selection = .account(deletedSince: nil), at point: TransactionID? = nil,
        to name: String = "out"
    ) throws -> RestoreRequest {
        RestoreRequest(
            account: account, point: try point ?? head, selection: selection,
            target: .maildir(path: scratch.appending(name).string))
    }

    func plan(_ request: RestoreRequest) throws -> RestorePlan {
        try RestorePlanner.plan(vault, request)
    }

    func operation() -> UniqueID { UniqueID(using: &generator) }

    @discardableResult
    func restore(_ request: RestoreRequest, isStopped: @escaping @Sendable () -> Bool = { false }) throws
        -> RestoreReport
    {
        let operation = operation()
        let plan = try RestorePlanner.plan(vault, request)
        return try RestoreRun(vault, plan, operation: operation, isStopped: isStopped).run()
    }

    func undo(_ operation: UniqueID) throws -> (plan: RestorePlan, report: RestoreReport) {
        let plan = try Undo.plan(vault, vault.operation(operation.description), account: account)
        return (plan, try RestoreRun(vault, plan, operation: self.operation(), kind: "undo").run())
    }

    /// What is in the Maildir of that name.
    func content(_ name: String = "out") -> MailboxContent {
        MailboxContent(readingMaildir: scratch.appending(name).string)
    }

    /// The state of every item, by source name for messages.
    func item(_ name: String) throws -> ItemID? {
        let projections = try vault.projections()
        var pointers: [ItemPointer] = []
        try projections.pointers(account.number, asOf: head) { pointers.append($0) }
        var found: ItemID?
        try vault.journal.states(pointers) { if $0.state.message?.sourceName == utf8(name) { found = $0.item } }
        return found
    }

    /// The kinds of the changes of an item, oldest first.
    func kinds(of item: ItemID) throws -> [ChangeKinds] {
        let states = try vault.projections().states(account.number, item)
        return try states.map { try vault.journal.state(item, at: $0).kinds }
    }

    /// The packs of the vault.
    var packs: [FilePath] {
        let directory = vault.directory.appending("blobs/packs")
        return Tree.names(directory).map { Tree.child(directory, $0) }
    }
}

func code(_ body: () throws -> Void) -> Failure.Code? {
    do { try body() } catch { return (error as? Failure)?.code ?? .failed }
    return nil
}

struct Nothing: Error {}

/// `value`, or an error: for use inside of `#expect`.
func some<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Nothing() }
    return value
}
