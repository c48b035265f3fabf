internal import Connectors
internal import Events
internal import Journal
internal import Projections
internal import Vault

// Taking back what happened between two transactions, and nothing that happened after: each aspect of an item (whether it
// is there, its folder, each flag, each keyword) is set back to what it was before only where it is still as the
// transactions of the range left it.

extension RestorePlanner {
    /// Plans the opposite of the changes of messages that are there, and returns those that are to come back.
    mutating func takeBack(
        _ items: [RestoreRequest.WantedChange], in range: ClosedRange<TransactionID>
    ) throws -> [Wanted] {
        var returning: [Wanted] = []
        for wanted in items {
            guard wanted.item.kind == .message else {
                passOver(wanted.item, "is a folder: its name and place are not taken back")
                continue
            }
            if let message = try takeBack(wanted, in: range) { returning.append(message) }
        }
        return returning
    }

    private mutating func takeBack(
        _ wanted: RestoreRequest.WantedChange, in range: ClosedRange<TransactionID>
    ) throws -> Wanted? {
        let account = request.account.number
        let before = TransactionID(rawValue: max(1, range.lowerBound.rawValue) - 1)
        guard let last = try state(wanted.item, asOf: range.upperBound),
            let now = try state(wanted.item, asOf: request.point), let lastState = last.state.message,
            let nowState = now.state.message
        else { return nil }
        let states = try projections.states(account, wanted.item)
        let base =
            try state(wanted.item, asOf: before) ?? states.first.map { try vault.journal.state(wanted.item, at: $0) }
        guard let base, let baseState = base.state.message else { return nil }
        let wasThere = base.transaction <= before && !base.state.isDeleted

        if last.state.isDeleted {
            guard wanted.kinds.contains(.deleted) else { return nil }
            guard now.state.isDeleted, now.transaction == last.transaction else {
                passOver(wanted.item, "was deleted, and has changed again since: kept as it is")
                return nil
            }
            var state = lastState
            if wasThere { undo(wanted.kinds, from: baseState, through: lastState, in: &state) }
            return Wanted(item: wanted.item, transaction: last.transaction, state: state)
        }
        guard !now.state.isDeleted else {
            passOver(wanted.item, "has been deleted since: kept as it is")
            return nil
        }
        if !wasThere {
            guard !wanted.kinds.isDisjoint(with: [.created, .returned]) else { return nil }
            guard nowState == lastState else {
                passOver(wanted.item, "came, and has changed again since: kept")
                return nil
            }
            if let there = try place(of: wanted.item, nowState) {
                if let step = try removal(of: there.message, there.place) {
                    plan.steps.append(step)
                } else {
                    plan.unrestored.append(
                        Unrestored(wanted.item, .refused, "its bytes are not in the vault: it is not removed"))
                }
            }
            return nil
        }
        var state = nowState
        undo(wanted.kinds, from: baseState, through: lastState, in: &state)
        guard state != nowState else {
            plan.skipped += 1
            return nil
        }
        guard let there = try place(of: wanted.item, nowState) else { return nil }
        try change(wanted.item, from: nowState, to: state, there)
        return nil
    }

    /// Sets back in `state` what was changed between two states and is still as the second has it.
    private func undo(
        _ kinds: ChangeKinds, from base: MessageState, through last: MessageState, in state: inout MessageState
    ) {
        if kinds.contains(.moved), state.folder == last.folder { state.folder = base.folder }
        if kinds.contains(.flags) {
            let changed = base.flags.symmetricDifference(last.flags)
            let untouched = changed.subtracting(state.flags.symmetricDifference(last.flags))
            state.flags = state.flags.subtracting(untouched).union(base.flags.intersection(untouched))
        }
        if kinds.contains(.tags) {
            let (old, new) = (Set(base.keywords), Set(last.keywords))
            let keywords = Set(state.keywords).subtracting(new.subtracting(old)).union(old.subtracting(new))
            state.keywords = keywords.sorted { $0.lexicographicallyPrecedes($1) }
        }
    }

    private func state(_ item: ItemID, asOf point: TransactionID) throws -> RecordedState? {
        guard let pointer = try projections.pointer(request.account.number, item, asOf: point) else { return nil }
        return try vault.journal.state(item, at: pointer)
    }

    /// Where a message is that should be as the vault knows it last; nil, and said, when it is not.
    private mutating func place(of item: ItemID, _ state: MessageState) throws -> (place: Int, message: PresentMessage)?
    {
        let folder = try self.state(ItemID(.folder, state.folder), asOf: request.point)?.state.folder
        guard let name = try folder.map({ try target.name(of: $0) }),
            let place = present.firstIndex(where: { $0.folder.name == name }),
            let position = present[place].listing.position(state.sourceName),
            present[place].listing.flags(position) == state.flags,
            Set(present[place].listing.keywords(position)) == Set(state.keywords)
        else {
            passOver(item, "is not as the vault knows it: scan first")
            return nil
        }
        return (place, PresentMessage(position: position, isSame: true))
    }

    /// Plans a change of a message that is there: of its flags in place, of its folder by a copy and a removal.
    private mutating func change(
        _ item: ItemID, from now: MessageState, to state: MessageState, _ there: (place: Int, message: PresentMessage)
    ) throws {
        guard case .blob(let digest, let size) = state.content else { return }
        if state.folder == now.folder {
            guard let folder = try self.state(ItemID(.folder, now.folder), asOf: request.point)?.state.folder,
                let index = try plannedFolder(folder, for: item)
            else { return }
            plan.steps.append(
                RestoreStep(
                    action: .setFlags, item: item, folder: index, name: state.sourceName, digest: digest, size: size,
                    internalDate: state.internalDate, flags: state.flags, keywords: state.keywords,
                    flagsBefore: now.flags, keywordsBefore: now.keywords))
            return
        }
        guard let removal = try removal(of: there.message, there.place) else {
            plan.unrestored.append(Unrestored(item, .refused, "its bytes are not in the vault: it is not moved"))
            return
        }
        guard removal.digest == digest else {
            plan.unrestored.append(
                Unrestored(item, .broken, "its bytes are not those the vault knows: it is not moved"))
            return
        }
        guard let folder = try self.state(ItemID(.folder, state.folder), asOf: request.point)?.state.folder,
            let index = try plannedFolder(folder, for: item)
        else { return }
        let name = plan.folders[index].name
        let goal = present.firstIndex { $0.folder.name == name }
        let wanted = Wanted(item: item, transaction: request.point, state: state)
        let isTaken = goal.map { present[$0].listing.position(state.sourceName) != nil } ?? false
        let given =
            target.takesNames
            ? (isTaken || !target.accepts(name: state.sourceName) ? otherName(wanted) : state.sourceName)
            : awaitedName(wanted, goal)
        plan.steps.append(
            RestoreStep(
                action: .deliver, item: item, folder: index, name: given, digest: digest, size: size,
                internalDate: state.internalDate, flags: state.flags, keywords: state.keywords))
        plan.steps.append(removal)
    }

    private mutating func passOver(_ item: ItemID, _ why: String) {
        plan.skipped += 1
        plan.conflicts.append((item, why))
    }
}
