internal import Events
internal import Vault

// What the answers of several verbs have in common.

extension JSONWriter {
    // MARK: What may be missing is null

    mutating func optional(_ text: String?) { if let text { value(text) } else { null() } }
    mutating func optional(_ number: Int?) { if let number { value(number) } else { null() } }
    mutating func optional(_ time: Timestamp?) { if let time { value(time) } else { null() } }
    mutating func optional(_ item: ItemID?) { if let item { value(item) } else { null() } }
    mutating func optional(_ id: TransactionID?) { if let id { value(id.rawValue) } else { null() } }
    /// Leaf hashes and roots: the digits alone.
    mutating func optional(hash: Digest?) { if let hash { value(hash, prefix: "") } else { null() } }

    // MARK: Members

    /// `account` and `account_id`.
    mutating func accountNames(_ account: Account) {
        key("account")
        value(account.state.address)
        key("account_id")
        value(account.state.id.description)
    }

    /// `{"txid":…,"time":…}`, or null.
    mutating func point(_ name: StaticString, _ point: (TransactionID, Timestamp)?) {
        key(name)
        guard let point else { return null() }
        beginObject()
        key("txid")
        value(point.0.rawValue)
        key("time")
        value(point.1)
        endObject()
    }

    mutating func texts(_ name: StaticString, _ list: [String]) {
        key(name)
        beginArray()
        for text in list { value(text) }
        endArray()
    }

    /// Microseconds as seconds with three decimals.
    mutating func seconds(_ microseconds: Int64) {
        let milliseconds = max(0, microseconds) / 1_000
        let rest = String(milliseconds % 1_000)
        let text = "\(milliseconds / 1_000)." + String(repeating: "0", count: 3 - rest.utf8.count) + rest
        appendJSON(Array(text.utf8))
    }
}
