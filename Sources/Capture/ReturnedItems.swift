internal import Events
internal import Journal
internal import Projections
internal import Vault

/// Deleted items that a restore has put back into this account, by the place where it put them: when a pass finds them
/// there, they are the same items again and their histories go on.
struct ReturnedItems: Sendable {
    private var items: [[UInt8]: ItemID] = [:]
    /// Those that were found: put into two places, an item is in the one that is read first, and the other has a copy.
    private var found: Set<ItemID> = []

    /// Of the restores that were recorded since the account's last scan, or the beginning of its watch.
    init(_ vault: OpenVault, _ projections: OpenProjections, _ account: AccountNumber) throws {
        let notes = try projections.notes(account)
        // Restores before the last scan have been seen by it.
        let start = notes.lastIndex { $0.kind == .scanCompleted || $0.kind == .watchBegan } ?? 0
        for (id, kind) in notes[start...] where kind == .operationStep {
            guard let note = try vault.journal.transaction(id)?.entry.note else { continue }
            for delivery in note.fields.compactMap(\.delivery) {
                items[ReturnedItems.key(delivery.folder, delivery.name)] = delivery.item
            }
        }
    }

    func item(folder: [UInt8], name: [UInt8]) -> ItemID? {
        guard let item = items[ReturnedItems.key(folder, name)], !found.contains(item) else { return nil }
        return item
    }

    mutating func isBack(_ item: ItemID) { found.insert(item) }

    private static func key(_ folder: [UInt8], _ name: [UInt8]) -> [UInt8] { folder + [0] + name }
}
