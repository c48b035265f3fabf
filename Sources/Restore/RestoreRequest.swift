public import Connectors
public import Events
public import Vault

/// What is to be restored, as of when, and how. All of it resolved: below this only transaction IDs exist.
public struct RestoreRequest: Sendable {
    public var account: Account
    public var point: TransactionID
    public var selection: Selection
    public var target: Location
    /// Where everything goes, instead of the folders it was in.
    public var into: [[UInt8]]?
    public var only: Scope = .missing
    public var onConflict: ConflictRule = .keep
    /// Make it as it was, removals included.
    public var isExact = false
    /// Bytes that are there are read and compared, and what is damaged is replaced.
    public var verifiesBytes = false
    /// What becomes of the rights of others, where a whole account is restored.
    public var rights: RightsRule = .asTheyWere
    /// Items that are known to have been restored before: skipped, wherever they are now.
    public var restoredBefore: Set<ItemID> = []

    public enum Selection: Hashable, Sendable {
        /// The account as of the point; with `deletedSince`, also what was deleted from then on.
        case account(deletedSince: TransactionID?)
        /// These items as of the point; one that was deleted by then as it was before.
        case items([ItemID])
        /// What was deleted in these transactions, as it was before, with this keyword added.
        case deleted(ClosedRange<TransactionID>, keyword: [UInt8])
        /// The opposite of what happened to these items in these transactions.
        case changes(ClosedRange<TransactionID>, [WantedChange])
    }

    /// An item, and what of its changes is to be taken back.
    public struct WantedChange: Hashable, Sendable {
        public var item: ItemID
        public var kinds: ChangeKinds

        public init(item: ItemID, kinds: ChangeKinds) { (self.item, self.kinds) = (item, kinds) }
    }

    /// What of it is written.
    public enum Scope: String, Hashable, Sendable, CaseIterable {
        /// Only what is not there.
        case missing
        /// What is not there, and flags that differ.
        case changed
        /// Only flags that differ.
        case flags
        /// Only folders and subscriptions.
        case folders
        /// Only rights of others on folders that are there, and mount points.
        case shares
        /// Everything: as ``changed``, and what is elsewhere now is also put where it was.
        case all
    }

    /// What becomes of the rights of others on folders, and of mount points.
    public enum RightsRule: Sendable {
        /// They are not looked at.
        case left
        /// They are given to the same names as before.
        case asTheyWere
        /// Each is given to whom its account has become; of all others it is said.
        case remapped(IdentityMap)

        var isLeft: Bool { if case .left = self { true } else { false } }
    }

    /// What to do where something else has the name.
    public enum ConflictRule: String, Hashable, Sendable, CaseIterable {
        case keep, both, replace
    }

    public init(account: Account, point: TransactionID, selection: Selection, target: Location) {
        (self.account, self.point, self.selection, self.target) = (account, point, selection, target)
    }
}
