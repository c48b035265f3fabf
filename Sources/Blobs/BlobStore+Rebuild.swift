internal import Events
internal import LMDB

#if canImport(Glibc)
    internal import Glibc
#endif

extension BlobStore {
    /// Makes the index anew from the packs alone: reads headers and tables, no payloads. Damaged stretches are stepped over
    /// to the next whole frame; ``check(_:report:progress:)`` names them.
    ///
    /// Nobody may be appending; it takes the right to append itself. The first place of a blob counts, as it did when it was written.
    ///
    /// - Throws: ``BlobError`` or `LMDBError`; the index is as before then.
    public func rebuildIndex() throws {
        try sync()
        let lock = try OpenFile(path + "/LOCK", O_RDWR)
        guard try lock.tryLock() else { throw BlobError.busy(path: path) }
        defer { lock.unlock() }
        let index = index
        try index.environment.write { transaction in
            for table in [index.messages, index.parts, index.packs, index.condemnedMessages, index.condemnedParts] {
                try transaction.clear(table)
            }
            let value = ByteBuffer()
            var number: UInt32 = 1
            while OpenFile.exists(path + "/" + PackFormat.fileName(number)) {
                let row = try addPack(number, to: &transaction, value)
                row.write(into: value)
                try transaction.put(index.packs, row.key, value.bytes)
                number += 1
            }
        }
    }

    /// Adds the blobs of one pack; returns its row.
    private func addPack(_ number: UInt32, to transaction: inout WriteTransaction, _ value: ByteBuffer) throws
        -> PackRow
    {
        let file = try OpenFile(path + "/" + PackFormat.fileName(number), O_RDONLY)
        let size = try file.size()
        let walk = PackWalk(file: file, pack: number, vault: vault, size: size)
        var row = PackRow(number: number, end: UInt32(clamping: min(size, PackFormat.headerLength)))
        var at = PackFormat.headerLength
        while at < size {
            guard let header = try walk.header(at: at) else {
                // Damage, or a torn end: what follows it is not written behind.
                guard let next = try walk.nextFrame(from: at + 1) else { break }
                row.isSealed = true
                at = next
                continue
            }
            // The end of the newest pack may be of an append that was not finished: its bytes must be there too.
            if !OpenFile.exists(path + "/" + PackFormat.fileName(number + 1)), header.kind != .directory,
                try !walk.isWhole(at: at, header), try walk.nextFrame(from: at + header.frameLength) == nil
            {
                break
            }
            let entries = try walk.table(at: at, header) ?? []
            for (position, entry) in entries.enumerated() {
                let table = index.table(header.kind)
                if try transaction.value(table, entry.digest.key) != nil { continue }
                BlobLocation(pack: number, offset: UInt32(at), entry: UInt16(position), size: entry.size)
                    .write(into: value)
                try transaction.put(table, entry.digest.key, value.bytes)
                if header.kind == .parts {
                    row.parts += 1
                    row.partBytes += entry.size
                } else {
                    row.messages += 1
                    row.messageBytes += entry.size
                }
            }
            if header.kind == .directory { row.isSealed = true } else { row.frames += 1 }
            at += header.frameLength
            row.end = UInt32(clamping: at)
        }
        return row
    }
}
