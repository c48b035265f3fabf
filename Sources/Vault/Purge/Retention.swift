public import Events
internal import Journal
internal import Projections

/// What a rule of retention is about; the narrower one counts.
public enum RetentionScope: Hashable, Sendable {
    case vault
    /// The accounts whose address ends with `@` and this.
    case domain(String)
    case account(AccountNumber)
    /// What was deleted from the folder, and from those below it.
    case folder(AccountNumber, UInt32)
}

/// How many days what was deleted is kept; 0: for ever. Nil, of each: as the wider scope says.
public struct RetentionDays: Hashable, Sendable {
    /// Of items.
    public var data: Int?
    /// Of accounts that were removed, or left out of scans, and all in them.
    public var account: Int?
    /// How old states of what is still there are thinned.
    public var history: HistoryRule?

    public init(data: Int? = nil, account: Int? = nil, history: HistoryRule? = nil) {
        (self.data, self.account, self.history) = (data, account, history)
    }

    /// Where nobody has said anything.
    public static let standard = 30
}

/// All rules of retention, as the journal has them.
public struct RetentionRules: Sendable {
    public private(set) var rules: [(scope: RetentionScope, days: RetentionDays, since: TransactionID)] = []

    public init() {}

    mutating func set(_ scope: RetentionScope, _ days: RetentionDays, at transaction: TransactionID) {
        rules.removeAll { $0.scope == scope }
        if days != RetentionDays() { rules.append((scope, days, transaction)) }
    }

    public subscript(scope: RetentionScope) -> RetentionDays {
        rules.first { $0.scope == scope }?.days ?? RetentionDays()
    }

    /// Days that items of the account are kept that were deleted from a folder, and whose rule that is; `folders`: its number and
    /// those of the folders it is in, innermost first.
    public func data(_ account: Account, folders: [UInt32] = []) -> (days: Int, scope: String) {
        narrowest(account, folders, \.data) ?? (RetentionDays.standard, "standard")
    }

    /// Days that the account is kept after it was removed or left out, and whose rule that is.
    public func account(_ account: Account) -> (days: Int, scope: String) {
        narrowest(account, [], \.account) ?? (RetentionDays.standard, "standard")
    }

    /// How histories of messages in a folder are thinned, and whose rule that is.
    public func history(_ account: Account, folders: [UInt32] = []) -> (rule: HistoryRule, scope: String) {
        narrowest(account, folders, \.history) ?? (.off, "standard")
    }

    private func narrowest<Value>(
        _ account: Account, _ folders: [UInt32], _ value: (RetentionDays) -> Value?
    ) -> (Value, String)? {
        for folder in folders {
            if let found = value(self[.folder(account.number, folder)]) { return (found, "folder f\(folder)") }
        }
        if let found = value(self[.account(account.number)]) { return (found, "account") }
        if let found = value(self[.domain(account.domain)]) { return (found, "domain \(account.domain)") }
        return value(self[.vault]).map { ($0, "vault") }
    }

    func hasFolders(_ account: AccountNumber) -> Bool {
        rules.contains { if case .folder(account, _) = $0.scope { true } else { false } }
    }
}

extension Account {
    /// What stands behind the last `@` of its address.
    public var domain: String { state.address.split(separator: "@").last.map(String.init) ?? "" }
}

extension OpenVault {
    /// The most days a rule may have: more than a century.
    public static let mostRetentionDays = 40_000

    public func retentionRules() throws -> RetentionRules {
        var rules = RetentionRules()
        try eachNote(.retention) { transaction in
            guard let note = transaction.entry.note, let scope = RetentionScope(note) else { return }
            func days(_ name: String) -> Int? { note.number(name).flatMap { $0 < 0 ? nil : Int($0) } }
            // What a newer program has recorded and this one cannot read thins nothing.
            let history = note.text("history").map {
                (try? HistoryRule(String(decoding: $0, as: UTF8.self))) ?? .off
            }
            rules.set(
                scope, RetentionDays(data: days("data"), account: days("accounts"), history: history),
                at: transaction.id)
        }
        return rules
    }

    /// Records a rule. Nil days of a kind: the wider scope counts again.
    public func setRetention(_ scope: RetentionScope, _ days: RetentionDays) throws {
        for value in [days.data, days.account].compactMap({ $0 })
        where !(0...OpenVault.mostRetentionDays).contains(value) {
            throw Failure(
                .usage, "\(value) is no number of days that something can be kept",
                hint: "0 keeps for ever; else 1 to \(OpenVault.mostRetentionDays)")
        }
        var fields = scope.fields
        fields.append(.init("data", .number(Int64(days.data ?? -1))))
        fields.append(.init("accounts", .number(Int64(days.account ?? -1))))
        if let history = days.history { fields.append(.init("history", .text(Array("\(history)".utf8)))) }
        try commit([
            JournalEntry(account: .directory, origin: .admin, changes: [], note: Note(.retention, fields))
        ])
    }

    /// The transactions of the directory with a note of that kind, oldest first.
    func eachNote(_ kind: Note.Kind, _ body: (Transaction) throws -> Void) throws {
        for (id, found) in try projections().notes(.directory) where found == kind {
            if let transaction = try journal.transaction(id) { try body(transaction) }
        }
    }
}

extension RetentionScope {
    fileprivate var fields: [Note.Field] {
        switch self {
        case .vault: [.init("scope", .text(Array("vault".utf8)))]
        case .domain(let name):
            [.init("scope", .text(Array("domain".utf8))), .init("domain", .text(Array(name.utf8)))]
        case .account(let number):
            [.init("scope", .text(Array("account".utf8))), .init("account", .number(Int64(number.rawValue)))]
        case .folder(let account, let folder):
            [
                .init("scope", .text(Array("folder".utf8))), .init("account", .number(Int64(account.rawValue))),
                .init("folder", .number(Int64(folder))),
            ]
        }
    }

    fileprivate init?(_ note: Note) {
        let account = note.number("account").flatMap { UInt32(exactly: $0) }.map { AccountNumber(rawValue: $0) }
        switch note.text("scope").map({ String(decoding: $0, as: UTF8.self) }) {
        case "vault": self = .vault
        case "domain":
            guard let name = note.text("domain") else { return nil }
            self = .domain(String(decoding: name, as: UTF8.self))
        case "account":
            guard let account else { return nil }
            self = .account(account)
        case "folder":
            guard let account, let folder = note.number("folder").flatMap({ UInt32(exactly: $0) }) else { return nil }
            self = .folder(account, folder)
        default: return nil
        }
    }
}

/// A legal hold: what it covers is not purged, whatever retention says. Several may cover the same.
public struct LegalHold: Hashable, Sendable {
    /// Given once.
    public let number: Int
    /// Nil: all accounts.
    public let account: AccountNumber?
    /// Which items, in the language of queries, by any state they ever had, what comes later too. Nil: all.
    public let query: String?
    public let reason: String?
    public let placed: TransactionID
    public internal(set) var lifted: TransactionID?

    /// As people write it.
    public var name: String { "h\(number)" }
}

extension OpenVault {
    /// All holds ever placed, oldest first.
    public func holds() throws -> [LegalHold] {
        var holds: [LegalHold] = []
        try eachNote(.holdPlaced) { transaction in
            guard let note = transaction.entry.note, let number = note.number("hold") else { return }
            func text(_ name: String) -> String? { note.text(name).map { String(decoding: $0, as: UTF8.self) } }
            holds.append(
                LegalHold(
                    number: Int(number),
                    account: note.number("account").flatMap { UInt32(exactly: $0) }.map { AccountNumber(rawValue: $0) },
                    query: text("query"), reason: text("reason"), placed: transaction.id))
        }
        try eachNote(.holdLifted) { transaction in
            guard let number = transaction.entry.note?.number("hold") else { return }
            for index in holds.indices where holds[index].number == Int(number) && holds[index].lifted == nil {
                holds[index].lifted = transaction.id
            }
        }
        return holds
    }

    /// Places a hold. Whoever calls holds the directory's lock, so that no number is given twice.
    @discardableResult
    public func placeHold(on account: AccountNumber?, query: String?, reason: String?) throws -> LegalHold {
        let number = (try holds().map(\.number).max() ?? 0) + 1
        var fields: [Note.Field] = [.init("hold", .number(Int64(number)))]
        if let account { fields.append(.init("account", .number(Int64(account.rawValue)))) }
        if let query { fields.append(.init("query", .text(Array(query.utf8)))) }
        if let reason { fields.append(.init("reason", .text(Array(reason.utf8)))) }
        let range = try commit([
            JournalEntry(account: .directory, origin: .admin, changes: [], note: Note(.holdPlaced, fields))
        ])
        return LegalHold(
            number: number, account: account, query: query, reason: reason,
            placed: TransactionID(rawValue: range.lowerBound))
    }

    /// Lifts a hold; retention applies again as if it had never been, but for other holds.
    public func liftHold(_ number: Int) throws {
        try commit([
            JournalEntry(
                account: .directory, origin: .admin, changes: [],
                note: Note(.holdLifted, [.init("hold", .number(Int64(number)))]))
        ])
    }
}
