internal import Events
internal import Journal
internal import Projections
internal import Vault

/// The paths each folder of an account had, and since when; from the journal alone.
struct FolderPathTimeline {
    private var paths: [UInt32: [(since: TransactionID, path: [UInt8])]] = [:]

    init(_ journal: OpenJournal, _ account: AccountNumber, through last: TransactionID) throws {
        guard last > .beginning else { return }
        var found: [UInt32: [(since: TransactionID, path: [UInt8])]] = [:]
        try journal.scan(from: TransactionID(rawValue: 1), through: last) { record in
            guard record.account == account else { return true }
            var changes = try ChangeReader(record.body)
            while try changes.next() {
                guard changes.item.kind == .folder else { continue }
                guard let folder = try ItemState(.folder, decoding: changes.state).folder else { continue }
                found[changes.item.number, default: []].append((record.id, folder.joinedPath))
            }
            return true
        }
        paths = found
    }

    func path(_ folder: UInt32, at transaction: TransactionID) -> [UInt8]? {
        paths[folder]?.last { $0.since <= transaction }?.path
    }
}

/// One place where the projections do not say what the journal says.
struct ReplayDifference {
    var item: ItemID?
    var detail: String
}

/// Holds what the projections say of an account against a replay of the journal.
struct ReplayVerification {
    private let vault: OpenVault
    private let projections: OpenProjections
    private let account: AccountNumber
    private let position: TransactionID
    private static let limit = 1_000

    init(_ vault: OpenVault, _ projections: OpenProjections, _ account: AccountNumber, _ position: TransactionID) {
        (self.vault, self.projections, self.account, self.position) = (vault, projections, account, position)
    }

    func differences(
        _ live: [ItemPointer], _ digest: Digest, _ paths: FolderPathTimeline
    ) throws -> [ReplayDifference] {
        var found: [ReplayDifference] = []
        var projected: [ItemPointer] = []
        try projections.pointers(account, asOf: position) { if !$0.pointer.isDeleted { projected.append($0) } }
        let ours = Dictionary(live.map { ($0.item, $0.pointer) }, uniquingKeysWith: { first, _ in first })
        let theirs = Dictionary(projected.map { ($0.item, $0.pointer) }, uniquingKeysWith: { first, _ in first })
        for pointer in live where theirs[pointer.item] != pointer.pointer {
            found.append(
                ReplayDifference(
                    item: pointer.item,
                    detail: theirs[pointer.item].map {
                        "the projections have its state of \($0.transaction), the journal \(pointer.pointer.transaction)"
                    }
                        ?? "missing in the projections"))
            if found.count >= ReplayVerification.limit { return found }
        }
        for pointer in projected where ours[pointer.item] == nil {
            found.append(ReplayDifference(item: pointer.item, detail: "in the projections, but not in the journal"))
            if found.count >= ReplayVerification.limit { return found }
        }
        guard found.isEmpty else { return found }
        if try vault.journal.stateDigest(of: projected) != digest {
            found.append(ReplayDifference(item: nil, detail: "the digests of the states differ"))
        }
        // The JSON history too: the row of each live state must be what the journal gives.
        var json = JSONWriter()
        try vault.journal.states(live) { recorded in
            guard found.count < ReplayVerification.limit else { return }
            json.removeAll()
            json.beginObject()
            json.stateMembers(recorded.state, StateContext(recorded, paths))
            json.endObject()
            if try projections.historyRow(account, recorded.item, recorded.transaction) != json.bytes {
                found.append(
                    ReplayDifference(
                        item: recorded.item, detail: "its JSON history differs at \(recorded.transaction)"))
            }
        }
        return found
    }
}
