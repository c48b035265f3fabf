internal import ArgumentParser
internal import Events
internal import Presentation
internal import Projections
internal import Vault

/// A verb that records a new state of one account.
protocol AccountChange: Verb {
    var account: String { get }
    /// Changes the account; throws when that is refused, returns what is new about it (nothing: it was so already).
    func change(_ account: inout Account) throws -> ChangeKinds
    /// `held`: what the account is afterwards.
    static var outcome: String { get }
}

extension AccountChange {
    func run(_ context: CommandContext) throws {
        let vault = try context.vault(.writing)
        let lock = try vault.lockDirectory()
        defer { withExtendedLifetime(lock) {} }
        var found = try vault.account(account)
        let kinds = try change(&found)
        if !kinds.isEmpty { try vault.record(found, kinds) }
        guard context.isJSON else {
            let already = kinds.isEmpty ? " already" : ""
            return try context.output.line("\(TerminalText.safe(found.state.address)) is \(Self.outcome)\(already).")
        }
        let totals = try vault.projections().statistics(found.number)
        try context.output.json { $0.account(found, totals) }
    }
}

struct AccountRemoveCommand: AccountChange {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Marks an account as removed; nothing of it is erased.",
        discussion: """
            What was kept of it stays and can be restored until its retention has ended. It is scanned no more. \
            An account on hold is not removed.

            Examples:
              yestermail account remove anna@example.org
              yestermail restore deleted-account anna@example.org
            """)
    static let outcome = "removed; what was kept of it stays"

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String

    func change(_ account: inout Account) throws -> ChangeKinds {
        guard !account.state.isHeld else {
            throw Failure(
                .refused, "\(account.state.address) is on hold",
                hint: "If that has ended: yestermail account unhold \(account.state.address)")
        }
        defer { account.isDeleted = true }
        return account.isDeleted ? [] : .deleted
    }
}

struct AccountEnableCommand: AccountChange {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Scans and watches an account again.")
    static let outcome = "enabled"

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String

    func change(_ account: inout Account) -> ChangeKinds { account.set(\.isEnabled, true) }
}

struct AccountDisableCommand: AccountChange {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Leaves an account out of scans and watches; what is kept stays.")
    static let outcome = "disabled"

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String

    func change(_ account: inout Account) -> ChangeKinds { account.set(\.isEnabled, false) }
}

struct AccountHoldCommand: AccountChange {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Puts an account on legal hold: nothing of it is ever purged.")
    static let outcome = "on hold"

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String

    func change(_ account: inout Account) -> ChangeKinds { account.set(\.isHeld, true) }
}

struct AccountUnholdCommand: AccountChange {
    static let configuration = CommandConfiguration(
        commandName: "unhold", abstract: "Ends a legal hold: retention applies again.")
    static let outcome = "not on hold"

    @OptionGroup(title: "Global options") var global: GlobalOptions
    @Argument(help: "The account.") var account: String

    func change(_ account: inout Account) -> ChangeKinds { account.set(\.isHeld, false) }
}

extension Account {
    /// What is new about the account with that: nothing, where it was so already.
    fileprivate mutating func set(_ setting: WritableKeyPath<AccountState, Bool>, _ value: Bool) -> ChangeKinds {
        guard state[keyPath: setting] != value else { return [] }
        state[keyPath: setting] = value
        return .metadata
    }
}
