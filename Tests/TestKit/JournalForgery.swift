public import Events
internal import Journal
public import SystemPackage
internal import Vault

/// What somebody does who wants a record to say something else and not be found out by a checksum.
public enum JournalForgery {
    public struct NotFound: Error {}

    /// Changes one byte in the body of a record of LMDB's copy, and puts its checksum right. Nobody may have the vault open.
    public static func changeRecord(_ transaction: TransactionID, inVault path: FilePath) throws {
        let record = try OpenVault(path, readOnly: true).journal.withRecord(transaction) {
            $0.bytes.withUnsafeBytes { Array($0) }
        }
        let data = path.appending("journal/lmdb/data.mdb")
        guard let record, var file = Tree.read(data) else { throw NotFound() }
        var forged = record
        forged[record.count - 5] ^= 1
        let sum = crc32c(forged[68..<record.count - 4].span.bytes)
        for index in 0..<4 {
            forged[record.count - 4 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * index))
        }
        // LMDB may have older copies of the page too.
        var found = false
        var start = 0
        while start + record.count <= file.count {
            if file[start] == record[0], file[start..<start + record.count].elementsEqual(record) {
                file.replaceSubrange(start..<start + record.count, with: forged)
                found = true
            }
            start += 1
        }
        guard found else { throw NotFound() }
        Tree.write(data, file)
    }
}
