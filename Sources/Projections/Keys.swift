internal import Events
internal import LMDB

// The keys of the tables, `Specs/Format/Projections.md`. Big-endian, so that a key range is a range of meaning.

extension Key {
    init(_ account: AccountNumber) {
        self.init()
        append(account.rawValue)
    }

    init(_ account: AccountNumber, _ item: ItemID) {
        self.init(account)
        append(item.kind.rawValue)
        append(item.number)
    }

    init(_ account: AccountNumber, _ item: ItemID, _ transaction: TransactionID) {
        self.init(account, item)
        append(transaction.rawValue)
    }

    init(live account: AccountNumber, _ kind: ItemKind, folder: UInt32, number: UInt32) {
        self.init(account)
        append(kind.rawValue)
        append(folder)
        append(number)
    }

    init(_ account: AccountNumber, _ transaction: TransactionID) {
        self.init(account)
        append(transaction.rawValue)
    }

    init(deleted account: AccountNumber, _ transaction: TransactionID, _ item: ItemID) {
        self.init(account, transaction)
        append(item.kind.rawValue)
        append(item.number)
    }

    /// The row of a range of purged items; 0: that of the highest number of all of them.
    init(purged account: AccountNumber, _ kind: ItemKind, _ first: UInt32) {
        self.init(account)
        append(kind.rawValue)
        append(first)
    }

    init(folder account: AccountNumber, _ number: UInt32) {
        self.init(account)
        append(number)
    }
}

/// A row of `states`: which change of the transaction, deleted or not, and the folder of a message.
struct StateRow {
    static let size = 9
    var index: UInt32
    var isDeleted: Bool
    var folder: UInt32

    func encoded() -> InlineArray<9, UInt8> {
        var bytes: InlineArray<9, UInt8> = .init(repeating: 0)
        for offset in 0..<4 {
            bytes[offset] = UInt8(truncatingIfNeeded: index >> (24 - 8 * offset))
            bytes[5 + offset] = UInt8(truncatingIfNeeded: folder >> (24 - 8 * offset))
        }
        bytes[4] = isDeleted ? 1 : 0
        return bytes
    }

    init(index: UInt32, isDeleted: Bool, folder: UInt32) {
        (self.index, self.isDeleted, self.folder) = (index, isDeleted, folder)
    }

    init(_ bytes: RawSpan) throws {
        var reader = ByteReader(bytes)
        index = try reader.integer()
        isDeleted = try reader.integer(UInt8.self) & 1 != 0
        folder = try reader.integer()
    }
}
