internal import Events
internal import Journal
internal import Vault

/// Writes journal records as JSON Lines, with what only earlier records tell: the addresses of accounts and the paths of
/// folders, as they were.
struct JournalDump {
    private var paths: [UInt64: [UInt8]] = [:]
    /// The JSON of `account` and `account_id`, by number.
    private var names: [UInt32: (address: [UInt8], id: [UInt8])] = [:]
    private let purges: Purges
    private var json = JSONWriter(capacity: JournalDump.flushBytes + (1 << 16))
    private static let flushBytes = 1 << 18

    /// `purges`: what purges have taken; it is named in its place, and not written where the journal still has it.
    init(_ purges: Purges) { self.purges = purges }

    /// Takes notice of the names in a record that is not written.
    mutating func learn(_ record: RecordView) throws {
        var changes = try ChangeReader(record.body)
        while try changes.next() {
            guard changes.item.kind == .folder || changes.item.kind == .account,
                !purges.items.contains(record.account, changes.item, at: record.id)
            else { continue }
            learn(changes.item, try ItemState(changes.item.kind, decoding: changes.state), record.account)
        }
    }

    private mutating func learn(_ item: ItemID, _ state: ItemState, _ account: AccountNumber) {
        switch state.content {
        case .folder(let folder): paths[JournalDump.key(account, item.number)] = folder.joinedPath
        case .account(let account):
            var (address, id) = (JSONWriter(capacity: 64), JSONWriter(capacity: 64))
            address.value(account.address)
            id.value(account.id.description)
            names[item.number] = (address.bytes, id.bytes)
        case .message, .other: break
        }
    }

    private static func key(_ account: AccountNumber, _ folder: UInt32) -> UInt64 {
        UInt64(account.rawValue) << 32 | UInt64(folder)
    }

    /// Writes the records `first ... last`, of one account only where one is given. A record's hash is what the record
    /// behind it carries: none but the last is hashed.
    mutating func write(
        _ journal: OpenJournal, _ first: TransactionID, _ last: TransactionID, only: AccountNumber?, to output: Output
    ) throws {
        var isOpen = false
        // Taken out for the loop: exclusive access to a property would be checked for each key.
        var json = json
        self.json = JSONWriter(capacity: 0)
        func endLine(_ leaf: Digest) throws {
            json.key("leaf_hash")
            json.value(leaf, prefix: "")
            json.endObject()
            json.endLine()
            if json.bytes.count >= JournalDump.flushBytes {
                try output.write(json.bytes.span.bytes)
                json.removeAll()
            }
        }
        try journal.scan(from: first, through: last) { record in
            if isOpen { try endLine(record.previousLeaf) }
            isOpen = only == nil || record.account == only
            if isOpen { try begin(record, &json) } else if record.account == .directory { try learn(record) }
            return true
        }
        if isOpen {
            let next = try journal.withRecord(last.next) { $0.previousLeaf }
            let own = try next ?? journal.withRecord(last) { $0.leafHash }
            try endLine(own ?? .zero)
        }
        try output.write(json.bytes.span.bytes)
    }

    private mutating func begin(_ record: RecordView, _ json: inout JSONWriter) throws {
        json.beginObject()
        json.key("txid")
        json.value(record.id.rawValue)
        json.key("time")
        json.value(record.time)
        json.key("account")
        if let name = names[record.account.rawValue] {
            json.appendJSON(name.address)
            json.key("account_id")
            json.appendJSON(name.id)
        } else {
            json.null()
            json.key("account_id")
            json.null()
        }
        json.key("origin")
        json.value(ascii: record.origin.name)
        json.key("changes")
        json.beginArray()
        var changes = try ChangeReader(record.body)
        var note = try changes.note()
        let isTouched = purges.touches(record.account)
        if isTouched, purges.items.containsAll(record.account, at: record.id) { note = nil }
        while try changes.next() {
            if isTouched, purges.items.contains(record.account, changes.item, at: record.id) { continue }
            let state = try ItemState(changes.item.kind, decoding: changes.state)
            learn(changes.item, state, record.account)
            json.beginChange(changes.item, changes.kinds)
            json.beginObject()
            json.stateMembers(
                state,
                StateContext(
                    transaction: record.id, start: record.time, item: changes.item, kinds: changes.kinds,
                    origin: record.origin,
                    folderPath: state.message.flatMap { paths[JournalDump.key(record.account, $0.folder)] }))
            json.endObject()
            json.endObject()
        }
        json.endArray()
        if let note {
            json.key("event")
            json.note(note)
        }
        guard isTouched else { return }
        let purged = purges.transaction(record.id, record.account)
        if !purged.marks.isEmpty { json.purged(purged.marks, all: purged.isAll) }
    }
}
