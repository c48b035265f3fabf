internal import Events
internal import Files
internal import Journal
internal import Projections
internal import Vault

/// How far the changes of each folder have been recorded, as the source wants to be told (`Specs/Format/Events.md`,
/// "Checkpoints"). Kept in the journal, with the pass it stands for.
struct Checkpoints: Sendable {
    private var folders: [UInt32: [UInt8]] = [:]
    /// When everything was listed last.
    private var listed: Timestamp?
    /// Notes since the last one that had all folders.
    private var notesSinceWhole = 0

    /// After so many notes one has all folders again.
    private static let wholeEvery = 32
    /// After this long everything is listed, whatever the source says is new.
    private static let fullListingMicroseconds: Int64 = 24 * 3_600 * 1_000_000

    init(_ vault: OpenVault, _ projections: OpenProjections, _ account: AccountNumber) throws {
        var notes: [Note] = []
        for (id, kind) in try projections.notes(account).reversed() where kind == .sourceCheckpoint {
            guard let note = try vault.journal.transaction(id)?.entry.note else { break }
            notes.append(note)
            if note.flag("whole") == true { break }
        }
        // Without the note that has all folders, the later ones say too little.
        guard notes.last?.flag("whole") == true else { return }
        notesSinceWhole = notes.count
        listed = notes.first?.time("listed")
        for note in notes.reversed() {
            for field in note.fields {
                guard field.name.hasPrefix("f"), let number = UInt32(field.name.dropFirst()),
                    case .text(let bytes) = field.value
                else { continue }
                folders[number] = bytes.isEmpty ? nil : bytes
            }
        }
    }

    subscript(folder: UInt32) -> [UInt8]? { folders[folder] }

    /// Whether all has to be listed again; also when a clock says that it will have been.
    func isStale(at clock: WallClock) -> Bool {
        guard let listed else { return true }
        let now = clock.now()
        return now < listed || now.rawValue - listed.rawValue > Checkpoints.fullListingMicroseconds
    }

    /// What is to be recorded when these folders have these checkpoints (empty: none); nil when nothing is new.
    /// `listed`: when everything has just been listed, the clock that says so.
    mutating func note(_ found: [UInt32: [UInt8]], listed clock: WallClock?) -> Note? {
        let new = found.filter { (folders[$0.key] ?? []) != $0.value }
        for (folder, checkpoint) in new { folders[folder] = checkpoint.isEmpty ? nil : checkpoint }
        // Sources without checkpoints have nothing to remember.
        guard !folders.isEmpty, !new.isEmpty || clock != nil else { return nil }
        let now = clock?.now()
        listed = now ?? listed
        let isWhole = now != nil || notesSinceWhole == 0 || notesSinceWhole >= Checkpoints.wholeEvery
        var fields: [Note.Field] = [.init("whole", .flag(isWhole))]
        if let listed { fields.append(.init("listed", .time(listed))) }
        for (folder, checkpoint) in (isWhole ? folders : new).sorted(by: { $0.key < $1.key }) {
            fields.append(.init("f\(folder)", .text(checkpoint)))
        }
        return Note(.sourceCheckpoint, fields)
    }
}
