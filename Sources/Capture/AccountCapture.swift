public import Connectors
public import Events
public import Vault

/// The capture of one account by one process: reconciles the vault with the account's source, pass by pass.
///
/// A pass is the only thing that reads a source; a scan runs one over everything, a watch runs one wherever a hint says.
/// Absence deletes only after a complete listing that ended well (`Specs/Invariants.md`, 7).
public final class AccountCapture {
    public let vault: OpenVault
    public let account: Account
    let source: any Source
    private let lock: CaptureLock
    /// A folder that lost more than this share of its messages at once, in per cent, is listed as a whole before that is believed.
    public var confirmedLossPercent = AccountCapture.usualLossPercent
    public static let usualLossPercent = 20
    /// What the pass before held back: by folder and name, in the source's words.
    var held: Set<[UInt8]> = []

    /// Takes the right to capture `account`. Throws when another process has it.
    public init(_ vault: OpenVault, _ account: Account, _ source: any Source) throws {
        guard let lock = try vault.captureLock(account.number) else {
            throw Failure(
                .captured, "\(account.state.address) is being captured by another process",
                hint: "A running watch or scan sees to it; stop that one first if this is not wanted")
        }
        (self.vault, self.account, self.source, self.lock) = (vault, account, source, lock)
    }

    /// Reconciles the vault with the source where `scope` says. With `deep`, every message is read again and its bytes
    /// compared.
    ///
    /// A watch, which looks at some folders at a time, must not take the two halves of a move for a new and a deleted
    /// message (`Specs/Decisions/0009`). Therefore `meanwhile` is asked, before anything that vanished is believed to be
    /// gone, where else something has happened; and with `holdsBack`, what looks like a copy is recorded only when it
    /// still does in the next pass: ``PassReport/held`` names the folders that pass has to look at.
    public func pass(
        _ scope: PassScope = .all, origin: Origin, deep: Bool = false, holdsBack: Bool = false,
        meanwhile: () throws -> PassScope? = { nil }, progress: @escaping (PassProgress) -> Void = { _ in }
    ) throws -> PassReport {
        do {
            return try Pass(self, origin: origin, deep: deep, holdsBack: holdsBack, progress: progress)
                .run(scope, meanwhile)
        } catch let failure as SourceFailure {
            throw Failure(failure, ofSource: account)
        }
    }
}

extension Failure {
    /// Nothing was concluded from what a source did not say.
    init(_ failure: SourceFailure, ofSource account: Account) {
        let address = account.state.address
        if case .unavailable(let why) = failure {
            self.init(.unreachable, "the source of \(address) cannot be reached: \(why)")
        } else {
            self.init(.sourceDamaged, "the source of \(address) cannot be read: \(failure)")
        }
    }
}
