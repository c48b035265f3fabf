public import Events

/// Where an item's state stands in the journal.
public struct StatePointer: Hashable, Sendable {
    public var transaction: TransactionID
    /// Which of the transaction's changes.
    public var index: UInt32
    public var isDeleted: Bool

    public init(transaction: TransactionID, index: UInt32, isDeleted: Bool) {
        (self.transaction, self.index, self.isDeleted) = (transaction, index, isDeleted)
    }
}

/// An item and its state.
public struct ItemPointer: Hashable, Sendable {
    public var item: ItemID
    public var pointer: StatePointer

    public init(_ item: ItemID, _ pointer: StatePointer) {
        (self.item, self.pointer) = (item, pointer)
    }
}
