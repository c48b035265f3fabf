import Blobs
import Capture
import Connectors
import Events
import Journal
import Projections
import SystemPackage
import TestKit
import Vault

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A vault with one account and passes over a source.
final class Bench {
    let scratch: Scratch
    let clock = TestClock(step: 1_000)
    let vault: OpenVault
    let account: Account
    var generator = SeededGenerator(seed: 1)

    /// `isVolatile`: for what writes so much that a disk would be in the way.
    init(isVolatile: Bool = false) throws {
        scratch = Scratch("capture", isVolatile: isVolatile)
        let path = scratch.appending("vault")
        try OpenVault.create(path, clock: clock.wall, using: &generator)
        vault = try OpenVault(path, clock: clock.wall)
        account = try vault.addAccount("anna@example.org", sources: ["maildir:/x"], using: &generator)
    }

    @discardableResult
    func pass(_ source: any Source, _ scope: PassScope = .all, deep: Bool = false) throws -> PassReport {
        try AccountCapture(vault, account, source).pass(scope, origin: .scan, deep: deep)
    }

    /// The transactions behind `id`.
    func transactions(after id: TransactionID = TransactionID(rawValue: 2)) throws -> [Transaction] {
        var found: [Transaction] = []
        try vault.journal.scan(from: id.next, through: vault.journal.head().transaction) {
            found.append(try $0.transaction())
            return true
        }
        return found
    }

    /// What one pass records.
    func recorded(_ source: any Source, _ scope: PassScope = .all, deep: Bool = false) throws -> [Transaction] {
        let before = try vault.journal.head().transaction
        try pass(source, scope, deep: deep)
        return try transactions(after: before)
    }

    /// The live items by their state.
    func live() throws -> [ItemID: ItemState] { try states { !$0.isDeleted } }

    func states(where wanted: (ItemState) -> Bool = { _ in true }) throws -> [ItemID: ItemState] {
        let projections = try vault.projections()
        var pointers: [ItemPointer] = []
        try projections.pointers(account.number, asOf: projections.position()) { pointers.append($0) }
        var states: [ItemID: ItemState] = [:]
        try vault.journal.states(pointers) { if wanted($0.state) { states[$0.item] = $0.state } }
        return states
    }

    /// `folder path: source name = bytes` of every live message, sorted.
    func mailbox() throws -> [String] {
        let states = try live()
        let reader = vault.blobs.reader()
        return try states.compactMap { item, state -> String? in
            guard let message = state.message else { return nil }
            let folder = states[ItemID(.folder, message.folder)]?.folder?.joinedPath ?? utf8("?")
            var text = "-"
            if let digest = message.digest {
                text = try reader.read(digest) { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
            }
            return
                "\(String(decoding: folder, as: UTF8.self)): \(String(decoding: message.sourceName, as: UTF8.self)) = \(text)"
        }.sorted()
    }

    /// The item of the live message with that source name.
    func item(_ name: String) throws -> ItemID? {
        try live().first { $0.value.message?.sourceName == utf8(name) }?.key
    }

    func folder(_ path: String) throws -> ItemID? {
        try live().first { $0.value.folder?.joinedPath == utf8(path) }?.key
    }
}

func code(_ body: () throws -> Void) -> Failure.Code? {
    do { try body() } catch { return (error as? Failure)?.code ?? .failed }
    return nil
}

func sampleSource() -> MemorySource {
    MemorySource {
        $0.add("INBOX", [.init("1", "one", [.seen]), .init("2", "two"), .init("3", "three", [], ["$Work"])])
        $0.add("Box", [.init("4", "four")])
        $0.add("Box/Sub", [.init("5", "five")])
    }
}

struct Nothing: Error {}

/// `value`, or an error: for use inside of `#expect`.
func some<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Nothing() }
    return value
}
