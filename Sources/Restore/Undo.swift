internal import Blobs
internal import Connectors
public import Events
internal import Journal
internal import Projections
public import Vault

/// Operations as the journal has them.
public struct RecordedOperation: Sendable {
    public var id: UniqueID
    public var account: AccountNumber
    public var kind: String
    public var target: String
    /// The vault it came from, where that was another one, and its account there.
    public var source: (vault: String, account: String)?
    /// The operation it took back.
    public var undoes: UniqueID?
    /// As of when it restored.
    public var point: TransactionID?
    public var began: TransactionID
    public var beganTime: Timestamp
    /// Nil when it never ended: the process died.
    public var ended: TransactionID?
    public var outcome: Note?
}

extension OpenVault {
    /// The operations of all accounts, oldest first.
    public func operations() throws -> [RecordedOperation] {
        let projections = try projections()
        var found: [UniqueID: RecordedOperation] = [:]
        for account in try accounts() {
            for (id, kind) in try projections.notes(account.number)
            where kind == .operationBegan || kind == .operationEnded {
                guard let recorded = try journal.transaction(id), let note = recorded.entry.note,
                    let operation = note.text("operation").flatMap({ UniqueID(String(decoding: $0, as: UTF8.self)) })
                else { continue }
                if kind == .operationBegan {
                    func text(_ name: String) -> String { String(decoding: note.text(name) ?? [], as: UTF8.self) }
                    found[operation] = RecordedOperation(
                        id: operation, account: account.number, kind: text("kind"), target: text("target"),
                        source: note.text("source_vault").map { _ in (text("source_vault"), text("source_account")) },
                        undoes: note.text("undoes").flatMap { UniqueID(String(decoding: $0, as: UTF8.self)) },
                        point: note.number("point").map { TransactionID(rawValue: UInt64(clamping: $0)) },
                        began: id,
                        beganTime: recorded.time)
                } else {
                    found[operation]?.ended = id
                    found[operation]?.outcome = note
                }
            }
        }
        return found.values.sorted { $0.began < $1.began }
    }

    /// The operation with that UUID, or the beginning of one.
    public func operation(_ text: String) throws -> RecordedOperation {
        let found = try operations().filter { $0.id.description.hasPrefix(text.lowercased()) && text.count >= 4 }
        switch found.count {
        case 1: return found[0]
        case 0: throw Failure(.notFound, "there is no operation \(text)", hint: "See: yestermail operation list")
        default: throw Failure(.ambiguous, "\(text) may be any of \(found.count) operations", hint: "Write more of it")
        }
    }
}

/// Takes a restore back: what it delivered goes, if it is still as it was delivered; flags are as they were; what it
/// removed comes back, folders too.
public enum Undo {
    /// The plan that undoes `operation`.
    public static func plan(_ vault: OpenVault, _ operation: RecordedOperation, account: Account) throws -> RestorePlan
    {
        do { return try make(vault, operation, account) } catch let failure as SourceFailure {
            throw Failure(cannotLook: failure, at: try Location(operation.target))
        }
    }

    private static func make(
        _ vault: OpenVault, _ operation: RecordedOperation, _ account: Account
    ) throws -> RestorePlan {
        let location = try Location(operation.target)
        let view = try location.view()
        var plan = RestorePlan(
            RestoreRequest(
                account: account, point: try vault.journal.head().transaction,
                selection: .account(deletedSince: nil), target: location))
        plan.takesNames = view.takesNames
        let forms = AlteredForms(view, vault)
        var present: [[UInt8]: PresentFolder] = [:]
        for folder in try view.folders() where folder.problem == nil {
            present[folder.name] = try PresentFolder(folder, in: view)
        }
        var indexes: [[UInt8]: Int] = [:]
        // What this undo takes away itself is not in the way of what comes back under its name.
        var leaving: Set<[[UInt8]]> = []
        for (done, folder) in try steps(vault, operation).reversed() {
            if done.action == .removeFolder {
                // First of all, because it was last: what was in it comes back into it.
                if present[folder.sourceName] == nil {
                    present[folder.sourceName] = PresentFolder(missing: folder.sourceName, folder.path)
                    indexes[folder.sourceName] = plan.folders.count
                    plan.folders.append(PlannedFolder(state: folder, name: folder.sourceName, exists: false))
                }
                continue
            }
            guard var place = present[folder.sourceName] else {
                if done.action == .remove {
                    plan.unrestored.append(Unrestored(done.item, .refused, "its folder is gone"))
                }
                continue
            }
            let index = indexes[folder.sourceName] ?? plan.folders.count
            if indexes[folder.sourceName] == nil {
                indexes[folder.sourceName] = index
                plan.folders.append(PlannedFolder(state: folder, name: folder.sourceName, exists: true))
            }
            try undo(done, index, &place, forms, &leaving, &plan)
            present[folder.sourceName] = place
        }
        try undoAttributes(vault, operation, present, view, indexes, &plan)
        return plan
    }

    /// Rights and annotations are as they were before, where they still are as they were made.
    private static func undoAttributes(
        _ vault: OpenVault, _ operation: RecordedOperation, _ present: [[UInt8]: PresentFolder],
        _ view: any TargetView, _ indexes: [[UInt8]: Int], _ plan: inout RestorePlan
    ) throws {
        var indexes = indexes
        var found: [(attribute: PlannedAttribute, folder: FolderState)] = []
        try vault.eachStepNote(of: operation) { note in
            found += note.fields.compactMap { PlannedAttribute.parse($0) }
        }
        for (done, folder) in found.reversed() {
            guard let place = present[folder.sourceName], let live = try view.attributes(of: place.folder),
                live.first(where: { $0.name == done.name })?.value == done.value
            else {
                plan.skipped += 1
                continue
            }
            let index = indexes[folder.sourceName] ?? plan.folders.count
            if indexes[folder.sourceName] == nil {
                indexes[folder.sourceName] = index
                plan.folders.append(PlannedFolder(state: folder, name: folder.sourceName, exists: true))
            }
            plan.attributes.append(
                PlannedAttribute(
                    item: done.item, folder: index, name: done.name, value: done.before, before: done.value))
        }
    }

    private static func undo(
        _ done: RestoreStep, _ folder: Int, _ place: inout PresentFolder, _ forms: AlteredForms,
        _ leaving: inout Set<[[UInt8]]>, _ plan: inout RestorePlan
    ) throws {
        var step = done
        step.folder = folder
        var position = place.listing.position(done.name)
        switch done.action {
        case .deliver:
            let digests = [(digest: done.digest, size: done.size)] + forms.of(done.digest)
            if position == nil, !plan.takesNames {
                // It was not heard what the message is called, nor whether it arrived: it is a later one with those bytes, if any.
                let listing = place.listing
                let last = IMAPMessageName(done.name.prefix { $0 != UInt8(ascii: ">") })
                for (digest, size) in digests where position == nil {
                    position = try place.find(digest, size) { candidate in
                        guard listing.flags(candidate) == done.flags else { return false }
                        guard let last else { return true }
                        guard let name = IMAPMessageName(listing.name(candidate)) else { return false }
                        return name.uidValidity == last.uidValidity && name.uid > last.uid
                    }?.position
                }
            }
            // Not there: the step was recorded and not done, or a person removed it since.
            guard let position else { return }
            let digest = try place.content(position).digest
            // The bytes under a UID are for ever: a server that changed them did so when it took them.
            let isKnown = !plan.takesNames && IMAPMessageName(done.name) != nil
            guard isKnown || digests.contains(where: { $0.digest == digest }),
                place.listing.flags(position) == done.flags,
                // The target may have had no room for some keywords; one more would be a person's.
                Set(place.listing.keywords(position)).isSubset(of: done.keywords)
            else {
                plan.conflicts.append((done.item ?? ItemID(.message, 0), "was changed since: kept"))
                plan.skipped += 1
                return
            }
            leaving.insert([place.folder.name, done.name])
            step.action = .remove
            step.name = Array(place.listing.name(position))
            step.flagsBefore = done.flags
            step.keywordsBefore = done.keywords
        case .setFlags:
            guard let position, place.listing.flags(position) == done.flags,
                Set(place.listing.keywords(position)).isSubset(of: done.keywords)
            else {
                plan.skipped += 1
                return
            }
            (step.flags, step.keywords) = (done.flagsBefore, done.keywordsBefore)
            (step.flagsBefore, step.keywordsBefore) = (done.flags, done.keywords)
        case .removeFolder: return
        case .remove:
            guard position == nil || leaving.contains([place.folder.name, done.name]) else {
                plan.skipped += 1
                return
            }
            step.action = .deliver
            (step.flags, step.keywords) = (done.flagsBefore, done.keywordsBefore)
            plan.bytes += step.size
        }
        plan.steps.append(step)
    }

    /// The steps an operation recorded, in order.
    static func steps(
        _ vault: OpenVault, _ operation: RecordedOperation
    ) throws -> [(step: RestoreStep, folder: FolderState)] {
        var found: [(step: RestoreStep, folder: FolderState)] = []
        var names: [[[UInt8]]: [UInt8]] = [:]
        try vault.eachStepNote(of: operation) { note in
            found += note.fields.compactMap { RestoreStep.parse($0) }
            for field in note.fields {
                if let (step, name) = RestoreStep.parseResult(field) { names[step] = name }
            }
        }
        for index in found.indices where found[index].step.action == .deliver {
            if let name = names[[found[index].folder.sourceName, found[index].step.name]] {
                found[index].step.name = name
            }
        }
        return found
    }
}
