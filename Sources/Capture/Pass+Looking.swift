internal import Connectors
internal import Events
internal import Journal
internal import Projections
internal import Vault

// What a pass sees: the folders of the source and their messages, held against the vault. Records nothing.

extension Pass {
    /// Fewer lost messages are believed without a second listing.
    private static let doubtfulMessages = 10

    /// Lists the folders and, in `scope`, their messages, and compares them with the vault. Records nothing. A folder that is
    /// as it was in the view `before`, by its checkpoint, is not asked about again.
    func look(
        _ known: [KnownFolder], _ scope: PassScope, _ projections: OpenProjections, behind before: View? = nil
    ) throws -> View {
        nextFolder = try projections.highestNumber(account, .folder) + 1
        (report.foldersCreated, report.foldersChanged) = (0, 0)
        let listed = try capture.source.folders()
        report.folders = listed.count
        var folders = FolderComparison(known: known, listed: listed)
        try addAttributes(&folders, behind: before?.folders)
        var numbers: [[UInt8]: UInt32] = [:]
        let structure = folderChanges(folders, &numbers)
        return View(
            folders: folders, numbers: numbers, structure: structure,
            comparisons: try compare(folders, numbers, scope, projections, behind: before?.comparisons ?? []))
    }

    /// Looks at what else there is about folders in which something is new.
    private func addAttributes(_ folders: inout FolderComparison, behind before: FolderComparison?) throws {
        let seen = Dictionary(
            (before?.pairs.map(\.source) ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        func look(_ folder: inout SourceFolder) throws {
            guard folder.problem == nil, folder.attributes == nil else { return }
            if !isFull, let seen = seen[folder.name], seen.attributes != nil, !folder.checkpoint.isEmpty,
                seen.checkpoint == folder.checkpoint, seen.identity == folder.identity
            {
                folder.attributes = seen.attributes
            } else {
                folder.attributes = try capture.source.attributes(of: folder)
            }
        }
        for index in folders.pairs.indices {
            let pair = folders.pairs[index]
            let isNew = isFull || pair.source.checkpoint.isEmpty || checkpoints[pair.number] != pair.source.checkpoint
            if isNew { try look(&folders.pairs[index].source) }
        }
        for index in folders.created.indices { try look(&folders.created[index]) }
    }

    /// What lost much at once is listed as a whole the next time.
    func doubt(_ comparisons: [MessageComparison]) {
        for comparison in comparisons
        where comparison.vanished.count >= Pass.doubtfulMessages
            && comparison.vanished.count * 100 > comparison.known * capture.confirmedLossPercent
        {
            doubted.insert(comparison.folder)
        }
    }

    /// An empty mailbox where a full one was, and every directory another: that is a disk that is not mounted, or another
    /// mailbox under the same name, not a user who deleted everything.
    func refuseAnotherSource(_ folders: FolderComparison, _ projections: OpenProjections) throws {
        guard !folders.pairs.isEmpty || !folders.deleted.isEmpty,
            try projections.statistics(account).liveMessages > 0,
            folders.pairs.allSatisfy({
                !$0.before.sourceIdentity.isEmpty && $0.before.sourceIdentity != $0.source.identity
            })
        else { return }
        for folder in folders.pairs.map(\.source) + folders.created where folder.problem == nil {
            do {
                if try capture.source.list(folder).count > 0 { return }
            } catch SourceFailure.unreadable {
                // It says nothing, so not that there is a message either.
                continue
            }
        }
        throw Failure(
            .refused,
            "the source of \(capture.account.state.address) is empty and not the one that was captured before: "
                + "nothing is recorded as deleted",
            hint:
                "Is its disk mounted? If the mailbox was really emptied and made anew, remove the account and add it again"
        )
    }

    private func folderChanges(_ folders: FolderComparison, _ numbers: inout [[UInt8]: UInt32]) -> [Change] {
        var changes: [Change] = []
        for pair in folders.pairs {
            numbers[pair.source.name] = pair.number
            guard !pair.kinds.isEmpty else { continue }
            changes.append(Change(ItemID(.folder, pair.number), pair.kinds, ItemState(pair.after)))
            report.foldersChanged += 1
        }
        for folder in folders.created {
            numbers[folder.name] = nextFolder
            changes.append(Change(ItemID(.folder, nextFolder), .created, ItemState(FolderState(of: folder))))
            nextFolder += 1
            report.foldersCreated += 1
        }
        return changes
    }

    /// Lists every folder in `scope` and compares it. A folder that cannot be listed says nothing, and is named. What was found
    /// `before` in a folder that has not changed since holds: nobody else records anything of this account meanwhile.
    func compare(
        _ folders: FolderComparison, _ numbers: [[UInt8]: UInt32], _ scope: PassScope, _ projections: OpenProjections,
        behind before: [MessageComparison]
    ) throws -> [MessageComparison] {
        let seen = Dictionary(before.map { ($0.folder, $0) }, uniquingKeysWith: { first, _ in first })
        var found: [MessageComparison] = []
        report.messages = 0
        var isPartial = false
        report.unlistable = []
        report.passedOver = []
        let created = Set(folders.created.map(\.name))
        for folder in folders.pairs.map(\.source) + folders.created {
            let isWanted =
                if case .folders(let names) = scope {
                    names.contains(folder.name) || created.contains(folder.name)
                } else { true }
            guard isWanted, let number = numbers[folder.name] else { continue }
            do {
                if let problem = folder.problem { throw problem }
                let mayTrust = !isFull && !doubted.contains(number)
                if mayTrust, let checkpoint = checkpoints[number] {
                    isPartial = true
                    if checkpoint == folder.checkpoint { continue }
                    if !folder.checkpoint.isEmpty, let same = seen[number],
                        same.listing.checkpoint == folder.checkpoint
                    {
                        found.append(same)
                        continue
                    }
                    if let changes = try capture.source.changes(in: folder, since: checkpoint) {
                        let comparison = try MessageComparison(
                            vault, projections, account: account, folder: number, changes: changes)
                        if comparison.isConsistent {
                            found.append(comparison)
                            continue
                        }
                    }
                }
                let listing = try capture.source.list(folder)
                report.messages += listing.count
                report.passedOver += listing.passedOver
                found.append(
                    try MessageComparison(
                        vault, projections, account: account, folder: number, listing: listing, deep: deep))
            } catch let failure as SourceFailure {
                if case .unavailable(let why) = failure { throw Failure(.unreachable, why) }
                report.unlistable.append("\(failure)")
            }
        }
        // What was not looked at is what it was.
        if isPartial { report.messages = Int(clamping: try projections.statistics(account).liveMessages) }
        return found
    }
}
