internal import Events
internal import Journal
internal import Projections
internal import Vault

/// Landmarks as the projections know them.
struct ProjectedLandmarks: TimeLandmarks {
    let vault: OpenVault
    let projections: OpenProjections
    let account: Account?

    func newestDeletion(of item: ItemID) throws -> TransactionID? {
        guard let account else {
            throw Failure(.usage, "before:\(item) needs an account", hint: "Item ids are told apart by account")
        }
        return try projections.states(account.number, item).last { $0.isDeleted }?.transaction
    }

    func operation(_ id: [UInt8]) throws -> ClosedRange<TransactionID>? {
        var found: ClosedRange<TransactionID>?
        let numbers = try [.directory] + vault.accounts().map(\.number)
        for number in numbers {
            for note in try projections.notes(number) {
                guard [.operationBegan, .operationStep, .operationEnded].contains(note.kind) else { continue }
                guard try vault.journal.transaction(note.transaction)?.entry.note?.names(id) == true else { continue }
                found = found.including(note.transaction)
            }
        }
        return found
    }

    func beginning() throws -> (reachable: TransactionID, own: TransactionID) {
        let first = TransactionID(rawValue: 1)
        guard let account else { return (first, first) }
        let created = try projections.states(.directory, ItemID(.account, account.number.rawValue)).first?.transaction
        let own = try projections.statistics(account.number).firstTransaction
        return (created ?? first, own > .beginning ? own : created ?? first)
    }

    func gaps() throws -> [Gap] { try account.map { try vault.gaps(of: $0.number) } ?? [] }
}

/// Landmarks as the journal alone tells them.
struct JournalLandmarks: TimeLandmarks {
    let journal: OpenJournal
    let account: AccountNumber
    /// When the account was added.
    let created: TransactionID

    func newestDeletion(of item: ItemID) throws -> TransactionID? {
        var found: TransactionID?
        try journal.scan(from: TransactionID(rawValue: 1), through: try journal.head().transaction) { record in
            guard record.account == account else { return true }
            var changes = try ChangeReader(record.body)
            while try changes.next() {
                if changes.item == item, changes.isDeleted { found = record.id }
            }
            return true
        }
        return found
    }

    func operation(_ id: [UInt8]) throws -> ClosedRange<TransactionID>? {
        var found: ClosedRange<TransactionID>?
        try journal.scan(from: TransactionID(rawValue: 1), through: try journal.head().transaction) { record in
            if try ChangeReader(record.body).note()?.names(id) == true { found = found.including(record.id) }
            return true
        }
        return found
    }

    func beginning() throws -> (reachable: TransactionID, own: TransactionID) {
        var own = created
        try journal.scan(from: created, through: try journal.head().transaction) { record in
            guard record.account == account else { return true }
            own = record.id
            return false
        }
        return (created, own)
    }

    /// Those that were recorded; whether the last one goes on, only those who have the vault open know.
    func gaps() throws -> [Gap] {
        var found: [Gap] = []
        var covered: Timestamp?
        var isOpen = true
        var isKnown = false
        try journal.scan(from: created, through: try journal.head().transaction) { record in
            guard record.account == account, let note = try ChangeReader(record.body).note() else { return true }
            if note.kind.isFirstLook, !isKnown {
                isKnown = true
                found.append(Gap(to: record.time, transaction: record.id))
            }
            switch note.kind {
            case .gap: found.append(Gap(from: note.time("from"), to: note.time("to"), transaction: record.id))
            case .scanCompleted, .watchEnded: (covered, isOpen) = (record.time, true)
            case .watchBegan: isOpen = false
            default: break
            }
            return true
        }
        return isOpen ? found + [Gap(from: covered)] : found
    }
}

extension Note {
    /// Whether it is of the operation with that id.
    fileprivate func names(_ id: [UInt8]) -> Bool {
        switch kind {
        case .operationBegan, .operationStep, .operationEnded:
            fields.contains { if case .text(let text) = $0.value { text == id } else { false } }
        default: false
        }
    }
}

extension ClosedRange<TransactionID>? {
    fileprivate func including(_ id: TransactionID) -> ClosedRange<TransactionID> {
        self.map { min($0.lowerBound, id)...max($0.upperBound, id) } ?? id...id
    }
}
