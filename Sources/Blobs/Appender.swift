internal import Events
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// The end of the newest pack: where frames are written. Guarded by the store's lock.
struct Appender: ~Copyable {
    private let path: String
    private let vault: [UInt8]
    private let packBytes: Int
    private let isReadOnly: Bool
    /// Set after a failed sync: nothing more is appended.
    var isSuspect = false
    private var lock: OpenFile?
    private var isLocked = false
    private var open: OpenPack?
    private var unsynced = UnsyncedWork()

    /// The pack that is written to.
    struct OpenPack {
        var row: PackRow
        let file: OpenFile
        /// Offset and header checksum of each frame: the directory to be.
        var directory: [(offset: UInt32, checksum: UInt32)] = []
        /// In the list of files to be synced.
        var isDirty = false
    }

    init(path: String, vault: [UInt8], packBytes: Int, readOnly: Bool) {
        self.path = path
        self.vault = vault
        // Offsets have 32 bits, and a frame may begin just below the limit.
        self.packBytes = min(packBytes, 1 << 30)
        isReadOnly = readOnly
    }

    // MARK: Beginning and ending

    /// Takes `LOCK` and finds the durable end, unless that was done already.
    mutating func begin(_ store: BlobStore) throws {
        if isSuspect { throw BlobError.suspect(path: path) }
        if isLocked { return }
        if isReadOnly { throw BlobError.unusable(path: path, reason: "opened for reading only") }
        let lock = try self.lock ?? OpenFile(path + "/LOCK", O_RDWR)
        self.lock = lock
        guard try lock.tryLock() else { throw BlobError.busy(path: path) }
        do {
            try find(store)
            isLocked = true
        } catch {
            open = nil
            lock.unlock()
            throw error
        }
    }

    /// Finds the end of the newest pack, taking in what a crash left behind it.
    private mutating func find(_ store: BlobStore) throws {
        let last = try store.index.lastPack()
        var number = last?.number ?? 0
        if let last, !last.isSealed {
            if let open, open.row == last {
                // Nobody has appended since: the pack is as we left it, or has a tail of an append that failed.
                if try open.file.size() == Int(last.end), !OpenFile.exists(path + "/" + PackFormat.fileName(number + 1))
                {
                    return
                }
            }
            open = nil
            try recover(last, store)
        } else {
            open = nil
        }
        // Packs the index does not know: begun before a crash, or forgotten by an index that fell back.
        while OpenFile.exists(path + "/" + PackFormat.fileName(number + 1)) {
            if open != nil { try close() }
            number += 1
            try recover(PackRow(number: number, end: 0), store)
        }
        nextNumber = number + 1
    }

    /// Gives back the right to append when nothing waits for a sync.
    mutating func endIfIdle() {
        guard isLocked, unsynced.files.isEmpty, unsynced.packs.isEmpty else { return }
        isLocked = false
        lock?.unlock()
    }

    /// Hands over all that waits for a sync; nil when nothing does.
    mutating func takeUnsynced() throws(BlobError) -> UnsyncedWork? {
        if isSuspect { throw .suspect(path: path) }
        guard !unsynced.files.isEmpty || !unsynced.packs.isEmpty else {
            endIfIdle()
            return nil
        }
        var work = UnsyncedWork()
        swap(&work, &unsynced)
        if let open, open.isDirty { work.packs.append(open.row) }
        open?.isDirty = false
        return work
    }

    private mutating func markDirty() {
        guard var pack = open, !pack.isDirty else { return }
        pack.isDirty = true
        unsynced.files.append(pack.file)
        open = pack
    }

    // MARK: Appending

    mutating func append(_ batch: EncodedBatch, to store: BlobStore) throws {
        let isWanted = try wantedFrames(batch, store)
        var number = 0
        while number < batch.frames.count {
            guard isWanted[number] else {
                number += 1
                continue
            }
            try makeRoom(for: batch.frames[number].length)
            guard let pack = open else { throw BlobError.suspect(path: path) }
            // As many of the following frames as are wanted and have room go in one write.
            let first = number
            var length = 0
            while number < batch.frames.count, isWanted[number],
                length == 0 || Int(pack.row.end) + length + batch.frames[number].length <= packBytes
            {
                length += batch.frames[number].length
                number += 1
            }
            let start = batch.frames[first].offset
            let storage = unsafe batch.storage
            markDirty()
            do { try pack.file.write(storage.bytes(start, length), at: Int(pack.row.end)) } catch {
                // What was written of it counts for nothing; if it cannot be cut now, the next opening will do it.
                try? pack.file.truncate(to: Int(pack.row.end))
                throw error
            }
            let base = pack.row.end
            for frame in batch.frames[first..<number] {
                try add(frame, at: base + UInt32(frame.offset - start), store)
            }
        }
    }

    /// Which frames have anything the store has not: another encoder may have been first.
    private func wantedFrames(_ batch: EncodedBatch, _ store: BlobStore) throws -> [Bool] {
        var wanted: [Bool] = []
        for kind in [FrameKind.messages, .parts] {
            var digests: [Digest] = []
            for frame in batch.frames where frame.kind == kind { digests += frame.entries.map(\.digest) }
            let known = try store.known(digests, kind)
            var position = 0
            if wanted.isEmpty { wanted = Array(repeating: true, count: batch.frames.count) }
            for (number, frame) in batch.frames.enumerated() where frame.kind == kind {
                wanted[number] = known[position..<position + frame.entries.count].contains(false)
                position += frame.entries.count
            }
        }
        return wanted
    }

    /// Counts a frame that was written at `offset`: its new blobs can be found from now on.
    private mutating func add(_ frame: EncodedFrame, at offset: UInt32, _ store: BlobStore) throws {
        guard var pack = open else { return }
        let known = try store.known(frame.entries.map(\.digest), frame.kind)
        var rows: [PendingRow] = []
        for (number, entry) in frame.entries.enumerated() where !known[number] {
            let location = BlobLocation(
                pack: pack.row.number, offset: offset, entry: UInt16(number), size: entry.size)
            rows.append(PendingRow(kind: frame.kind, digest: entry.digest, location: location))
            if frame.kind == .messages {
                pack.row.messages += 1
                pack.row.messageBytes += entry.size
            } else {
                pack.row.parts += 1
                pack.row.partBytes += entry.size
            }
        }
        pack.row.frames += 1
        pack.row.end = offset + UInt32(frame.length)
        pack.directory.append((offset, frame.headerChecksum))
        open = pack
        store.pending.withLock { pending in
            for row in rows { pending.insert(row) }
        }
        unsynced.rows += rows
    }

    /// Ends the pack if it is the one that is written to: it is about to be swept.
    mutating func seal(pack number: UInt32) throws {
        guard let pack = open, pack.row.number == number else { return }
        if !pack.directory.isEmpty { try seal() }
    }

    /// Writes a frame of entries that lie in an older pack, and points the index at it. Who calls has begun to append and goes on to
    /// sync; nobody else writes meanwhile.
    mutating func append(
        _ moved: FrameMover.Moved, _ bytes: RawSpan, from old: UInt32, to store: BlobStore
    ) throws {
        let frame = moved.frame
        try makeRoom(for: frame.length)
        guard var pack = open, pack.row.number != old, var source = try source(old, store) else {
            throw BlobError.suspect(path: path)
        }
        markDirty()
        let offset = pack.row.end
        do { try pack.file.write(bytes, at: Int(offset)) } catch {
            // As after any append that failed: what was written of it counts for nothing.
            try? pack.file.truncate(to: Int(offset))
            throw error
        }
        let places = try store.index.locations(frame.entries.map(\.digest), frame.kind)
        var rows: [PendingRow] = []
        for (number, entry) in frame.entries.enumerated() {
            let from = moved.sources[number]
            // Condemned or stored anew since it was looked at: then the index does not lead here.
            guard let place = places[number], place.pack == old, Int(place.offset) == from.offset,
                Int(place.entry) == from.entry
            else { continue }
            let location = BlobLocation(
                pack: pack.row.number, offset: offset, entry: UInt16(number), size: entry.size)
            rows.append(PendingRow(kind: frame.kind, digest: entry.digest, location: location))
            if frame.kind == .messages {
                pack.row.messages += 1
                pack.row.messageBytes += entry.size
                source.messages -= 1
                source.messageBytes -= entry.size
            } else {
                pack.row.parts += 1
                pack.row.partBytes += entry.size
                source.parts -= 1
                source.partBytes -= entry.size
            }
        }
        pack.row.frames += 1
        pack.row.end = offset + UInt32(frame.length)
        pack.directory.append((offset, frame.headerChecksum))
        pack.isDirty = true
        open = pack
        unsynced.packs.removeAll { $0.number == old }
        unsynced.packs.append(source)
        store.pending.withLock { pending in
            for row in rows { pending.insert(row) }
        }
        unsynced.rows += rows
    }

    /// The row of the pack that frames come from, as it will be.
    private func source(_ number: UInt32, _ store: BlobStore) throws -> PackRow? {
        try unsynced.packs.first { $0.number == number } ?? store.index.pack(number)
    }

    private mutating func makeRoom(for length: Int) throws {
        if let pack = open {
            if pack.directory.isEmpty || Int(pack.row.end) + length <= packBytes { return }
            try seal()
        }
        let number = nextNumber
        let name = path + "/" + PackFormat.fileName(number)
        let file = try OpenFile(name, O_RDWR | O_CREAT | O_EXCL)
        do { try file.write(PackFormat.header(pack: number, vault: vault).bytes, at: 0) } catch {
            // Just made, empty, and in the way of the next attempt.
            unsafe _ = unlink(name)
            throw error
        }
        unsynced.isDirectoryNew = true
        open = OpenPack(row: PackRow(number: number, end: UInt32(PackFormat.headerLength)), file: file)
        nextNumber = number + 1
        markDirty()
    }

    /// Number of the next new pack.
    private var nextNumber: UInt32 = 1

    /// Writes the directory; the pack is never written to again.
    private mutating func seal() throws {
        guard let pack = open else { return }
        let frame = ByteBuffer(capacity: FrameHeader.length + pack.directory.count * 8)
        frame.append(zeros: FrameHeader.length)
        for entry in pack.directory {
            frame.append(entry.offset)
            frame.append(entry.checksum)
        }
        let length = frame.count - FrameHeader.length
        let header = FrameHeader(
            kind: .directory, isCompressed: false, entryCount: 0, rawLength: length, storedLength: length,
            tableChecksum: 0, payloadChecksum: PackFormat.checksum(frame.bytes(FrameHeader.length, length)))
        header.write(into: frame, at: 0)
        markDirty()
        try pack.file.write(frame.bytes, at: Int(pack.row.end))
        open?.row.end += UInt32(frame.count)
        try close()
    }

    /// Leaves the open pack as it is, for good.
    private mutating func close() throws {
        markDirty()
        guard var pack = open else { return }
        pack.row.isSealed = true
        unsynced.packs.append(pack.row)
        nextNumber = pack.row.number + 1
        open = nil
    }

    // MARK: Recovery

    /// Opens a pack for appending and takes in the whole frames behind its durable end.
    private mutating func recover(_ row: PackRow, _ store: BlobStore) throws {
        let name = path + "/" + PackFormat.fileName(row.number)
        nextNumber = row.number + 1
        let file = try OpenFile(name, O_RDWR)
        let size = try file.size()
        var pack = OpenPack(row: row, file: file)
        guard size >= Int(row.end) else {
            throw BlobError.damaged(
                nil, pack: row.number, offset: UInt64(size), reason: "the pack is shorter than its durable part")
        }
        let walk = PackWalk(file: file, pack: row.number, vault: vault, size: size)
        if row.end == 0 {
            // A pack without a row: with a header it is one, else it was only begun.
            if try walk.headerFault() != nil {
                guard try walk.nextFrame(from: 0) == nil else {
                    open = pack
                    return try close()
                }
                try file.truncate(to: 0)
                try file.write(PackFormat.header(pack: row.number, vault: vault).bytes, at: 0)
                pack.row.end = UInt32(PackFormat.headerLength)
                open = pack
                unsynced.isDirectoryNew = true
                return markDirty()
            }
            pack.row.end = UInt32(PackFormat.headerLength)
            unsynced.isDirectoryNew = true
        }
        // The directory of the durable part.
        var at = PackFormat.headerLength
        while at < Int(pack.row.end), let header = try walk.header(at: at) {
            pack.directory.append((UInt32(at), walk.lastChecksum))
            at += header.frameLength
        }
        open = pack
        guard at == Int(pack.row.end) else {
            // Damage in the durable part is for the check to name; here nothing more is written behind it.
            return try close()
        }
        if row.end == 0 || at < size { markDirty() }
        while at < size, let header = try walk.header(at: at) {
            guard let entries = try walk.verifiedEntries(at: at, header, in: store) else { break }
            if header.kind == .directory {
                open?.row.end = UInt32(at + header.frameLength)
                return try close()
            }
            let frame = EncodedFrame(
                kind: header.kind, offset: 0, length: header.frameLength, headerChecksum: walk.lastChecksum,
                entries: entries)
            try add(frame, at: UInt32(at), store)
            at += header.frameLength
        }
        if at == size { return }
        if try walk.nextFrame(from: at) != nil { return try close() }
        try file.truncate(to: at)
    }
}
