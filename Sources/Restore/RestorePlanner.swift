internal import Blobs
internal import Connectors
public import Events
internal import Journal
internal import Projections
public import Vault

/// Works out what a restore has to do: pure reading of the vault and of the target.
public struct RestorePlanner {
    let vault: OpenVault
    let request: RestoreRequest
    let projections: OpenProjections
    let target: any TargetView
    private let forms: AlteredForms
    /// Whether the target is where the account was captured: there a message's name is the message.
    let isHome: Bool
    /// Whether the server that is written to is the one that gave messages their marks: there a mark is the message.
    private let knowsMarks: Bool
    /// Where the target gives the names: what earlier restores to it have delivered, by item, as folder and name.
    private let delivered: [ItemID: [[[UInt8]]]]
    var plan: RestorePlan
    private var folderIndex: [[UInt8]: Int] = [:]
    var present: [PresentFolder] = []
    private var folderStates: [UInt32: FolderState] = [:]
    /// Folders that are wanted themselves, by number.
    private var wantedFolders: [UInt32: FolderState] = [:]

    /// Plans `request`, out of `vault`. `known`: names that messages were given when they were delivered to that target
    /// before, as a ``ForeignMap`` has them; nil: what `vault` itself knows of that.
    public static func plan(
        _ vault: OpenVault, _ request: RestoreRequest, known: [ItemID: [[[UInt8]]]]? = nil
    ) throws -> RestorePlan {
        do {
            var planner = try RestorePlanner(vault, request, known)
            return try planner.make()
        } catch let failure as SourceFailure {
            throw Failure(cannotLook: failure, at: request.target)
        }
    }

    private init(_ vault: OpenVault, _ request: RestoreRequest, _ known: [ItemID: [[[UInt8]]]]?) throws {
        (self.vault, self.request) = (vault, request)
        projections = try vault.projections()
        plan = RestorePlan(request)
        target = try request.target.view()
        plan.takesNames = target.takesNames
        forms = AlteredForms(target, vault)
        isHome = request.account.state.sources.contains(request.target.description)
        knowsMarks = request.account.state.sources.contains { source in
            request.target.isSameServer(as: source)
        }
        delivered = target.takesNames ? [:] : try known ?? RestorePlanner.delivered(vault, request)
    }

    /// A server may change a message more than can be foretold; that it took it, the journal knows.
    private static func delivered(_ vault: OpenVault, _ request: RestoreRequest) throws -> [ItemID: [[[UInt8]]]] {
        var found: [ItemID: [[[UInt8]]]] = [:]
        for operation in try vault.operations()
        where operation.account == request.account.number && operation.target == request.target.description
            && operation.source == nil
        {
            for (step, folder) in try Undo.steps(vault, operation) where step.action == .deliver {
                if let item = step.item { found[item, default: []].append([folder.sourceName, step.name]) }
            }
        }
        return found
    }

    private mutating func make() throws -> RestorePlan {
        let isAboutMessages = ![.folders, .shares].contains(request.only)
        var messages = request.only == .shares ? [] : try selectedMessages()
        for folder in try target.folders() {
            present.append(isAboutMessages ? try PresentFolder(folder, in: target) : PresentFolder(unlisted: folder))
        }
        if case .changes(let range, let items) = request.selection { messages += try takeBack(items, in: range) }
        if !request.restoredBefore.isEmpty {
            let all = messages.count
            messages.removeAll { request.restoredBefore.contains($0.item) }
            plan.skipped += all - messages.count
        }
        if case .account = request.selection, request.into == nil { try planFolders() }
        for (number, state) in wantedFolders.sorted(by: { $0.key < $1.key }) where request.into == nil {
            if try plannedFolder(state, for: ItemID(.folder, number)).map({ plan.folders[$0].exists }) ?? false {
                plan.skipped += 1
            }
        }
        if isAboutMessages {
            // Places, not copies of what may be a hundred thousand messages.
            var byFolder: [Int: [Int32]] = [:]
            for (index, message) in messages.enumerated() {
                guard let folder = try folder(of: message) else { continue }
                byFolder[folder, default: []].append(Int32(index))
            }
            if present.isEmpty { plan.steps.reserveCapacity(messages.count) }
            for folder in byFolder.keys.sorted() {
                try planMessages(messages, byFolder[folder, default: []], in: folder)
            }
            if request.isExact {
                let wanted = Set(plan.folders.map(\.name))
                try planRemovals()
                if case .account = request.selection, request.into == nil { try planFolderRemovals(wanted) }
            }
        }
        plan.bytes = plan.steps.reduce(0) { $1.action == .deliver ? $0 + $1.size : $0 }
        if plan.bytes > 0 { plan.room = try target.room() }
        if let room = plan.room, room < plan.bytes {
            plan.warnings.append("It needs \(plan.bytes) bytes, and the target has room for \(room)")
        }
        if request.only != .shares { try warnOfEmptiness(messages.count) }
        return plan
    }

    // MARK: What is wanted

    struct Wanted {
        var item: ItemID
        var transaction: TransactionID
        var state: MessageState
    }

    /// The messages that were in a folder: as of the point, or, where it is gone by then, those that went with it.
    private mutating func messages(in folder: ItemID, _ pointer: StatePointer) throws -> [ItemPointer] {
        let account = request.account.number
        guard let state = try vault.journal.state(folder, at: pointer).state.folder else { return [] }
        wantedFolders[folder.number] = state
        var candidates: [ItemPointer] = []
        try projections.pointers(account, asOf: request.point) { found in
            guard found.item.kind == .message, found.pointer.isDeleted == pointer.isDeleted,
                !pointer.isDeleted || found.pointer.transaction == pointer.transaction
            else { return }
            candidates.append(found)
        }
        var inside: Set<ItemID> = []
        candidates.sort { ($0.pointer.transaction, $0.pointer.index) < ($1.pointer.transaction, $1.pointer.index) }
        try vault.journal.states(candidates) { recorded in
            if recorded.state.message?.folder == folder.number { inside.insert(recorded.item) }
        }
        return candidates.filter { inside.contains($0.item) }
    }

    private mutating func selectedMessages() throws -> [Wanted] {
        let account = request.account.number
        var pointers: [ItemPointer] = []
        switch request.selection {
        case .account(let deletedSince):
            try projections.pointers(account, asOf: request.point) { found in
                guard found.item.kind == .message else { return }
                let isWanted =
                    !found.pointer.isDeleted || deletedSince.map { found.pointer.transaction >= $0 } ?? false
                if isWanted { pointers.append(found) }
            }
        case .items(let items):
            for item in items {
                guard let pointer = try projections.pointer(account, item, asOf: request.point) else {
                    if let purged = try vault.purges(of: account).item(item, account) {
                        throw Failure(
                            .purged,
                            "\(item) of \(request.account.state.address) was purged at \(purged.mark.time) (\(purged.mark.transaction)) by \(purged.mark.operation)\(purged.mark.rule.map { ", under the rule \($0)" } ?? "")",
                            hint: "What was purged is nowhere in this vault any more")
                    }
                    let newest = try projections.highestNumber(account, item.kind)
                    guard item.number <= newest else {
                        let last = newest == 0 ? "has nothing of the kind" : "is \(ItemID(item.kind, newest))"
                        throw Failure(
                            .notFound, "there never was \(item) in \(request.account.state.address)",
                            hint: newest == 0 ? "The account \(last)" : "The newest of the kind \(last)")
                    }
                    throw Failure(
                        .notFound, "\(item) was not in \(request.account.state.address) yet at \(request.point)",
                        hint: "Its first state: yestermail history \(request.account.state.address) \(item)")
                }
                if item.kind == .folder {
                    pointers += try messages(in: item, pointer)
                } else {
                    pointers.append(ItemPointer(item, pointer))
                }
            }
            var seen: Set<ItemID> = []
            pointers = pointers.filter { seen.insert($0.item).inserted }
        case .deleted(let range, _):
            // As of the point, not as of now: what has come back since is there, and will be found.
            try projections.pointers(account, asOf: request.point) { found in
                if found.item.kind == .message, found.pointer.isDeleted, range.contains(found.pointer.transaction) {
                    pointers.append(found)
                }
            }
        case .changes: return []
        }
        // In the order of the journal, which is the order of the packs.
        pointers.sort { ($0.pointer.transaction, $0.pointer.index) < ($1.pointer.transaction, $1.pointer.index) }
        var wanted: [Wanted] = []
        wanted.reserveCapacity(pointers.count)
        try vault.journal.states(pointers) { recorded in
            guard var state = recorded.state.message else { return }
            let wantsOrigin = if case .items = request.selection { false } else { recorded.state.isDeleted }
            if wantsOrigin, let folder = try folderBeforeTrash(recorded) { state.folder = folder }
            if case .deleted(_, let keyword) = request.selection {
                state.flags.remove(.deleted)
                if !state.keywords.contains(keyword) {
                    state.keywords.append(keyword)
                    state.keywords.sort { $0.lexicographicallyPrecedes($1) }
                }
            }
            wanted.append(Wanted(item: recorded.item, transaction: recorded.transaction, state: state))
        }
        return wanted
    }

    /// Where a message was before it was put into the trash it was deleted from; nil when it was not deleted from there, or
    /// never was anywhere else.
    private func folderBeforeTrash(_ recorded: RecordedState) throws -> UInt32? {
        let account = request.account.number
        guard let last = recorded.state.message?.folder, try isTrash(last, asOf: recorded.transaction) else {
            return nil
        }
        let before = try projections.states(account, recorded.item).filter { $0.transaction < recorded.transaction }
        for pointer in before.reversed() {
            let state = try vault.journal.state(recorded.item, at: pointer).state
            guard let folder = state.message?.folder, folder != last else { continue }
            if try !isTrash(folder, asOf: pointer.transaction) { return folder }
        }
        return nil
    }

    private func isTrash(_ folder: UInt32, asOf point: TransactionID) throws -> Bool {
        let item = ItemID(.folder, folder)
        guard let pointer = try projections.pointer(request.account.number, item, asOf: point) else { return false }
        return try vault.journal.state(item, at: pointer).state.folder.map { TrashFolder.contains($0.path) } ?? false
    }

    // MARK: Folders

    /// Every folder there was, empty ones too, and the subscriptions.
    private mutating func planFolders() throws {
        var pointers: [ItemPointer] = []
        try projections.pointers(request.account.number, asOf: request.point) { found in
            if found.item.kind == .folder, !found.pointer.isDeleted { pointers.append(found) }
        }
        var folders: [(item: ItemID, state: FolderState)] = []
        try vault.journal.states(pointers) { recorded in
            if let state = recorded.state.folder { folders.append((recorded.item, state)) }
        }
        folders.sort { $0.state.joinedPath.lexicographicallyPrecedes($1.state.joinedPath) }
        var subscribed: [[[UInt8]]] = []
        for (item, state) in folders {
            if request.only != .shares {
                _ = try plannedFolder(state, for: item)
                if state.isSubscribed { subscribed.append(state.path) }
            }
            try planAttributes(of: item, state)
        }
        let there = present.filter(\.folder.isSubscribed).map(\.folder.path)
        let isExact = request.isExact && request.only != .shares
        let all = isExact ? subscribed : there + subscribed.filter { !there.contains($0) }
        let mounts = try newMountPoints(folders)
        if Set(all) != Set(there) || !mounts.isEmpty { plan.subscriptions = all + mounts }
    }

    /// The folder a message goes to; nil when the target can have no such folder, which is reported.
    private mutating func folder(of message: Wanted) throws -> Int? {
        if let path = request.into {
            return try plannedFolder(FolderState(path: path, sourceName: []), for: message.item)
        }
        // The path the folder had then: a folder renamed later is restored under the name it had. For what was deleted
        // with its folder, the folder's own last state says the path.
        let asOf: TransactionID
        switch request.selection {
        case .account, .changes: asOf = request.point
        case .items, .deleted: asOf = message.transaction
        }
        let key = message.state.folder
        let state: FolderState
        if let wanted = wantedFolders[key] {
            state = wanted
        } else if let known = folderStates[key], asOf == request.point {
            state = known
        } else if let pointer = try projections.pointer(request.account.number, ItemID(.folder, key), asOf: asOf),
            let found = try vault.journal.state(ItemID(.folder, key), at: pointer).state.folder
        {
            state = found
        } else {
            state = FolderState(path: [Array("unknown_\(key < 10 ? "0" : "")\(key)".utf8)], sourceName: [])
        }
        if asOf == request.point, wantedFolders[key] == nil { folderStates[key] = state }
        return try plannedFolder(state, for: message.item)
    }

    mutating func plannedFolder(_ state: FolderState, for item: ItemID?) throws -> Int? {
        let name: [UInt8]
        do {
            name = try target.name(of: state)
        } catch let failure as TargetFailure {
            let detail = "folder \(String(decoding: state.joinedPath, as: UTF8.self)): \(failure)"
            plan.unrestored.append(Unrestored(item, .invalid, detail))
            return nil
        }
        if let known = folderIndex[name] { return known }
        if let problem = present.first(where: { $0.folder.name == name })?.folder.problem, !problem.isAbsence {
            // What cannot be listed cannot be compared: it would be filled again each time. A link leads who knows where.
            let detail = "folder \(String(decoding: state.joinedPath, as: UTF8.self)): \(problem)"
            plan.unrestored.append(Unrestored(item, .refused, detail))
            return nil
        }
        let index = plan.folders.count
        folderIndex[name] = index
        plan.folders.append(
            PlannedFolder(state: state, name: name, exists: present.contains { $0.folder.name == name }))
        return index
    }

    // MARK: Messages

    /// Plans those of `messages` that are at `places`, which go to that folder.
    private mutating func planMessages(_ messages: [Wanted], _ places: [Int32], in folder: Int) throws {
        let name = plan.folders[folder].name
        let place = present.firstIndex { $0.folder.name == name }
        var taken = Set<[UInt8]>()
        if let place { present[place].expect(sizes: Set(places.map { messages[Int($0)].state.size })) }
        var others: [(step: RestoreStep, message: Wanted)] = []
        // Those that are there under their names first: none of them is taken for a copy of itself that is not.
        var order = places
        if let place, target.takesNames || isHome {
            let listing = present[place].listing
            let isThere = places.map { listing.position(messages[Int($0)].state.sourceName) != nil }
            order = zip(places, isThere).filter(\.1).map(\.0) + zip(places, isThere).filter { !$0.1 }.map(\.0)
        }
        for index in order {
            let message = messages[Int(index)]
            guard case .blob(let digest, let size) = message.state.content else {
                plan.unrestored.append(
                    Unrestored(message.item, .broken, "its bytes could not be read when it was captured"))
                continue
            }
            var step = RestoreStep(
                action: .deliver, item: message.item, folder: folder, name: message.state.sourceName, digest: digest,
                size: size, internalDate: message.state.internalDate, flags: message.state.flags,
                keywords: message.state.keywords)
            let isNamed =
                target.takesNames
                ? target.accepts(name: step.name)
                : isHome && place.map { present[$0].listing.position(step.name) != nil } ?? false
            if taken.contains(step.name) || !isNamed {
                step.name = target.takesNames ? otherName(message) : awaitedName(message, place)
            }
            let known = (delivered[message.item] ?? []).filter { $0[0] == name }.map { $0[1] }
            if let place, !isNamed, let there = present[place].claim(anyOf: known) {
                try planExisting(&step, there, place, message)
            } else if let place, knowsMarks, !isNamed, !request.isExact, !request.verifiesBytes,
                let there = try present[place].find(mark: message.state.marks.emailID, size)
            {
                try planExisting(&step, there, place, message)
            } else if let place,
                let there = try present[place].find(
                    step.name, digest, size, believing: !request.isExact && !request.verifiesBytes)
            {
                try planExisting(&step, there, place, message)
            } else if place == nil || target.forms.isEmpty {
                try planMissing(step, message, place, &taken)
            } else {
                others.append((step, message))
            }
        }
        guard let place else { return }
        try planAltered(others, place, &taken)
    }

    /// Messages that are not there as they are; the target may have them as it would have made them.
    private mutating func planAltered(
        _ others: [(step: RestoreStep, message: Wanted)], _ place: Int, _ taken: inout Set<[UInt8]>
    ) throws {
        let hasUnclaimed = present[place].hasUnclaimed
        let altered = others.map { hasUnclaimed ? forms.of($0.step.digest) : [] }
        present[place].expect(sizes: Set(altered.joined().map(\.size)))
        for (index, other) in others.enumerated() {
            var step = other.step
            var there: PresentMessage?
            for form in altered[index] where there == nil { there = try present[place].find(form.digest, form.size) }
            if let there {
                try planExisting(&step, there, place, other.message)
            } else {
                try planMissing(step, other.message, place, &taken)
            }
        }
    }

    private mutating func planMissing(
        _ step: RestoreStep, _ message: Wanted, _ place: Int?, _ taken: inout Set<[UInt8]>
    ) throws {
        if request.only != .all, !request.isExact, request.into == nil,
            let elsewhere = try elsewhere(step, message, place)
        {
            plan.skipped += 1
            let path = Array(present[elsewhere].folder.path.joined(separator: [UInt8(ascii: "/")]))
            plan.conflicts.append((message.item, "is in \(String(decoding: path, as: UTF8.self)) now"))
            return
        }
        guard request.only != .flags else {
            plan.skipped += 1
            return
        }
        taken.insert(step.name)
        plan.steps.append(step)
    }

    /// The folder a message is in now that is not where it was then.
    private func elsewhere(_ step: RestoreStep, _ message: Wanted, _ place: Int?) throws -> Int? {
        if target.takesNames {
            return present.indices.first { $0 != place && present[$0].listing.position(step.name) != nil }
        }
        // A server gives a message another name in each folder; which, the vault knows of what it has captured there.
        guard isHome else { return nil }
        let account = request.account.number
        let newest = try vault.journal.head().transaction
        guard let pointer = try projections.pointer(account, message.item, asOf: newest), !pointer.isDeleted,
            let now = try vault.journal.state(message.item, at: pointer).state.message,
            let folder = try projections.pointer(account, ItemID(.folder, now.folder), asOf: newest),
            let name = try vault.journal.state(ItemID(.folder, now.folder), at: folder).state.folder?.sourceName
        else { return nil }
        return present.indices.first {
            $0 != place && present[$0].folder.name == name && present[$0].listing.position(now.sourceName) != nil
        }
    }

    private mutating func planExisting(
        _ step: inout RestoreStep, _ there: PresentMessage, _ place: Int, _ message: Wanted
    ) throws {
        guard there.isSame else {
            if request.verifiesBytes {
                // What is there is kept in the vault before it goes (``BlobRestore``).
                plan.steps.append(try anyRemoval(of: there, place))
                plan.steps.append(step)
                return
            }
            switch request.onConflict {
            case .keep:
                plan.skipped += 1
                plan.conflicts.append((message.item, "another message has its name: kept"))
            case .both:
                step.name = otherName(message)
                if try present[place].find(step.name, step.digest, step.size, believing: true) != nil {
                    plan.skipped += 1
                } else {
                    plan.steps.append(step)
                }
            case .replace:
                guard let old = try removal(of: there, place) else {
                    plan.unrestored.append(
                        Unrestored(
                            message.item, .refused,
                            "what has its name is not in the vault and is not replaced: scan first, or keep both"))
                    return
                }
                plan.steps.append(old)
                plan.steps.append(step)
            }
            return
        }
        let listing = present[place].listing
        step.flagsBefore = listing.flags(there.position)
        step.keywordsBefore = listing.keywords(there.position)
        let differs = step.flagsBefore != step.flags || step.keywordsBefore != step.keywords
        guard differs, request.isExact || [.changed, .flags, .all].contains(request.only) else {
            plan.skipped += 1
            return
        }
        step.action = .setFlags
        step.name = Array(listing.name(there.position))
        plan.steps.append(step)
    }

    /// Stands for a name the target will give: it says which message was the last before, and whose it is.
    func awaitedName(_ message: Wanted, _ place: Int?) -> [UInt8] {
        (place.map { present[$0].lastName } ?? []) + Array(">\(message.item)-\(request.point.rawValue)".utf8)
    }

    /// A name of our own, the same whenever this operation is planned.
    func otherName(_ message: Wanted) -> [UInt8] {
        let own = ".\(message.item)-\(request.point.rawValue)"
        let kept = message.state.sourceName + Array(own.utf8)
        if !message.state.sourceName.isEmpty, target.accepts(name: kept) { return kept }
        return Array("\(max(0, message.state.internalDate.seconds))\(own).yestermail".utf8)
    }

    // MARK: Removals

    /// What is there and was not there then. Only what the vault keeps may go.
    private mutating func planRemovals() throws {
        for place in present.indices where present[place].folder.problem == nil {
            present[place].expect(sizes: nil)
            for position in 0..<present[place].listing.count where !present[place].claimed[position] {
                let name = Array(present[place].listing.name(position))
                let there = PresentMessage(position: position, isSame: false)
                if let step = try removal(of: there, place) {
                    plan.steps.append(step)
                } else {
                    plan.unrestored.append(
                        Unrestored(
                            nil, .refused,
                            "\(String(decoding: name, as: UTF8.self)) is not in the vault and is not removed: scan first"
                        ))
                }
            }
        }
    }

    /// The folders that were not there then. One in which something stays, stays.
    private mutating func planFolderRemovals(_ wanted: Set<[UInt8]>) throws {
        for place in present {
            let folder = place.folder
            guard !wanted.contains(folder.name) else { continue }
            let leaving = plan.steps.count { $0.action == .remove && plan.folders[$0.folder].name == folder.name }
            let isEmptied =
                folder.problem == nil && leaving == place.listing.count && place.listing.passedOver.isEmpty
            let obstacle = isEmptied ? try target.obstacle(removing: folder) : "there is something in it that stays"
            if let obstacle {
                let path = String(decoding: Array(folder.path.joined(separator: [47])), as: UTF8.self)
                plan.unrestored.append(Unrestored(nil, .refused, "the folder \(path) is not removed: \(obstacle)"))
                continue
            }
            plan.steps.append(
                RestoreStep(
                    action: .removeFolder, item: nil, folder: index(of: folder), name: [], digest: .zero, size: 0,
                    internalDate: Timestamp(rawValue: 0), flags: [], keywords: []))
        }
    }

    /// Where a folder that is there stands in the plan.
    private mutating func index(of folder: SourceFolder) -> Int {
        if let known = folderIndex[folder.name] { return known }
        folderIndex[folder.name] = plan.folders.count
        plan.folders.append(
            PlannedFolder(
                state: FolderState(path: folder.path, sourceName: folder.name), name: folder.name, exists: true))
        return plan.folders.count - 1
    }

    mutating func removal(of there: PresentMessage, _ place: Int) throws -> RestoreStep? {
        guard try vault.blobs.contains(try present[place].content(there.position).digest) else { return nil }
        return try anyRemoval(of: there, place)
    }

    private mutating func anyRemoval(of there: PresentMessage, _ place: Int) throws -> RestoreStep {
        let content = try present[place].content(there.position)
        let folder = present[place]
        let flags = folder.listing.flags(there.position)
        let keywords = folder.listing.keywords(there.position)
        return RestoreStep(
            action: .remove, item: nil, folder: index(of: folder.folder),
            name: Array(folder.listing.name(there.position)), digest: content.digest,
            size: content.size, internalDate: content.date, flags: flags, keywords: keywords, flagsBefore: flags,
            keywordsBefore: keywords)
    }

    /// An account as of `last` after a mass deletion is empty: say so, and name the moment before.
    private mutating func warnOfEmptiness(_ wanted: Int) throws {
        guard case .account(nil) = request.selection else { return }
        var deleted: [TransactionID: Int] = [:]
        var total = 0
        try projections.deleted(request.account.number, in: .beginning...request.point) { item, transaction in
            guard item.kind == .message else { return }
            deleted[transaction, default: 0] += 1
            total += 1
        }
        guard total > 10, wanted * 10 < total, let mass = try massDeletion(deleted) else { return }
        let (first, last) = (mass.transactions.lowerBound, mass.transactions.upperBound)
        plan.warnings.append(
            "As of \(request.point) the account has \(wanted) messages; \(total) were deleted before, \(mass.count) of them "
                + (first == last ? "in \(first)" : "from \(first) to \(last)")
                + ". The last restore point before that is @\(first.rawValue - 1)")
    }

    /// The largest run of deletions, none of them more than ten minutes after the one before; without the few that it may begin
    /// with, which are everyday's.
    private func massDeletion(
        _ deleted: [TransactionID: Int]
    ) throws -> (transactions: ClosedRange<TransactionID>, count: Int)? {
        var runs: [[(id: TransactionID, count: Int)]] = []
        var before: Timestamp?
        for (id, count) in deleted.sorted(by: { $0.key < $1.key }) {
            let time = try vault.journal.withRecord(id) { $0.time } ?? Timestamp(rawValue: 0)
            if let before, time.rawValue - before.rawValue <= 600_000_000 {
                runs[runs.count - 1].append((id, count))
            } else {
                runs.append([(id, count)])
            }
            before = time
        }
        func sum(_ run: some Sequence<(id: TransactionID, count: Int)>) -> Int { run.reduce(0) { $0 + $1.count } }
        guard var run = runs.max(by: { sum($0) < sum($1) }) else { return nil }
        let whole = sum(run)
        var left = 0
        while run.count > 1, (left + run[0].count) * 50 <= whole { left += run.removeFirst().count }
        guard let first = run.first?.id, let last = run.last?.id else { return nil }
        return (first...last, whole - left)
    }
}

extension SourceFailure {
    /// A part of it is missing, which is made before anything is written.
    fileprivate var isAbsence: Bool { if case .unreadable(2, _) = self { true } else { false } }
}

extension Failure {
    /// What is at a target cannot be seen: nothing was concluded, and nothing written.
    init(cannotLook failure: SourceFailure, at target: Location) {
        self.init(
            .unreachable, "what is at \(target) cannot be seen: \(failure)",
            hint: "Run it again later. Nothing was written")
    }
}
