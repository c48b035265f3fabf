public import Events
internal import LMDB
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

extension BlobStore {
    /// Whether the index in `path` (the `blobs` directory) can be trusted with a first look, and is not empty beside packs.
    public static func indexFault(_ path: String) -> String? {
        switch Inspection(of: path + "/index") {
        case .sound: nil
        case .missing: "it is missing"
        case .damaged(let why): why
        }
    }

    /// All that is wrong with the pages and rows of the index as it lies in the file. Reads by `pread` only. `vault`: the 16 bytes of
    /// the one whose index it must be; nil where they are not known.
    public static func verifyIndex(_ path: String, vault: [UInt8]?) -> [BlobFinding] {
        PageWalk.verify(
            path + "/index", tables: BlobIndex.tables, optional: BlobIndex.newTables,
            row: { BlobIndex.fault($0, $1, $2, of: vault) }
        )
        .map {
            BlobFinding(
                kind: .index, pack: "index/data.mdb", offset: UInt64(clamping: $0.offset), reason: $0.description,
                digests: [])
        }
    }

    /// Whether there are packs the index has never heard of: it is empty, or has fallen back to an older state.
    public func indexIsBehind() throws -> Bool {
        let last = try index.lastPack()
        guard let last else { return OpenFile.exists(path + "/" + PackFormat.fileName(1)) }
        // One more may just be beginning.
        return OpenFile.exists(path + "/" + PackFormat.fileName(last.number &+ 2))
    }

    /// Heals the packs: single bits from the checksums, headers and directories from what they follow from. A frame that cannot
    /// be healed is replaced by one that holds nothing. A pack is written anew beside the old one, which `keepCopy` is given
    /// before it is replaced. The index is made anew from the packs when it does not agree with them.
    ///
    /// Nobody else may have the store open for writing.
    public func repair(keepCopy: (String) throws -> Void, report: (RepairNote) -> Void) throws {
        try sync()
        var changed = false
        var saved: [[UInt8]] = []
        do {
            let lock = try OpenFile(path + "/LOCK", O_RDWR | O_CREAT)
            guard try lock.tryLock() else { throw BlobError.busy(path: path) }
            defer { lock.unlock() }
            let rows = try index.allPacks()
            // Packs have the numbers from 1 on. A row behind a number that has none is a wrong row, and no pack that is gone.
            var rowOf: [UInt32: PackRow] = [:]
            for row in rows { rowOf[row.number] = row }
            var last: UInt32 = 0
            while rowOf[last + 1] != nil { last += 1 }
            while OpenFile.exists(path + "/" + PackFormat.fileName(last + 1)) { last += 1 }
            for number in last >= 1 ? Array(1...last) : [] {
                if try heal(number, rowOf[number], keepCopy, report, &saved) { changed = true }
            }
            if changed {
                // What was open of the old files is not written to any more.
                appender.withLock {
                    $0 = Appender(path: path, vault: vault, packBytes: options.packBytes, readOnly: false)
                }
            }
        }
        var disagrees = false
        var extent = BlobCheckOptions()
        extent.dataFraction = 0
        try check(extent, report: { _ in disagrees = true })
        if changed || disagrees {
            try rebuildIndex()
            report(RepairNote(file: "blobs/index/data.mdb", detail: "made anew from the packs"))
        }
        guard !saved.isEmpty else { return }
        let encoder = encoder()
        for bytes in saved {
            try encoder.add(bytes.raw)
            if encoder.isFull { try append(encoder.finish()) }
        }
        if !encoder.isEmpty { try append(encoder.finish()) }
        try sync()
        report(RepairNote(file: "blobs", detail: "\(saved.count) messages saved from damaged frames were stored again"))
    }

    private func heal(
        _ number: UInt32, _ row: PackRow?, _ keepCopy: (String) throws -> Void, _ report: (RepairNote) -> Void,
        _ saved: inout [[UInt8]]
    ) throws -> Bool {
        let name = path + "/" + PackFormat.fileName(number)
        let beside = path + "/packs/healing"
        guard OpenFile.exists(name) else {
            let file = try OpenFile(name, O_RDWR | O_CREAT | O_EXCL)
            try file.write(PackFormat.header(pack: number, vault: vault).bytes, at: 0)
            try file.syncData()
            try OpenFile.syncDirectory(path + "/packs")
            report(
                RepairNote(
                    file: "blobs/" + PackFormat.fileName(number),
                    detail: "the pack is gone; an empty one is in its place",
                    isLoss: true))
            return true
        }
        var healing = try PackHealing(OpenFile(name, O_RDONLY), row, number: number, in: self)
        try healing.look()
        guard !healing.isSound else { return false }
        try healing.write(to: beside)
        try keepCopy(name)
        guard unsafe rename(beside, name) == 0 else {
            throw BlobError.system(operation: "rename", path: beside, errno: errno)
        }
        try OpenFile.syncDirectory(path + "/packs")
        for note in healing.notes { report(note) }
        saved += healing.saved
        return true
    }
}

extension BlobIndex {
    /// What is wrong with a row of the index by itself, or nil.
    static func fault(_ table: String, _ key: RawSpan, _ value: RawSpan, of vault: [UInt8]?) -> String? {
        switch table {
        case "packs": key.byteCount == 4 && PackRow(key: key, value: value) != nil ? nil : "a pack's row is damaged"
        case "meta":
            value.byteCount == 18 && value.integer(16, as: UInt16.self) == PackFormat.version
                && vault.map { value.part(0, 16).isEqual(to: $0.raw) } != false
                ? nil : "the row of the vault is damaged"
        default:
            key.byteCount == Digest.byteCount && BlobLocation(value: value) != nil ? nil : "a blob's row is damaged"
        }
    }
}
