internal import Events
internal import Glibc
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

/// Which transactions, and which of their changes, are shown.
struct LogFilter {
    var account: AccountNumber?
    var items: Set<ItemID>?
    var kind: ItemKind?
    var change: LogShowCommand.ChangeSort?

    /// Nothing is asked for that a transaction which was purged would have to be known for.
    var isWide: Bool { items == nil && kind == nil && change == nil }

    /// The transaction with the changes that are shown; nil when there is nothing of it to show. `isPurged`: something of it is gone,
    /// which is shown too.
    func apply(_ transaction: Transaction, isPurged: Bool = false) -> Transaction? {
        if let account, transaction.entry.account != account { return nil }
        let isNarrow = items != nil || kind != nil
        let changes = transaction.entry.changes.filter { change in
            (items?.contains(change.item) ?? true) && (kind.map { $0 == change.item.kind } ?? true)
                && (self.change.map { !$0.kinds.isDisjoint(with: change.kinds) } ?? true)
        }
        let showsNote = transaction.entry.note != nil && !isNarrow && (change?.notes ?? true)
        guard showsNote || !changes.isEmpty || isPurged && isWide else { return nil }
        var entry = transaction.entry
        entry.changes = changes
        if !showsNote { entry.note = nil }
        return Transaction(
            id: transaction.id, time: transaction.time, clockBehind: transaction.clockBehind, entry: entry)
    }
}

/// Prints transactions for people, or as the objects of `log dump`.
final class LogPrinter {
    private let context: CommandContext
    private let vault: OpenVault
    private let projections: OpenProjections
    private let filter: LogFilter
    private var names: [AccountNumber: Account] = [:]
    private(set) var printed = 0
    /// Transactions of which something is gone and that were not shown, because it cannot be known whether they were asked for.
    private(set) var passedOver = 0
    private var purges = Purges()

    init(_ context: CommandContext, _ vault: OpenVault, _ projections: OpenProjections, _ filter: LogFilter) throws {
        (self.context, self.vault, self.projections, self.filter) = (context, vault, projections, filter)
        purges = try vault.purges(of: filter.account)
    }

    /// Changes of one transaction that are told one by one; of more there is a summary, unless `--verbose`.
    private static let toldChanges = 20
    private static let block: UInt64 = 512

    func newestFirst(_ first: TransactionID, _ last: TransactionID, limit: Int) throws {
        if let account = filter.account, let items = filter.items {
            var ids: Set<TransactionID> = []
            for item in items { ids.formUnion(try projections.states(account, item).map(\.transaction)) }
            let gone = items.flatMap { lost(of: $0, account) }.filter { $0.place >= first && $0.place <= last }
            ids.formUnion(gone.map(\.place))
            for id in ids.filter({ $0 >= first && $0 <= last }).sorted(by: >) {
                guard printed < limit else { return }
                for lost in gone where lost.place == id { try print(lost) }
                guard let transaction = try vault.journal.transaction(id) else { continue }
                try print(transaction)
            }
            return
        }
        var end = last.rawValue
        while end >= first.rawValue, end > 0, printed < limit {
            let begin = max(first.rawValue, end >= LogPrinter.block ? end - LogPrinter.block + 1 : 1, 1)
            for transaction in try transactions(begin, end).reversed() where printed < limit {
                try print(transaction)
            }
            guard begin > 1 else { return }
            end = begin - 1
        }
    }

    private func transactions(_ begin: UInt64, _ end: UInt64) throws -> [Transaction] {
        var found: [Transaction] = []
        try vault.journal.scan(from: TransactionID(rawValue: begin), through: TransactionID(rawValue: end)) { record in
            if let account = filter.account, record.account != account { return true }
            found.append(purges.items.rest(of: try record.transaction()))
            return true
        }
        return found
    }

    /// The last few transactions (or all from `first`), oldest first, and then what comes.
    func follow(_ first: TransactionID, last count: Int, from isGiven: Bool) throws -> Never {
        let head = try vault.journal.head().transaction.rawValue
        var next = head + 1
        if isGiven {
            next = first.rawValue
        } else if count > 0 {
            // Go back until there are so many that are shown.
            var shown = 0
            var end = head
            while end > 0, shown < count {
                let begin = end >= LogPrinter.block ? end - LogPrinter.block + 1 : 1
                for transaction in try transactions(begin, end).reversed() where shown < count {
                    if filter.apply(transaction) != nil {
                        shown += 1
                        next = transaction.id.rawValue
                    }
                }
                end = begin - 1
            }
        }
        while true {
            let head = try vault.journal.head().transaction.rawValue
            if head >= next {
                _ = try vault.projections()
                while next <= head {
                    let end = min(head, next + LogPrinter.block - 1)
                    for transaction in try transactions(next, end) { try print(transaction) }
                    next = end + 1
                }
                try context.output.flush()
            }
            usleep(100_000)
        }
    }

    private func print(_ whole: Transaction) throws {
        let purged = purges.transaction(whole.id, whole.entry.account)
        guard let transaction = filter.apply(whole, isPurged: !purged.marks.isEmpty) else {
            if !purged.marks.isEmpty { passedOver += 1 }
            return
        }
        printed += 1
        if context.isJSON { return try json(transaction, whole, purged) }
        let account = try name(transaction.entry.account)
        let wording = ChangeWording(vault, projections, transaction.entry.account)
        let prefix = "\(transaction.id)  \(context.text(transaction.time))  "
        let owner =
            filter.account == nil ? (account.map { TerminalText.safe($0.state.address) } ?? "(vault)") + "  " : ""
        let origin = "\(transaction.entry.origin.name)  "
        if let note = transaction.entry.note {
            try context.output.line(prefix + owner + origin + context.style.faint(NoteWording.text(note, context)))
        }
        for mark in purged.marks where filter.isWide {
            try context.output.line(
                prefix + owner + origin
                    + context.style.faint((purged.isAll ? "all of it " : "a part of it ") + context.wording(of: mark)))
        }
        let changes = transaction.entry.changes
        guard changes.count <= LogPrinter.toldChanges || context.options.verbose else {
            return try context.output.line(prefix + owner + origin + summary(changes))
        }
        for (index, change) in changes.enumerated() {
            let now = RecordedChange(transaction, change)
            let before =
                change.kinds.contains(.created) ? nil : try wording.before(change.item, transaction.id)
            var what = try wording.text(now.state, before: before)
            if let folder = change.state.folder, !change.kinds.contains(.renamed) {
                what = "\(TerminalText.safe(folder.joinedPath)) " + what
            } else if let account = change.state.account {
                what = "\(TerminalText.safe(account.address)) " + what
            }
            if change.kinds.contains(.deleted) { what = context.style.bad(what) }
            let head =
                index == 0 ? prefix : String(repeating: " ", count: TerminalText.columns(prefix))
            try context.output.line(head + owner + origin + change.item.description + "  " + what)
        }
    }

    /// What is said of an item, or of states of it, that are gone.
    private enum Lost {
        case item(PurgedItem)
        case states(ThinnedStates, of: ItemID)

        /// Where it is told.
        var place: TransactionID {
            switch self {
            case .item(let purged): purged.mark.transaction
            case .states(let thinned, _): thinned.range.upperBound
            }
        }
    }

    private func lost(of item: ItemID, _ account: AccountNumber) -> [Lost] {
        if let purged = purges.item(item, account) { return [.item(purged)] }
        return purges.thinned(item, account).map { .states($0, of: item) }
    }

    private func print(_ lost: Lost) throws {
        printed += 1
        if context.isJSON {
            return try context.output.json { json in
                switch lost {
                case .item(let purged): json.purged(purged)
                case .states(let thinned, let item):
                    json.beginObject()
                    json.key("item")
                    json.value(item)
                    json.key("type")
                    json.value(item.kind.name)
                    json.key("thinned")
                    json.thinned(thinned)
                    json.endObject()
                }
            }
        }
        switch lost {
        case .item(let purged):
            try context.output.line(
                "\(lost.place)  \(context.text(purged.mark.time))  \(purged.item)  "
                    + context.style.faint(try context.wording(of: purged, vault)))
        case .states(let thinned, let item):
            try context.output.line("\(lost.place)  \(item)  " + context.style.faint(context.wording(gone: thinned)))
        }
    }

    /// `213 messages deleted (m1 … m213)`.
    private func summary(_ changes: [Change]) -> String {
        var parts: [String] = []
        for (kind, word) in ChangeKinds.names {
            for type in ItemKind.allCases {
                let these = changes.filter { $0.kinds.contains(kind) && $0.item.kind == type }
                guard let first = these.first, let last = these.last else { continue }
                let name = type.name.replacingUnderscores
                parts.append("\(Quantity.count(these.count, name)) \(word) (\(first.item) … \(last.item))")
            }
        }
        return parts.joined(separator: ", ")
    }

    private func name(_ number: AccountNumber) throws -> Account? {
        if number == .directory { return nil }
        if let known = names[number] { return known }
        for account in try vault.accounts() { names[account.number] = account }
        return names[number]
    }

    private func json(
        _ transaction: Transaction, _ whole: Transaction, _ purged: (marks: [PurgeMark], isAll: Bool)
    ) throws {
        let account = try name(transaction.entry.account)
        let leaf = try vault.journal.withRecord(transaction.id) { $0.leafHash }
        try context.output.json { json in
            json.beginObject()
            json.transactionMembers(
                transaction.id, transaction.time, transaction.entry.origin, account?.state)
            json.key("changes")
            json.beginArray()
            for change in transaction.entry.changes {
                guard let row = try projections.historyRow(transaction.entry.account, change.item, transaction.id)
                else { throw ProjectionsUnusable(reason: "the history of \(change.item) lacks \(transaction.id)") }
                json.beginChange(change.item, change.kinds)
                json.appendJSON(row)
                json.endObject()
            }
            json.endArray()
            if let note = transaction.entry.note {
                json.key("event")
                json.note(note)
            }
            if !purged.marks.isEmpty { json.purged(purged.marks, all: purged.isAll) }
            json.key("leaf_hash")
            json.optional(hash: leaf)
            json.endObject()
        }
    }
}

/// A change of a transaction as a state the wording understands.
private struct RecordedChange {
    let state: RecordedState

    init(_ transaction: Transaction, _ change: Change) {
        state = RecordedState(
            item: change.item, transaction: transaction.id, time: transaction.time, origin: transaction.entry.origin,
            kinds: change.kinds, state: change.state)
    }
}

extension JSONWriter {
    /// `txid` to `origin` of a transaction.
    mutating func transactionMembers(
        _ id: TransactionID, _ time: Timestamp, _ origin: Origin, _ account: AccountState?
    ) {
        key("txid")
        value(id.rawValue)
        key("time")
        value(time)
        key("account")
        optional(account?.address)
        key("account_id")
        optional(account?.id.description)
        key("origin")
        value(ascii: origin.name)
    }

    /// A change up to its state.
    mutating func beginChange(_ item: ItemID, _ kinds: ChangeKinds) {
        beginObject()
        key("item")
        value(item)
        key("type")
        value(item.kind.name)
        key("change")
        changeKinds(kinds)
        key("state")
    }
}

extension String {
    var replacingUnderscores: String { String(map { $0 == "_" ? " " : $0 }) }
}
