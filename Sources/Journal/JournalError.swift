public import Events

/// Why the journal cannot be read or written.
public enum JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A record that must be there is not, or is not what it must be.
    case damaged(JournalFinding)
    /// A record would be longer than the format allows.
    case tooLarge(bytes: Int)
    /// Opened for reading only.
    case readOnly
    /// The segments belong to another vault.
    case foreignSegment(file: String)
    /// Another process has made LMDB's copy anew since this one opened it.
    case replaced

    public var description: String {
        switch self {
        case .damaged(let finding): "the journal is damaged: \(finding)"
        case .tooLarge(let bytes): "a transaction of \(bytes) bytes is larger than the journal can hold"
        case .readOnly: "the vault was opened for reading only"
        case .foreignSegment(let file): "\(file) belongs to another vault"
        case .replaced: "another process has compacted the journal; nothing was written: run the command again"
        }
    }
}

/// Something in the journal that is not as it must be, named so that a person can find it.
public struct JournalFinding: Hashable, Sendable, CustomStringConvertible {
    /// Relative to the vault: `journal/lmdb/data.mdb`, `journal/segments/…`.
    public let file: String
    /// Within the file, where it is known.
    public let offset: Int?
    /// The transaction concerned, where it is known.
    public let transaction: TransactionID?
    public let reason: Reason

    public enum Reason: Hashable, Sendable {
        case record(DecodingFailure)
        /// This transaction is not there.
        case missing
        /// Another transaction stands where this one must be.
        case wrongTransaction(found: TransactionID)
        /// The hash of the record before is not the one this record carries.
        case brokenChain
        /// The two copies differ.
        case copiesDiffer
        /// One copy ends before the other.
        case short(missing: UInt64)
        case header
        case unreadable(String)
        case block
        /// Bytes stand behind the end of the file's content.
        case trailing
        /// The transaction was lost, and a record stands for it that says so.
        case lost
        /// Something was taken out of the record, and no purge says so.
        case unnamedPurge
    }

    public init(file: String, offset: Int? = nil, transaction: TransactionID? = nil, reason: Reason) {
        (self.file, self.offset, self.transaction, self.reason) = (file, offset, transaction, reason)
    }

    public var description: String {
        let what =
            switch reason {
            case .record(let failure): failure.description
            case .missing: "the transaction is missing"
            case .wrongTransaction(let found): "transaction \(found) stands in its place"
            case .brokenChain: "the chain of hashes is broken here"
            case .copiesDiffer: "the two copies of the journal differ"
            case .short(let missing): "it ends \(missing) transactions too early"
            case .header: "the header of the file is damaged"
            case .unreadable(let why): why
            case .block: "a sealed block cannot be decoded"
            case .trailing: "bytes stand behind its end"
            case .unnamedPurge: "something was taken out of it, and no purge in the journal says so"
            case .lost: "the transaction is lost; a record stands for it"
            }
        let position = offset.map { ", byte \($0)" } ?? ""
        let name = transaction.map { " \($0)" } ?? ""
        return "\(file)\(position)\(name): \(what)"
    }
}
