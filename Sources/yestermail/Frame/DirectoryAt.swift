internal import Events
internal import Journal
internal import Projections
internal import Vault

/// The accounts of the vault as of a transaction, from the journal alone.
struct DirectoryAt {
    private(set) var accounts: [Account] = []
    /// When each was added.
    private(set) var created: [AccountNumber: TransactionID] = [:]

    init(_ journal: OpenJournal, _ position: TransactionID) throws {
        var found: [UInt32: Account] = [:]
        var created: [AccountNumber: TransactionID] = [:]
        guard position > .beginning else { return }
        try journal.scan(from: TransactionID(rawValue: 1), through: position) { record in
            guard record.account == .directory else { return true }
            var changes = try ChangeReader(record.body)
            while try changes.next() {
                guard changes.item.kind == .account else { continue }
                let state = try ItemState(.account, decoding: changes.state)
                guard let account = state.account else { continue }
                let number = AccountNumber(rawValue: changes.item.number)
                found[number.rawValue] = Account(number: number, state: account, isDeleted: state.isDeleted)
                if created[number] == nil { created[number] = record.id }
            }
            return true
        }
        accounts = found.values.sorted { $0.number < $1.number }
        self.created = created
    }
}
