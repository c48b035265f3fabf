internal import Events
internal import Files
internal import SystemPackage

/// Turns a full raw segment into a sealed one: compressed blocks of whole records.
enum SegmentSealer {
    static func seal(_ entry: SegmentDirectory.Entry, in directory: SegmentDirectory) throws {
        let sealed = directory.file(entry.first, .sealed)
        let temporary = sealed.removingLastComponent().appending("sealing")
        if Directory.exists(temporary) { try Directory.removeFile(temporary) }
        try write(entry, to: temporary)
        try compare(entry, SegmentDirectory.Entry(first: entry.first, shape: .sealed, path: temporary))
        try Directory.rename(temporary, to: sealed)
        try Directory.sync(directory.path)
        try Directory.removeFile(entry.path)
        try Directory.sync(directory.path)
    }

    /// Writes a sealed segment of the records of `entry`, each as it is or as `replacing` has it.
    static func write(
        _ entry: SegmentDirectory.Entry, to path: FilePath, replacing: (RecordView) throws -> [UInt8]? = { _ in nil }
    ) throws {
        var cursor = try SegmentCursor(entry)
        let file = try File(path, .create)
        var offset = 0
        func put(_ bytes: [UInt8]) throws {
            try file.write(bytes.span.bytes, at: offset)
            offset += bytes.count
        }
        try put(cursor.header.encoded(magic: SegmentHeader.sealedMagic))
        var block = ByteWriter(capacity: SealedBlock.targetSize * 2)
        var count = 0
        var first = entry.first
        var next = entry.first
        func flush() throws {
            guard count > 0 else { return }
            guard let encoded = SealedBlock.encode(block.span, count: count, first: first) else {
                throw FileError(.noMemory, "compress", entry.path)
            }
            try put(encoded)
            block.removeAll()
            count = 0
            first = next
        }
        while try cursor.next() {
            let record = try cursor.record
            if let other = try replacing(record) { block.raw(other.span.bytes) } else { block.raw(record.bytes) }
            count += 1
            next = record.id.next
            if block.count >= SealedBlock.targetSize { try flush() }
        }
        try flush()
        try put(SealedBlock.end(next: next))
        try file.sync()
    }

    /// Decodes the sealed shape and holds it against the raw one, record by record.
    static func compare(
        _ raw: SegmentDirectory.Entry, _ sealed: SegmentDirectory.Entry,
        replacing: (RecordView) throws -> [UInt8]? = { _ in nil }
    ) throws {
        var left = try SegmentCursor(raw)
        var right = try SegmentCursor(sealed)
        while true {
            let more = (try left.next(), try right.next())
            guard more.0 == more.1 else {
                throw JournalError.damaged(JournalFinding(file: sealed.name, reason: .copiesDiffer))
            }
            if !more.0 { return }
            let found = try right.record
            let same =
                if let other = try replacing(try left.record) {
                    found.bytes.withUnsafeBytes { $0.elementsEqual(other) }
                } else {
                    try left.record.bytes.withUnsafeBytes { one in
                        found.bytes.withUnsafeBytes { other in one.elementsEqual(other) }
                    }
                }
            guard same else { throw JournalError.damaged(JournalFinding(file: sealed.name, reason: .copiesDiffer)) }
        }
    }
}
