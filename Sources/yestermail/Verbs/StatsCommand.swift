internal import ArgumentParser
internal import Blobs
internal import Events
internal import Files
internal import Journal
internal import Presentation
internal import Projections
internal import SystemPackage
internal import Vault

struct StatsCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Sizes, ratios, growth and rates, of the vault or of one account.",
        discussion: """
            Examples:
              yestermail stats
              yestermail stats anna --json
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "Only this account.") var account: String?

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let account = try account.map { try vault.account($0) }
        let day = try Activity(vault, account?.number, since: context.now, back: 86_400)
        let week = try Activity(vault, account?.number, since: context.now, back: 7 * 86_400)
        let accounts = try vault.accounts()
        let shown = account.map { [$0] } ?? accounts.filter { !$0.isDeleted }
        let totals = try shown.map { ($0, try projections.statistics($0.number)) }
        let blobs = try vault.blobs.statistics()
        let journal = try vault.journal.storedBytes()
        let head = try vault.journal.head()
        let free = try Directory.freeBytes(vault.directory)
        let sizes = Sizes(
            blobs: blobs, journal: journal, projections: projections.storedBytes(), free: free, head: head,
            kept: try shown.reduce(0) { $0 + (try projections.statistics($1.number).liveBytes) })
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("vault")
                json.value(vault.directory.string)
                json.key("vault_id")
                json.value(vault.id.description)
                sizes.json(&json)
                json.key("last_day")
                day.json(&json)
                json.key("last_week")
                week.json(&json)
                json.key("accounts")
                json.beginArray()
                for (account, totals) in totals { json.account(account, totals) }
                json.endArray()
                json.endObject()
            }
            return
        }
        if account == nil { try sizes.print(context, vault) }
        for (name, activity) in [("last 24 h", day), ("last 7 d", week)] {
            try StatsCommand.row(
                name,
                "\(Quantity.count(activity.transactions, "transaction")): +\(Quantity.count(activity.created)) -\(Quantity.count(activity.deleted)) messages, \(Quantity.bytes(activity.bytes)) new",
                context)
        }
        if account == nil, totals.count > 1 || totals.isEmpty { try context.output.line("") }
        for (account, totals) in totals {
            try StatsCommand.row(
                account.state.address,
                "\(Quantity.count(totals.liveMessages, "message")), \(Quantity.count(totals.liveFolders, "folder")), "
                    + "\(Quantity.bytes(totals.liveBytes)); \(Quantity.count(totals.deletedItems)) deleted; "
                    + "\(Quantity.count(totals.states, "state")) in \(Quantity.count(totals.transactions, "transaction"))",
                context)
        }
    }

    static func row(_ name: String, _ text: String, _ context: CommandContext) throws {
        let name = TerminalText.safe(name)
        try context.output.line(
            name + String(repeating: " ", count: max(2, 14 - TerminalText.columns(name))) + TerminalText.safe(text))
    }

    /// What the vault takes and holds.
    private struct Sizes {
        var blobs: BlobStatistics
        var journal: (lmdb: Int, segments: Int)
        var projections: Int
        var free: UInt64
        var head: JournalHead
        /// Raw bytes of the live messages of the accounts, copies counted.
        var kept: UInt64

        var stored: UInt64 {
            blobs.storedBytes + UInt64(clamping: journal.lmdb + journal.segments) + UInt64(clamping: projections)
        }

        /// Raw bytes for each byte on the disk.
        private func ratio(_ raw: UInt64, _ stored: UInt64) -> Double? {
            raw == 0 || stored == 0 ? nil : (Double(raw) / Double(stored) * 100).rounded() / 100
        }

        func json(_ json: inout JSONWriter) {
            json.key("transactions")
            json.value(head.transaction.rawValue)
            json.point("last", (head.transaction, head.time))
            json.key("stored_bytes")
            json.value(stored)
            json.key("live_bytes")
            json.value(kept)
            json.key("free_bytes")
            json.value(free)
            json.key("blobs")
            json.beginObject()
            json.key("messages")
            json.value(blobs.messages)
            json.key("raw_bytes")
            json.value(blobs.rawBytes)
            json.key("stored_bytes")
            json.value(blobs.storedBytes)
            json.key("packs")
            json.value(blobs.packs)
            json.key("ratio")
            if let ratio = ratio(blobs.rawBytes, blobs.storedBytes) {
                json.appendJSON(Array("\(ratio)".utf8))
            } else {
                json.null()
            }
            json.endObject()
            json.key("journal")
            json.beginObject()
            json.key("lmdb_bytes")
            json.value(journal.lmdb)
            json.key("segment_bytes")
            json.value(journal.segments)
            json.endObject()
            json.key("projections")
            json.beginObject()
            json.key("bytes")
            json.value(projections)
            json.endObject()
        }

        func print(_ context: CommandContext, _ vault: OpenVault) throws {
            try row(
                "vault", "\(vault.directory), \(Quantity.bytes(stored)) on disk, \(Quantity.bytes(free)) free", context)
            let ratio = ratio(blobs.rawBytes, blobs.storedBytes).map { ", \($0) : 1" } ?? ""
            try row(
                "messages",
                "\(Quantity.count(blobs.messages)) different, \(Quantity.bytes(blobs.rawBytes)) raw, "
                    + "\(Quantity.bytes(blobs.storedBytes)) stored\(ratio)", context)
            try row(
                "journal",
                "\(Quantity.count(head.transaction.rawValue, "transaction")), \(Quantity.bytes(journal.lmdb)) and its mirror \(Quantity.bytes(journal.segments))",
                context)
            try row("projections", Quantity.bytes(projections), context)
        }
    }

    /// What happened in a time.
    private struct Activity {
        var transactions = 0
        var created = 0
        var deleted = 0
        var bytes: UInt64 = 0

        init(_ vault: OpenVault, _ account: AccountNumber?, since now: Timestamp, back seconds: Int64) throws {
            let start = Timestamp(rawValue: now.rawValue - seconds * 1_000_000)
            let first = try vault.journal.newest(atOrBefore: start).next
            let head = try vault.journal.head().transaction
            guard first <= head else { return }
            var sum = self
            try vault.journal.scan(from: first, through: head) { record in
                if let account, record.account != account { return true }
                sum.transactions += 1
                var changes = try ChangeReader(record.body)
                while try changes.next() {
                    guard changes.item.kind == .message else { continue }
                    if changes.kinds.contains(.deleted) { sum.deleted += 1 }
                    if changes.kinds.contains(.created) {
                        sum.created += 1
                        sum.bytes += try ItemState(.message, decoding: changes.state).message?.size ?? 0
                    }
                }
                return true
            }
            self = sum
        }

        func json(_ json: inout JSONWriter) {
            json.beginObject()
            json.key("transactions")
            json.value(transactions)
            json.key("created")
            json.value(created)
            json.key("deleted")
            json.value(deleted)
            json.key("bytes")
            json.value(bytes)
            json.endObject()
        }
    }
}
