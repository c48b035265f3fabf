public import Events
public import Vault

/// Where a run writes down what it does, before it does it.
public enum RestoreLedger: Sendable {
    /// In the vault that is restored from, with the account that is restored.
    case own
    /// In another vault, with an account of that one: what is restored comes from a vault that is not ours.
    case other(OpenVault, AccountNumber)
    /// Nowhere: an export makes new files, which can be thrown away again.
    case none
}
