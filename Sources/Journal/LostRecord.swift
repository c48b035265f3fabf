internal import Events

/// What stands for a transaction that neither copy has any more: a record of the same ID that carries the leaf hash of the one
/// that was there, so that the chain of hashes goes on over it (`Specs/Format/Journal.md`, "Lost record").
enum LostRecord {
    /// The codec of such a record.
    static let codec: UInt8 = 0xFF

    /// The record for transaction `id`, whose leaf hash was `leaf`.
    static func encoded(_ id: TransactionID, leaf: Digest, previousLeaf: Digest, time: Timestamp) -> [UInt8] {
        var writer = ByteWriter(capacity: 160)
        writer.integer(RecordFormat.magic)
        writer.integer(RecordFormat.version)
        writer.integer(codec)
        writer.integer(UInt32(0))
        writer.integer(id.rawValue)
        writer.integer(time.rawValue)
        writer.integer(AccountNumber.directory.rawValue)
        writer.integer(Origin.admin.rawValue)
        writer.integer(UInt8(0))
        writer.integer(UInt16(0))
        writer.digest(previousLeaf)
        writer.integer(UInt32(0))
        JournalEntry(account: .directory, origin: .admin, changes: [], note: Note(.lost)).encodeBody(
            clockBehind: 0, into: &writer)
        writer.digest(leaf)
        writer.replace(at: 4, with: UInt32(writer.count + RecordFormat.trailerSize))
        writer.replace(at: 64, with: writer.checksum(0..<64))
        writer.integer(writer.checksum(RecordFormat.headerSize..<writer.count))
        return writer.bytes
    }
}
