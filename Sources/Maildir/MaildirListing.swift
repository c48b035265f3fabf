internal import Glibc

/// The messages of one folder at one moment: all names in one flat arena, twelve octets for each entry beside it, and a
/// hash index by base name (5 to 11 octets for each).
public struct MaildirListing: Sendable {
    /// A message.
    public struct Entry: Hashable, Sendable {
        public let place: MaildirPlace
        public let flags: MaildirFlags
        /// Whether there are more flags in the name than `flags` can say.
        public let hasUnknownFlags: Bool
    }

    /// What is in `cur` or `new` and is no message.
    public struct Skipped: Hashable, Sendable {
        public enum Reason: Hashable, Sendable {
            /// The name begins with a dot.
            case hidden
            case directory, symbolicLink
            /// A FIFO, socket or device.
            case special
            /// A second file with the base name of a message that is listed.
            case duplicate
        }
        public let place: MaildirPlace
        public let name: [UInt8]
        public let reason: Reason
    }

    struct Packed {
        var offset: UInt32
        var flags: UInt32
        var nameLength: UInt8
        var baseLength: UInt8
        /// Bit 0: in `cur`; bit 1: unknown flags; bit 2: not there any more.
        var bits: UInt8
        /// Some bits of the hash, so that most other names are told apart without being read.
        var tag: UInt8
    }

    private(set) var arena: [UInt8] = []
    private(set) var entries: [Packed] = []
    /// Open addressing; the entry's index + 1, 0 is free. Its size is a power of two.
    private var index: [UInt32] = Array(repeating: 0, count: 64)
    public internal(set) var skipped: [Skipped] = []

    /// Whether this was the folder's whole content at one moment. Otherwise other programs changed it so fast, and
    /// inotify was not to be had, that a message may be missing: its absence says nothing.
    public internal(set) var isExact = false

    init() {}

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }

    /// The octets of memory that the listing holds, about.
    public var memoryFootprint: Int {
        arena.capacity + entries.capacity * MemoryLayout<Packed>.stride + index.capacity * 4
    }

    /// The entry at `position`, 0 ..< ``count``. They have no order.
    public subscript(position: Int) -> Entry {
        let packed = entries[position]
        return Entry(
            place: packed.bits & 1 != 0 ? .cur : .new, flags: MaildirFlags(rawValue: packed.flags),
            hasUnknownFlags: packed.bits & 2 != 0)
    }

    /// The file's name, lent from the arena.
    public func name(at position: Int) -> ArraySlice<UInt8> {
        let packed = entries[position]
        return arena[Int(packed.offset)..<Int(packed.offset) + Int(packed.nameLength)]
    }

    /// The name without flags, lent from the arena.
    public func baseName(at position: Int) -> ArraySlice<UInt8> {
        let packed = entries[position]
        return arena[Int(packed.offset)..<Int(packed.offset) + Int(packed.baseLength)]
    }

    /// Where the message with that base name is.
    public func position(ofBaseName base: some Collection<UInt8>) -> Int? {
        let base = Array(base)
        return find(base, 0..<base.count, hash: Self.hash(base, 0..<base.count))
    }

    // MARK: Building

    /// Adds the message named `buffer[range]`. If its base name is there already, the one in `cur` stays, and of two
    /// in the same place the first.
    mutating func insert(
        _ buffer: borrowing [UInt8], _ range: Range<Int>, place: MaildirPlace, path: [UInt8]
    ) throws(MaildirError) {
        let split = MaildirFileName.split(buffer, range)
        var flags: MaildirFlags = []
        var bits: UInt8 = place == .cur ? 1 : 0
        for position in (split.flagsStart ?? range.upperBound)..<range.upperBound {
            if let flag = MaildirFlags(letter: buffer[position]) { flags.formUnion(flag) } else { bits |= 2 }
        }
        let baseRange = range.lowerBound..<split.baseEnd
        let hash = Self.hash(buffer, baseRange)
        // On disk a name has at most 255 octets; a longer one could not come from a directory.
        guard let offset = UInt32(exactly: arena.count), let nameLength = UInt8(exactly: range.count),
            let baseLength = UInt8(exactly: baseRange.count), entries.count < Int(UInt32.max) - 1
        else { throw .folderTooLarge(path: path) }
        let packed = Packed(
            offset: offset, flags: flags.rawValue, nameLength: nameLength, baseLength: baseLength, bits: bits,
            tag: Self.tag(hash))
        if let known = find(buffer, baseRange, hash: hash) {
            let knownPlace = self[known].place
            if knownPlace == .new, place == .cur {
                skipped.append(Skipped(place: .new, name: Array(name(at: known)), reason: .duplicate))
                appendName(buffer, range)
                entries[known] = packed
            } else {
                skipped.append(Skipped(place: place, name: Array(buffer[range]), reason: .duplicate))
            }
            return
        }
        appendName(buffer, range)
        entries.append(packed)
        if entries.count * 3 > index.count * 2 {
            rebuildIndex(count: index.count * 2)
        } else {
            link(entries.count, hash)
        }
    }

    private mutating func appendName(_ buffer: borrowing [UInt8], _ range: Range<Int>) {
        buffer.withUnsafeBytes { arena.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// Prepares for about so many messages, and octets of names if they are known.
    mutating func reserve(count: Int, octets: Int) {
        if octets > 0 {
            arena.reserveCapacity(octets)
            entries.reserveCapacity(count)
        }
        var size = 64
        while size * 2 < count * 3 { size *= 2 }
        if size > index.count { rebuildIndex(count: size) }
    }

    private mutating func rebuildIndex(count: Int) {
        index = Array(repeating: 0, count: count)
        for position in entries.indices {
            let start = Int(entries[position].offset)
            link(position + 1, Self.hash(arena, start..<start + Int(entries[position].baseLength)))
        }
    }

    private mutating func link(_ number: Int, _ hash: Int) {
        let mask = index.count - 1
        var slot = hash & mask
        while index[slot] != 0 { slot = (slot + 1) & mask }
        index[slot] = UInt32(truncatingIfNeeded: number)
    }

    private func find(_ buffer: borrowing [UInt8], _ range: Range<Int>, hash: Int) -> Int? {
        let mask = index.count - 1
        let tag = Self.tag(hash)
        var slot = hash & mask
        while index[slot] != 0 {
            let position = Int(index[slot]) - 1
            let packed = entries[position]
            if packed.tag == tag, Int(packed.baseLength) == range.count {
                let start = Int(packed.offset)
                let same = arena.withUnsafeBytes { mine in
                    buffer.withUnsafeBytes { theirs in
                        guard
                            let mine = UnsafeRawBufferPointer(rebasing: mine[start..<start + range.count]).baseAddress,
                            let theirs = UnsafeRawBufferPointer(rebasing: theirs[range]).baseAddress
                        else { return range.isEmpty }
                        return memcmp(mine, theirs, range.count) == 0
                    }
                }
                if same { return position }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private static func tag(_ hash: Int) -> UInt8 { UInt8(truncatingIfNeeded: hash >> 48) }

    /// Keyed anew in each process, so that nobody can make names that all fall into one slot.
    private static let key = (UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max) | 1)

    /// Eight octets at a time, each mixed in by a folded multiplication.
    private static func hash(_ buffer: borrowing [UInt8], _ range: Range<Int>) -> Int {
        let key = key
        func mix(_ value: UInt64, _ state: UInt64) -> UInt64 {
            let product = (value ^ state).multipliedFullWidth(by: key.1 ^ state)
            return product.high ^ product.low
        }
        return buffer.withUnsafeBytes { bytes in
            let name = UnsafeRawBufferPointer(rebasing: bytes[range])
            var state = key.0 ^ UInt64(truncatingIfNeeded: name.count)
            var position = 0
            while name.count - position >= 8 {
                state = mix(name.loadUnaligned(fromByteOffset: position, as: UInt64.self), state &+ key.1)
                position += 8
            }
            var rest: UInt64 = 0
            for byte in name[position...] { rest = rest << 8 | UInt64(byte) }
            return Int(truncatingIfNeeded: mix(rest, state &+ key.1))
        }
    }
}
