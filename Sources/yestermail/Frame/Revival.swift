internal import Connectors
internal import Events
internal import Restore
internal import Vault

/// A removed account that becomes one again once its mail is back.
struct Revival {
    /// What its operation and its plan are called.
    static let kind = "deleted-account"

    let removed: Account
    /// As a new account of this address; nil: as itself.
    let newAddress: String?
    private let vault: OpenVault

    /// Throws ``Failure`` where there is an account of that address.
    init(_ removed: Account, as address: String?, in vault: OpenVault) throws {
        (self.removed, self.vault) = (removed, vault)
        newAddress = try address.map { try AccountAddCommand.address($0).text }
        let wanted = newAddress ?? removed.state.address
        guard try !vault.accounts().contains(where: { !$0.isDeleted && $0.state.address == wanted }) else {
            throw Failure(
                .refused, "there is an account \(wanted) already",
                hint: "Bring this one back under another address: --as ADDRESS --to TARGET")
        }
    }

    func finish(at target: Location, _ context: CommandContext) throws {
        var generator = SystemRandomNumberGenerator()
        if let newAddress {
            _ = try vault.addAccount(newAddress, sources: [target.description], using: &generator)
        } else {
            try revive(at: target.description)
        }
        context.remark("\(newAddress ?? removed.state.address) is an account again, and lives in \(target)")
    }

    private func revive(at target: String) throws {
        let lock = try vault.lockDirectory()
        defer { withExtendedLifetime(lock) {} }
        var account = removed
        account.isDeleted = false
        if !account.state.sources.contains(target) { account.state.sources = [target] }
        try vault.record(account, account.state == removed.state ? .returned : [.returned, .metadata])
    }
}
