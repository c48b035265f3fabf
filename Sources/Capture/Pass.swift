internal import Connectors
internal import Events
internal import Files
internal import Journal
internal import Projections
internal import Vault

/// One pass, from the listing to the last commit: looks (`Pass+Looking.swift`) until what vanished stays the same, records
/// (`Pass+Recording.swift`), and notes how far it has come.
final class Pass {
    let capture: AccountCapture
    let vault: OpenVault
    let account: AccountNumber
    let origin: Origin
    let deep: Bool
    let holdsBack: Bool
    var held: Set<[UInt8]> = []
    let progress: (PassProgress) -> Void
    var report = PassReport()
    var checkpoints: Checkpoints
    /// Whether every folder is listed, whatever its checkpoint says.
    let isFull: Bool
    /// Folders that are listed as a whole: what changes said of them is hard to believe.
    var doubted: Set<UInt32> = []
    var returned: ReturnedItems?
    /// Folders of which something was listed and could not be read: the next pass has to see it again.
    var incomplete: Set<UInt32> = []
    /// Names that were listed and given by nobody when they were to be read, by comparison.
    var unread: [UInt32: [[UInt8]]] = [:]
    /// Folders of which something waits for the next pass, which is to be told of it again.
    var delayed: Set<UInt32> = []
    var nextFolder: UInt32 = 0
    /// What the source calls the folders, by number.
    var folderNames: [UInt32: [UInt8]] = [:]
    var nextMessage: UInt32 = 0
    /// Transactions that are recorded with the next ones, or at the end: whoever appends waits for the disk, however little it is.
    var waiting: [JournalEntry] = []
    var waitingChanges = 0

    /// How often a listing is repeated to tell what was moved while it was made from what is gone.
    private static let confirmations = 3

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
    struct View {
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
}
