internal import Blobs
internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

/// Something that is not as it must be, and whom it concerns.
struct CheckFinding {
    enum Part: String { case journal, blobs, projections }

    var part: Part
    var file: String
    var offset: Int?
    var transaction: TransactionID?
    var account: String?
    var item: ItemID?
    var problem: String

    var text: String {
        var wherever = file
        if let offset { wherever += ", byte \(offset)" }
        if let transaction { wherever += ", \(transaction)" }
        if let account { wherever += ", \(TerminalText.safe(account))" }
        if let item { wherever += " \(item)" }
        return "\(part.rawValue): \(wherever): \(TerminalText.safe(problem))"
    }

    func json(_ json: inout JSONWriter) {
        json.beginObject()
        json.key("part")
        json.value(part.rawValue)
        json.key("file")
        json.value(file)
        json.key("offset")
        if let offset { json.value(offset) } else { json.null() }
        json.key("txid")
        if let transaction { json.value(transaction.rawValue) } else { json.null() }
        json.key("account")
        json.optional(account)
        json.key("item")
        if let item { json.value(item) } else { json.null() }
        json.key("problem")
        json.value(problem)
        json.endObject()
    }
}

/// The check of a whole vault: every finding is named, none ends it.
final class VaultCheck {
    private let vault: OpenVault
    private let context: CommandContext
    private(set) var findings: [CheckFinding] = []
    private var transactions: UInt64 = 0
    private var accounts: [AccountNumber: String] = [:]
    /// Who names a blob first.
    private var wanted: [Digest: Wanted] = [:]
    private var blobsRead = 0
    private var projectionsCompared = false

    private struct Wanted {
        var transaction: TransactionID
        var account: AccountNumber
        var item: ItemID
        var size: UInt64
    }

    init(_ vault: OpenVault, _ context: CommandContext) { (self.vault, self.context) = (vault, context) }

    func run(readData: CheckCommand.Percentage?) throws {
        try checkJournal()
        try collect()
        try checkBlobs(readData)
        try checkProjections()
    }

    private func checkJournal() throws {
        let line = ProgressLine("check journal", unit: "transactions", options: context.options)
        defer { line.finish() }
        let head = try vault.journal.verify(
            { finding in
                self.findings.append(
                    CheckFinding(
                        part: .journal, file: finding.file, offset: finding.offset, transaction: finding.transaction,
                        problem: JournalFinding(file: "", reason: finding.reason).reasonText))
            }, progress: { line.update(Int(clamping: $0.transactions), of: Int(clamping: $0.total)) })
        transactions = head.transaction.rawValue
    }

    /// Every blob that any state names, as far as the journal can be read.
    private func collect() throws {
        let head = try vault.journal.head().transaction
        var next = TransactionID(rawValue: 1)
        while next <= head {
            do {
                try vault.journal.scan(from: next, through: head) { record in
                    next = record.id
                    try collect(record)
                    return true
                }
                break
            } catch JournalError.damaged(let finding) {
                // It has been reported; go on behind it.
                next = max(next, finding.transaction ?? next).next
            } catch is DecodingFailure {
                next = next.next
            }
        }
        for index in findings.indices { name(&findings[index]) }
    }

    private func collect(_ record: RecordView) throws {
        var changes = try ChangeReader(record.body)
        while try changes.next() {
            guard changes.item.kind == .message || changes.item.kind == .account else { continue }
            let state = try ItemState(changes.item.kind, decoding: changes.state)
            if let account = state.account {
                accounts[AccountNumber(rawValue: changes.item.number)] = account.address
            } else if let message = state.message, let digest = message.digest, wanted[digest] == nil {
                wanted[digest] = Wanted(
                    transaction: record.id, account: record.account, item: changes.item, size: message.size)
            }
        }
    }

    /// Whose a damaged record is, where that can still be read.
    private func name(_ finding: inout CheckFinding) {
        guard finding.account == nil, let id = finding.transaction,
            let found = try? vault.journal.withRecord(id, { ($0.account, try ChangeReader($0.body).firstItem()) })
        else { return }
        finding.account = accounts[found.0]
        finding.item = found.1
    }

    private func checkBlobs(_ readData: CheckCommand.Percentage?) throws {
        let digests = wanted.keys.sorted()
        for block in digests.blocks(of: 4096) {
            for (digest, location) in zip(block, try vault.blobs.locations(of: block)) {
                if let location {
                    if let named = wanted[digest], location.size != named.size {
                        report(digest, "the index says \(location.size) bytes, the journal \(named.size)")
                    }
                } else {
                    report(digest, "the bytes are missing (\(digest))")
                }
            }
        }
        let line = ProgressLine(readData == nil ? "check blobs" : "read data", unit: "KiB", options: context.options)
        defer { line.finish() }
        var options = BlobCheckOptions()
        options.dataFraction = (readData?.value ?? 0) / 100
        options.seed = UInt64(bitPattern: context.now.rawValue)
        let summary = try vault.blobs.check(
            options,
            report: { finding in
                let (file, offset) = ("blobs/" + finding.pack, Int(clamping: finding.offset))
                let named = finding.digests.filter { self.wanted[$0] != nil }
                for digest in named { self.report(digest, finding.reason, file: file, offset) }
                if named.isEmpty {
                    self.findings.append(
                        CheckFinding(part: .blobs, file: file, offset: offset, problem: finding.reason))
                }
            }, progress: { line.update(Int(clamping: $0 >> 10), of: Int(clamping: $1 >> 10), bytes: $0) })
        blobsRead = summary.verifiedBlobs
    }

    private func report(_ digest: Digest, _ problem: String, file: String = "blobs/index", _ offset: Int? = nil) {
        let named = wanted[digest]
        findings.append(
            CheckFinding(
                part: .blobs, file: file, offset: offset, transaction: named?.transaction,
                account: named.flatMap { accounts[$0.account] }, item: named?.item, problem: problem))
    }

    private func checkProjections() throws {
        // From a damaged journal nothing can be made that they could be held against.
        guard !findings.contains(where: { $0.part == .journal }) else { return }
        let line = ProgressLine("check projections", unit: "transactions", options: context.options)
        defer { line.finish() }
        do {
            let digests = try ProjectionsComparison.run(vault) {
                line.update(Int(clamping: $0.rawValue), of: Int(clamping: self.transactions))
            }
            projectionsCompared = true
            if digests.present != digests.rebuilt { try nameDifferences() }
        } catch  where Failure(error).code == .permission {
            context.remark("The projections were not compared: \(Failure(error).message).")
        }
    }

    /// The digests differ: by which items?
    private func nameDifferences() throws {
        let head = try vault.journal.head().transaction
        let projections = try vault.projections()
        let before = findings.count
        for (number, address) in accounts.sorted(by: { $0.key < $1.key }) + [(.directory, "")] {
            var fold = AccountFold(account: number)
            try fold.fold(vault.journal, through: head)
            let live = fold.live()
            let paths = try FolderPathTimeline(vault.journal, number, through: head)
            let found = try ReplayVerification(vault, projections, number, head)
                .differences(live, try vault.journal.stateDigest(of: live), paths)
            for difference in found {
                findings.append(
                    CheckFinding(
                        part: .projections, file: "projections/data.mdb", account: address.isEmpty ? nil : address,
                        item: difference.item, problem: difference.detail))
            }
        }
        if findings.count == before {
            findings.append(
                CheckFinding(
                    part: .projections, file: "projections/data.mdb",
                    problem: "they are not what the journal gives"))
        }
    }

    // MARK: Saying

    func summary(took: Int64) -> String {
        var text =
            "Checked \(Quantity.count(transactions, "transaction")) in both copies of the journal, \(Quantity.count(wanted.count, "message"))"
        if blobsRead > 0 { text += " (\(Quantity.count(blobsRead)) blobs read and hashed)" }
        if projectionsCompared { text += " and the projections" }
        text += " in \(Quantity.duration(microseconds: took)): "
        guard !findings.isEmpty else { return text + "no damage." }
        text += Quantity.count(findings.count, "finding") + "."
        if findings.contains(where: { $0.part == .projections }) {
            text += " The projections can be made anew with: yestermail rebuild"
        }
        return text
    }

    func json(_ json: inout JSONWriter, seconds: Int64) {
        json.beginObject()
        json.key("ok")
        json.value(findings.isEmpty)
        json.key("transactions")
        json.value(transactions)
        json.key("blobs")
        json.value(wanted.count)
        json.key("blobs_read")
        json.value(blobsRead)
        json.key("projections_compared")
        json.value(projectionsCompared)
        json.key("findings")
        json.beginArray()
        for finding in findings { finding.json(&json) }
        json.endArray()
        json.key("seconds")
        json.seconds(seconds)
        json.endObject()
    }
}

extension JournalFinding {
    /// The reason alone.
    fileprivate var reasonText: String {
        var text = description[...]
        while text.first == ":" || text.first == " " { text = text.dropFirst() }
        return String(text)
    }
}

extension ChangeReader {
    /// The item of the first change.
    fileprivate func firstItem() throws -> ItemID? {
        var copy = self
        return try copy.next() ? copy.item : nil
    }
}
