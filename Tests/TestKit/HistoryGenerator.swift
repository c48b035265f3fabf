public import Events

/// Random histories that keep the rules of a capture: numbers given once, an item created before it changes, each item at
/// most once in a transaction.
public struct HistoryGenerator {
    public var generator: SeededGenerator
    private var states: [AccountNumber: [ItemID: ItemState]] = [:]
    private var next: [AccountNumber: (folder: UInt32, message: UInt32)] = [:]
    private var items: [AccountNumber: [ItemID]] = [:]
    private var liveFolders: [AccountNumber: [ItemID]] = [:]

    public init(_ generator: SeededGenerator) { self.generator = generator }

    /// The states as they are after all entries given so far.
    public func states(_ account: AccountNumber) -> [ItemID: ItemState] { states[account] ?? [:] }

    public mutating func entries(_ count: Int, accounts: Int = 3) -> [JournalEntry] {
        (0..<count).map { _ in entry(AccountNumber(rawValue: UInt32(generator.number(1..<accounts + 1)))) }
    }

    public mutating func entry(_ account: AccountNumber) -> JournalEntry {
        if generator.chance(4) {
            return JournalEntry(
                account: account, origin: .scan, changes: [],
                note: Note(.scanCompleted, [.init("messages", .number(7))]))
        }
        var changes: [Change] = []
        var touched: Set<ItemID> = []
        for _ in 0..<(generator.chance(80) ? 1 : generator.number(2..<30)) {
            if let change = change(account, touched) {
                touched.insert(change.item)
                if states[account, default: [:]].updateValue(change.state, forKey: change.item) == nil {
                    items[account, default: []].append(change.item)
                }
                if change.item.kind == .folder {
                    liveFolders[account, default: []].removeAll { $0 == change.item }
                    if !change.state.isDeleted { liveFolders[account, default: []].append(change.item) }
                }
                changes.append(change)
            }
        }
        return JournalEntry(account: account, origin: generator.element(Origin.allCases), changes: changes)
    }

    private mutating func change(_ account: AccountNumber, _ touched: Set<ItemID>) -> Change? {
        let folders = liveFolders[account] ?? []
        var numbers = next[account] ?? (1, 1)
        defer { next[account] = numbers }
        if folders.isEmpty || generator.chance(5) {
            defer { numbers.folder += 1 }
            return Change(ItemID(.folder, numbers.folder), .created, ItemState(folder(numbers.folder)))
        }
        if generator.chance(45) {
            defer { numbers.message += 1 }
            return Change(
                ItemID(.message, numbers.message), .created, ItemState(message(generator.element(folders).number)))
        }
        let item = generator.element(items[account] ?? [])
        guard !touched.contains(item), var state = states[account]?[item] else { return nil }
        switch state.content {
        case .message(var message): return changed(item, &message, state.isDeleted, folders)
        case .folder(var folder):
            if state.isDeleted {
                state.isDeleted = false
                return Change(item, .returned, state)
            }
            if generator.chance(25) {
                state.isDeleted = true
                return Change(item, .deleted, state)
            }
            folder.path = [generator.bytes(generator.number(1..<9))]
            folder.isSubscribed.toggle()
            return Change(item, [.renamed, .subscription], ItemState(folder))
        case .account, .other: return nil
        }
    }

    private mutating func changed(
        _ item: ItemID, _ message: inout MessageState, _ isDeleted: Bool, _ folders: [ItemID]
    ) -> Change {
        if isDeleted {
            message.folder = generator.element(folders).number
            return Change(item, [.returned, .moved], ItemState(message))
        }
        switch generator.number(0..<5) {
        case 0: return Change(item, .deleted, ItemState(message, isDeleted: true))
        case 1:
            message.folder = generator.element(folders).number
            return Change(item, .moved, ItemState(message))
        case 2:
            message.content = content()
            return Change(item, .content, ItemState(message))
        case 3:
            message.keywords = [Array("$Label\(generator.number(1..<6))".utf8)]
            return Change(item, .tags, ItemState(message))
        default:
            message.flags = MessageFlags(rawValue: UInt8(generator.number(0..<64)))
            return Change(item, .flags, ItemState(message))
        }
    }

    private mutating func content() -> MessageState.Content {
        if generator.chance(5) { return .unreadable(5) }
        let seed = generator.bytes(8)
        return .blob(Digest(hashing: seed.span.bytes), size: UInt64(generator.number(0..<100_000)))
    }

    private mutating func message(_ folder: UInt32) -> MessageState {
        MessageState(
            folder: folder, content: content(), internalDate: Timestamp(rawValue: Int64(generator.number(0..<1 << 50))),
            flags: MessageFlags(rawValue: UInt8(generator.number(0..<64))), sourceName: generator.bytes(12))
    }

    private mutating func folder(_ number: UInt32) -> FolderState {
        FolderState(
            path: [Array("Folder \(number)".utf8)], isSubscribed: generator.chance(50),
            sourceName: Array(".Folder \(number)".utf8), sourceIdentity: generator.bytes(8))
    }
}
