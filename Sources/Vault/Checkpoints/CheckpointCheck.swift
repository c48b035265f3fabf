internal import Events
internal import Files
internal import Journal
internal import SystemPackage
internal import Transparency

extension VaultCheckpoints {
    /// A file in `checkpoints/` that is not what it must be.
    public struct Finding: Hashable, Sendable {
        /// Relative to the vault.
        public var file: String
        public var problem: String
    }

    /// What is wrong with what the vault remembers of its checkpoints: the keys, the newest note, and, when `isWhole`, that the journal continues
    /// the note and that the stored subtrees are those of the journal.
    public func check(isWhole: Bool) throws -> [Finding] {
        guard Directory.exists(directory) else { return [] }
        var findings: [Finding] = []
        func report(_ name: String, _ problem: String) {
            findings.append(Finding(file: "checkpoints/\(name)", problem: problem))
        }
        let key = try bytes(publicKeyPath).flatMap { publicKey($0) }
        if key == nil {
            let isThere = Directory.exists(publicKeyPath)
            if isThere || hasSigned {
                report("key.pub", isThere ? "it is not a key as the vault writes one" : "it is missing")
            }
        }
        if let secret = try bytes(keyPath) {
            let signer = signer(secret)
            if signer == nil {
                report("key", "it is not a key as the vault writes one")
            } else if let key, signer?.verifier.description != key.description {
                report("key", "its public half is not the one in checkpoints/key.pub")
            }
        }
        if let note = try newestBytes(), let key {
            do throws(TransparencyError) {
                let checkpoint = try read(note, by: key).checkpoint
                let last = head()
                if checkpoint.size > last {
                    report(
                        "newest", "the journal ends at @\(last), before it: the vault was rolled back to an older copy")
                } else if isWhole, root(of: checkpoint.size).map({ $0 != checkpoint.root }) ?? false {
                    report("newest", "the journal is not a continuation of it")
                }
            } catch { report("newest", "\(error)") }
        }
        if isWhole, try !areSubtreesSound() { report("subtrees", "they are not those of the journal") }
        return findings
    }

    /// Puts right what can be: one wrong bit of a key or of the note, a public key from the private one, the subtrees from the journal. What cannot be
    /// is set aside and named; the next checkpoint makes it anew.
    func repair(_ quarantine: Quarantine, _ report: (RepairNote) -> Void) throws {
        for finding in try check(isWhole: true) {
            let path = vault.directory.appending(finding.file)
            let (found, right) = (try bytes(path), try healed(finding.file))
            if let right {
                if found != nil { try quarantine.keepCopy(path) }
                try Directory.replaceFile(path, with: right.span.bytes)
                report(RepairNote(file: finding.file, detail: "\(finding.problem); put right"))
            } else if found != nil, finding.file.hasSuffix("subtrees") {
                try quarantine.setAside(path)
                report(
                    RepairNote(
                        file: finding.file, detail: "set aside (\(finding.problem)); the next checkpoint makes it anew")
                )
            } else if found != nil, try isUnreadable(finding.file) {
                try quarantine.setAside(path)
                report(
                    RepairNote(
                        file: finding.file,
                        detail: "set aside (\(finding.problem)); a copy that was kept outside is the only one there is",
                        isLoss: true))
            }
        }
        // Without the public key nothing that was signed, or signs, can be believed: a new key begins anew.
        guard hasSigned, try bytes(publicKeyPath).flatMap({ publicKey($0) }) == nil else { return }
        for path in [newestPath, keyPath] where Directory.exists(path) {
            try quarantine.setAside(path)
            report(
                RepairNote(
                    file: "checkpoints/\(path.lastComponent?.string ?? "")",
                    detail: "set aside: the public key is lost; a copy that was kept outside is the only one there is",
                    isLoss: true))
        }
    }

    // MARK: Looking

    /// A private key alone is that of a first checkpoint which came to no end: the next one goes on with it. Subtrees are the journal's, and
    /// say nothing of who signs.
    private var hasSigned: Bool { Directory.exists(newestPath) }

    private func bytes(_ path: FilePath) throws -> [UInt8]? {
        Directory.exists(path) ? try VaultCheckpoints.note(path) : nil
    }

    private func head() -> UInt64 {
        // A journal that has no head that can be read is the journal's matter.
        (try? vault.journal.head().transaction.rawValue) ?? .max
    }

    private func publicKey(_ bytes: [UInt8]) -> NoteVerifier? {
        // What is no key is nil: that says all there is to say.
        guard let key = try? NoteVerifier(VaultCheckpoints.text(bytes)), Array("\(key)\n".utf8) == bytes,
            key.name == origin
        else { return nil }
        return key
    }

    private func signer(_ bytes: [UInt8]) -> NoteSigner? {
        // As above.
        guard let signer = try? NoteSigner(VaultCheckpoints.text(bytes)),
            Array((signer.secretText + "\n").utf8) == bytes,
            signer.verifier.name == origin
        else { return nil }
        return signer
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.last == 10 ? bytes.dropLast() : bytes[...], as: UTF8.self)
    }

    private func root(of size: UInt64) -> Digest? {
        var tree = CompactRange()
        // A journal that cannot be read is reported as such; nothing is said of its checkpoints.
        guard (try? JournalTree(journal: vault.journal).leaves(0..<size) { tree.append($0) }) != nil else { return nil }
        return tree.root
    }

    /// As far as the newest checkpoint goes: what stands behind was being written when a checkpoint did not come to its end, and is written
    /// anew by the next one.
    private func areSubtreesSound() throws -> Bool {
        guard Directory.exists(subtreesPath), let note = try newestBytes(), let key = try bytes(publicKeyPath),
            let signer = publicKey(key)
        else { return true }
        let size: UInt64
        // A note that does not hold has been told of, and vouches for nothing.
        do throws(TransparencyError) { size = try read(note, by: signer).checkpoint.size } catch { return true }
        let count = min(size, head()) / StoredSubtrees.records
        guard count > 0 else { return true }
        guard let stored = try StoredSubtrees(reading: subtreesPath, vault: vault.id, limit: count),
            stored.count == count
        else { return false }
        let tree = JournalTree(journal: vault.journal)
        for index in 0..<count {
            let subtree = Subtree(level: StoredSubtrees.level, index: index)
            guard try tree.hash(subtree) == stored.hash(subtree) else { return false }
        }
        return true
    }

    // MARK: Putting right

    /// The bytes the file must have, when there is only one way to say so.
    private func healed(_ file: String) throws -> [UInt8]? {
        let key = try bytes(publicKeyPath).flatMap { publicKey($0) }
        let note = try newestBytes()
        func isSigned(by key: NoteVerifier) -> Bool { note.map { isWhole($0, by: key) } ?? true }
        switch file.split(separator: "/").last {
        case "key.pub":
            if let signer = try bytes(keyPath).flatMap({ signer($0) }), isSigned(by: signer.verifier) {
                return Array("\(signer.verifier)\n".utf8)
            }
            guard note != nil else { return nil }
            return try bytes(publicKeyPath).flatMap {
                oneBitAway($0) { publicKey($0).map { isSigned(by: $0) } ?? false }
            }
        case "key":
            guard let key else { return nil }
            return try bytes(keyPath).flatMap { bytes in
                oneBitAway(bytes) { signer($0)?.verifier.description == key.description }
            }
        case "newest":
            guard let key, let note else { return nil }
            return oneBitAway(note) { isWhole($0, by: key) }
        default: return nil
        }
    }

    private func isWhole(_ note: [UInt8], by key: NoteVerifier) -> Bool {
        // Signed by another key, or not at all, is all the same.
        (try? read(note, by: key)) != nil
    }

    private func oneBitAway(_ bytes: [UInt8], _ isRight: ([UInt8]) -> Bool) -> [UInt8]? {
        guard bytes.count <= 4096 else { return nil }
        var tried = bytes
        for index in bytes.indices {
            for bit in 0..<8 as Range<UInt8> {
                tried[index] = bytes[index] ^ 1 << bit
                if isRight(tried) { return tried }
            }
            tried[index] = bytes[index]
        }
        return nil
    }

    /// Not merely what the journal contradicts: that stays, as the only witness of what there was.
    private func isUnreadable(_ file: String) throws -> Bool {
        switch file.split(separator: "/").last {
        case "key.pub", "key": return true
        case "newest":
            guard let note = try newestBytes(), let key = try bytes(publicKeyPath).flatMap({ publicKey($0) }) else {
                return false
            }
            return !isWhole(note, by: key)
        default: return false
        }
    }
}
