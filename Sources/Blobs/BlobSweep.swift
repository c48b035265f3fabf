public import Events
internal import Glibc
internal import LMDB
internal import Synchronization

/// What sweeping the store would give back, or has given back.
public struct BlobSweepReport: Hashable, Sendable {
    /// Messages and parts that nothing refers to any more, and their raw bytes.
    public var messages = 0
    public var parts = 0
    public var rawBytes: UInt64 = 0
    /// Packs to be written anew, and the bytes on the disk that come back: what they have now, less what of it is moved.
    public var packs = 0
    public var bytes = 0
    /// Bytes of the condemned in packs that have too little of them to be worth the writing.
    public var waitingBytes = 0
    /// Packs that were left alone because something in them is damaged.
    public var damagedPacks: [String] = []

    public init() {}
}

extension BlobStore {
    /// A pack of which less than this is dead is left as it is, until more of it is.
    static let smallestShare = 0.05

    /// Writes the packs anew that have condemned blobs in them, without these; what is left of them goes behind the newest pack.
    ///
    /// - Parameters:
    ///   - everything: also packs with very little of them.
    ///   - exclusively: runs its argument while nobody else appends.
    public func sweep(
        everything: Bool, exclusively: (() throws -> Void) throws -> Void,
        progress: (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
    ) throws -> BlobSweepReport {
        var report = BlobSweepReport()
        for row in try index.allPacks() {
            let pack = try sweepPlan(row, dead: nil)
            report.add(pack)
            if let fault = pack.fault {
                report.damagedPacks.append("\(PackFormat.fileName(row.number)): \(fault)")
                continue
            }
            guard pack.isWorthIt(everything) else {
                report.waitingBytes += pack.deadBytes
                continue
            }
            report.packs += 1
            report.bytes += try rewrite(row.number, exclusively)
            try progress(Int(row.number), try index.allPacks().count)
        }
        return report
    }

    /// What ``sweep(everything:exclusively:progress:)`` would do if these messages were condemned as well.
    public func sweepEstimate(_ dead: [Digest], everything: Bool) throws -> BlobSweepReport {
        var report = BlobSweepReport()
        var deadSet = ReferencedDigests()
        for digest in dead { deadSet.insert(digest) }
        deadSet.settle()
        // The parts that only they refer to: those of all others stay.
        var needed = ReferencedDigests()
        func stays(_ message: FrameEntry) -> Bool { !deadSet.contains(message.digest) }
        try eachRecipe(of: { $0.filter(stays) }, { needed.insert($0) })
        needed.settle()
        for row in try index.allPacks() {
            let pack = try sweepPlan(row, dead: (deadSet, needed))
            report.add(pack)
            guard pack.fault == nil, pack.isWorthIt(everything) else {
                report.waitingBytes += pack.deadBytes
                continue
            }
            report.packs += 1
            report.bytes += pack.deadBytes
        }
        return report
    }

    func damaged(_ pack: UInt32, _ offset: Int, _ reason: String) -> BlobError {
        .damaged(nil, pack: pack, offset: UInt64(offset), reason: reason)
    }
}

extension BlobSweepReport {
    fileprivate mutating func add(_ pack: PackSweep) {
        messages += pack.deadMessages
        parts += pack.deadParts
        rawBytes += pack.deadRawBytes
    }
}

/// What of one pack is dead.
struct PackSweep {
    var row: PackRow
    var deadMessages = 0
    var deadParts = 0
    var deadRawBytes: UInt64 = 0
    /// Of its bytes on the disk, as far as can be told without compressing what stays.
    var deadBytes = 0
    var fault: String?

    func isWorthIt(_ everything: Bool) -> Bool {
        guard deadBytes > 0 else { return false }
        return everything || Double(deadBytes) >= BlobStore.smallestShare * Double(row.end)
    }
}

extension BlobStore {
    /// Whether the entry's row is in the index: as one that is referred to, as one that is condemned, or not (its blob is elsewhere).
    private enum Standing { case live, condemned, elsewhere }

    private func standings(
        _ entries: [FrameEntry], _ kind: FrameKind, pack: UInt32, offset: Int
    ) throws -> [Standing] {
        let digests = entries.map(\.digest)
        let live = try index.locations(digests, kind)
        let condemned = try index.condemnedLocations(digests, kind)
        return entries.indices.map { number in
            func isHere(_ place: BlobLocation?) -> Bool {
                place.map { $0.pack == pack && Int($0.offset) == offset && Int($0.entry) == number } ?? false
            }
            if isHere(live[number]) { return .live }
            return isHere(condemned[number]) ? .condemned : .elsewhere
        }
    }

    /// Goes through the tables of a pack. `dead`: messages that count as condemned, and the parts that do not.
    private func sweepPlan(
        _ row: PackRow, dead: (messages: ReferencedDigests, neededParts: ReferencedDigests)?
    ) throws -> PackSweep {
        var plan = PackSweep(row: row)
        let file = try OpenFile(path + "/" + PackFormat.fileName(row.number), O_RDONLY)
        let loader = FrameLoader()
        var at = PackFormat.headerLength
        while at < Int(row.end) {
            guard let header = try loader.header(file, at: at), let entries = try loader.table(file, at: at, header)
            else {
                plan.fault = "no whole frame at byte \(at)"
                return plan
            }
            defer { at += header.frameLength }
            guard header.kind == .messages || header.kind == .parts else { continue }
            let standings = try standings(entries, header.kind, pack: row.number, offset: at)
            var (deadLength, liveCount) = (0, 0)
            for (entry, standing) in zip(entries, standings) {
                var isDead = standing != .live
                if !isDead, let dead {
                    isDead =
                        header.kind == .messages
                        ? dead.messages.contains(entry.digest) : !dead.neededParts.contains(entry.digest)
                }
                guard isDead else {
                    liveCount += 1
                    continue
                }
                deadLength += entry.length
                if standing == .elsewhere { continue }
                if header.kind == .messages { plan.deadMessages += 1 } else { plan.deadParts += 1 }
                plan.deadRawBytes += entry.size
            }
            if liveCount == 0 {
                plan.deadBytes += header.frameLength
            } else if deadLength > 0 {
                // What stays is compressed anew, and a little worse for lack of its neighbours.
                let share = Double(deadLength) / Double(max(header.rawLength, 1))
                plan.deadBytes +=
                    Int(Double(header.storedLength) * share * 0.9) + (entries.count - liveCount) * FrameEntry.length
            }
        }
        return plan
    }

    /// Moves what is live of a pack behind the newest one, then replaces the pack by an empty one. Returns the bytes that came back.
    private func rewrite(_ number: UInt32, _ exclusively: (() throws -> Void) throws -> Void) throws -> Int {
        // Frames go behind the newest pack: that is not the one they come from.
        try exclusively {
            try appender.withLock { appender in
                try appender.begin(self)
                try appender.seal(pack: number)
            }
            try sync()
        }
        guard let row = try index.pack(number), row.isSealed else { return 0 }
        let file = try OpenFile(path + "/" + PackFormat.fileName(number), O_RDONLY)
        let loader = FrameLoader()
        let mover = FrameMover(store: self)
        var moved = 0
        var at = PackFormat.headerLength
        func flush() throws {
            guard !mover.isEmpty else { return }
            try exclusively {
                moved += try appender.withLock { appender in
                    try appender.begin(self)
                    return try mover.append(to: &appender, from: number)
                }
                try sync()
            }
        }
        while at < Int(row.end) {
            guard let header = try loader.header(file, at: at), let entries = try loader.table(file, at: at, header)
            else { throw damaged(number, at, "no whole frame") }
            defer { at += header.frameLength }
            guard header.kind == .messages || header.kind == .parts else { continue }
            let standings = try standings(entries, header.kind, pack: number, offset: at)
            let live = entries.indices.filter { standings[$0] == .live }
            guard !live.isEmpty else { continue }
            try mover.add(file, at: at, header, entries, live, loader)
            if mover.storedBytes >= 8 << 20 { try flush() }
        }
        try mover.finish()
        try flush()
        let empty = try empty(row, file)
        return Int(row.end) - moved - empty
    }

    /// Puts an empty pack in the place of one of which nothing is referred to any more; returns its length.
    private func empty(_ row: PackRow, _ file: OpenFile) throws -> Int {
        let bytes = PackFormat.emptyPack(row.number, vault: vault)
        let name = path + "/" + PackFormat.fileName(row.number)
        let beside = path + "/packs/sweeping"
        unsafe _ = unlink(beside)
        let fresh = try OpenFile(beside, O_RDWR | O_CREAT | O_EXCL)
        try fresh.write(bytes.bytes, at: 0)
        try fresh.syncData()
        // The index first: it is what says where a blob is. A file that is longer than it says is emptied by the next sweep.
        let loader = FrameLoader()
        var digests: [(FrameKind, Digest)] = []
        var at = PackFormat.headerLength
        while at < Int(row.end), let header = try loader.header(file, at: at) {
            if header.kind == .messages || header.kind == .parts {
                for entry in try loader.table(file, at: at, header) ?? [] {
                    digests.append((header.kind, entry.digest))
                }
            }
            at += header.frameLength
        }
        try index.environment.write { transaction in
            let value = ByteBuffer()
            for (kind, digest) in digests {
                let key = digest.key
                if let place = try transaction.value(index.table(kind), key),
                    BlobLocation(value: place)?.pack == row.number
                {
                    throw damaged(row.number, 0, "a blob was to stay in it")
                }
                var isCondemnedHere = false
                if let place = try transaction.value(index.condemned(kind), key) {
                    isCondemnedHere = BlobLocation(value: place)?.pack == row.number
                }
                if isCondemnedHere { try transaction.delete(index.condemned(kind), key) }
            }
            var emptied = PackRow(number: row.number, end: UInt32(bytes.count))
            emptied.isSealed = true
            emptied.write(into: value)
            try transaction.put(index.packs, emptied.key, value.bytes)
        }
        guard unsafe rename(beside, name) == 0 else {
            throw BlobError.system(operation: "rename", path: beside, errno: errno)
        }
        try OpenFile.syncDirectory(path + "/packs")
        return bytes.count
    }

    /// Ends what a sweep that was killed has begun: packs that the index knows to be empty, and are not yet.
    public func finishSweep() throws {
        for row in try index.allPacks() where row.isSealed && row.frames == 0 && Int(row.end) == PackFormat.emptyLength
        {
            let name = path + "/" + PackFormat.fileName(row.number)
            guard try OpenFile(name, O_RDONLY).size() > Int(row.end) else { continue }
            let beside = path + "/packs/sweeping"
            unsafe _ = unlink(beside)
            let fresh = try OpenFile(beside, O_RDWR | O_CREAT | O_EXCL)
            try fresh.write(PackFormat.emptyPack(row.number, vault: vault).bytes, at: 0)
            try fresh.syncData()
            guard unsafe rename(beside, name) == 0 else {
                throw BlobError.system(operation: "rename", path: beside, errno: errno)
            }
            try OpenFile.syncDirectory(path + "/packs")
        }
    }
}

extension PackFormat {
    /// Header and a directory of nothing.
    static let emptyLength = headerLength + FrameHeader.length

    static func emptyPack(_ number: UInt32, vault: [UInt8]) -> ByteBuffer {
        let pack = header(pack: number, vault: vault)
        let start = pack.count
        pack.append(zeros: FrameHeader.length)
        FrameHeader(
            kind: .directory, isCompressed: false, entryCount: 0, rawLength: 0, storedLength: 0, tableChecksum: 0,
            payloadChecksum: 0
        ).write(into: pack, at: start)
        return pack
    }
}
