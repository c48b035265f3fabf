internal import Blobs
internal import Connectors
internal import Events
internal import Journal
internal import Projections
internal import Vault

// What a pass records of what it has seen: transactions in the order of ``Pass/run(_:_:)``, deletions last.

extension Pass {
    /// So many changes are not kept waiting.
    private static let waitingLimit = 64
    /// Changes of one transaction at most; a burst that is larger becomes several.
    private static let transactionChanges = 10_000

    func commit(_ changes: [Change]) throws {
        var rest = changes[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Pass.transactionChanges))
            rest = rest.dropFirst(part.count)
            try commit([JournalEntry(account: account, origin: origin, changes: part)])
        }
    }

    private func commit(_ entries: [JournalEntry]) throws {
        waiting += entries
        waitingChanges += entries.reduce(0) { $0 + $1.changes.count }
        if waitingChanges >= Pass.waitingLimit { try flush([]) }
    }

    /// Records what waits, and these notes behind it.
    func flush(_ notes: [JournalEntry]) throws {
        let entries = waiting + notes
        guard !entries.isEmpty else { return }
        (waiting, waitingChanges) = ([], 0)
        let range = try vault.commit(entries)
        report.recorded(range.lowerBound..<range.upperBound - UInt64(notes.count))
    }

    /// Reads what is new, tells what was moved from what is new, and records all of it.
    func store(
        _ comparisons: [MessageComparison], _ folders: FolderComparison, lookAgain: () throws -> [MessageComparison]
    ) throws {
        // Until all that was found in the store is recorded, no purge takes it away.
        let blobs = try vault.useBlobs()
        defer { withExtendedLifetime(blobs) {} }
        var matcher = VanishedMatcher(
            comparisons.flatMap(\.vanished)
                + (try folders.deleted.flatMap { try VanishedMessage.all(in: $0.number, of: account, vault) }),
            byName: capture.source.hasUniqueNames)
        try readAgain(comparisons)
        var moved: [Change] = []
        let doubtful = try readNew(comparisons, &matcher, &moved)
        if !doubtful.isEmpty { try tellApart(doubtful, comparisons, try lookAgain(), &moved) }
        report.moved += moved.count
        try commit(moved)
        let movedItems = Set(moved.map(\.item))
        for comparison in comparisons {
            // What moved since it was compared has its new flags from its new place.
            var changed = comparison.changed.filter { !movedItems.contains($0.item) }
            mark(&changed, comparison.listing)
            report.changed += changed.count
            try commit(changed)
        }
        try recordDeletions(comparisons, folders, matcher)
    }

    private typealias Read = (wanted: Ingest.Wanted, outcome: Ingest.Outcome)

    /// Reads the new messages and records those that came; `moved` gets those that were somewhere else before. Returned are
    /// those whose bytes the vault has, though nothing that vanished had them.
    private func readNew(
        _ comparisons: [MessageComparison], _ matcher: inout VanishedMatcher, _ moved: inout [Change]
    ) throws -> [Read] {
        var wanted: [Ingest.Wanted] = []
        for (index, comparison) in comparisons.enumerated() {
            wanted += comparison.new.map { Ingest.Wanted(comparison: index, position: $0) }
        }
        let mayHaveMoved = comparisons.contains { $0.known > 0 }
        let total = wanted.count
        if total > 0 { returned = try ReturnedItems(vault, try vault.projections(), account) }
        var doubtful: [Read] = []
        try Ingest(vault: vault).run(wanted, listings: comparisons.map(\.listing)) { slice, outcomes in
            var came: [JournalEntry] = []
            for (wanted, outcome) in zip(slice, outcomes) {
                if mayHaveMoved, case .stored(let digest, _, _, _, isNew: false) = outcome, !matcher.has(digest) {
                    doubtful.append((wanted, outcome))
                    continue
                }
                try sort((wanted, outcome), comparisons, &matcher, &came, &moved)
            }
            try commit(came)
            progress(PassProgress(messages: slice.endIndex, totalMessages: total, bytes: report.bytes))
        }
        return doubtful
    }

    /// The vault has these bytes: copies, or messages that came here when their old folder had been listed, or was not in
    /// scope. Only another look tells them apart; what it misses besides is the next pass's matter.
    private func tellApart(
        _ doubtful: [Read], _ comparisons: [MessageComparison], _ again: [MessageComparison], _ moved: inout [Change]
    ) throws {
        let known = Set(comparisons.flatMap(\.vanished).map(\.number))
        var late = VanishedMatcher(again.flatMap(\.vanished).filter { !known.contains($0.number) }, byName: false)
        var copies: [JournalEntry] = []
        for read in doubtful {
            if case .stored(let digest, _, _, _, _) = read.outcome, !late.has(digest),
                holdBack(read.wanted, comparisons)
            {
                continue
            }
            try sort(read, comparisons, &late, &copies, &moved)
        }
        try commit(copies)
    }

    /// What came is a transaction of its own; what was moved is recorded together.
    private func sort(
        _ read: Read, _ comparisons: [MessageComparison], _ matcher: inout VanishedMatcher,
        _ came: inout [JournalEntry], _ moved: inout [Change]
    ) throws {
        let comparison = comparisons[read.wanted.comparison]
        guard let change = try change(read.wanted, read.outcome, comparison, &matcher) else { return }
        if !change.kinds.isDisjoint(with: [.created, .returned]) {
            came.append(JournalEntry(account: account, origin: origin, changes: [change]))
        } else {
            moved.append(change)
        }
    }

    /// What messages are known by comes with their bytes; of those that were captured before it was asked for, with their next
    /// change. It is no change of its own.
    private func mark(_ changes: inout [Change], _ listing: any SourceListing) {
        var places: [(change: Int, position: Int)] = []
        for index in changes.indices {
            guard let state = changes[index].state.message, state.marks.isEmpty,
                let position = listing.position(state.sourceName)
            else { continue }
            places.append((index, position))
        }
        // Where the source cannot be asked any more, they wait for another change.
        guard !places.isEmpty, let found = try? listing.marks(places.map(\.position)) else { return }
        for (place, marks) in zip(places, found) {
            guard var state = changes[place.change].state.message else { continue }
            state.marks = marks
            changes[place.change].state = ItemState(state, isDeleted: changes[place.change].state.isDeleted)
        }
    }

    /// Whether a message that looks like a copy waits for the next pass: what it was copied from may be about to go, and
    /// then it was moved. Once only.
    private func holdBack(_ wanted: Ingest.Wanted, _ comparisons: [MessageComparison]) -> Bool {
        let comparison = comparisons[wanted.comparison]
        guard holdsBack, let folder = folderNames[comparison.folder] else { return false }
        let key = folder + [0] + comparison.listing.name(Int(wanted.position))
        guard !capture.held.contains(key) else { return false }
        held.insert(key)
        delayed.insert(comparison.folder)
        report.held.insert(folder)
        return true
    }

    /// The change that a message read for the first time in its place amounts to; nil when it went before it was read.
    private func change(
        _ wanted: Ingest.Wanted, _ outcome: Ingest.Outcome, _ comparison: MessageComparison,
        _ matcher: inout VanishedMatcher
    ) throws -> Change? {
        let position = Int(wanted.position)
        var state = MessageState(
            folder: comparison.folder, content: .unreadable(0), internalDate: Timestamp(rawValue: 0),
            flags: comparison.listing.flags(position), keywords: comparison.listing.keywords(position),
            sourceName: Array(comparison.listing.name(position)))
        switch outcome {
        case .vanished:
            report.vanished += 1
            incomplete.insert(comparison.folder)
            unread[comparison.folder, default: []].append(state.sourceName)
            return nil
        case .unreadable(let code, let what):
            report.unreadable.append(what)
            incomplete.insert(comparison.folder)
            state.content = .unreadable(code)
            // Its name is all there is to know it by; what was kept of it when it could be read is kept on.
            if let before = matcher.take(named: state.sourceName) {
                (state.content, state.internalDate) = (before.state.content, before.state.internalDate)
                return moved(before, state)
            }
        case .stored(let digest, let size, let date, let marks, _):
            report.bytes += size
            state.content = .blob(digest, size: size)
            (state.internalDate, state.marks) = (date, marks)
            if let before = matcher.take(like: state) {
                return moved(before, state)
            }
            if let before = matcher.take(unreadable: state.sourceName) { return moved(before, state) }
            if let back = try whatReturned(state) { return back }
        }
        defer { nextMessage += 1 }
        report.created += 1
        return Change(ItemID(.message, nextMessage), .created, ItemState(state))
    }

    /// The change of a message that vanished and is there again in another place, or under another name.
    private func moved(_ before: VanishedMessage, _ state: MessageState) -> Change {
        Change(ItemID(.message, before.number), before.kinds(as: state), ItemState(state))
    }

    /// The change of the deleted item that a restore brought back as this new message; nil when there is none.
    private func whatReturned(_ state: MessageState) throws -> Change? {
        guard let folder = folderNames[state.folder], let item = returned?.item(folder: folder, name: state.sourceName)
        else { return nil }
        let projections = try vault.projections()
        guard let pointer = try projections.pointer(account, item, asOf: try projections.position()), pointer.isDeleted,
            let before = try vault.journal.state(item, at: pointer).state.message, before.digest == state.digest
        else { return nil }
        returned?.isBack(item)
        report.returned += 1
        var kinds: ChangeKinds = .returned
        if before.folder != state.folder { kinds.insert(.moved) }
        if before.flags != state.flags { kinds.insert(.flags) }
        if before.keywords != state.keywords { kinds.insert(.tags) }
        return Change(item, kinds, ItemState(state))
    }

    /// Messages that could not be read before, or that a deep scan reads again.
    private func readAgain(_ comparisons: [MessageComparison]) throws {
        var wanted: [Ingest.Wanted] = []
        var known: [MessageComparison.Reread] = []
        for (index, comparison) in comparisons.enumerated() {
            for again in comparison.reread {
                wanted.append(Ingest.Wanted(comparison: index, position: again.position))
                known.append(again)
            }
        }
        guard !wanted.isEmpty else { return }
        try Ingest(vault: vault).run(wanted, listings: comparisons.map(\.listing)) { slice, outcomes in
            var changes: [Change] = []
            for (index, outcome) in zip(slice.indices, outcomes) {
                var (state, kinds) = (known[index].state, known[index].kinds)
                switch outcome {
                // What vanished meanwhile is the next pass's matter.
                case .vanished: break
                case .unreadable(_, let what): report.unreadable.append(what)
                case .stored(let digest, let size, let date, let marks, _):
                    report.bytes += size
                    if state.digest != digest { kinds.insert(.content) }
                    if state.internalDate != date { kinds.insert(.metadata) }
                    state.content = .blob(digest, size: size)
                    // What it is known by is no change of its own.
                    (state.internalDate, state.marks) = (date, marks)
                }
                if !kinds.isEmpty {
                    changes.append(Change(ItemID(.message, known[index].number), kinds, ItemState(state)))
                }
            }
            report.changed += changes.count
            try commit(changes)
            progress(PassProgress(messages: slice.endIndex, totalMessages: wanted.count, bytes: report.bytes))
        }
    }

    /// One transaction for each folder that lost messages, and one for each folder that is gone with all in it.
    private func recordDeletions(
        _ comparisons: [MessageComparison], _ folders: FolderComparison, _ matcher: VanishedMatcher
    ) throws {
        let gone = Dictionary(grouping: matcher.left, by: \.state.folder)
        for (folder, messages) in gone.sorted(by: { $0.key < $1.key }) {
            report.deleted += messages.count
            var changes = messages.map {
                Change(ItemID(.message, $0.number), .deleted, ItemState($0.state, isDeleted: true))
            }
            if let known = folders.deleted.first(where: { $0.number == folder }) {
                changes.append(deletion(of: known))
            }
            try commit(changes)
        }
        for folder in folders.deleted {
            report.foldersDeleted += 1
            if gone[folder.number] == nil { try commit([deletion(of: folder)]) }
        }
    }

    private func deletion(of folder: KnownFolder) -> Change {
        Change(ItemID(.folder, folder.number), .deleted, ItemState(folder.state, isDeleted: true))
    }
}
