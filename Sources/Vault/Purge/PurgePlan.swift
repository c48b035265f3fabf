public import Blobs
public import Events
internal import Files
internal import Journal
internal import Projections

/// What a purge is asked to do.
public struct PurgeRequest: Sendable {
    /// Days instead of those of the rules, for this run.
    public var days = RetentionDays()
    /// The account of which everything is to go, whatever retention says.
    public var erasing: AccountNumber?
    /// Whether a hold by query covers the item in any of its states; asked for those only that would go.
    public var isHeld: @Sendable (LegalHold, Account, ItemID) throws -> Bool

    public init(isHeld: @escaping @Sendable (LegalHold, Account, ItemID) throws -> Bool) { self.isHeld = isHeld }
}

/// What a purge is going to do: a value, shown before anything is done.
public struct PurgePlan: Sendable {
    /// What goes of one account.
    public struct Part: Sendable {
        public let account: Account
        /// All of it, live or not.
        public let isWhole: Bool
        /// The account itself too.
        public let includesAccount: Bool
        public internal(set) var items: [ItemKind: NumberRanges] = [:]
        /// How many old states of live items go.
        public internal(set) var states = 0
        /// What the journal will say: for each rule a step.
        var steps: [PurgeStep] = []

        public var messages: Int { items[.message]?.count ?? 0 }
        public var folders: Int { items[.folder]?.count ?? 0 }
    }

    /// The journal as it was decided on.
    public let position: TransactionID
    public internal(set) var parts: [Part] = []
    /// Items whose retention is over and that a hold keeps, by account.
    public internal(set) var held: [(account: Account, items: Int, holds: [String])] = []
    /// Old states of live items that would go and that a hold keeps, by account.
    public internal(set) var heldStates: [(account: Account, states: Int, holds: [String])] = []
    /// Accounts that would go but that somebody captures now.
    public internal(set) var busy: [Account] = []
    /// Transactions of which nothing is left but their place, and of which a part is.
    public internal(set) var stubs = 0
    public internal(set) var redacted = 0
    /// What an earlier purge has decided and not finished.
    public internal(set) var isUnfinished = false
    /// The blobs that go, as far as can be told before.
    public internal(set) var blobs = BlobSweepReport()
    /// Bytes of the journal's segments that come back.
    public internal(set) var journalBytes = 0
    var steps: [PurgeStep] = []
    var operation = UniqueID(high: 0, low: 0)

    public var isEmpty: Bool { parts.isEmpty && !isUnfinished && blobs.bytes == 0 }
    public var messages: Int { parts.reduce(0) { $0 + $1.messages } }
    public var folders: Int { parts.reduce(0) { $0 + $1.folders } }
    /// Old states of live items.
    public var states: Int { parts.reduce(0) { $0 + $1.states } }
    /// What comes back on the disk.
    public var bytes: Int { blobs.bytes + journalBytes }
}

/// Decides what a purge takes. Reads only.
struct PurgePlanner {
    let vault: OpenVault
    let request: PurgeRequest
    private let projections: OpenProjections
    private let rules: RetentionRules
    private let clock: DeletionClock
    private let holds: [LegalHold]
    private let position: TransactionID

    init(_ vault: OpenVault, _ request: PurgeRequest) throws {
        (self.vault, self.request) = (vault, request)
        projections = try vault.projections()
        position = try projections.position()
        rules = try vault.retentionRules()
        clock = try DeletionClock(vault.journal, now: vault.clock.now())
        holds = try vault.holds().filter { $0.lifted == nil }
    }

    func run() throws -> PurgePlan {
        var plan = PurgePlan(position: position)
        for account in try vault.accounts() {
            if let erasing = request.erasing {
                if account.number == erasing { try erase(account, &plan) }
            } else {
                try decide(account, &plan)
            }
        }
        var random = SystemRandomNumberGenerator()
        plan.operation = UniqueID(using: &random)
        for part in plan.parts { plan.steps += part.steps }
        plan.steps += try accountSteps(plan.parts.filter(\.includesAccount))
        for index in plan.steps.indices { plan.steps[index].operation = plan.operation }
        return plan
    }

    /// Of the accounts that go themselves, as items of the directory.
    private func accountSteps(_ parts: [PurgePlan.Part]) throws -> [PurgeStep] {
        var byRule: [PurgeRule: [ItemID]] = [:]
        for part in parts {
            guard let rule = part.steps.first?.rule else { continue }
            byRule[rule, default: []].append(ItemID(.account, part.account.number.rawValue))
        }
        return try byRule.sorted { "\($0.key)" < "\($1.key)" }.map { rule, items in
            try step(.directory, items, rule, tellsLives: rule.ground != .erasure)
        }
    }

    /// The step that takes `items` with their histories.
    private func step(
        _ account: AccountNumber, _ items: [ItemID], _ rule: PurgeRule, tellsLives: Bool = true
    ) throws -> PurgeStep {
        var step = PurgeStep(
            operation: UniqueID(high: 0, low: 0), account: account, isWholeAccount: false, items: [:])
        step.rule = rule
        for item in items.sorted() {
            step.items[item.kind, default: NumberRanges()].append(UInt64(item.number))
            guard tellsLives else { continue }
            let states = try projections.states(account, item)
            let (first, last) = (states.first?.transaction ?? position, states.last?.transaction ?? position)
            step.lives[item.kind, default: []].append(first.rawValue...last.rawValue)
        }
        return step
    }

    // MARK: Accounts

    private func erase(_ account: Account, _ plan: inout PurgePlan) throws {
        var keeping = account.state.isHeld ? ["account hold"] : []
        for hold in holds where hold.account == nil || hold.account == account.number {
            if hold.query == nil {
                keeping.append(hold.name)
            } else if try coversAny(hold, account) {
                keeping.append(hold.name)
            }
        }
        guard keeping.isEmpty else {
            throw Failure(
                .refused,
                "\(account.state.address) is on hold (\(keeping.joined(separator: ", "))): nothing of it is erased",
                hint: "See: yestermail hold list")
        }
        plan.parts.append(try whole(account, includesAccount: true, PurgeRule(.erasure)))
    }

    private func decide(_ account: Account, _ plan: inout PurgePlan) throws {
        if account.isDeleted || !account.state.isEnabled {
            let (days, scope) = request.days.account.map { ($0, "run") } ?? rules.account(account)
            // Until the account goes as a whole, all its items can be restored.
            guard days > 0, try since(account) <= clock.newest(olderThan: days) else { return }
            var part = try whole(
                account, includesAccount: account.isDeleted, PurgeRule(.accounts, "\(days)", scope: scope))
            // What was purged of it before is not purged again.
            guard part.includesAccount || part.items.contains(where: { !$0.value.isEmpty }) else { return }
            let keeping = try holdNames(account) { try coversAny($0, account) }
            if keeping.isEmpty {
                let lock = try vault.isReadOnly ? nil : vault.captureLock(account.number)
                guard vault.isReadOnly || lock != nil else { return plan.busy.append(account) }
                part.items = part.items.filter { !$0.value.isEmpty }
                plan.parts.append(part)
            } else {
                plan.held.append((account, part.messages + part.folders, keeping))
            }
            return
        }
        try decideItems(account, &plan)
    }

    /// When the account was removed, or else left out of scans.
    private func since(_ account: Account) throws -> TransactionID {
        let item = ItemID(.account, account.number.rawValue)
        let pointers = try projections.states(.directory, item)
        var since = TransactionID.beginning
        var wasGone = false
        try vault.journal.states(pointers.map { ItemPointer(item, $0) }) { recorded in
            let isGone = recorded.state.isDeleted || !(recorded.state.account?.isEnabled ?? true)
            if isGone, !wasGone { since = recorded.transaction }
            // Removed after it was left out: its retention as a removed account begins then.
            if recorded.state.isDeleted, account.isDeleted, wasGone, recorded.kinds.contains(.deleted) {
                since = recorded.transaction
            }
            wasGone = isGone
        }
        return since
    }

    private func whole(
        _ account: Account, includesAccount: Bool, _ rule: PurgeRule
    ) throws -> PurgePlan.Part {
        var part = PurgePlan.Part(account: account, isWhole: true, includesAccount: includesAccount)
        let statistics = try projections.statistics(account.number)
        for kind in ItemKind.allCases {
            let highest = try projections.highestNumber(account.number, kind)
            // An account that was purged as a whole before, and has nothing since, has nothing to be purged.
            if highest > 0, includesAccount || statistics.states > 0 {
                part.items[kind] = NumberRanges(1...UInt64(highest))
            }
        }
        var step = PurgeStep(
            operation: UniqueID(high: 0, low: 0), account: account.number, isWholeAccount: true,
            items: part.items.filter { !$0.value.isEmpty })
        step.rule = rule
        part.steps = [step]
        return part
    }

    // MARK: Items

    private func decideItems(_ account: Account, _ plan: inout PurgePlan) throws {
        var part = PurgePlan.Part(account: account, isWhole: false, includesAccount: false)
        try takeDeleted(account, &part, &plan)
        try thin(account, &part, &plan)
        if !part.steps.isEmpty { plan.parts.append(part) }
    }

    private func takeDeleted(_ account: Account, _ part: inout PurgePlan.Part, _ plan: inout PurgePlan) throws {
        let hasFolders = rules.hasFolders(account.number) && request.days.data == nil
        let usual = request.days.data.map { ($0, "run") } ?? rules.data(account)
        var longest: [Int: TransactionID] = [:]
        func cut(_ days: Int) throws -> TransactionID {
            if days == 0 { return .beginning }
            if let known = longest[days] { return known }
            let found = try clock.newest(olderThan: days)
            longest[days] = found
            return found
        }
        var limits = [try cut(usual.0)]
        if hasFolders { for rule in rules.rules { if let days = rule.days.data { limits.append(try cut(days)) } } }
        guard let newest = limits.max(), newest > .beginning, position > .beginning else { return }
        var due: [ItemID] = []
        var byRule: [PurgeRule: [ItemID]] = [:]
        var ruleOf: [ItemID: PurgeRule] = [:]
        let usualRule = PurgeRule(.items, "\(usual.0)", scope: usual.1)
        try projections.deleted(account.number, in: TransactionID(rawValue: 1)...min(newest, position)) { item, id in
            if hasFolders {
                let (days, scope) = try days(account, item)
                guard id <= (try cut(days)) else { return }
                ruleOf[item] = PurgeRule(.items, "\(days)", scope: scope)
            }
            due.append(item)
        }
        guard !due.isEmpty else { return }
        if account.state.isHeld || holds.contains(where: { covers($0, account) && $0.query == nil }) {
            plan.held.append((account, due.count, try holdNames(account) { _ in false }))
            return
        }
        var keeping: [String] = []
        let queries = holds.filter { covers($0, account) }
        if !queries.isEmpty {
            let before = due.count
            due = try due.filter { item in
                guard let hold = try queries.first(where: { try request.isHeld($0, account, item) }) else {
                    return true
                }
                if !keeping.contains(hold.name) { keeping.append(hold.name) }
                return false
            }
            if due.count < before { plan.held.append((account, before - due.count, keeping)) }
        }
        let goingMessages = NumberRanges(due.filter { $0.kind == .message }.map { UInt64($0.number) })
        // A folder stays as long as anything that stays has ever been in it: its name belongs to their history.
        let needed = try projections.foldersNamed(account.number, byMessagesExcept: goingMessages)
        due.removeAll { $0.kind == .folder && needed.contains($0.number) }
        for item in due.sorted() {
            part.items[item.kind, default: NumberRanges()].append(UInt64(item.number))
            byRule[ruleOf[item] ?? usualRule, default: []].append(item)
        }
        for (rule, items) in byRule.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            part.steps.append(try step(account.number, items, rule))
        }
    }

    // MARK: Histories

    /// Old states of messages that are there; folders have few, and the history of others names them.
    private func thin(_ account: Account, _ part: inout PurgePlan.Part, _ plan: inout PurgePlan) throws {
        let hasFolders = rules.hasFolders(account.number) && request.days.history == nil
        let usual = request.days.history.map { ($0, "run") } ?? rules.history(account)
        guard hasFolders || !usual.0.isOff else { return }
        var thinnings: [HistoryRule: HistoryThinning] = [:]
        func thinning(_ rule: HistoryRule) throws -> HistoryThinning {
            if let known = thinnings[rule] { return known }
            let made = try HistoryThinning(rule, clock)
            thinnings[rule] = made
            return made
        }
        var going: [PurgeRule: [UInt32: NumberRanges]] = [:]
        var states = 0
        var held: (states: Int, names: [String]) = (0, [])
        let covering = holds.filter { covers($0, account) }
        let isAllHeld = account.state.isHeld || covering.contains { $0.query == nil }
        try projections.histories(account.number, .message, ofAtLeast: 3) { item, pointers in
            guard let last = pointers.last, !last.isDeleted else { return }
            var (rule, scope) = usual
            if hasFolders {
                let folder = try vault.journal.state(item, at: last).state.message?.folder ?? 0
                (rule, scope) = rules.history(
                    account, folders: try vault.foldersAround(account.number, folder, projections))
            }
            let thinning = try thinning(rule)
            guard !rule.isOff, thinning.concerns(pointers[1].transaction) else { return }
            var found: [ThinnableState] = []
            try vault.journal.states(pointers.map { ItemPointer(item, $0) }) {
                found.append(ThinnableState(transaction: $0.transaction, time: $0.time, kinds: $0.kinds))
            }
            let ranges = thinning.thin(found)
            guard !ranges.isEmpty else { return }
            let count = pointers.count { ranges.contains($0.transaction.rawValue) }
            if isAllHeld {
                held.states += count
            } else if let hold = try covering.first(where: { try request.isHeld($0, account, item) }) {
                held.states += count
                if !held.names.contains(hold.name) { held.names.append(hold.name) }
            } else {
                going[PurgeRule(.history, "\(rule)", scope: scope), default: [:]][item.number] = ranges
                states += count
            }
        }
        if held.states > 0 {
            let names = isAllHeld ? try holdNames(account) { _ in false } : held.names
            plan.heldStates.append((account, held.states, names))
        }
        part.states = states
        for (rule, items) in going.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            var step = PurgeStep(
                operation: UniqueID(high: 0, low: 0), account: account.number, isWholeAccount: false, items: [:])
            step.states = [.message: items]
            step.rule = rule
            part.steps.append(step)
        }
    }

    /// Days that an item that was deleted is kept, and whose rule that is.
    private func days(_ account: Account, _ item: ItemID) throws -> (Int, String) {
        guard let pointer = try projections.pointer(account.number, item, asOf: position) else { return (0, "") }
        let state = try vault.journal.state(item, at: pointer).state
        let folder = item.kind == .folder ? item.number : state.message?.folder ?? 0
        return rules.data(account, folders: try vault.foldersAround(account.number, folder, projections))
    }

    // MARK: Holds

    private func covers(_ hold: LegalHold, _ account: Account) -> Bool {
        hold.account == nil || hold.account == account.number
    }

    private func holdNames(_ account: Account, _ coversAny: (LegalHold) throws -> Bool) throws -> [String] {
        var names = account.state.isHeld ? ["account hold"] : []
        for hold in holds where covers(hold, account) {
            if hold.query == nil { names.append(hold.name) } else if try coversAny(hold) { names.append(hold.name) }
        }
        return names
    }

    /// Whether any item of the account is under a hold by query.
    private func coversAny(_ hold: LegalHold, _ account: Account) throws -> Bool {
        var items: [ItemID] = []
        try projections.pointers(account.number, asOf: position) { items.append($0.item) }
        return try items.contains { try request.isHeld(hold, account, $0) }
    }
}

extension OpenVault {
    /// A folder and those it is in, by their newest paths, innermost first.
    func foldersAround(
        _ account: AccountNumber, _ folder: UInt32, _ projections: OpenProjections
    ) throws -> [UInt32] {
        guard folder > 0, let path = try projections.newestPath(account, folder) else { return [] }
        var found = [folder]
        let all = try projections.newestPaths(account)
        var rest = path
        while let slash = rest.lastIndex(of: UInt8(ascii: "/")) {
            rest = Array(rest[..<slash])
            found += all.filter { $0.path == rest }.map(\.folder)
        }
        return found
    }
}
