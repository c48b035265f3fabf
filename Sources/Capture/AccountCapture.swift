internal import Blobs
public import Connectors
public import Events
internal import Files
internal import Journal
internal import Projections
public import Vault

/// The capture of one account by one process: reconciles the vault with the account's source, pass by pass.
///
/// A pass is the only thing that reads a source; a scan runs one over everything, a watch runs one wherever a hint says.
/// Absence deletes only after a complete listing that ended well (`Specs/Invariants.md`, 7).
public final class AccountCapture {
    public let vault: OpenVault
    public let account: Account
    let source: any Source
    private let lock: CaptureLock
    /// A folder that lost more than this share of its messages at once, in per cent, is listed as a whole before that is believed.
    public var confirmedLossPercent = AccountCapture.usualLossPercent
    public static let usualLossPercent = 20
    /// What the pass before held back: by folder and name, in the source's words.
    fileprivate var held: Set<[UInt8]> = []

    /// Takes the right to capture `account`. Throws when another process has it.
    public init(_ vault: OpenVault, _ account: Account, _ source: any Source) throws {
        guard let lock = try vault.captureLock(account.number) else {
            throw Failure(
                .captured, "\(account.state.address) is being captured by another process",
                hint: "A running watch or scan sees to it; stop that one first if this is not wanted")
        }
        (self.vault, self.account, self.source, self.lock) = (vault, account, source, lock)
    }

    /// Reconciles the vault with the source where `scope` says. With `deep`, every message is read again and its bytes
    /// compared.
    ///
    /// A watch, which looks at some folders at a time, must not take the two halves of a move for a new and a deleted
    /// message (`Specs/Decisions/0009`). Therefore `meanwhile` is asked, before anything that vanished is believed to be
    /// gone, where else something has happened; and with `holdsBack`, what looks like a copy is recorded only when it
    /// still does in the next pass: ``PassReport/held`` names the folders that pass has to look at.
    public func pass(
        _ scope: PassScope = .all, origin: Origin, deep: Bool = false, holdsBack: Bool = false,
        meanwhile: () throws -> PassScope? = { nil }, progress: @escaping (PassProgress) -> Void = { _ in }
    ) throws -> PassReport {
        do {
            return try Pass(self, origin: origin, deep: deep, holdsBack: holdsBack, progress: progress)
                .run(scope, meanwhile)
        } catch let failure as SourceFailure {
            throw Failure(failure, ofSource: account)
        }
    }
}

extension Failure {
    /// Nothing was concluded from what a source did not say.
    init(_ failure: SourceFailure, ofSource account: Account) {
        let address = account.state.address
        if case .unavailable(let why) = failure {
            self.init(.unreachable, "the source of \(address) cannot be reached: \(why)")
        } else {
            self.init(.sourceDamaged, "the source of \(address) cannot be read: \(failure)")
        }
    }
}

/// One pass, from the listing to the last commit.
private final class Pass {
    private let capture: AccountCapture
    private let vault: OpenVault
    private let account: AccountNumber
    private let origin: Origin
    private let deep: Bool
    private let holdsBack: Bool
    private var held: Set<[UInt8]> = []
    private let progress: (PassProgress) -> Void
    private var report = PassReport()
    private var checkpoints: Checkpoints
    /// Whether every folder is listed, whatever its checkpoint says.
    private let isFull: Bool
    /// Folders that are listed as a whole: what changes said of them is hard to believe.
    private var doubted: Set<UInt32> = []
    private var returned: ReturnedItems?
    /// Folders of which something was listed and could not be read: the next pass has to see it again.
    private var incomplete: Set<UInt32> = []
    /// Names that were listed and given by nobody when they were to be read, by comparison.
    private var unread: [UInt32: [[UInt8]]] = [:]
    /// Folders of which something waits for the next pass, which is to be told of it again.
    private var delayed: Set<UInt32> = []
    private var nextFolder: UInt32 = 0
    /// What the source calls the folders, by number.
    private var folderNames: [UInt32: [UInt8]] = [:]
    private var nextMessage: UInt32 = 0
    /// Transactions that are recorded with the next ones, or at the end: whoever appends waits for the disk, however little it is.
    private var waiting: [JournalEntry] = []
    private var waitingChanges = 0

    /// So many changes are not kept waiting.
    private static let waitingLimit = 64
    /// Changes of one transaction at most; a burst that is larger becomes several.
    private static let transactionChanges = 10_000
    /// How often a listing is repeated to tell what was moved while it was made from what is gone.
    private static let confirmations = 3
    /// Fewer lost messages are believed without a second listing.
    private static let doubtfulMessages = 10

    init(
        _ capture: AccountCapture, origin: Origin, deep: Bool, holdsBack: Bool,
        progress: @escaping (PassProgress) -> Void
    ) throws {
        (self.capture, self.holdsBack) = (capture, holdsBack)
        vault = capture.vault
        account = capture.account.number
        (self.origin, self.deep, self.progress) = (origin, deep, progress)
        checkpoints = try Checkpoints(vault, try vault.projections(), account)
        isFull = deep || checkpoints.isStale(at: vault.clock)
    }

    /// The folders of vault and source at one moment.
    private struct View {
        var folders: FolderComparison
        /// By the source's name.
        var numbers: [[UInt8]: UInt32]
        var structure: [Change]
        var comparisons: [MessageComparison]

        var hasLost: Bool { !folders.deleted.isEmpty || comparisons.contains { !$0.vanished.isEmpty } }
        var lost: [[UInt32]] { [folders.deleted.map(\.number)] + comparisons.map { $0.vanished.map(\.number) } }
    }

    func run(_ wanted: PassScope, _ meanwhile: () throws -> PassScope?) throws -> PassReport {
        do { try reconcile(wanted, meanwhile) } catch {
            // What was read until then is kept. Where it cannot be, the error that came first says why.
            try? flush([])
            throw error
        }
        return report
    }

    private func reconcile(_ wanted: PassScope, _ meanwhile: () throws -> PassScope?) throws {
        let projections = try vault.projections()
        nextMessage = try projections.highestNumber(account, .message) + 1
        let known = try KnownFolder.all(of: account, vault, projections)
        var scope = wanted
        var view = try look(known, scope, projections)
        try refuseAnotherSource(view.folders, projections)
        // What vanished here may have appeared where had been looked before, or where nobody has looked yet: look once
        // more, until it stays the same.
        for _ in 0..<Pass.confirmations where view.hasLost {
            doubt(view.comparisons)
            let wider = try meanwhile().map { scope.union($0) } ?? scope
            let again = try look(known, wider, projections, behind: view)
            let isSame = wider == scope && again.lost == view.lost
            (view, scope) = (again, wider)
            if isSame { break }
        }
        for (name, number) in view.numbers { folderNames[number] = name }
        try commit(view.structure)
        try store(view.comparisons, view.folders) {
            // Everywhere: the folder a message came from need not be one of those that were asked for.
            let counted = (self.report.messages, self.report.unlistable, self.report.passedOver)
            defer { (self.report.messages, self.report.unlistable, self.report.passedOver) = counted }
            let now = try capture.source.folders()
            return try self.compare(
                view.folders.refreshed(now), view.numbers, .all, projections, behind: view.comparisons)
        }
        capture.held = held
        try flush(try missed(view) + [checkpoint(view, scope)].compactMap { $0 })
    }

    /// Lists the folders and, in `scope`, their messages, and compares them with the vault. Records nothing. A folder that is
    /// as it was in the view `before`, by its checkpoint, is not asked about again.
    private func look(
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
    private func doubt(_ comparisons: [MessageComparison]) {
        for comparison in comparisons
        where comparison.vanished.count >= Pass.doubtfulMessages
            && comparison.vanished.count * 100 > comparison.known * capture.confirmedLossPercent
        {
            doubted.insert(comparison.folder)
        }
    }

    /// Names what was there and could not be captured (`Specs/Format/Events.md`, "Missed messages").
    private func missed(_ view: View) throws -> [JournalEntry] {
        let sources = Dictionary(
            (view.folders.pairs.map(\.source) + view.folders.created).map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first })
        var notes: [JournalEntry] = []
        for comparison in view.comparisons {
            guard let name = folderNames[comparison.folder], let folder = sources[name] else { continue }
            var found = comparison.missed.map { [$0] } ?? []
            if let names = unread[comparison.folder] {
                // Gone, or not given for another reason? One that is still listed is the next pass's matter.
                let now: any SourceListing
                do { now = try capture.source.list(folder) } catch is SourceFailure { continue }
                let gone = names.filter { now.position($0) == nil }
                if !gone.isEmpty {
                    let shown = gone.prefix(100).joined(separator: [UInt8(ascii: ",")])
                    found.append(MissedMessages(count: gone.count, names: Array(shown)))
                }
            }
            for missed in found {
                report.missed += missed.count
                let note = Note(
                    .missed,
                    [
                        .init("folder", .text(Array(folder.path.joined(separator: [UInt8(ascii: "/")])))),
                        .init("missed", .number(Int64(missed.count))), .init("names", .text(missed.names)),
                    ])
                notes.append(JournalEntry(account: account, origin: origin, changes: [], note: note))
            }
        }
        return notes
    }

    /// How far the folders that were looked at have been recorded; nil when nothing is new about it.
    private func checkpoint(_ view: View, _ scope: PassScope) -> JournalEntry? {
        var found: [UInt32: [UInt8]] = [:]
        for comparison in view.comparisons
        where !incomplete.contains(comparison.folder) && !delayed.contains(comparison.folder) {
            found[comparison.folder] = comparison.listing.checkpoint
        }
        for folder in incomplete { found[folder] = [] }
        for folder in view.folders.deleted { found[folder.number] = [] }
        let isListed = isFull && scope == .all && report.isComplete && report.vanished == 0 && delayed.isEmpty
        return checkpoints.note(found, listed: isListed ? vault.clock : nil)
            .map { JournalEntry(account: account, origin: origin, changes: [], note: $0) }
    }

    /// An empty mailbox where a full one was, and every directory another: that is a disk that is not mounted, or another
    /// mailbox under the same name, not a user who deleted everything.
    private func refuseAnotherSource(_ folders: FolderComparison, _ projections: OpenProjections) throws {
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
    private func compare(
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

    // MARK: Recording

    private func commit(_ changes: [Change]) throws {
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
    private func flush(_ notes: [JournalEntry]) throws {
        let entries = waiting + notes
        guard !entries.isEmpty else { return }
        (waiting, waitingChanges) = ([], 0)
        let range = try vault.commit(entries)
        report.recorded(range.lowerBound..<range.upperBound - UInt64(notes.count))
    }

    /// Reads what is new, tells what was moved from what is new, and records all of it.
    private func store(
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
        var wanted: [Ingest.Wanted] = []
        for (index, comparison) in comparisons.enumerated() {
            wanted += comparison.new.map { Ingest.Wanted(comparison: index, position: $0) }
        }
        var moved: [Change] = []
        var doubtful: [(Ingest.Wanted, Ingest.Outcome)] = []
        let mayHaveMoved = comparisons.contains { $0.known > 0 }
        let total = wanted.count
        if total > 0 { returned = try ReturnedItems(vault, try vault.projections(), account) }
        try Ingest(vault: vault).run(wanted, listings: comparisons.map(\.listing)) { slice, outcomes in
            var entries: [JournalEntry] = []
            for (wanted, outcome) in zip(slice, outcomes) {
                if mayHaveMoved, case .stored(let digest, _, _, _, isNew: false) = outcome, !matcher.has(digest) {
                    doubtful.append((wanted, outcome))
                    continue
                }
                guard let change = try change(wanted, outcome, comparisons[wanted.comparison], &matcher) else {
                    continue
                }
                if !change.kinds.isDisjoint(with: [.created, .returned]) {
                    entries.append(JournalEntry(account: account, origin: origin, changes: [change]))
                } else {
                    moved.append(change)
                }
            }
            try commit(entries)
            progress(
                PassProgress(messages: slice.endIndex, totalMessages: total, bytes: report.bytes))
        }
        if !doubtful.isEmpty {
            // The vault has these bytes: copies, or messages that came here when their old folder had been listed, or was
            // not in scope. Only another look tells them apart; what it misses besides is the next pass's matter.
            let known = Set(comparisons.flatMap(\.vanished).map(\.number))
            var late = VanishedMatcher(
                try lookAgain().flatMap(\.vanished).filter { !known.contains($0.number) }, byName: false)
            var copies: [JournalEntry] = []
            for (wanted, outcome) in doubtful {
                if case .stored(let digest, _, _, _, _) = outcome, !late.has(digest), holdBack(wanted, comparisons) {
                    continue
                }
                guard let change = try change(wanted, outcome, comparisons[wanted.comparison], &late) else { continue }
                if !change.kinds.isDisjoint(with: [.created, .returned]) {
                    copies.append(JournalEntry(account: account, origin: origin, changes: [change]))
                } else {
                    moved.append(change)
                }
            }
            try commit(copies)
        }
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
