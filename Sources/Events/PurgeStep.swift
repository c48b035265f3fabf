/// What one step of a purge has erased: some items of one account, or all of it, with every change of them before the step
/// (`Specs/Format/Events.md`, "Purges").
public struct PurgeStep: Hashable, Sendable {
    /// The purge it belongs to.
    public var operation: UniqueID
    public var account: AccountNumber
    /// Everything of the account is gone, its notes too.
    public var isWholeAccount: Bool
    /// The items, by kind; of a whole account, all numbers that were ever given.
    public var items: [ItemKind: NumberRanges]
    /// Old states of items that stay: by kind and number, the transactions. A range says that all states of the item within it are gone, and
    /// begins and ends with one.
    public var states: [ItemKind: [UInt32: NumberRanges]] = [:]
    /// Of each of the items of a kind, in their order: the transaction with which it came, and the one with which it was deleted.
    public var lives: [ItemKind: [ClosedRange<UInt64>]] = [:]
    /// Under which rule.
    public var rule: PurgeRule?
    /// The transactions of which nothing but their place is left.
    public var stubs: NumberRanges
    /// The transactions of which a part is left, and the leaf hash that the record has now by itself.
    public var redacted: [UInt64: Digest]

    public init(
        operation: UniqueID, account: AccountNumber, isWholeAccount: Bool, items: [ItemKind: NumberRanges],
        stubs: NumberRanges = NumberRanges(), redacted: [UInt64: Digest] = [:]
    ) {
        (self.operation, self.account, self.isWholeAccount) = (operation, account, isWholeAccount)
        (self.items, self.stubs, self.redacted) = (items, stubs, redacted)
    }

    /// As the journal has it.
    public var note: Note {
        var fields: [Note.Field] = [
            .init("operation", .text(Array(operation.description.utf8))),
            .init("account", .number(Int64(account.rawValue))), .init("whole", .flag(isWholeAccount)),
        ]
        for (kind, numbers) in items.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where !numbers.isEmpty {
            fields.append(.init("items \(kind.letter)", .text(Array(numbers.description.utf8))))
        }
        for (kind, lives) in lives.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where !lives.isEmpty {
            let text = lives.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: " ")
            fields.append(.init("lives \(kind.letter)", .text(Array(text.utf8))))
        }
        for (kind, items) in states.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where !items.isEmpty {
            let text = items.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.text(separator: ","))" }
                .joined(separator: " ")
            fields.append(.init("states \(kind.letter)", .text(Array(text.utf8))))
        }
        if let rule { fields.append(.init("rule", .text(Array(rule.description.utf8)))) }
        if !stubs.isEmpty { fields.append(.init("stubs", .text(Array(stubs.description.utf8)))) }
        for (id, leaf) in redacted.sorted(by: { $0.key < $1.key }) {
            fields.append(.init("@\(id)", .text(Array(leaf.hex.utf8))))
        }
        return Note(.purgeStep, fields)
    }

    /// Nil where the note is none, or not as it must be.
    public init?(_ note: Note) {
        guard note.kind == .purgeStep, let text = note.text("operation"),
            let operation = UniqueID(String(decoding: text, as: UTF8.self)), let number = note.number("account"),
            let account = UInt32(exactly: number), let isWholeAccount = note.flag("whole")
        else { return nil }
        var step = PurgeStep(
            operation: operation, account: AccountNumber(rawValue: account), isWholeAccount: isWholeAccount, items: [:])
        for field in note.fields {
            guard case .text(let bytes) = field.value else { continue }
            let value = String(decoding: bytes, as: UTF8.self)
            if let kind = PurgeStep.kind(field.name, "items ") {
                guard let kind, let numbers = NumberRanges(value) else { return nil }
                step.items[kind] = numbers
            } else if let kind = PurgeStep.kind(field.name, "lives ") {
                guard let kind, let lives = PurgeStep.lives(value) else { return nil }
                step.lives[kind] = lives
            } else if let kind = PurgeStep.kind(field.name, "states ") {
                guard let kind, let states = PurgeStep.states(value) else { return nil }
                step.states[kind] = states
            } else if field.name == "rule" {
                guard let rule = PurgeRule(value) else { return nil }
                step.rule = rule
            } else if field.name == "stubs" {
                guard let numbers = NumberRanges(value) else { return nil }
                step.stubs = numbers
            } else if field.name.hasPrefix("@") {
                guard let id = UInt64(field.name.dropFirst()), let leaf = Digest(value) else { return nil }
                step.redacted[id] = leaf
            }
        }
        guard step.lives.allSatisfy({ step.items[$0.key]?.count == $0.value.count }) else { return nil }
        self = step
    }

    /// The kind of item in the name of a field that begins so: nil when it does not, nil within when there is no such kind.
    private static func kind(_ name: String, _ prefix: String) -> ItemKind?? {
        guard name.hasPrefix(prefix) else { return nil }
        return .some(ItemKind.allCases.first { prefix + "\($0.letter)" == name })
    }

    private static func lives(_ text: String) -> [ClosedRange<UInt64>]? {
        var found: [ClosedRange<UInt64>] = []
        for part in text.split(separator: " ") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count == 2, let first = UInt64(ends[0]), let last = UInt64(ends[1]), first <= last else {
                return nil
            }
            found.append(first...last)
        }
        return found
    }

    private static func states(_ text: String) -> [UInt32: NumberRanges]? {
        var found: [UInt32: NumberRanges] = [:]
        for part in text.split(separator: " ") {
            let sides = part.split(separator: ":", omittingEmptySubsequences: false)
            guard sides.count == 2, let number = UInt32(sides[0]), number > 0, found[number] == nil,
                let ranges = NumberRanges(String(sides[1]), separator: ","), !ranges.isEmpty
            else { return nil }
            found[number] = ranges
        }
        return found
    }

    /// How long an item was there, where the step tells it.
    public func life(of item: ItemID) -> ClosedRange<TransactionID>? {
        guard let lives = lives[item.kind], let index = items[item.kind]?.index(of: UInt64(item.number)),
            index < lives.count
        else { return nil }
        return TransactionID(rawValue: lives[index].lowerBound)...TransactionID(rawValue: lives[index].upperBound)
    }
}

/// Numbers in ascending ranges that do not touch: `1-40 42 50-60`.
public struct NumberRanges: Hashable, Sendable, CustomStringConvertible {
    public private(set) var ranges: [ClosedRange<UInt64>] = []

    public init() {}

    public init(_ numbers: some Sequence<UInt64>) {
        for number in numbers.sorted() { append(number) }
    }

    public init(_ range: ClosedRange<UInt64>) { ranges = [range] }

    public var isEmpty: Bool { ranges.isEmpty }

    public var count: Int { ranges.reduce(0) { $0 + $1.count } }

    /// Adds a number that is not less than any there.
    public mutating func append(_ number: UInt64) {
        guard let last = ranges.last else { return ranges.append(number...number) }
        if number <= last.upperBound { return }
        if number == last.upperBound + 1 {
            ranges[ranges.count - 1] = last.lowerBound...number
        } else {
            ranges.append(number...number)
        }
    }

    public func contains(_ number: UInt64) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(number)
    }

    /// How many of the numbers stand before this one; nil when it is not among them.
    public func index(of number: UInt64) -> Int? {
        var before = 0
        for range in ranges {
            if range.contains(number) { return before + Int(number - range.lowerBound) }
            if range.lowerBound > number { return nil }
            before += range.count
        }
        return nil
    }

    /// Adds a range behind all that are there, which it must not touch.
    public mutating func append(range: ClosedRange<UInt64>) {
        precondition(ranges.last.map { $0.upperBound + 1 < range.lowerBound } ?? true)
        ranges.append(range)
    }

    public var description: String { text(separator: " ") }

    func text(separator: String) -> String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: separator)
    }

    /// Nil where the text is not what ``description`` gives.
    public init?(_ text: String) { self.init(text, separator: " ") }

    init?(_ text: String, separator: Character) {
        for part in text.split(separator: separator) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count <= 2, let first = UInt64(ends[0]), let last = UInt64(ends[ends.count - 1]), first <= last,
                last < .max, ranges.last.map({ $0.upperBound + 1 < first }) ?? true
            else { return nil }
            ranges.append(first...last)
        }
    }
}

/// Everything that purges have erased: which changes are gone.
public struct PurgedItems: Sendable {
    /// By account and kind: ranges in order that do not overlap.
    private var entries: [UInt64: [PurgedRun]] = [:]
    /// Of an account all before this transaction is gone.
    private var whole: [AccountNumber: UInt64] = [:]
    private var accounts: Set<AccountNumber> = []
    /// Old states of items that stay.
    private var states: [UInt64: [UInt32: [NumberRanges]]] = [:]
    /// How many steps there are.
    public private(set) var count = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }

    /// Adds a step that stands at `transaction`.
    public mutating func add(_ step: PurgeStep, at transaction: TransactionID) {
        count += 1
        accounts.insert(step.account)
        if step.isWholeAccount { whole[step.account] = max(whole[step.account] ?? 0, transaction.rawValue) }
        for (kind, numbers) in step.items {
            entries[PurgedItems.key(step.account, kind), default: []].merge(numbers, transaction.rawValue)
        }
        for (kind, items) in step.states {
            states[PurgedItems.key(step.account, kind), default: [:]].merge(items.mapValues { [$0] }) { $0 + $1 }
        }
    }

    /// Whether anything of the account has been purged.
    public func touches(_ account: AccountNumber) -> Bool { accounts.contains(account) }

    /// Whether all of the account before the transaction has been purged.
    public func containsAll(_ account: AccountNumber, at transaction: TransactionID) -> Bool {
        transaction.rawValue < whole[account] ?? 0
    }

    /// Whether the change of the item in that transaction has been purged.
    public func contains(_ account: AccountNumber, _ item: ItemID, at transaction: TransactionID) -> Bool {
        if containsAll(account, at: transaction) { return true }
        let key = PurgedItems.key(account, item.kind)
        if let found = entries[key]?.entry(UInt64(item.number)), transaction.rawValue < found.end { return true }
        return states[key]?[item.number]?.contains { $0.contains(transaction.rawValue) } ?? false
    }

    /// The transaction without what has been purged of it: until a purge has rewritten the journal, it still has that.
    public func rest(of transaction: Transaction) -> Transaction {
        let (id, account) = (transaction.id, transaction.entry.account)
        guard touches(account) else { return transaction }
        var entry = transaction.entry
        entry.changes.removeAll { contains(account, $0.item, at: id) }
        if containsAll(account, at: id) { entry.note = nil }
        return Transaction(id: id, time: transaction.time, clockBehind: transaction.clockBehind, entry: entry)
    }

    private static func key(_ account: AccountNumber, _ kind: ItemKind) -> UInt64 {
        UInt64(account.rawValue) << 8 | UInt64(kind.rawValue)
    }
}

/// Items of one kind of which the changes before `end` are gone.
private struct PurgedRun {
    var first: UInt64
    var last: UInt64
    var end: UInt64
}

extension [PurgedRun] {
    fileprivate func entry(_ number: UInt64) -> PurgedRun? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].last < number { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].first <= number ? self[low] : nil
    }

    /// Adds ranges that are gone before `end`, which is not less than that of any there.
    fileprivate mutating func merge(_ numbers: NumberRanges, _ end: UInt64) {
        var merged: [PurgedRun] = []
        merged.reserveCapacity(count + numbers.ranges.count)
        var rest = numbers.ranges[...]
        for var entry in self {
            while let next = rest.first, next.lowerBound <= entry.last {
                if next.upperBound < entry.first {
                    merged.append(PurgedRun(first: next.lowerBound, last: next.upperBound, end: end))
                    rest.removeFirst()
                    continue
                }
                // What stood there before the new range stays; what lies in it is now gone through the later end.
                if entry.first < next.lowerBound {
                    merged.append(PurgedRun(first: entry.first, last: next.lowerBound - 1, end: entry.end))
                }
                if next.upperBound >= entry.last {
                    entry.first = entry.last + 1
                    break
                }
                merged.append(PurgedRun(first: next.lowerBound, last: next.upperBound, end: end))
                rest.removeFirst()
                entry.first = next.upperBound + 1
            }
            if entry.first <= entry.last { merged.append(entry) }
        }
        for next in rest { merged.append(PurgedRun(first: next.lowerBound, last: next.upperBound, end: end)) }
        self = merged
    }
}
