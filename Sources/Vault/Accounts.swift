public import Events
internal import Projections

/// An account of the vault, as of the newest transaction.
public struct Account: Hashable, Sendable {
    public var number: AccountNumber
    public var state: AccountState
    /// Removed: retention has begun.
    public var isDeleted: Bool

    public init(number: AccountNumber, state: AccountState, isDeleted: Bool) {
        (self.number, self.state, self.isDeleted) = (number, state, isDeleted)
    }
}

extension OpenVault {
    /// All accounts ever added, removed ones too, by number.
    public func accounts() throws -> [Account] {
        var found: [Account] = []
        let projections = try projections()
        var pointers: [ItemPointer] = []
        try projections.pointers(.directory, asOf: try projections.position()) { pointers.append($0) }
        try journal.states(pointers.filter { $0.item.kind == .account }) { recorded in
            guard let state = recorded.state.account else { return }
            found.append(
                Account(
                    number: AccountNumber(rawValue: recorded.item.number), state: state,
                    isDeleted: recorded.state.isDeleted))
        }
        return found
    }

    /// The account a person means: its address, its UUID, or the beginning of its address where that is enough.
    public func account(_ name: String) throws -> Account { try OpenVault.account(name, among: try accounts()) }

    /// The account of `all` that a person means by `name`.
    public static func account(_ name: String, among all: [Account]) throws -> Account {
        if let id = UniqueID(name), let found = all.first(where: { $0.state.id == id }) { return found }
        let wanted = Array(name.utf8)
        let exact = all.filter { Array($0.state.address.utf8) == wanted }
        if let found = exact.last(where: { !$0.isDeleted }) ?? exact.last { return found }
        // The beginning of nothing is the beginning of every address.
        let possible = all.filter { !wanted.isEmpty && $0.state.address.utf8.starts(with: wanted) }
        var begun = possible.filter { !$0.isDeleted }
        // Of removed ones under the same address the newest, as for an address in full.
        if begun.isEmpty { begun = newest(possible) }
        switch begun.count {
        case 1: return begun[0]
        case 0:
            let known = all.filter { !$0.isDeleted }.map(\.state.address)
            let removed = newest(all.filter { account in account.isDeleted && !known.contains(account.state.address) })
                .map { "\($0.state.address) (removed)" }
            throw Failure(
                .notFound, "there is no account \(name)",
                hint: known.isEmpty && removed.isEmpty
                    ? "Add one with: yestermail account add ADDRESS --source URL"
                    : "There are: \((known + removed).joined(separator: ", "))")
        default:
            throw Failure(
                .ambiguous, "\(name) may be any of \(begun.map(\.state.address).joined(separator: ", "))",
                hint: "Write more of the address")
        }
    }

    /// Of accounts with the same address the last.
    private static func newest(_ accounts: [Account]) -> [Account] {
        accounts.enumerated().filter { index, account in
            !accounts[(index + 1)...].contains { $0.state.address == account.state.address }
        }.map(\.element)
    }

    /// Records a new state of an account in the directory.
    @discardableResult
    public func record(_ account: Account, _ kinds: ChangeKinds) throws -> TransactionID {
        let change = Change(
            ItemID(.account, account.number.rawValue), kinds, ItemState(account.state, isDeleted: account.isDeleted))
        let range = try commit([JournalEntry(account: .directory, origin: .admin, changes: [change])])
        return TransactionID(rawValue: range.lowerBound)
    }

    /// The right to change the accounts of the vault. Throws when another process has it.
    public func lockDirectory() throws -> CaptureLock {
        guard let lock = try captureLock(.directory) else {
            throw Failure(.locked, "another process is changing the accounts of this vault", hint: "Try again")
        }
        return lock
    }

    /// Adds an account. Holds the directory's lock, so that no number is given twice.
    public func addAccount(
        _ address: String, sources: [String], using generator: inout some RandomNumberGenerator
    ) throws -> Account {
        try addAccounts([(address, sources)], using: &generator)[0]
    }

    /// Adds several accounts, each in a transaction of its own, all of them or none.
    public func addAccounts(
        _ new: [(address: String, sources: [String])], using generator: inout some RandomNumberGenerator
    ) throws -> [Account] {
        let lock = try lockDirectory()
        defer { withExtendedLifetime(lock) {} }
        var known = Set(try accounts().filter { !$0.isDeleted }.map { Array($0.state.address.utf8) })
        var number = try projections().highestNumber(.directory, .account)
        var added: [Account] = []
        for (address, sources) in new {
            guard known.insert(Array(address.utf8)).inserted else {
                throw Failure(
                    .refused, "there is an account \(address) already",
                    hint: "See: yestermail account show \(address)")
            }
            number += 1
            let state = AccountState(id: UniqueID(using: &generator), address: address, sources: sources)
            added.append(Account(number: AccountNumber(rawValue: number), state: state, isDeleted: false))
        }
        try commit(
            added.map {
                let change = Change(ItemID(.account, $0.number.rawValue), .created, ItemState($0.state))
                return JournalEntry(account: .directory, origin: .admin, changes: [change])
            })
        return added
    }
}
