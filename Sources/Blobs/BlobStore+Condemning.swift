public import Events
internal import Glibc
internal import LMDB

// What nothing refers to is condemned first: it can still be read, and rescued, until it is swept (`BlobSweep.swift`).

extension BlobStore {
    // MARK: Marking

    /// The messages of the store that `referenced` has not; durable ones only.
    public func unreferenced(_ referenced: ReferencedDigests) throws -> [Digest] {
        try digests(in: index.messages) { !referenced.contains($0) }
    }

    /// The keys of a table that are digests `isWanted` is true of, in their order.
    private func digests(in table: Table, where isWanted: (Digest) -> Bool) throws -> [Digest] {
        try index.environment.read { transaction in
            try transaction.cursor(table) { cursor in
                var found: [Digest] = []
                while try cursor.nextPrefetching() {
                    guard cursor.key.byteCount == Digest.byteCount else { continue }
                    let digest = Digest(cursor.key)
                    if isWanted(digest) { found.append(digest) }
                }
                return found
            }
        }
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
        try eachRecipe(of: known) { referenced.insert($0) }
        referenced.settle()
        return try digests(in: parts) { !referenced.contains($0) }
    }

    /// The parts of the recipes behind `ends`, by pack, of those messages that `live` picks. Throws where a pack is damaged: what its messages
    /// are made of is not known.
    func eachRecipe(
        behind ends: [UInt32: UInt32] = [:], of live: ([FrameEntry]) throws -> [FrameEntry],
        _ body: (Digest) throws -> Void
    ) throws {
        let loader = FrameLoader()
        let decoded = ByteBuffer()
        for row in try index.allPacks() where row.end > ends[row.number] ?? 0 {
            let file = try OpenFile(path + "/" + PackFormat.fileName(row.number), O_RDONLY)
            var at = max(PackFormat.headerLength, Int(ends[row.number] ?? 0))
            while at < Int(row.end) {
                guard let header = try loader.header(file, at: at) else { throw damaged(row.number, at, "no frame") }
                defer { at += header.frameLength }
                guard header.kind == .messages else { continue }
                guard let entries = try loader.table(file, at: at, header) else {
                    throw damaged(row.number, at, "the frame's table is damaged")
                }
                let wanted = try live(entries.filter { $0.recipeLength > 0 })
                guard !wanted.isEmpty else { continue }
                if let fault = try loader.payload(file, at: at, header, into: decoded) {
                    throw damaged(row.number, at, fault)
                }
                for entry in wanted { try BlobStore.eachPart(decoded.bytes(entry.offset, entry.recipeLength), body) }
            }
        }
    }

    /// Those that the index has, and has not condemned.
    private func known(_ messages: [FrameEntry]) throws -> [FrameEntry] {
        guard !messages.isEmpty else { return [] }
        return zip(messages, try index.locations(messages.map(\.digest), .messages)).filter { $1 != nil }.map(\.0)
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
        try digests(in: index.condemnedMessages) { referenced.contains($0) }
    }

    /// Brings back messages that something refers to after all, and every part that a message needs which is in the table of messages.
    ///
    /// - Parameter ends: as far as the packs went when the parts were condemned.
    public func rescue(_ digests: [Digest], since ends: [UInt32: UInt32]) throws {
        try move(digests, from: index.condemnedMessages, to: index.messages, overwriting: false)
        var needed: [Digest] = []
        // What was rescued may lie anywhere.
        try eachRecipe(behind: digests.isEmpty ? ends : [:], of: known) { needed.append($0) }
        try move(needed, from: index.condemnedParts, to: index.parts, overwriting: false)
    }
}
