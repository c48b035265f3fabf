internal import Blobs
internal import Events
internal import Files
internal import Glibc
internal import Headers
internal import Journal
internal import Projections
internal import SystemPackage
internal import TestKit
internal import Vault

/// I1 without a process for each bit: what a check calls is called here, in a child process for some thousand bits, so that every bit of a
/// small vault can be flipped.
///
/// Of each bit: does the check of its part find something, and name the file? Bits that nothing is found of must be without effect: they
/// are flipped together, 256 at a time, and everything that can be asked is answered as before. Of every `sample`th bit that is
/// found: no wrong answer while it is flipped, and all answers after a repair.
public enum BitSweep {
    /// `count`: so many bits, chosen by the seed; nil: all of them.
    public static func run(
        _ tools: World.Tools, count: Int?, sample: Int, seed: UInt64, file: String = "", isLoud: Bool = true
    ) -> Report {
        let report = Report("I1 flipped bits", tools, seed: seed, isLoud: isLoud)
        var generator = SeededGenerator(seed: seed)
        guard let victim = SmallVault(World(tools, "bits"), report) else { return report }
        let files = victim.sizes.filter { file.isEmpty || $0.name.contains(file) }
        let total = files.reduce(0) { $0 + $1.size * 8 }
        for (name, size) in files {
            let wanted = count.map { max(1, $0 * size * 8 / max(total, 1)) }
            let bits =
                wanted.map { wanted in (0..<wanted).map { _ in generator.number(0..<size * 8) } }
                ?? Array(0..<size * 8)
            victim.sweep(name, bits, sample: sample)
            if report.isFull { break }
        }
        return report
    }
}

/// A vault with all kinds of files, each as small as it can be.
private final class SmallVault {
    private let world: World
    private let report: Report
    private var items: [ItemID] = []
    private var digests: [Digest] = []
    private var right = (all: Digest.zero, headers: Digest.zero)
    private var since = 0
    let sizes: [(name: String, size: Int)]

    private var vault: FilePath { world.vault }
    private var sound: FilePath { world.scratch.appending("sound/vault") }
    private static let account = AccountNumber(rawValue: 1)
    private static let batch = 4_096

    init?(_ world: World, _ report: Report) {
        (self.world, self.report) = (world, report)
        for number in 1..<8 {
            world.mail.deliver(
                "", "\(number).x:2,S",
                "Subject: number \(number)\nMessage-ID: <\(number)@example.org>\n\nsome text \(number)\n")
        }
        world.program.run("init")
        world.program.run("account", "add", "anna@example.org", "--source", "maildir:\(world.source)")
        world.program.run("scan")
        world.mail.remove("", "3.x:2,S")
        world.mail.move("", "4.x:2,S", to: nil, "4.x:2,RS")
        world.program.run("scan")
        world.worker.run("work", "seal", "--rounds", "14")
        world.program.run("show", "anna", "<1@example.org>")
        world.program.run("checkpoint")
        let check = world.program.run("check", "--read-data", "--json")
        world.keep("sound")
        var sizes: [(String, Int)] = []
        func add(_ path: FilePath, _ name: String) {
            if let bytes = Tree.read(path) {
                if !bytes.isEmpty { sizes.append((name, bytes.count)) }
            } else {
                for child in Tree.names(path) {
                    let text = String(decoding: child, as: UTF8.self)
                    if !["lock.mdb", "quarantine", "locks"].contains(text) {
                        add(path.appending(text), name.isEmpty ? text : "\(name)/\(text)")
                    }
                }
            }
        }
        add(world.scratch.appending("sound/vault"), "")
        self.sizes = sizes
        // What LMDB opens is never opened in this process: a child's fault is not ours.
        let shared = SharedBytes(1 << 16)
        let status = Forked.run {
            do {
                let vault = try OpenVault(self.vault, readOnly: true)
                var found: [UInt32] = []
                try vault.projections().pointers(SmallVault.account, asOf: vault.journal.head().transaction) {
                    if $0.item.kind == .message { found.append($0.item.number) }
                }
                var digests: [Digest] = []
                for number in found {
                    for state in try vault.projections().states(SmallVault.account, ItemID(.message, number)) {
                        let transaction = try vault.journal.transaction(state.transaction)
                        for change in transaction?.entry.changes ?? [] {
                            if let digest = change.state.message?.digest, !digests.contains(digest) {
                                digests.append(digest)
                            }
                        }
                    }
                }
                shared.bytes.storeBytes(of: UInt32(found.count), as: UInt32.self)
                shared.bytes.storeBytes(of: UInt32(digests.count), toByteOffset: 4, as: UInt32.self)
                for (index, number) in found.enumerated() {
                    shared.bytes.storeBytes(of: number, toByteOffset: 8 + index * 4, as: UInt32.self)
                }
                for (index, digest) in digests.enumerated() {
                    digest.withBytes {
                        UnsafeMutableRawBufferPointer(
                            rebasing: shared.bytes[4_096 + index * 32..<4_096 + index * 32 + 32]
                        )
                        .copyMemory(from: $0)
                    }
                }
                return 0
            } catch { return 1 }
        }
        let counts = (
            Int(shared.bytes.load(as: UInt32.self)), Int(shared.bytes.load(fromByteOffset: 4, as: UInt32.self))
        )
        items = (0..<counts.0).map {
            ItemID(.message, shared.bytes.load(fromByteOffset: 8 + $0 * 4, as: UInt32.self))
        }
        digests = (0..<counts.1).map { index in
            Digest(Array(shared.bytes[4_096 + index * 32..<4_096 + index * 32 + 32]).span.bytes)
        }
        guard check.status == 0, status == 0, items.count == 7, digests.count == 7, sizes.count >= 10,
            case .digests(let all, let headers) = answers(), headers != SmallVault.nothing
        else {
            report.end("the vault before any damage", ["\(check.brief), \(sizes), \(items), \(digests.count)"])
            return nil
        }
        right = (all, headers)
        putBack()
    }

    private func putBack() {
        Tree.remove(vault)
        Tree.copy(sound, to: vault)
    }

    private func flip(_ name: String, _ bit: Int) { Tree.flip(vault.appending(name), byte: bit / 8, bit: bit % 8) }

    // MARK: Answers

    private enum Answer {
        case digests(all: Digest, headers: Digest)
        case refused
        case fault(Int32)
    }
    /// What the header index answers when it is to be made anew.
    private static let nothing = Digest(hashing: [UInt8]().span.bytes)

    /// Everything that can be asked of the vault as it is now, as one digest.
    private func answers() -> Answer {
        let shared = SharedBytes(64)
        let status = Forked.run {
            do {
                let vault = try OpenVault(self.vault, readOnly: true)
                let (all, headers) = (try self.ask(vault), try self.askHeaders(vault))
                all.withBytes { shared.bytes.copyMemory(from: $0) }
                headers.withBytes { UnsafeMutableRawBufferPointer(rebasing: shared.bytes[32...]).copyMemory(from: $0) }
                return 0
            } catch { return 1 }
        }
        switch status {
        case 0:
            return .digests(
                all: Digest(Array(shared.bytes[..<32]).span.bytes),
                headers: Digest(Array(shared.bytes[32...]).span.bytes))
        case 1: return .refused
        default: return .fault(status)
        }
    }

    private func ask(_ vault: OpenVault) throws -> Digest {
        var all = ByteWriter(capacity: 1 << 16)
        let head = try vault.journal.head().transaction
        try vault.journal.scan(from: TransactionID(rawValue: 1), through: head) { record in
            record.bytes.withUnsafeBytes { all.raw(Array($0)) }
            return true
        }
        for id in 1...head.rawValue {
            all.integer(UInt64(try vault.journal.withRecord(TransactionID(rawValue: id)) { $0.body.byteCount } ?? 0))
        }
        let projections = try vault.projections()
        for account in [AccountNumber.directory, SmallVault.account] {
            for point in [TransactionID(rawValue: 9), head] {
                try projections.pointers(account, asOf: point) {
                    all.integer($0.item.number)
                    all.integer($0.pointer.transaction.rawValue)
                    all.integer(UInt8($0.pointer.isDeleted ? 1 : 0))
                }
            }
            for (kind, folder) in [(ItemKind.message, UInt32(1)), (.folder, 0), (.account, 0)] {
                try projections.live(account, kind, folder: folder) {
                    all.integer($0.item.number)
                    all.integer($0.pointer.transaction.rawValue)
                }
            }
            try projections.deleted(account, in: TransactionID(rawValue: 1)...head) {
                all.integer($0.number)
                all.integer($1.rawValue)
            }
            for note in try projections.notes(account) { all.integer(note.transaction.rawValue) }
            all.raw(Array("\(try projections.statistics(account))".utf8))
        }
        for item in items {
            for state in try projections.states(SmallVault.account, item) { all.integer(state.transaction.rawValue) }
            all.raw(try projections.history(SmallVault.account, item))
            let pointer = try projections.pointer(SmallVault.account, item, asOf: head)
            all.integer(pointer?.transaction.rawValue ?? 0)
        }
        let reader = vault.blobs.reader()
        for digest in digests { try reader.read(digest) { bytes in bytes.withUnsafeBytes { all.raw(Array($0)) } } }
        return Digest(hashing: all.bytes.span.bytes)
    }

    private func askHeaders(_ vault: OpenVault) throws -> Digest {
        guard let headers = try vault.headerIndex() else { return SmallVault.nothing }
        var all = ByteWriter(capacity: 256)
        for number in 1..<8 {
            let id = MessageIDHash(Array("\(number)@example.org".utf8))
            for item in try headers.items(SmallVault.account, carrying: id) {
                all.integer(UInt32(number))
                all.integer(item.number)
            }
        }
        return Digest(hashing: all.bytes.span.bytes)
    }

    private func isRight(_ answer: Answer) -> Bool {
        guard case .digests(let all, let headers) = answer else { return false }
        return all == right.all && (headers == right.headers || headers == SmallVault.nothing)
    }

    // MARK: Checking

    private enum Verdict: UInt8 { case none, named, unseen, unnamed, failed }

    func sweep(_ name: String, _ bits: [Int], sample: Int) {
        var unseen: [Int] = []
        let shared = SharedBytes(SmallVault.batch)
        var begin = 0
        while begin < bits.count, !report.isFull {
            let chunk = Array(bits[begin..<min(bits.count, begin + SmallVault.batch)])
            shared.bytes.copyBytes(from: [UInt8](repeating: 0, count: SmallVault.batch))
            let status = Forked.run {
                // What is open already says nothing to a changed byte in LMDB; what it reads anew of other files does.
                let open = self.needsVault(name) ? try? OpenVault(self.vault, readOnly: true) : nil
                for (index, bit) in chunk.enumerated() {
                    self.flip(name, bit)
                    shared.bytes[index] = self.check(name, open).rawValue
                    self.flip(name, bit)
                }
                return 0
            }
            var done = chunk.count
            for (index, bit) in chunk.enumerated() {
                let place = "\(name), byte \(bit / 8) bit \(bit % 8)"
                let verdict = Verdict(rawValue: shared.bytes[index]) ?? .none
                switch verdict {
                case .none:
                    report.end(place, ["the check ends with \(status)"])
                    done = index + 1
                case .named:
                    report.end(place, [])
                    report.count("found and named")
                    since += 1
                    if since % sample == 0 { report.add(place, heal(name, bit)) }
                case .unseen: unseen.append(bit)
                case .unnamed: report.end(place, ["found, but the file is not named"])
                case .failed: report.end(place, ["the check fails without a finding"])
                }
                if verdict == .none { break }
            }
            if done < chunk.count || status != 0 { putBack() }
            begin += done
        }
        for first in stride(from: 0, to: unseen.count, by: 256) {
            let group = Array(unseen[first..<min(first + 256, unseen.count)])
            withoutEffect(name, Set(group).sorted())
            for bit in group { report.end("\(name), bit \(bit)", []) }
            if report.isFull { return }
        }
    }

    private func needsVault(_ name: String) -> Bool {
        name.hasPrefix("journal/segments") || name.hasPrefix("blobs/packs")
    }

    /// What a check finds of the part that the file belongs to.
    private func check(_ name: String, _ open: OpenVault?) -> Verdict {
        do {
            var files: [String] = []
            switch name.split(separator: "/").first.map(String.init) ?? "" {
            case "FORMAT":
                do {
                    files = try VaultInspection.run(vault).map(\.file)
                    if files.isEmpty, try !OpenVault(vault, readOnly: true).isHeaderSound() { files = [name] }
                } catch is Failure {
                    // A newer vault, or none at all: it says so, and opens nothing.
                    files = [name]
                }
            case "journal" where open == nil:
                let journal = vault.appending("journal")
                if JournalRebuild.inspect(journal) != .sound { return .named }
                files = JournalRebuild.verifyRecords(in: journal).map(\.file)
            case "journal":
                do {
                    _ = try open?.journal.verify { files.append($0.file) }
                } catch let error as JournalError {
                    files.append("\(error)".contains(name.split(separator: "/").last ?? "") ? name : "")
                }
            case "blobs" where open == nil:
                if BlobStore.indexFault(vault.appending("blobs").string) != nil { return .named }
                files = BlobStore.verifyIndex(vault.appending("blobs").string, vault: nil).map { _ in name }
            case "blobs":
                var options = BlobCheckOptions()
                options.threads = 1
                try open?.blobs.check(options, report: { files.append("blobs/" + $0.pack) })
            case "projections": files = OpenProjections.verify(vault.appending("projections")).map { _ in name }
            case "headers": files = OpenHeaderIndex.verify(vault.appending("headers")).map { _ in name }
            default: return .unseen
            }
            return files.isEmpty ? .unseen : files.contains(name) ? .named : .unnamed
        } catch { return .failed }
    }

    /// Bits that no check sees change no answer: all at once; one by one when something is not as it was.
    private func withoutEffect(_ name: String, _ bits: [Int]) {
        putBack()
        for bit in bits { flip(name, bit) }
        if isRight(answers()) {
            for _ in bits { report.count("without effect") }
            return
        }
        if bits.count > 1 {
            withoutEffect(name, Array(bits[..<(bits.count / 2)]))
            withoutEffect(name, Array(bits[(bits.count / 2)...]))
            return
        }
        putBack()
        for bit in bits { flip(name, bit) }
        let place = "\(name), byte \(bits[0] / 8) bit \(bits[0] % 8)"
        let answer = answers()
        switch answer {
        case .digests where isRight(answer): report.count("without effect")
        case .digests: report.add(place, ["WRONG ANSWER, and no check sees it"])
        // Opening looks at more than the check of a part, and refuses.
        case .refused: report.count("refused")
        case .fault(let status): report.add(place, ["no check sees it, and answering ends with \(status)"])
        }
        putBack()
    }

    /// Flipped, nothing is answered wrongly; repaired, all is answered as before.
    private func heal(_ name: String, _ bit: Int) -> [String] {
        defer { putBack() }
        var found: [String] = []
        putBack()
        flip(name, bit)
        let answer = answers()
        switch answer {
        case .digests: if !isRight(answer) { found.append("WRONG ANSWER") }
        case .refused: report.count("sampled: refused before the repair")
        // The program takes a fault as damage, and begins anew with a verification.
        case .fault: report.count("sampled: a fault before the repair")
        }
        putBack()
        flip(name, bit)
        let shared = SharedBytes(1)
        let status = Forked.run {
            do {
                try VaultRepair.run(self.vault) { if $0.isLoss { shared.bytes[0] = 1 } }
                return 0
            } catch { return 1 }
        }
        if status != 0 { found.append("repair ends with \(status)") }
        if shared.bytes[0] != 0 { found.append("something is lost") }
        if !isRight(answers()) { found.append("after the repair the answers are others") }
        report.count("sampled: repaired")
        return found
    }
}
