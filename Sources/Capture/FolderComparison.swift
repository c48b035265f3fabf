internal import Connectors
internal import Events
internal import Journal
internal import Projections
internal import Vault

/// A live folder of the vault that comes from the source (not one made by an import).
struct KnownFolder: Hashable, Sendable {
    var number: UInt32
    var state: FolderState

    /// Those of an account.
    static func all(
        of account: AccountNumber, _ vault: OpenVault, _ projections: OpenProjections
    ) throws -> [KnownFolder] {
        var pointers: [ItemPointer] = []
        try projections.live(account, .folder, folder: 0) { pointers.append($0) }
        var known: [KnownFolder] = []
        try vault.journal.states(pointers) { recorded in
            // A folder without a source's name was made by an import: no source can miss it.
            guard let state = recorded.state.folder, !state.sourceName.isEmpty else { return }
            known.append(KnownFolder(number: recorded.item.number, state: state))
        }
        return known
    }
}

extension FolderState {
    /// Of one that is seen for the first time.
    init(of folder: SourceFolder) {
        self.init(
            path: folder.path, isSubscribed: folder.isSubscribed, uidValidity: folder.uidValidity,
            sourceName: folder.name, sourceIdentity: folder.identity, attributes: folder.attributes ?? [])
    }
}

/// What the folders of the vault and those of a complete listing have to do with each other. A pure function of the two.
struct FolderComparison: Hashable, Sendable {
    /// Both have it; the state is what it is now.
    struct Pair: Hashable, Sendable {
        var number: UInt32
        var before: FolderState
        var source: SourceFolder

        var after: FolderState {
            FolderState(
                path: source.path, isSubscribed: source.isSubscribed, uidValidity: source.uidValidity,
                sourceName: source.name, sourceIdentity: source.identity,
                attributes: source.attributes ?? before.attributes)
        }

        /// What is new; empty when nothing is.
        var kinds: ChangeKinds {
            var kinds: ChangeKinds = []
            if before.path != source.path || before.sourceName != source.name { kinds.insert(.renamed) }
            if before.isSubscribed != source.isSubscribed { kinds.insert(.subscription) }
            if before.uidValidity != source.uidValidity || before.sourceIdentity != source.identity
                || before.attributes != after.attributes
            {
                kinds.insert(.metadata)
            }
            return kinds
        }
    }

    var pairs: [Pair] = []
    var created: [SourceFolder] = []
    var deleted: [KnownFolder] = []

    init(known: [KnownFolder], listed: [SourceFolder]) {
        var left = Dictionary(uniqueKeysWithValues: known.map { ($0.number, $0) })
        var unmatched: [SourceFolder] = []
        let byName = Dictionary(known.map { ($0.state.sourceName, $0) }, uniquingKeysWith: { first, _ in first })
        // A Maildir that was copied to another disk has new inodes everywhere: then names say what is the same.
        // At least one name must be left: where none is, all folders were renamed, and identities say what is the same.
        let hasMoved =
            listed.contains { byName[$0.name] != nil }
            && listed.allSatisfy { folder in
                folder.identity.isEmpty
                    || byName[folder.name].map { $0.state.sourceIdentity != folder.identity } ?? true
            }
        var byIdentity: [[UInt8]: KnownFolder] = [:]
        for folder in known where !folder.state.sourceIdentity.isEmpty {
            byIdentity[folder.state.sourceIdentity] = folder
        }
        for folder in listed {
            if !hasMoved, !folder.identity.isEmpty, let same = byIdentity[folder.identity], left[same.number] != nil {
                left[same.number] = nil
                pairs.append(Pair(number: same.number, before: same.state, source: folder))
            } else {
                unmatched.append(folder)
            }
        }
        for folder in unmatched {
            // A folder that could not be looked into says nothing about its identity.
            let sameName = byName[folder.name].flatMap { left[$0.number] }
            let mayBeSame =
                hasMoved || folder.problem != nil || folder.identity.isEmpty
                || (sameName?.state.sourceIdentity.isEmpty ?? false)
            if let sameName, mayBeSame {
                left[sameName.number] = nil
                var source = folder
                if folder.identity.isEmpty || folder.problem != nil { source.identity = sameName.state.sourceIdentity }
                pairs.append(Pair(number: sameName.number, before: sameName.state, source: source))
            } else {
                // Deleted and made again with the same name: another folder.
                created.append(folder)
            }
        }
        deleted = left.values.sorted { $0.number < $1.number }
        pairs.sort { $0.number < $1.number }
    }

    /// The same folders with the checkpoints they have now.
    func refreshed(_ listed: [SourceFolder]) -> FolderComparison {
        let checkpoints = Dictionary(listed.map { ($0.name, $0.checkpoint) }, uniquingKeysWith: { first, _ in first })
        var fresh = self
        for index in fresh.pairs.indices {
            fresh.pairs[index].source.checkpoint = checkpoints[fresh.pairs[index].source.name] ?? []
        }
        for index in fresh.created.indices {
            fresh.created[index].checkpoint = checkpoints[fresh.created[index].name] ?? []
        }
        return fresh
    }
}
