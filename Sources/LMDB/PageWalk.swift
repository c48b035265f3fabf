internal import Glibc

/// A page of an environment's file that is not what it must be.
public struct PageFinding: Hashable, Sendable, CustomStringConvertible {
    /// The table the page belongs to, where that is known.
    public let table: String?
    /// The page's number: it lies at 4,096 times that.
    public let page: UInt64
    public let reason: String

    /// Where it lies; the largest number there is for a page that no file can have.
    public var offset: Int {
        let place = Int(clamping: page).multipliedReportingOverflow(by: Inspection.pageSize)
        return place.overflow ? .max : place.partialValue
    }

    public var description: String {
        "page \(page)\(table.map { " of \($0)" } ?? ""): \(reason)"
    }
}

/// Goes through all pages of an environment's newest snapshot by `pread`: never through the map, so that what is damaged
/// is a finding here and not the end of the process (`Specs/Format/LMDB.md`, "Verification").
///
/// What it calls sound LMDB can read: each page is what its parent says, its nodes lie in it without gaps, all keys ascend
/// within the bounds that the branch pages give them (so that a look-up finds what a cursor finds), the counts are right, and
/// no page is in use twice, or in use and free.
public enum PageWalk {
    /// Walks the environment in `directory`, whose tables must be `tables`; those of them that are `optional` may be missing. `row` may say what is wrong with a row.
    ///
    /// Others may be writing: when they have moved on so far that pages may have been used again, it begins anew, a few times.
    public static func verify(
        _ directory: String, tables: [String], optional: [String] = [],
        row: (_ table: String, _ key: RawSpan, _ value: RawSpan) -> String? = { _, _, _ in nil }
    ) -> [PageFinding] {
        walk(directory, tables, optional, snapshot: nil, row)
            ?? [PageFinding(table: nil, page: 0, reason: "its meta pages cannot be read")]
    }

    /// The findings of the newest snapshot, or of `snapshot`; nil when its meta page has been written over meanwhile.
    static func walk(
        _ directory: String, _ tables: [String], _ optional: [String], snapshot: UInt64?,
        _ row: (String, RawSpan, RawSpan) -> String?
    ) -> [PageFinding]? {
        var findings: [PageFinding] = []
        for _ in 0..<5 {
            let descriptor = unsafe open(directory + "/data.mdb", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                return [PageFinding(table: nil, page: 0, reason: "the file cannot be opened (errno \(errno))")]
            }
            defer { close(descriptor) }
            // What the disk has, not what the kernel remembers of it.
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            if case .damaged(let why) = Inspection(of: directory) {
                return [PageFinding(table: nil, page: 0, reason: why)]
            }
            guard let meta = newest(descriptor, snapshot) else { return nil }
            var walker = Walker(descriptor: descriptor, meta: meta)
            walker.run(tables, optional, row)
            findings = walker.findings
            if findings.isEmpty || snapshot != nil { return findings }
            // A page of this snapshot is written to again by the third commit behind it at the earliest.
            if let now = newest(descriptor, nil), now.transaction <= meta.transaction + 1 { return findings }
        }
        return findings
    }

    /// Bytes to be read by a walk.
    public static func size(_ directory: String) -> Int {
        var found = stat()
        return unsafe stat(directory + "/data.mdb", &found) == 0 ? Int(found.st_size) : 0
    }

    /// The meta page of `snapshot`, or the newer one.
    private static func newest(_ descriptor: Int32, _ snapshot: UInt64?) -> MetaPage? {
        guard let bytes = readFully(descriptor, 0, 2 * Inspection.pageSize) else { return nil }
        let span = unsafe bytes.span.bytes
        let pages = [0, Inspection.pageSize].compactMap { MetaPage(span.extracting($0..<$0 + Inspection.pageSize)) }
        if let snapshot { return pages.first { $0.transaction == snapshot } }
        return pages.max { $0.transaction < $1.transaction }
    }
}

/// All of it, or nil.
func readFully(_ descriptor: Int32, _ offset: Int, _ count: Int) -> [UInt8]? {
    var done = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        while done < count {
            let got = unsafe pread(descriptor, buffer.baseAddress! + done, count - done, off_t(offset + done))
            if got < 0 && errno == EINTR { continue }
            if got <= 0 { break }
            done += got
        }
        filled = done
    }
    return done == count ? bytes : nil
}

/// A table as LMDB describes it: 48 bytes.
struct TableDescription {
    static let size = 48
    let flags: UInt16
    let depth: Int
    let branchPages, leafPages, overflowPages, entries, root: UInt64

    init(_ bytes: RawSpan) {
        flags = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt16.self)
        depth = Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 6, as: UInt16.self))
        branchPages = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
        leafPages = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt64.self)
        overflowPages = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 24, as: UInt64.self)
        entries = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 32, as: UInt64.self)
        root = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 40, as: UInt64.self)
    }

    var isEmpty: Bool { root == .max }
}

private struct Walker {
    private static let pageSize = Inspection.pageSize
    private static let headerSize = 16
    private static let nodeSize = 8
    private static let longestKey = 511
    private enum Flag {
        static let branch: UInt16 = 1
        static let leaf: UInt16 = 2
        static let overflow: UInt16 = 4
        static let bigData: UInt16 = 1
        static let subData: UInt16 = 2
    }

    let descriptor: Int32
    let meta: MetaPage
    var findings: [PageFinding] = []
    private var used: [UInt64]
    private var table: String?
    private var counts: (branch: UInt64, leaf: UInt64, overflow: UInt64, entries: UInt64) = (0, 0, 0, 0)
    private var last: [UInt8]?
    private static let mostFindings = 1_000

    init(descriptor: Int32, meta: MetaPage) {
        self.descriptor = descriptor
        self.meta = meta
        used = Array(repeating: 0, count: Int(meta.lastPage >> 6) + 1)
        used[0] |= 3
    }

    mutating func run(_ names: [String], _ optional: [String], _ row: (String, RawSpan, RawSpan) -> String?) {
        var descriptions: [(name: String, table: TableDescription)] = []
        walk(meta.main, named: "main", integerKeys: false) { page, key, flags, value, walker in
            let name = unsafe key.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
            guard flags == Flag.subData, value.byteCount == TableDescription.size, names.contains(name) else {
                walker.report(page, "it names a table that must not be there")
                return
            }
            descriptions.append((name, TableDescription(value)))
        }
        for name in names where !optional.contains(name) && !descriptions.contains(where: { $0.name == name }) {
            table = name
            report(0, "the table is missing")
        }
        for (name, description) in descriptions {
            guard description.flags == 0 else {
                table = name
                report(0, "the table has another kind of keys")
                continue
            }
            walk(description, named: name, integerKeys: false) { page, key, flags, value, walker in
                guard flags == 0 else { return walker.report(page, "a row has another kind") }
                if let reason = row(name, key, value) { walker.report(page, reason) }
            }
        }
        var free: [UInt64] = []
        walk(meta.free, named: "free pages", integerKeys: true) { page, key, _, value, walker in
            let words = value.byteCount / 8
            let count = words > 0 ? unsafe value.unsafeLoadUnaligned(as: UInt64.self) : 0
            let transaction = unsafe key.unsafeLoadUnaligned(as: UInt64.self)
            guard words > 0, value.byteCount % 8 == 0, count < UInt64(words), transaction <= walker.meta.transaction
            else { return walker.report(page, "a list of free pages is damaged") }
            for word in 0..<Int(count) {
                free.append(unsafe value.unsafeLoadUnaligned(fromByteOffset: 8 + 8 * word, as: UInt64.self))
            }
        }
        table = "free pages"
        for page in free where !take(page) { report(page, "it is called free, and is not") }
        table = nil
    }

    // MARK: Trees

    private typealias Visit = (_ page: UInt64, _ key: RawSpan, _ flags: UInt16, _ value: RawSpan, inout Walker) -> Void

    private mutating func walk(
        _ description: TableDescription, named name: String, integerKeys: Bool, _ visit: Visit
    ) {
        table = name
        counts = (0, 0, 0, 0)
        last = nil
        if !description.isEmpty {
            guard description.depth >= 1, description.depth < 32 else { return report(0, "its depth is not possible") }
            descend(description.root, description.depth, nil, nil, integerKeys, visit)
        }
        let said = (
            description.branchPages, description.leafPages, description.overflowPages, description.entries
        )
        if findings.count < Walker.mostFindings, counts != said {
            report(description.isEmpty ? 0 : description.root, "it does not have the pages or rows it must have")
        }
    }

    /// One page and all below it; keys must be at least `low` and less than `high`.
    private mutating func descend(
        _ number: UInt64, _ depth: Int, _ low: [UInt8]?, _ high: [UInt8]?, _ integerKeys: Bool, _ visit: Visit
    ) {
        guard findings.count < Walker.mostFindings else { return }
        guard take(number) else { return report(number, "it is in use twice, or is beyond the end") }
        guard let bytes = read(number, 1) else { return report(number, "it cannot be read") }
        let page = unsafe bytes.span.bytes
        let flags: UInt16 = load(page, 10)
        guard load(page, 0, as: UInt64.self) == number, flags == (depth > 1 ? Flag.branch : Flag.leaf) else {
            return report(number, "it is not the page that must be there")
        }
        let (lower, upper) = (Int(load(page, 12, as: UInt16.self)), Int(load(page, 14, as: UInt16.self)))
        guard lower > Walker.headerSize, lower % 2 == 0, lower <= upper, upper <= Walker.pageSize else {
            return report(number, "its free space is not possible")
        }
        let count = (lower - Walker.headerSize) / 2
        guard depth == 1 || count >= 2 else { return report(number, "it is a branch that does not divide") }
        if depth > 1 { counts.branch += 1 } else { counts.leaf += 1 }
        guard let nodes = nodes(page, count, upper, isLeaf: depth == 1) else {
            return report(number, "its rows do not fill it")
        }
        if depth > 1 {
            for index in 0..<count {
                let key = index == 0 ? low : Array(bytes[nodes[index].key])
                let end = index + 1 < count ? Array(bytes[nodes[index + 1].key]) : high
                if let key, let end, !precedes(key, end, integerKeys) {
                    report(number, "its keys do not ascend")
                    continue
                }
                // A separator out of the bounds of its own page.
                if index > 0, let key, let low, precedes(key, low, integerKeys) {
                    report(number, "its keys do not ascend")
                    continue
                }
                descend(nodes[index].child, depth - 1, key, end, integerKeys, visit)
            }
            return
        }
        for node in nodes {
            let key = Array(bytes[node.key])
            if let last, !precedes(last, key, integerKeys) { report(number, "its keys do not ascend") }
            if let low, precedes(key, low, integerKeys) { report(number, "a key is before those of its page") }
            if let high, !precedes(key, high, integerKeys) { report(number, "a key is behind those of its page") }
            if integerKeys && key.count != 8 {
                report(number, "a key has another length")
                continue
            }
            last = key
            counts.entries += 1
            if node.flags & Flag.bigData != 0 {
                guard let value = overflow(number, load(page, node.value.lowerBound), node.size) else { continue }
                unsafe visit(number, key.span.bytes, node.flags & ~Flag.bigData, value.span.bytes, &self)
            } else {
                visit(number, page.extracting(node.key), node.flags, page.extracting(node.value), &self)
            }
        }
    }

    private struct Node {
        var key: Range<Int>
        /// In the page: the value, or the number of its overflow page.
        var value: Range<Int>
        var size: Int
        var flags: UInt16
        var child: UInt64
    }

    /// The nodes of a page; nil unless they lie in it one beside the other from `upper` to its end.
    private func nodes(_ page: RawSpan, _ count: Int, _ upper: Int, isLeaf: Bool) -> [Node]? {
        var nodes: [Node] = []
        nodes.reserveCapacity(count)
        var places: [Range<Int>] = []
        places.reserveCapacity(count)
        for index in 0..<count {
            let start = Int(load(page, Walker.headerSize + 2 * index, as: UInt16.self))
            guard start >= upper, start % 2 == 0, start + Walker.nodeSize <= Walker.pageSize else { return nil }
            let (low, middle) = (load(page, start, as: UInt16.self), load(page, start + 2, as: UInt16.self))
            let (flags, keySize) = (load(page, start + 4, as: UInt16.self), Int(load(page, start + 6, as: UInt16.self)))
            let key = start + Walker.nodeSize
            let size = isLeaf ? Int(low) | Int(middle) << 16 : 0
            let inPage = !isLeaf ? 0 : flags & Flag.bigData != 0 ? 8 : size
            guard keySize <= Walker.longestKey, inPage <= Walker.pageSize, key + keySize + inPage <= Walker.pageSize,
                !isLeaf || (keySize > 0 && flags <= 2)
            else { return nil }
            let end = key + keySize + inPage
            places.append(start..<end + end % 2)
            nodes.append(
                Node(
                    key: key..<key + keySize, value: key + keySize..<end, size: size, flags: isLeaf ? flags : 0,
                    child: UInt64(low) | UInt64(middle) << 16 | UInt64(flags) << 32))
        }
        var end = upper
        for place in places.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard place.lowerBound == end else { return nil }
            end = place.upperBound
        }
        return end == Walker.pageSize ? nodes : nil
    }

    /// A value that is kept outside of its page.
    private mutating func overflow(_ parent: UInt64, _ number: UInt64, _ size: Int) -> [UInt8]? {
        guard number <= meta.lastPage, let first = read(number, 1) else {
            report(parent, "a value lies beyond the end")
            return nil
        }
        let header = unsafe first.span.bytes
        let pages = Int(load(header, 12, as: UInt32.self))
        let needed = (Walker.headerSize - 1 + size) / Walker.pageSize + 1
        guard load(header, 0, as: UInt64.self) == number, load(header, 10, as: UInt16.self) == Flag.overflow,
            pages >= needed, UInt64(pages) <= meta.lastPage + 1 - number
        else {
            report(number, "it is not the value that must be there")
            return nil
        }
        for page in number..<number + UInt64(pages) where !take(page) {
            report(page, "it is in use twice")
            return nil
        }
        counts.overflow += UInt64(pages)
        guard let all = read(number, needed) else {
            report(number, "it cannot be read")
            return nil
        }
        return Array(all[Walker.headerSize..<Walker.headerSize + size])
    }

    // MARK: Pages

    /// Marks a page as used; false when it was, or is not there.
    private mutating func take(_ page: UInt64) -> Bool {
        guard page <= meta.lastPage else { return false }
        let (word, bit) = (Int(page >> 6), UInt64(1) << (page & 63))
        guard used[word] & bit == 0 else { return false }
        used[word] |= bit
        return true
    }

    private func read(_ page: UInt64, _ count: Int) -> [UInt8]? {
        readFully(descriptor, Int(page) * Walker.pageSize, count * Walker.pageSize)
    }

    private func load<Value: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: RawSpan, _ offset: Int, as: Value.Type = Value.self
    ) -> Value {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= bytes.byteCount)
        return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self)
    }

    private func precedes(_ left: [UInt8], _ right: [UInt8], _ integerKeys: Bool) -> Bool {
        // In the machine's own byte order: the most significant byte is the last.
        integerKeys
            ? left.reversed().lexicographicallyPrecedes(right.reversed()) : left.lexicographicallyPrecedes(right)
    }

    private mutating func report(_ page: UInt64, _ reason: String) {
        guard findings.count < Walker.mostFindings else { return }
        findings.append(PageFinding(table: table, page: page, reason: reason))
    }
}

extension Environment {
    /// ``PageWalk/verify(_:tables:row:)`` of this environment's newest snapshot, which is held meanwhile: others may write.
    public func verifyPages(
        row: (_ table: String, _ key: RawSpan, _ value: RawSpan) -> String? = { _, _, _ in nil }
    ) throws -> [PageFinding] {
        for _ in 0..<20 {
            let found = try read { (transaction: borrowing ReadTransaction) in
                PageWalk.walk(path, tableNames, [], snapshot: transaction.id, row)
            }
            if let found { return found }
        }
        return [PageFinding(table: nil, page: 0, reason: "its snapshots went by too fast to be looked at")]
    }
}
