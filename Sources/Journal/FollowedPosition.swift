public import Events

/// How far something that is computed from the journal has followed it: what it keeps beside its rows
/// (`Specs/Format/Projections.md`).
public struct FollowedPosition: Sendable {
    /// Of the computation: another one means that all is computed anew.
    public var version: UInt64
    /// The newest transaction that was followed.
    public var transaction: TransactionID
    /// Its leaf hash: the journal that is followed on must have the same.
    public var leaf: Digest

    public init(version: UInt64, transaction: TransactionID, leaf: Digest) {
        (self.version, self.transaction, self.leaf) = (version, transaction, leaf)
    }

    /// Reads what ``encoded()`` gives. Throws ``DecodingFailure`` where it is shorter.
    public init(_ bytes: RawSpan) throws {
        var reader = ByteReader(bytes)
        version = try reader.integer()
        transaction = TransactionID(rawValue: try reader.integer())
        leaf = try reader.digest()
    }

    /// 48 bytes.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 48)
        writer.integer(version)
        writer.integer(transaction.rawValue)
        writer.digest(leaf)
        return writer.bytes
    }
}
