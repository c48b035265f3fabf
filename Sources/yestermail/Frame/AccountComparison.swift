internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

/// What is different in an account between two transactions, folded from the journal.
struct AccountComparison {
    /// By kind and number.
    private(set) var changes: [ItemDifference] = []

    /// `purged`: what purges have taken; the journal may still have it while one is going on.
    init(
        _ vault: OpenVault, _ account: AccountNumber, _ first: TransactionID, _ last: TransactionID,
        without purged: PurgedItems
    ) throws {
        var fold = AccountFold(account: account, without: purged)
        try fold.fold(vault.journal, through: first)
        let before = fold
        try fold.fold(vault.journal, through: last)
        // Everything that has another state now than then; what is gone in both is no difference.
        var changed: [(item: ItemID, before: StatePointer?, after: StatePointer?)] = []
        for pointer in (fold.live() + fold.deleted()).sorted(by: { $0.item < $1.item }) {
            let old = before.pointer(pointer.item)
            if old == pointer.pointer || (old?.isDeleted ?? true) && pointer.pointer.isDeleted { continue }
            changed.append(
                (
                    pointer.item, old.flatMap { $0.isDeleted ? nil : $0 },
                    pointer.pointer.isDeleted ? nil : pointer.pointer
                ))
        }
        var old: [ItemID: RecordedState] = [:]
        var new: [ItemID: RecordedState] = [:]
        try vault.journal.states(
            changed.compactMap { change in change.before.map { ItemPointer(change.item, $0) } }
        ) { old[$0.item] = $0 }
        try vault.journal.states(
            changed.compactMap { change in change.after.map { ItemPointer(change.item, $0) } }
        ) { new[$0.item] = $0 }
        for change in changed {
            let difference = ItemDifference(item: change.item, before: old[change.item], after: new[change.item])
            // Changed and changed back.
            if !difference.words.isEmpty { changes.append(difference) }
        }
    }

    /// How many of each kind.
    struct Sum {
        var counts: [(name: String, count: Int)] = [
            ("created", 0), ("deleted", 0), ("moved", 0), ("renamed", 0), ("flags", 0), ("tags", 0), ("content", 0),
            ("subscription", 0), ("metadata", 0),
        ]

        mutating func add(_ word: String) {
            if let index = counts.firstIndex(where: { $0.name == word }) { counts[index].count += 1 }
        }

        func words(of kind: ItemKind) -> [String] {
            counts.compactMap { name, count in
                switch name {
                case "created": "+\(Quantity.count(count))"
                case "deleted": "-\(Quantity.count(count))"
                default: count > 0 ? "\(name) \(Quantity.count(count))" : nil
                }
            }
        }
    }

    var sums: [ItemKind: Sum] {
        var sums: [ItemKind: Sum] = [:]
        for change in changes { for word in change.words { sums[change.item.kind, default: Sum()].add(word) } }
        return sums
    }
}

/// What is different about one item.
struct ItemDifference {
    let item: ItemID
    /// Nil: it was not there.
    let before: RecordedState?
    /// Nil: it is not there.
    let after: RecordedState?

    /// The words of `change` in the JSON of a history.
    var words: [String] {
        guard let before else { return after == nil ? [] : ["created"] }
        guard let after else { return ["deleted"] }
        var words: [String] = []
        if let old = before.state.message, let new = after.state.message {
            if old.content != new.content { words.append("content") }
            if old.flags.subtracting(.passed) != new.flags.subtracting(.passed) { words.append("flags") }
            if old.keywords != new.keywords || old.flags.contains(.passed) != new.flags.contains(.passed) {
                words.append("tags")
            }
            if old.folder != new.folder { words.append("moved") }
            if words.isEmpty, old != new { words.append("metadata") }
        } else if let old = before.state.folder, let new = after.state.folder {
            if old.path != new.path { words.append("renamed") }
            if old.isSubscribed != new.isSubscribed { words.append("subscription") }
            if words.isEmpty, old != new { words.append("metadata") }
        } else if before.state != after.state {
            words.append("content")
        }
        return words
    }

    var sign: String { before == nil ? "+" : after == nil ? "-" : "~" }

    /// The folder of a message; both when it was moved.
    func place(_ old: AccountView, _ new: AccountView) -> String {
        let from = before?.state.message.flatMap { old.path($0.folder) }.map { TerminalText.safe($0, maxColumns: 40) }
        let to = after?.state.message.flatMap { new.path($0.folder) }.map { TerminalText.safe($0, maxColumns: 40) }
        if let from, let to, before?.state.message?.folder != after?.state.message?.folder { return "\(from) > \(to)" }
        return to ?? from ?? ""
    }
}

extension JSONWriter {
    /// How many of each kind changed how, as `summary`.
    mutating func summary(_ sums: [ItemKind: AccountComparison.Sum]) {
        key("summary")
        beginObject()
        for kind in ItemKind.allCases {
            guard let sum = sums[kind] else { continue }
            key(text: kind.name)
            beginObject()
            for (name, count) in sum.counts {
                key(text: name)
                value(count)
            }
            endObject()
        }
        endObject()
    }
}
