public import Events
internal import LMDB
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// The digests that something refers to: eight bytes of each, sorted. Two with the same eight bytes are kept both, never swept both.
public struct ReferencedDigests: Sendable {
    private var sorted: [UInt64] = []
    private var fresh: [UInt64] = []

    public init() {}

    public var count: Int { sorted.count + fresh.count }

    public mutating func insert(_ digest: Digest) {
        fresh.append(ReferencedDigests.prefix(digest))
        if fresh.count >= max(1 << 16, sorted.count / 2) { settle() }
    }

    /// Must be called behind the last ``insert(_:)``.
    public mutating func settle() {
        guard !fresh.isEmpty else { return }
        sorted += fresh
        fresh = []
        sorted.sort()
        var kept = 0
        for index in sorted.indices where index == 0 || sorted[index] != sorted[kept - 1] {
            sorted[kept] = sorted[index]
            kept += 1
        }
        sorted.removeLast(sorted.count - kept)
    }

    public func contains(_ digest: Digest) -> Bool {
        let wanted = ReferencedDigests.prefix(digest)
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == wanted
    }

    private static func prefix(_ digest: Digest) -> UInt64 {
        unsafe digest.withBytes { UInt64(bigEndian: unsafe $0.loadUnaligned(as: UInt64.self)) }
    }
}

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

    // MARK: Marking

    /// The messages of the store that `referenced` has not; durable ones only.
    public func unreferenced(_ referenced: ReferencedDigests) throws -> [Digest] {
        var dead: [Digest] = []
        let table = index.messages
        try index.environment.read { transaction in
            try transaction.cursor(table) { cursor in
                while try cursor.nextPrefetching() {
                    guard cursor.key.byteCount == Digest.byteCount else { continue }
                    let digest = Digest(cursor.key)
                    if !referenced.contains(digest) { dead.append(digest) }
                }
            }
        }
        return dead
    }

    /// How far each pack goes now.
    public func packEnds() throws -> [UInt32: UInt32] {
        Dictionary(uniqueKeysWithValues: try index.allPacks().map { ($0.number, $0.end) })
    }

    /// Takes these messages out of the index's table of messages, and the parts that no other message refers to out of that of parts:
    /// from now on an encoder stores them anew. They can still be read, and ``rescue(_:)`` brings them back.
    ///
    /// Only one may do this at a time, in all processes.
    public func condemn(_ dead: [Digest]) throws {
        try move(dead, from: index.messages, to: index.condemnedMessages, overwriting: true)
        try move(try deadParts(), from: index.parts, to: index.condemnedParts, overwriting: true)
    }

    private func move(_ digests: [Digest], from source: Table, to target: Table, overwriting: Bool) throws {
        var rest = digests.sorted()[...]
        while !rest.isEmpty {
            let part = rest.prefix(8_192)
            rest = rest.dropFirst(part.count)
            try index.environment.write { transaction in
                let value = ByteBuffer()
                for digest in part {
                    let key = digest.key
                    value.removeAll()
                    if let row = try transaction.value(source, key) { value.append(row) }
                    if value.count == 0 { continue }
                    // Stored anew meanwhile: the old copy goes.
                    if !overwriting, try transaction.value(target, key) != nil { continue }
                    try transaction.put(target, key, value.bytes)
                    try transaction.delete(source, key)
                }
            }
        }
    }

    /// The parts that no message in the table of messages refers to.
    private func deadParts() throws -> [Digest] {
        let parts = index.parts
        let count = try index.environment.read { try $0.count(parts) }
        guard count > 0 else { return [] }
        var referenced = ReferencedDigests()
        try eachRecipe(behind: [:]) { referenced.insert($0) }
        referenced.settle()
        var dead: [Digest] = []
        try index.environment.read { transaction in
            try transaction.cursor(parts) { cursor in
                while try cursor.nextPrefetching() {
                    let digest = Digest(cursor.key)
                    if !referenced.contains(digest) { dead.append(digest) }
                }
            }
        }
        return dead
    }

    /// The parts named by the recipes of messages that the table of messages has, in frames behind `ends`.
    private func eachRecipe(behind ends: [UInt32: UInt32], _ body: (Digest) throws -> Void) throws {
        let loader = FrameLoader()
        let decoded = ByteBuffer()
        for row in try index.allPacks() where row.end > ends[row.number] ?? 0 {
            let name = path + "/" + PackFormat.fileName(row.number)
            let file = try OpenFile(name, O_RDONLY)
            var at = max(PackFormat.headerLength, Int(ends[row.number] ?? 0))
            while at < Int(row.end) {
                guard let header = try loader.header(file, at: at) else { throw damaged(row.number, at, "no frame") }
                defer { at += header.frameLength }
                guard header.kind == .messages else { continue }
                guard let entries = try loader.table(file, at: at, header) else {
                    throw damaged(row.number, at, "the frame's table is damaged")
                }
                let withRecipe = entries.enumerated().filter { $0.element.recipeLength > 0 }
                guard !withRecipe.isEmpty else { continue }
                let places = try index.locations(withRecipe.map(\.element.digest), .messages)
                let live = zip(withRecipe, places).filter { $1 != nil }.map(\.0.element)
                guard !live.isEmpty else { continue }
                if let fault = try loader.payload(file, at: at, header, into: decoded) {
                    throw damaged(row.number, at, fault)
                }
                for entry in live { try BlobStore.eachPart(decoded.bytes(entry.offset, entry.recipeLength), body) }
            }
        }
    }

    /// The parts a recipe is made of, in order.
    static func eachPart(_ recipe: RawSpan, _ body: (Digest) throws -> Void) throws {
        var parser = RecipeParser(recipe)
        while let operation = parser.next() {
            switch operation {
            case .literal: break
            case .raw(let count, let digests), .base64(let count, _, _, _, let digests):
                for number in 0..<RecipeOperation.partCount(count) {
                    try body(parser.digest(at: digests + number * Digest.byteCount))
                }
            }
        }
    }

    private func damaged(_ pack: UInt32, _ offset: Int, _ reason: String) -> BlobError {
        .damaged(nil, pack: pack, offset: UInt64(offset), reason: reason)
    }

    // MARK: Rescuing

    /// Whether anything is condemned.
    public func hasCondemned() throws -> Bool {
        let (messages, parts) = (index.condemnedMessages, index.condemnedParts)
        return try index.environment.read { try $0.count(messages) + $0.count(parts) > 0 }
    }

    /// Which of these messages are condemned.
    public func condemned(among digests: [Digest]) throws -> [Digest] {
        let table = index.condemnedMessages
        return try index.environment.read { transaction in
            try digests.filter { try transaction.value(table, $0.key) != nil }
        }
    }

    /// The condemned messages that `referenced` has.
    public func condemned(in referenced: ReferencedDigests) throws -> [Digest] {
        var found: [Digest] = []
        let table = index.condemnedMessages
        try index.environment.read { transaction in
            try transaction.cursor(table) { cursor in
                while try cursor.nextPrefetching() {
                    let digest = Digest(cursor.key)
                    if referenced.contains(digest) { found.append(digest) }
                }
            }
        }
        return found
    }

    /// Brings back messages that something refers to after all, and every part that a message needs which is in the table of messages.
    ///
    /// - Parameter ends: as far as the packs went when the parts were condemned.
    public func rescue(_ digests: [Digest], since ends: [UInt32: UInt32]) throws {
        try move(digests, from: index.condemnedMessages, to: index.messages, overwriting: false)
        var needed: [Digest] = []
        // What was rescued may lie anywhere.
        try eachRecipe(behind: digests.isEmpty ? ends : [:]) { needed.append($0) }
        try move(needed, from: index.condemnedParts, to: index.parts, overwriting: false)
    }

    // MARK: Sweeping

    /// Writes the packs anew that have condemned blobs in them, without these; what is left of them goes behind the newest pack.
    ///
    /// - Parameters:
    ///   - everything: also packs with very little of them.
    ///   - exclusively: runs its argument while nobody else appends.
    ///   - dryRun: changes nothing; `dead` are the messages that would be condemned.
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
        try eachRecipe(behind: [:], except: deadSet) { needed.insert($0) }
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

    private func eachRecipe(
        behind ends: [UInt32: UInt32], except dead: ReferencedDigests, _ body: (Digest) throws -> Void
    ) throws {
        let loader = FrameLoader()
        let decoded = ByteBuffer()
        for row in try index.allPacks() {
            let file = try OpenFile(path + "/" + PackFormat.fileName(row.number), O_RDONLY)
            var at = PackFormat.headerLength
            while at < Int(row.end) {
                guard let header = try loader.header(file, at: at) else { throw damaged(row.number, at, "no frame") }
                defer { at += header.frameLength }
                guard header.kind == .messages, let entries = try loader.table(file, at: at, header) else { continue }
                let live = entries.filter { $0.recipeLength > 0 && !dead.contains($0.digest) }
                guard !live.isEmpty else { continue }
                if let fault = try loader.payload(file, at: at, header, into: decoded) {
                    throw damaged(row.number, at, fault)
                }
                for entry in live { try BlobStore.eachPart(decoded.bytes(entry.offset, entry.recipeLength), body) }
            }
        }
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
