/// Something a repair has done, or could not do.
public struct RepairNote: Hashable, Sendable {
    /// Relative to the vault.
    public var file: String
    public var transaction: TransactionID?
    /// One sentence, without a full stop.
    public var detail: String
    /// It is lost for good.
    public var isLoss: Bool

    public init(file: String, transaction: TransactionID? = nil, detail: String, isLoss: Bool = false) {
        (self.file, self.transaction, self.detail, self.isLoss) = (file, transaction, detail, isLoss)
    }
}
