internal import Blobs
internal import Events
internal import Glibc
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

/// Something that is not as it must be, and whom it concerns.
struct CheckFinding {
    enum Part: String { case vault, journal, blobs, projections }

    var part: Part
    var file: String
    var offset: Int?
    var transaction: TransactionID?
    var account: String?
    var item: ItemID?
    var problem: String
    /// What an earlier repair wrote down of it, when it is lost for good.
    var loss: String?

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
        json.optional(offset)
        json.key("txid")
        json.optional(transaction)
        json.key("account")
        json.optional(account)
        json.key("item")
        json.optional(item)
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
    /// What is lost for good and has been said before.
    private(set) var knownLosses: [CheckFinding] = []
    /// The digests of blobs whose bytes are nowhere.
    private(set) var missing: Set<Digest> = []
    private var memory: CheckMemory
    private let before: CheckMemory
    private var pace: Pace
    private var projectionsCompared = false

    private struct Wanted {
        var transaction: TransactionID
        var account: AccountNumber
        var item: ItemID
        var size: UInt64
    }

    init(_ vault: OpenVault, _ context: CommandContext) throws {
        (self.vault, self.context) = (vault, context)
        before = CheckMemory(vault)
        memory = before
        pace = Pace(isShared: try vault.hasOtherWriters())
    }

    /// Without `extent`, what has changed since the last check; with it all of the journal and that much of the blobs.
    func run(_ extent: CheckCommand.Percentage?, seed: UInt64) throws {
        if try !vault.isHeaderSound() {
            findings.append(CheckFinding(part: .vault, file: "FORMAT", problem: "it is not what was written"))
        }
        try checkJournal(isWhole: extent != nil)
        try collect()
        try checkBlobs(extent, seed)
        try checkProjections(isWhole: extent != nil)
        for found in try VaultCheckpoints(vault).check(isWhole: extent != nil && !isJournalDamaged) {
            findings.append(CheckFinding(part: .vault, file: found.file, problem: found.problem))
        }
        let known = try vault.knownLosses()
        knownLosses = findings.filter { $0.loss.map(known.contains) ?? false }
        findings.removeAll { $0.loss.map(known.contains) ?? false }
        // What was not sound is looked at again the next time.
        if !findings.contains(where: { $0.part == .journal }) {
            let head = try vault.journal.withRecord(TransactionID(rawValue: transactions)) { $0.leafHash }
            if let head { memory.journal = (TransactionID(rawValue: transactions), head, context.now) }
        } else {
            memory.journal = nil
        }
        if findings.contains(where: { $0.part == .blobs }) {
            (memory.packs, memory.readAll) = ([:], nil)
        } else if extent?.value == 100 {
            memory.readAll = context.now
        }
        if findings.contains(where: { $0.part == .projections }) { memory.projections = nil }
        try memory.save(vault)
    }

    /// What of it is lost for good, in the words of the list of losses.
    var losses: [String] { findings.compactMap(\.loss) }

    private func checkJournal(isWhole: Bool) throws {
        let line = ProgressLine("check journal", unit: "transactions", options: context.options)
        defer { line.finish() }
        var start: (TransactionID, Digest)?
        if !isWhole, let known = before.journal,
            try vault.journal.withRecord(known.transaction, { $0.leafHash }) == known.leaf
        {
            start = (known.transaction, known.leaf)
        }
        let head = try vault.journal.verify(
            after: start,
            { finding in
                self.findings.append(CheckFinding(finding))
            },
            progress: {
                self.pace.rest()
                line.update(Int(clamping: $0.transactions), of: Int(clamping: $0.total))
            })
        transactions = head.transaction.rawValue
    }

    /// Every blob that any state names, as far as the journal can be read.
    private func collect() throws {
        guard transactions > 0 else { return }
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

    private func checkBlobs(_ readData: CheckCommand.Percentage?, _ seed: UInt64) throws {
        let digests = wanted.keys.sorted()
        for block in digests.blocks(of: 4096) {
            for (digest, location) in zip(block, try vault.blobs.locations(of: block)) {
                if let location {
                    if let named = wanted[digest], location.size != named.size {
                        report(digest, "the index says \(location.size) bytes, the journal \(named.size)")
                    }
                } else {
                    missing.insert(digest)
                    report(digest, "the bytes are missing (\(digest))", loss: "blob \(digest.hex)")
                }
            }
        }
        let line = ProgressLine(readData == nil ? "check blobs" : "read data", unit: "KiB", options: context.options)
        defer { line.finish() }
        var options = BlobCheckOptions()
        options.dataFraction = (readData?.value ?? 0) / 100
        options.seed = seed
        if readData == nil { options.verified = before.packs }
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
            },
            progress: {
                self.pace.rest()
                line.update(Int(clamping: $0 >> 10), of: Int(clamping: $1 >> 10), bytes: $0)
            })
        blobsRead = summary.verifiedBlobs
        // A sample says nothing of the rest.
        if readData == nil || readData?.value == 100 { memory.packs = summary.ends }
    }

    private func report(
        _ digest: Digest, _ problem: String, file: String = "blobs/index", _ offset: Int? = nil,
        loss: String? = nil
    ) {
        let named = wanted[digest]
        findings.append(
            CheckFinding(
                part: .blobs, file: file, offset: offset, transaction: named?.transaction,
                account: named.flatMap { accounts[$0.account] }, item: named?.item, problem: problem, loss: loss))
    }

    private var isJournalDamaged: Bool { findings.contains { $0.part == .journal && $0.loss == nil } }

    private func checkProjections(isWhole: Bool) throws {
        // From a damaged journal nothing can be made that they could be held against.
        guard !isJournalDamaged else { return }
        // Their pages and the checksums of their rows are sound; they were compared when they were as they are.
        if !isWhole, let known = before.projections, known.transaction.rawValue == transactions { return }
        let line = ProgressLine("check projections", unit: "transactions", options: context.options)
        defer { line.finish() }
        do {
            let digests = try ProjectionsComparison.run(vault) {
                self.pace.rest()
                line.update(Int(clamping: $0.rawValue), of: Int(clamping: self.transactions))
            }
            projectionsCompared = true
            memory.projections = (TransactionID(rawValue: transactions), context.now)
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

    func summary(took: Int64, repairs: Bool) -> String {
        var text =
            "Checked \(Quantity.count(transactions, "transaction")) in both copies of the journal, \(Quantity.count(wanted.count, "message"))"
        if let since = before.journal, memory.journal != nil, projectionsCompared == false, blobsRead == 0 {
            text += " (the rest was verified \(context.text(since.at)))"
        }
        if blobsRead > 0 { text += " (\(Quantity.count(blobsRead)) blobs read and hashed)" }
        if projectionsCompared { text += " and the projections" }
        text += " in \(Quantity.duration(microseconds: took)): "
        if !knownLosses.isEmpty {
            text += "\(Quantity.count(knownLosses.count, "loss", "losses")) known since an earlier repair, "
        }
        guard !findings.isEmpty else { return text + (knownLosses.isEmpty ? "no damage." : "no other damage.") }
        text += Quantity.count(findings.count, "finding") + "."
        if findings.contains(where: { $0.part == .projections }) {
            text += " The projections can be made anew with: yestermail rebuild"
        }
        if !repairs { text += " What can be healed is healed by: yestermail check --repair" }
        return text
    }

    func json(_ json: inout JSONWriter, seconds: Int64, seed: UInt64, repairs: [RepairNote]?) {
        json.check(
            findings: findings,
            looked: (transactions: transactions, blobs: wanted.count, read: blobsRead, compared: projectionsCompared),
            known: knownLosses, seed: seed, repairs: repairs, seconds: seconds)
    }
}

extension JSONWriter {
    /// The answer of a check; without `looked` nothing but the pages of the databases was looked at.
    mutating func check(
        findings: [CheckFinding], looked: (transactions: UInt64, blobs: Int, read: Int, compared: Bool)?,
        known: [CheckFinding], seed: UInt64, repairs: [RepairNote]?, seconds took: Int64
    ) {
        beginObject()
        key("ok")
        value(findings.isEmpty)
        key("transactions")
        if let looked { value(looked.transactions) } else { null() }
        key("blobs")
        optional(looked?.blobs)
        key("blobs_read")
        optional(looked?.read)
        key("projections_compared")
        value(looked?.compared ?? false)
        key("findings")
        beginArray()
        for finding in findings { finding.json(&self) }
        endArray()
        key("known_losses")
        beginArray()
        for finding in known { finding.json(&self) }
        endArray()
        key("seed")
        value(seed)
        if let repairs {
            key("repairs")
            beginArray()
            for note in repairs { note.json(&self) }
            endArray()
        }
        key("seconds")
        seconds(took)
        endObject()
    }
}

extension CheckFinding {
    init(_ finding: JournalFinding) {
        self.init(
            part: .journal, file: finding.file, offset: finding.offset, transaction: finding.transaction,
            problem: JournalFinding(file: "", reason: finding.reason).reasonText,
            loss: finding.reason == .lost ? finding.transaction.map { "transaction \($0.rawValue)" } : nil)
    }
}

extension RepairNote {
    var text: String {
        "\(isLoss ? "lost" : "repaired"): \(file)\(transaction.map { ", \($0)" } ?? ""): \(TerminalText.safe(detail))"
    }

    func json(_ json: inout JSONWriter) {
        json.beginObject()
        json.key("file")
        json.value(file)
        json.key("txid")
        json.optional(transaction)
        json.key("detail")
        json.value(detail)
        json.key("loss")
        json.value(isLoss)
        json.endObject()
    }
}

/// Beside a process that writes, a check works half of the time only.
struct Pace {
    private let isShared: Bool
    private var began = ProgressLine.now()

    init(isShared: Bool) {
        self.isShared = isShared
        // Others first: the check is in no hurry.
        if isShared { _ = setpriority(0, 0, 10) }
    }

    mutating func rest() {
        guard isShared else { return }
        let worked = ProgressLine.now() - began
        usleep(UInt32(clamping: min(max(worked, 0), 500_000)))
        began = ProgressLine.now()
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
